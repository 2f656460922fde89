#include <algorithm>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <optional>
#include <span>
#include <utility>

#include <unistd.h>

#include "base/error.h"
#include "cli/command.h"
#include "cli/model_options.h"
#include "cli/token_fields.h"
#include "report/rate_line.h"
#include "rollout/decoder_model.h"
#include "rollout/local_rollout_source.h"
#include "text/chat/chat_template.h"

namespace aurum::cli {

namespace {

using nlohmann::ordered_json;
using rollout::Rollout;
using rollout::RolloutRequest;

constexpr std::size_t kLinesTogether = 128;

struct GenerateOptions {
  ModelOptions model;
  std::string prompt;
  rollout::SamplingParams sampling;
  std::uint64_t seed = 0;
  bool json = false;
  JsonLinesOptions lines;
};

struct Job {
  std::vector<std::int32_t> prompt_ids;
  rollout::SamplingParams sampling;
  std::uint64_t seed = 0;
  std::int64_t num_completions = 1;
};

// A key's value, or `fallback`; a value of another type is the user's mistake.
template <typename T>
T value_of(const ordered_json& request, const char* key, T fallback) {
  const auto found = request.find(key);
  if (found == request.end() || found->is_null()) return fallback;
  const bool fits = std::is_floating_point_v<T> ? found->is_number()
                    : std::is_unsigned_v<T>     ? found->is_number_unsigned()
                                                : found->is_number_integer();
  if (!fits) {
    throw InputError(fmt::format("/{} must be {}, not {}", key,
                                 std::is_floating_point_v<T> ? "a number" : "a whole number",
                                 found->dump()));
  }
  return found->get<T>();
}

void check_keys(const ordered_json& request) {
  static const std::vector<std::string> kKeys = {"messages",    "prompt", "tools", "max_new_tokens",
                                                 "temperature", "top_p",  "top_k", "seed",
                                                 "n",           "regex"};
  if (!request.is_object()) throw InputError("a request must be a JSON object");
  for (const auto& [key, value] : request.items()) {
    if (std::find(kKeys.begin(), kKeys.end(), key) != kKeys.end()) continue;
    const std::string near = nearest_word(key, kKeys);
    throw InputError(near.empty()
                         ? fmt::format("unknown key \"{}\"", key)
                         : fmt::format("unknown key \"{}\"; did you mean \"{}\"?", key, near));
  }
}

void check_regex(const char* place, const std::string& regex) {
  try {
    const rollout::ByteAutomaton automaton(regex);
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}: {}", place, error.what()));
  }
}

// A loaded model with what turns text into ids and back.
class Generator {
 public:
  explicit Generator(const GenerateOptions& options)
      : options_(options),
        tokenizer_(options.model.load_tokenizer()),
        checkpoint_(options.model.load_checkpoint()),
        source_(
            [this] {
              return rollout::make_decoder_model(checkpoint_, options_.model.compute_dtype());
            },
            end_of_turn_ids(), tokenizer_->vocab_size(),
            rollout::LocalRolloutOptions{.tokenizer = tokenizer_}) {}

  ordered_json answer(const ordered_json& request) { return results_of(run(job_of(request))); }

  // Answers all good lines together, so that their sequences share each pass over the weights.
  void answer(std::vector<JsonLine>& lines) {
    std::vector<RolloutRequest> requests;
    std::vector<std::pair<JsonLine*, std::size_t>> owners;  // a line and its number of requests
    for (JsonLine& line : lines) {
      if (line.failed) continue;
      std::vector<RolloutRequest> own;
      line.answer([&]() -> ordered_json {
        own = requests_of(job_of(line.request));
        return {};
      });
      if (line.failed) continue;
      owners.emplace_back(&line, own.size());
      std::move(own.begin(), own.end(), std::back_inserter(requests));
    }
    const std::vector<Rollout> rollouts = generate_with_progress(requests);
    std::span<const Rollout> rest = rollouts;
    for (const auto& [line, count] : owners) {
      line->result = results_of(rest.first(count));
      rest = rest.subspan(count);
    }
  }

