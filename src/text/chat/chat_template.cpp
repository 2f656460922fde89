#include "text/chat/chat_template.h"

#include <algorithm>

#include "base/error.h"
#include "text/chat/conversation.h"
#include "text/chat/jinja/python_json.h"
#include "text/chat/jinja/template.h"

namespace aurum::text {

namespace {

constexpr int kMostNesting = 200;  // of lists and mappings in a request
constexpr std::size_t kBytesPerNode = 200;

// About what the request's values take, which the budgets grow with.
std::size_t weigh(const OrderedJson& json, int depth = 0) {
  std::size_t bytes = kBytesPerNode;
  if (json.is_string()) return bytes + json.get_ref<const std::string&>().size();
  if (!json.is_structured() || depth > kMostNesting) return bytes;
  for (const auto& [key, item] : json.items()) {
    bytes += (json.is_object() ? kBytesPerNode + key.size() : 0) + weigh(item, depth + 1);
  }
  return bytes;
}

jinja::Limits limits_for(const RenderRequest& request) {
  const std::size_t bytes = weigh(request.messages) + weigh(request.tools) +
                            weigh(request.documents) + weigh(request.variables);
  jinja::Limits limits;
  limits.memory_bytes += 8 * bytes;
  limits.work += 1000 * static_cast<std::int64_t>(bytes);
  return limits;
}

// What the template sees; what comes later in this list wins.
jinja::Context make_context(const OrderedJson& messages, const RenderRequest& request) {
  jinja::Context context;
  context.now = request.now;
  auto& variables = context.variables;
  for (const auto& [name, token] : request.special_tokens) variables[name] = token;
  variables["messages"] = jinja::from_json(messages);
  variables["tools"] = jinja::from_json(request.tools);
  variables["documents"] = jinja::from_json(request.documents);
  variables["add_generation_prompt"] = request.add_generation_prompt;
  for (const auto& [name, value] : request.variables.items()) {
    variables[name] = jinja::from_json(value);
  }
  return context;
}

// Turns positions in characters, which need not be sorted, into positions in bytes.
std::vector<ByteSpan> to_bytes(const std::vector<jinja::GenerationSpan>& spans,
                               const std::string& text) {
  if (spans.empty()) return {};
  std::vector<std::int64_t> byte_of;  // of each character, and of the end
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((text[i] & 0xC0) != 0x80) byte_of.push_back(static_cast<std::int64_t>(i));
  }
  byte_of.push_back(static_cast<std::int64_t>(text.size()));
  const auto byte_at = [&](std::int64_t character) {
    const auto last = static_cast<std::int64_t>(byte_of.size()) - 1;
    return byte_of[static_cast<std::size_t>(std::min(character, last))];
  };
  std::vector<ByteSpan> out;
  for (const auto& span : spans) out.push_back({byte_at(span.begin), byte_at(span.end)});
  return out;
}

}  // namespace

struct ChatTemplate::Program {
  std::string source;
  jinja::Template compiled;
};

ChatTemplate::ChatTemplate(std::unique_ptr<const Program> program) : program_(std::move(program)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

ChatTemplate ChatTemplate::parse(std::string source, std::string name) {
  jinja::Template compiled(source, std::move(name));
  return ChatTemplate(
      std::make_unique<const Program>(Program{std::move(source), std::move(compiled)}));
}

RenderedChat ChatTemplate::render(const RenderRequest& request) const {
  const std::string& name = program_->compiled.name();
  check_request(request);
  OrderedJson messages = prepare_messages(request.messages);
  std::string final_text;
  if (request.continue_final_message) final_text = mark_final_message(messages, program_->source);

  const jinja::Budget budget(limits_for(request));
  jinja::Rendered rendered;
  try {
    const jinja::Context context = make_context(messages, request);
    rendered = program_->compiled.render(context);
  } catch (const jinja::RenderError& error) {  // the request itself is too big or not UTF-8
    throw InputError(name + ": " + error.what());
  }
  if (request.continue_final_message) {
    return {.text = cut_after_final_message(std::move(rendered.text), final_text)};
  }
  auto spans = to_bytes(rendered.generation_spans, rendered.text);
  return {.text = std::move(rendered.text), .generation_spans = std::move(spans)};
}

ChatTemplates::ChatTemplates(const TemplateSources& sources, std::string model_name)
    : model_name_(std::move(model_name)) {
  const auto parse = [&](const char* key, std::optional<ChatTemplate>& out) {
    const auto found = sources.find(key);
    if (found == sources.end()) return;
    out = ChatTemplate::parse(found->second.text, found->second.origin);
  };
  parse("default", default_);
  parse("tool_use", tool_use_);
}

RenderedChat ChatTemplates::render(const RenderRequest& request) const {
  const bool has_tools = !request.tools.is_null();
  const auto& chosen = has_tools && tool_use_ ? tool_use_ : default_;
  if (!chosen) {
    throw InputError(model_name_ +
                     ": this model has no chat template for such a request; use plain "
                     "text with it");
  }
  return chosen->render(request);
}

}  // namespace aurum::text
