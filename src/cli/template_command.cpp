// aurum template: renders conversations through a model's chat template.

#include <ctime>
#include <iomanip>
#include <sstream>

#include "base/error.h"
#include "cli/command.h"
#include "cli/model_files.h"
#include "text/chat/chat_template.h"

namespace aurum::cli {

namespace {

using Json = nlohmann::ordered_json;

Json field(const Json& request, const char* key, Json otherwise) {
  const auto found = request.find(key);
  return found == request.end() ? otherwise : *found;
}

std::optional<std::tm> parse_now(const Json& request) {
  const Json now = field(request, "now", nullptr);
  if (now.is_null()) return std::nullopt;
  std::tm time{};
  std::istringstream stream(now.is_string() ? now.get<std::string>() : "");
  stream >> std::get_time(&time, "%Y-%m-%dT%H:%M:%S");
  if (!stream) throw InputError("\"now\" must look like 2026-01-31T12:00:00");
  return time;
}

Json render(const text::Tokenizer& tokenizer, const text::ChatTemplate& chat_template,
            const Json& request) {
  if (!field(request, "messages", nullptr).is_array())
    throw InputError("\"messages\" must be a list");
  const text::RenderedChat chat = chat_template.render(
      {.messages = request["messages"],
       .tools = field(request, "tools", nullptr),
       .documents = field(request, "documents", nullptr),
       .add_generation_prompt = field(request, "add_generation_prompt", false).get<bool>(),
       .continue_final_message = field(request, "continue_final_message", false).get<bool>(),
       .variables = field(request, "variables", Json::object()),
       .special_tokens = tokenizer.special_tokens().by_name,
       .now = parse_now(request)});
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
  const std::string* source = text::choose_template(tokenizer->chat_templates(), false);
  if (source == nullptr) {
    throw InputError(arguments.tokenizer +
                     ": this model has no chat template; use plain text with it");
  }
  const auto chat_template =
      text::ChatTemplate::parse(*source, arguments.tokenizer + ": chat template");
  answer_json_lines(arguments.lines, [&](const Json& request) {
    return render(*tokenizer, chat_template, request);
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