  // Answers once, writing to the terminal as tokens come. Returns the text.
  std::string stream(const ordered_json& request) {
    const auto decoder = tokenizer_->make_stream_decoder(/*skip_special_tokens=*/true);
    std::string text;
    const auto write = [&](const std::string& piece) {
      text += piece;
      std::cout << piece << std::flush;
    };
    run(job_of(request), [&](std::size_t, std::int32_t id) {
      write(decoder->push(id));
      return true;
    });
    write(decoder->finish());
    std::cout << std::endl;
    return text;
  }

  bool has_template() const { return !tokenizer_->chat_templates().empty(); }

 private:
  std::vector<std::int32_t> end_of_turn_ids() const {
    std::vector<std::int32_t> ids = tokenizer_->special_tokens().end_of_turn;
    for (const std::int64_t id : checkpoint_->config().eos_token_ids) {
      ids.push_back(static_cast<std::int32_t>(id));
    }
    return ids;
  }

  Job job_of(const ordered_json& request) const {
    check_keys(request);
    Job job{.prompt_ids = prompt_ids(request), .sampling = options_.sampling};
    auto& sampling = job.sampling;
    sampling.max_new_tokens = value_of(request, "max_new_tokens", sampling.max_new_tokens);
    sampling.temperature = value_of(request, "temperature", sampling.temperature);
    sampling.top_p = value_of(request, "top_p", sampling.top_p);
    sampling.top_k = value_of(request, "top_k", sampling.top_k);
    sampling.regex = regex_of(request);
    job.seed = value_of(request, "seed", options_.seed);
    job.num_completions = value_of<std::int64_t>(request, "n", 1);
    if (job.num_completions < 1 || job.num_completions > 10000) {
      throw InputError(fmt::format("/n must be in 1 .. 10000, not {}", job.num_completions));
    }
    return job;
  }

  // Checked here, so that a wrong one is the mistake of its line alone.
  std::string regex_of(const ordered_json& request) const {
    if (!request.contains("regex")) return options_.sampling.regex;
    if (!request["regex"].is_string()) throw InputError("/regex must be a string");
    const auto regex = request["regex"].get<std::string>();
    check_regex("/regex", regex);
    return regex;
  }

  std::vector<std::int32_t> prompt_ids(const ordered_json& request) const {
    const bool has_messages = request.contains("messages");
    if (has_messages == request.contains("prompt")) {
      throw InputError("a request needs either \"messages\" or \"prompt\"");
    }
    if (has_messages) return tokenizer_->encode(render(request), false).ids;
    if (!request["prompt"].is_string()) throw InputError("/prompt must be a string");
    return encode_with_special_tokens(*tokenizer_, request["prompt"].get<std::string>()).ids;
  }

  std::string render(const ordered_json& request) const {
    text::RenderRequest chat;
    chat.messages = request["messages"];
    chat.tools = request.value("tools", ordered_json());
    chat.add_generation_prompt = true;
    chat.special_tokens = tokenizer_->special_tokens().by_name;
    if (!has_template()) {
      throw InputError(
          fmt::format("{} has no chat template; give \"prompt\" instead of "
                      "\"messages\"",
                      options_.model.name));
    }
    // Parsed at the first conversation: plain prompts need no template, not even a valid one.
    if (!templates_) {
      templates_.emplace(tokenizer_->chat_templates(), options_.model.name);
    }
    return templates_->render(chat).text;
  }

  static std::vector<RolloutRequest> requests_of(const Job& job) {
    std::vector<RolloutRequest> requests;
    for (std::int64_t i = 0; i < job.num_completions; ++i) {
      requests.push_back({.prompt_ids = job.prompt_ids,
                          .sampling = job.sampling,
                          .seed = job.seed,
                          .stream_index = static_cast<std::uint64_t>(i)});
    }
    return requests;
  }

  std::vector<Rollout> generate_with_progress(std::span<const RolloutRequest> requests) {
    report::RateLine line("tokens", "completions", static_cast<std::int64_t>(requests.size()));
    std::vector<std::int64_t> num_left;
    for (const RolloutRequest& request : requests) {
      num_left.push_back(request.sampling.max_new_tokens);
    }
    const std::vector<std::int32_t> ends = end_of_turn_ids();
    return source_.generate(requests, [&](std::size_t index, std::int32_t id) {
      line.add_unit();
      const bool is_end = std::find(ends.begin(), ends.end(), id) != ends.end();
      if (--num_left[index] == 0 || is_end) line.add_part();
      line.draw();
      return true;
    });
  }

