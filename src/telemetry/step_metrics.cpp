#include "telemetry/step_metrics.h"

#include <cerrno>
#include <fstream>

#include <fcntl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/files.h"

namespace aurum::telemetry {

namespace {

using Json = nlohmann::ordered_json;

// Names every optional number of a StepMetrics once, for writing and for reading.
template <typename Metrics, typename Visit>
void for_each_optional(Metrics& metrics, Visit visit) {
  visit("loss", metrics.loss);
  visit("on_policy_loss", metrics.on_policy_loss);
  visit("off_policy_loss", metrics.off_policy_loss);
  visit("matched_loss", metrics.matched_loss);
  visit("unmatched_loss", metrics.unmatched_loss);
  visit("cross_entropy", metrics.cross_entropy);
  visit("grad_norm", metrics.grad_norm);
  visit("learning_rate", metrics.learning_rate);
  visit("completion_length_mean", metrics.completion_length_mean);
  visit("completion_cut_off_share", metrics.completion_cut_off_share);
  visit("multi_token_group_share", metrics.multi_token_group_share);
  visit("tokens_per_second", metrics.tokens_per_second);
}

constexpr const char* kEvalPrefix = "eval_";

bool has_key_with_prefix(const Json& json, const std::string& prefix) {
  for (const auto& [key, value] : json.items()) {
    if (key.rfind(prefix, 0) == 0) return true;
  }
  return false;
}

std::string string_or_empty(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

Json to_json(const StepMetrics& metrics) {
  const std::string prefix = metrics.is_evaluation ? kEvalPrefix : "";
  Json json = {{"step", metrics.step}, {"epoch", metrics.epoch}};
  for_each_optional(metrics, [&](const char* name, const std::optional<double>& value) {
    if (value) json[prefix + name] = *value;
  });
  json["num_input_tokens_seen"] = metrics.num_input_tokens_seen;
  for (const auto& [phase, seconds] : metrics.seconds) json[prefix + "seconds_" + phase] = seconds;
  json["peak_memory_bytes"] = metrics.peak_memory_bytes;
  return json;
}

StepMetrics parse_step_metrics(const Json& json) {
  StepMetrics metrics;
  metrics.is_evaluation = has_key_with_prefix(json, kEvalPrefix);
  const std::string prefix = metrics.is_evaluation ? kEvalPrefix : "";
  const auto number = [&](const std::string& key) -> std::optional<double> {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number()) return std::nullopt;
    return found->template get<double>();
  };
  metrics.step = static_cast<std::int64_t>(number("step").value_or(0));
  metrics.epoch = number("epoch").value_or(0);
  for_each_optional(metrics, [&](const char* name, std::optional<double>& value) {
    value = number(prefix + name);
  });
  metrics.num_input_tokens_seen =
      static_cast<std::int64_t>(number("num_input_tokens_seen").value_or(0));
  const std::string seconds = prefix + "seconds_";
  for (const auto& [key, value] : json.items()) {
    if (key.rfind(seconds, 0) == 0 && value.is_number()) {
      metrics.seconds[key.substr(seconds.size())] = value.template get<double>();
    }
  }
  metrics.peak_memory_bytes = static_cast<std::int64_t>(number("peak_memory_bytes").value_or(0));
  return metrics;
}

Json to_json(const CompletionSample& sample) {
  return {{"step", sample.step},
          {"phase", sample.phase},
          {"prompt", sample.prompt},
          {"completion", sample.completion},
          {"finish_reason", sample.finish_reason}};
}

CompletionSample parse_completion_sample(const Json& json) {
  return {.step = json.value("step", std::int64_t{0}),
          .phase = string_or_empty(json, "phase"),
          .prompt = string_or_empty(json, "prompt"),
          .completion = string_or_empty(json, "completion"),
          .finish_reason = string_or_empty(json, "finish_reason")};
}

JsonlWriter::JsonlWriter(std::string path) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0) throw_errno(path_, "cannot open to append");
}

JsonlWriter::~JsonlWriter() { ::close(descriptor_); }

void JsonlWriter::append(const Json& line) {
  const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  std::size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = ::write(descriptor_, text.data() + written, text.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw_errno(path_, "cannot write", "Is the disk full?");
    written += static_cast<std::size_t>(count);
  }
}

std::vector<Json> read_jsonl(const std::string& path, std::int64_t* num_bad_lines) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw_errno(path, "cannot open");
  std::vector<Json> lines;
  std::int64_t bad = 0;
  for (std::string line; std::getline(stream, line);) {
    if (line.empty()) continue;
    Json json = Json::parse(line, nullptr, false);
    if (json.is_object()) {
      lines.push_back(std::move(json));
    } else {
      ++bad;
    }
  }
  if (num_bad_lines != nullptr) *num_bad_lines = bad;
  return lines;
}

void keep_lines_up_to_step(const std::string& path, std::int64_t step) {
  if (!std::filesystem::exists(path)) return;
  std::string kept;
  for (const Json& line : read_jsonl(path, nullptr)) {
    const auto found = line.find("step");
    if (found == line.end() || !found->is_number() || found->get<std::int64_t>() > step) continue;
    kept += line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  }
  write_file(path, kept);
}

}  // namespace aurum::telemetry
