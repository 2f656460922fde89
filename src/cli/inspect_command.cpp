// aurum inspect: what a model is, what it needs, and what aurum cannot do with it.

#include <algorithm>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "cli/command.h"
#include "cli/memory_estimate.h"
#include "cli/model_files.h"
#include "text/chat/chat_template.h"
#include "text/tokenizer/tokenizer.h"
#include "weights/checkpoint.h"

namespace aurum::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t kDefaultContext = 4096;
// What one micro-batch of training holds unless --tokens says otherwise.
constexpr std::int64_t kDefaultTokens = 2048;

struct InspectOptions {
  std::string model, revision = "main", teacher;
  std::int64_t context = 0, tokens = kDefaultTokens;  // context 0: the model's, up to 4096
  std::int64_t lora_rank = 8;
  bool json = false;
};

std::string_view rope_name(weights::RopeKind kind) {
  switch (kind) {
    case weights::RopeKind::kDefault:
      return "default";
    case weights::RopeKind::kLinear:
      return "linear";
    case weights::RopeKind::kDynamic:
      return "dynamic";
    case weights::RopeKind::kLlama3:
      return "llama3";
    case weights::RopeKind::kYarn:
      return "yarn";
    case weights::RopeKind::kLongRope:
      return "longrope";
  }
  return "unknown";
}

struct WeightTotals {
  struct ByType {
    std::int64_t tensors = 0, values = 0, bytes = 0;
  };
  std::map<std::string, ByType, std::less<>> by_type;
  std::int64_t values = 0, bytes = 0;
};

WeightTotals sum_weights(const weights::Checkpoint& checkpoint) {
  WeightTotals totals;
  for (const std::string& name : checkpoint.tensor_names()) {
    const weights::TensorView view = checkpoint.tensor(name);
    auto& entry = totals.by_type[std::string(weights::dtype_name(view.dtype))];
    const auto bytes = static_cast<std::int64_t>(view.bytes.size());
    ++entry.tensors;
    entry.values += view.num_values();
    entry.bytes += bytes;
    totals.values += view.num_values();
    totals.bytes += bytes;
  }
  return totals;
}

// Why a model of this kind cannot be a student; nullopt when it can.
std::optional<std::string> why_untrainable(const weights::ModelConfig& config) {
  if (!config.experts) return std::nullopt;
  return fmt::format(
      "{} has sparse layers, whose experts have no backward pass here; it can score, "
      "generate and teach",
      config.model_type);
}

Json describe_uses(const weights::ModelConfig& config) {
  Json uses = {"score", "generate", "teach"};
  if (!why_untrainable(config)) uses.insert(uses.end(), {"train", "train with LoRA"});
  return uses;
}

Json to_json(const MemoryEstimate& estimate) {
  return {{"total", estimate.total()},       {"program", estimate.program},
          {"file", estimate.file},           {"weights", estimate.weights},
          {"optimizer", estimate.optimizer}, {"working", estimate.working}};
}

Json describe_training(const SizedModel& student, const InspectOptions& options) {
  std::shared_ptr<const weights::Checkpoint> files;
  std::optional<SizedModel> teacher;
  if (!options.teacher.empty()) {
    files = open_model(options.teacher);
    teacher.emplace(*files);
  }
  Json train = {{"tokens", options.tokens},
                {"lora_rank", options.lora_rank},
                {"rollouts", rollout_bytes(student, options.tokens)}};
  if (teacher) train["teacher"] = options.teacher;
  for (const auto& [name, rank] :
       {std::pair{"full", std::int64_t{0}}, std::pair{"lora", options.lora_rank}}) {
    for (const bool checkpointing : {false, true}) {
      // As in `aurum train`: the base under an adapter needs no second copy to teach.
      const bool shares = rank > 0 && options.teacher == options.model;
      const TrainingUse use{
          .tokens = options.tokens, .checkpointing = checkpointing, .lora_rank = rank};
      train[fmt::format("{}{}", name, checkpointing ? "_checkpointing" : "")] =
          to_json(estimate_training(student, use,
                                    shares    ? &student
                                    : teacher ? &*teacher
                                              : nullptr));
    }
  }
  return train;
}

