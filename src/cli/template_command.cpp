// aurum template: renders conversations through a model's chat template.

#include <algorithm>
#include <ctime>
#include <iomanip>
#include <iterator>
#include <sstream>

#include "base/error.h"
#include "cli/command.h"
#include "cli/model_files.h"
#include "text/chat/chat_template.h"

namespace aurum::cli {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kKeys[] = {"messages",
                                 "tools",
                                 "documents",
                                 "add_generation_prompt",
                                 "variables",
                                 "now",
                                 "continue_final_message"};

void check_keys(const Json& request) {
  for (const auto& [key, value] : request.items()) {
    if (std::find(std::begin(kKeys), std::end(kKeys), key) != std::end(kKeys)) continue;
    const std::string nearest = nearest_word(key, kKeys);
    throw InputError(fmt::format("/{} is no key of a request{}", key,
                                 nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
  }
}

Json field(const Json& request, const char* key, Json otherwise) {
  const auto found = request.find(key);
  return found == request.end() || found->is_null() ? otherwise : *found;
}

bool flag(const Json& request, const char* key) {
  const Json value = field(request, key, false);
  if (!value.is_boolean()) throw InputError(fmt::format("/{} must be true or false", key));
  return value.get<bool>();
}

std::optional<std::tm> parse_now(const Json& request) {
  const Json now = field(request, "now", nullptr);
  if (now.is_null()) return std::nullopt;
  std::tm time{};
  std::istringstream stream(now.is_string() ? now.get<std::string>() : "");
  stream >> std::get_time(&time, "%Y-%m-%dT%H:%M:%S");
  if (!stream || stream.peek() != std::istringstream::traits_type::eof()) {
    throw InputError("/now must look like 2026-01-31T12:00:00");
  }
  return time;
}

text::RenderRequest read_request(const Json& request, const text::Tokenizer& tokenizer) {
  check_keys(request);
  if (!request.contains("messages")) throw InputError("/messages is missing");
  return {.messages = request["messages"],
          .tools = field(request, "tools", nullptr),
          .documents = field(request, "documents", nullptr),
          .add_generation_prompt = flag(request, "add_generation_prompt"),
          .continue_final_message = flag(request, "continue_final_message"),
          .variables = field(request, "variables", Json::object()),
          .special_tokens = tokenizer.special_tokens().by_name,
          .now = parse_now(request)};
}

Json answer(const text::RenderedChat& chat) {
  Json spans = Json::array();
  for (const text::ByteSpan& span : chat.generation_spans) spans.push_back({span.begin, span.end});
  return {{"text", chat.text}, {"generation_spans", spans}};
}

struct TemplateArguments {
  std::string tokenizer;
  JsonLinesOptions lines;
};

void run_template(const TemplateArguments& arguments) {
  const auto tokenizer = open_tokenizer(arguments.tokenizer);
  const text::ChatTemplates templates(tokenizer->chat_templates(), arguments.tokenizer);
  if (templates.empty()) {
    throw InputError(arguments.tokenizer +
                     ": this model has no chat template; use plain text with it");
  }
  answer_json_lines(arguments.lines, [&](const Json& request) {
    return answer(templates.render(read_request(request, *tokenizer)));
  });
}

}  // namespace

void add_template_command(CLI::App& app) {
  auto arguments = std::make_shared<TemplateArguments>();
  CLI::App* command = app.add_subcommand("template", "Render conversations as a model reads them");
  command->footer(
      "Example: echo '{\"messages\": [{\"role\": \"user\", \"content\": \"Hi\"}]}' | "
      "aurum template --tokenizer MODEL");
  command->add_option("--tokenizer", arguments->tokenizer, "Model or tokenizer")->required();
  add_json_lines_options(*command, arguments->lines);
  command->callback([arguments] { run_template(*arguments); });
}

}  // namespace aurum::cli