  std::vector<Rollout> run(const Job& job, const rollout::TokenCallback& on_token = {}) {
    return source_.generate(requests_of(job), on_token);
  }

  // The first completion's fields, and all of them under "completions" when there are several.
  ordered_json results_of(std::span<const Rollout> rollouts) const {
    ordered_json completions = ordered_json::array();
    for (const Rollout& rollout : rollouts) completions.push_back(result_of(rollout));
    ordered_json result = completions.front();
    if (rollouts.size() > 1) result["completions"] = std::move(completions);
    return result;
  }

  ordered_json result_of(const Rollout& rollout) const {
    const bool ended = rollout.finish_reason == rollout::FinishReason::kEndOfTurn;
    return {{"text", tokenizer_->decode(rollout.completion_ids, true)},
            {"ids", rollout.completion_ids},
            {"finish_reason", ended ? "eos" : "length"}};
  }

  const GenerateOptions& options_;
  std::shared_ptr<const text::Tokenizer> tokenizer_;
  std::shared_ptr<const weights::Checkpoint> checkpoint_;
  rollout::LocalRolloutSource source_;
  mutable std::optional<text::ChatTemplates> templates_;
};

ordered_json user_turn(const std::string& text) { return {{"role", "user"}, {"content", text}}; }

// -p: a chat turn when the model has a template, else the text itself.
ordered_json request_for(const Generator& generator, const std::string& prompt) {
  if (!generator.has_template()) return {{"prompt", prompt}};
  return {{"messages", ordered_json::array({user_turn(prompt)})}};
}

void answer_prompt(Generator& generator, const GenerateOptions& options) {
  const ordered_json request = request_for(generator, options.prompt);
  if (options.json) {
    std::cout << generator.answer(request).dump() << std::endl;
  } else {
    generator.stream(request);
  }
}

void chat(Generator& generator) {
  std::cerr << "An empty line or Ctrl-D ends the chat.\n";
  ordered_json messages = ordered_json::array();
  std::string line;
  while ((std::cerr << "> ", std::getline(std::cin, line)) && !line.empty()) {
    if (!generator.has_template()) {
      generator.stream({{"prompt", line}});
      continue;
    }
    messages.push_back(user_turn(line));
    const std::string reply = generator.stream({{"messages", messages}});
    messages.push_back({{"role", "assistant"}, {"content", reply}});
  }
}

void run_generate(const GenerateOptions& options) {
  check_regex("--regex", options.sampling.regex);
  Generator generator(options);
  if (!options.prompt.empty()) return answer_prompt(generator, options);
  if (options.lines.input == "-" && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
    return chat(generator);
  }
  answer_json_line_groups(options.lines, kLinesTogether,
                          [&](std::vector<JsonLine>& lines) { generator.answer(lines); });
}

}  // namespace

void add_generate_command(CLI::App& app) {
  auto options = std::make_shared<GenerateOptions>();
  CLI::App* command = app.add_subcommand("generate", "Completes prompts or chats with a model");
  add_model_options(*command, options->model);
  command->add_option("-p,--prompt", options->prompt, "Answers this text and ends");
  command->add_option("--max-new-tokens", options->sampling.max_new_tokens)->capture_default_str();
  command->add_option("--temperature", options->sampling.temperature, "0 is greedy")
      ->capture_default_str();
  command->add_option("--top-p", options->sampling.top_p)->capture_default_str();
  command->add_option("--top-k", options->sampling.top_k, "0 is off")->capture_default_str();
  command->add_option("--regex", options->sampling.regex, "What the whole answer has to match");
  command->add_option("--seed", options->seed)->capture_default_str();
  command->add_flag("--json", options->json, "With -p: the result as JSON");
  add_json_lines_options(*command, options->lines);
  command->footer(
      "Reads {\"messages\": [...]} or {\"prompt\": \"...\"} per line, with max_new_tokens,\n"
      "temperature, top_p, top_k, seed, n and regex. On a terminal without -p it is a chat.\n\n"
      "Example:\n"
      "  aurum generate --model models/student -p \"What is 6 times 7?\" --temperature 0\n"
      "  echo '{\"prompt\": \"Once\", \"n\": 2}' | aurum generate --model model.gguf");
  command->callback([options] { run_generate(*options); });
}

}  // namespace aurum::cli