Json describe_memory(const weights::Checkpoint& checkpoint, const InspectOptions& options) {
  const SizedModel model(checkpoint);
  const std::int64_t context =
      options.context > 0 ? options.context
                          : std::min(model.config.max_position_embeddings, kDefaultContext);
  Json memory;
  memory["score"] = {{"tokens", options.tokens}};
  memory["generate"] = {
      {"context", context},
      {"cache_per_sequence", cache_bytes(model.config, ComputeType::kBFloat16, context)}};
  for (const auto& [name, type] : {std::pair{"float32", ComputeType::kFloat32},
                                   std::pair{"bfloat16", ComputeType::kBFloat16}}) {
    memory["score"][name] = to_json(estimate_scoring(model, type, options.tokens));
    memory["generate"][name] = to_json(estimate_generation(model, type, context));
  }
  if (!why_untrainable(model.config)) memory["train"] = describe_training(model, options);
  return memory;
}

Json describe_model(const weights::Checkpoint& checkpoint, const InspectOptions& options) {
  const weights::ModelConfig& config = checkpoint.config();
  const WeightTotals totals = sum_weights(checkpoint);
  Json model;
  model["path"] = checkpoint.path().string();
  model["model_type"] = config.model_type;
  model["architectures"] = config.architectures;
  model["parameters"] = totals.values;
  model["layers"] = config.num_layers;
  model["hidden_size"] = config.hidden_size;
  model["intermediate_size"] = config.intermediate_size;
  model["heads"] = config.num_heads;
  model["kv_heads"] = config.num_kv_heads;
  model["head_dim"] = config.head_dim;
  model["vocab_size"] = config.vocab_size;
  model["context_length"] = config.max_position_embeddings;
  model["tied_head"] = config.tie_word_embeddings;
  model["rope"] = {{"type", rope_name(config.rope.kind)}, {"theta", config.rope.theta}};
  model["window_layers"] =
      std::ranges::count_if(config.sliding_window, [](std::int64_t window) { return window > 0; });
  Json types = Json::object();
  for (const auto& [name, entry] : totals.by_type) {
    types[name] = {{"tensors", entry.tensors}, {"values", entry.values}, {"bytes", entry.bytes}};
  }
  model["weights"] = std::move(types);
  model["uses"] = describe_uses(config);
  model["memory"] = describe_memory(checkpoint, options);
  return model;
}

Json describe_token(const text::Tokenizer& tokenizer, std::optional<text::TokenId> id) {
  if (!id) return Json();
  return {{"id", *id}, {"token", tokenizer.piece(*id)}};
}

Json describe_tokenizer(const text::Tokenizer& tokenizer) {
  const text::SpecialTokens& special = tokenizer.special_tokens();
  Json json;
  json["vocab_size"] = tokenizer.vocab_size();
  json["fingerprint"] = fmt::format("{:016x}", tokenizer.fingerprint());
  if (const auto length = tokenizer.model_max_length()) json["model_max_length"] = *length;
  json["bos"] = describe_token(tokenizer, special.bos);
  json["eos"] = describe_token(tokenizer, special.eos);
  json["pad"] = describe_token(tokenizer, special.pad);
  json["unk"] = describe_token(tokenizer, special.unk);
  json["end_of_turn"] = Json::array();
  for (const text::TokenId id : special.end_of_turn) {
    json["end_of_turn"].push_back(describe_token(tokenizer, id));
  }
  return json;
}

Json describe_templates(const text::Tokenizer& tokenizer, Json& unsupported) {
  Json templates = Json::array();
  for (const auto& [name, source] : tokenizer.chat_templates()) {
    Json entry = {{"name", name}, {"bytes", source.text.size()}, {"parses", true}};
    try {
      text::ChatTemplate::parse(source.text, source.origin);
    } catch (const Error& error) {
      entry["parses"] = false;
      unsupported.push_back({{"what", "chat template " + name}, {"why", error.what()}});
    }
    templates.push_back(std::move(entry));
  }
  return templates;
}

void check_fit(const weights::ModelConfig& config, const text::Tokenizer& tokenizer,
               Json& unsupported) {
  if (tokenizer.vocab_size() <= config.vocab_size) return;
  unsupported.push_back({{"what", "tokenizer and model together"},
                         {"why", fmt::format("the tokenizer has {} ids, the embedding {} rows",
                                             tokenizer.vocab_size(), config.vocab_size)}});
}

Json inspect(const InspectOptions& options) {
  Json result;
  Json unsupported = Json::array();
  std::shared_ptr<const weights::Checkpoint> checkpoint;
  std::shared_ptr<const text::Tokenizer> tokenizer;
  try {
    checkpoint = open_model(options.model, options.revision);
    result["model"] = describe_model(*checkpoint, options);
    if (const auto why = why_untrainable(checkpoint->config())) {
      unsupported.push_back({{"what", "training"}, {"why", *why}});
    }
  } catch (const Error& error) {
    unsupported.push_back({{"what", "model"}, {"why", error.what()}});
  }
  try {
    tokenizer = open_tokenizer(options.model, options.revision);
    result["tokenizer"] = describe_tokenizer(*tokenizer);
    result["chat_templates"] = describe_templates(*tokenizer, unsupported);
  } catch (const Error& error) {
    unsupported.push_back({{"what", "tokenizer"}, {"why", error.what()}});
  }
  if (!checkpoint && !tokenizer) throw InputError(unsupported[0]["why"].get<std::string>());
  if (checkpoint && tokenizer) check_fit(checkpoint->config(), *tokenizer, unsupported);
  result["unsupported"] = std::move(unsupported);
  return result;
}

// --- for people ---

std::string human_bytes(std::int64_t bytes) {
  const auto value = static_cast<double>(bytes);
  if (value >= 1e9) return fmt::format("{:.2f} GB", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.1f} MB", value / 1e6);
  return fmt::format("{:.1f} kB", value / 1e3);
}

std::string with_commas(std::int64_t value) {
  std::string digits = std::to_string(value);
  for (std::size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

class Table {
 public:
  explicit Table(bool color) : color_(color) {}

  void line(std::string_view label, const std::string& value) const {
    const std::string padded = fmt::format("{:<14}", label);
    fmt::print("{} {}\n", color_ ? "\x1b[1m" + padded + "\x1b[0m" : padded, value);
  }

 private:
  bool color_;
};

std::int64_t number(const Json& json, const char* key) { return json.at(key).get<std::int64_t>(); }

std::int64_t total(const Json& use, const char* type) { return number(use.at(type), "total"); }

void print_training(const Table& table, const Json& train) {
  const auto pair = [&](const std::string& name) {
    return fmt::format("{}, {} with gradient checkpointing",
                       human_bytes(total(train, name.c_str())),
                       human_bytes(total(train, (name + "_checkpointing").c_str())));
  };
  table.line("train", pair("full"));
  table.line("train LoRA", fmt::format("{} (rank {})", pair("lora"), number(train, "lora_rank")));
  table.line(
      "",
      fmt::format("in bfloat16 with AdamW, micro-batches of {} tokens, with rollouts, whose {} the "
                  "passes use again; {}",
                  number(train, "tokens"), human_bytes(number(train, "rollouts")),
                  train.contains("teacher") ? "teacher " + train.at("teacher").get<std::string>()
                                            : "a teacher comes on top: name it with --teacher"));
}

void print_memory(const Table& table, const Json& memory) {
  const Json& score = memory.at("score");
  const Json& generate = memory.at("generate");
  table.line("score", fmt::format("{} in bfloat16, {} in float32, {} tokens at a time",
                                  human_bytes(total(score, "bfloat16")),
                                  human_bytes(total(score, "float32")), number(score, "tokens")));
  table.line("generate",
             fmt::format(
                 "{} in bfloat16, {} in float32; {} for each more sequence of {} tokens",
                 human_bytes(total(generate, "bfloat16")), human_bytes(total(generate, "float32")),
                 human_bytes(number(generate, "cache_per_sequence")), number(generate, "context")));
  if (memory.contains("train")) print_training(table, memory.at("train"));
}

void print_model(const Table& table, const Json& model) {
  table.line("model", model.at("path").get<std::string>());
  table.line("architecture", fmt::format("{}: {} layers, hidden {}, mlp {}, {} heads ({} kv) of {}",
                                         model.at("model_type").get<std::string>(),
                                         number(model, "layers"), number(model, "hidden_size"),
                                         number(model, "intermediate_size"), number(model, "heads"),
                                         number(model, "kv_heads"), number(model, "head_dim")));
  table.line("parameters", fmt::format("{}{}", with_commas(number(model, "parameters")),
                                       model.at("tied_head").get<bool>() ? " (head tied)" : ""));
  table.line("context", fmt::format("{} tokens, rope {}, theta {}, {} layers with a window",
                                    with_commas(number(model, "context_length")),
                                    model.at("rope").at("type").get<std::string>(),
                                    model.at("rope").at("theta").get<double>(),
                                    number(model, "window_layers")));
  for (const auto& [type, entry] : model.at("weights").items()) {
    table.line("weights", fmt::format("{:<5} {:>4} tensors, {}", type, number(entry, "tensors"),
                                      human_bytes(number(entry, "bytes"))));
  }
  table.line("uses",
             fmt::format("{}", fmt::join(model.at("uses").get<std::vector<std::string>>(), ", ")));
  print_memory(table, model.at("memory"));
}

void print_tokenizer(const Table& table, const Json& result) {
  const Json& tokenizer = result.at("tokenizer");
  table.line("tokenizer",
             fmt::format("{} ids, fingerprint {}", with_commas(number(tokenizer, "vocab_size")),
                         tokenizer.at("fingerprint").get<std::string>()));
  std::string tokens;
  for (const char* key : {"bos", "eos", "pad", "unk"}) {
    const Json& token = tokenizer.at(key);
    if (token.is_null()) continue;
    tokens += fmt::format("{}{} {} ({})", tokens.empty() ? "" : ", ", key,
                          token.at("token").get<std::string>(), number(token, "id"));
  }
  table.line("special tokens", tokens.empty() ? "none" : tokens);
  for (const Json& entry : result.at("chat_templates")) {
    table.line("template", fmt::format("{}, {} bytes", entry.at("name").get<std::string>(),
                                       number(entry, "bytes")));
  }
  if (result.at("chat_templates").empty()) table.line("template", "none");
}

void print_for_people(const Json& result) {
  const Table table(use_color(1));
  if (result.contains("model")) print_model(table, result["model"]);
  if (result.contains("tokenizer") && result.contains("chat_templates")) {
    print_tokenizer(table, result);
  }
  for (const Json& entry : result.at("unsupported")) {
    table.line("unsupported", fmt::format("{}: {}", entry.at("what").get<std::string>(),
                                          entry.at("why").get<std::string>()));
  }
  if (result.at("unsupported").empty()) table.line("unsupported", "nothing found");
}

}  // namespace

void add_inspect_command(CLI::App& app) {
  auto* command = app.add_subcommand(
      "inspect", "Show a model's architecture, memory, tokenizer and what is unsupported");
  command->footer("Example: aurum inspect SmolLM2-135M-Instruct.Q4_1.gguf --json");
  auto options = std::make_shared<InspectOptions>();
  command->add_option("model", options->model, "A model folder, .gguf file or hub id")->required();
  command->add_option("--revision", options->revision, "Revision of a hub id");
  command
      ->add_option("--context", options->context, "Tokens of a sequence when memory is predicted")
      ->check(CLI::PositiveNumber);
  command->add_option("--tokens", options->tokens, "Tokens of a batch when memory is predicted")
      ->check(CLI::PositiveNumber);
  command->add_option("--teacher", options->teacher,
                      "A model that teaches this one when memory of training is predicted");
  command
      ->add_option("--lora-rank", options->lora_rank,
                   "Rank of an adapter when memory of training is predicted")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->add_flag("--json", options->json, "Print JSON");
  command->callback([options] {
    const Json result = inspect(*options);
    if (options->json) {
      fmt::print("{}\n", result.dump(2, ' ', false, Json::error_handler_t::replace));
    } else {
      print_for_people(result);
    }
  });
}

}  // namespace aurum::cli
