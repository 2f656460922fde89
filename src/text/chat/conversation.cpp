#include "text/chat/conversation.h"

#include <fmt/format.h>

#include "base/error.h"
#include "text/chat/jinja/python_text.h"

namespace aurum::text {

namespace {

// The first name is the one that templates read; gpt-oss reads the second.
constexpr const char* kReasoningKeys[] = {"reasoning_content", "thinking", "reasoning"};

constexpr std::string_view kMarker = "CONTINUE_FINAL_MESSAGE_TAG ";

std::string_view trimmed(std::string_view text) {
  return jinja::strip(text, std::nullopt, jinja::Side::kBoth);
}

OrderedJson without_nulls(const OrderedJson& message) {
  OrderedJson kept = OrderedJson::object();
  for (const auto& [key, value] : message.items()) {
    if (!value.is_null()) kept[key] = value;
  }
  return kept;
}

OrderedJson with_reasoning(OrderedJson message) {
  for (const char* key : kReasoningKeys) {
    const auto found = message.find(key);
    if (found == message.end()) continue;
    const OrderedJson reasoning = *found;
    OrderedJson out = {{"thinking", reasoning}};
    for (auto& [name, value] : message.items()) out[name] = std::move(value);
    out["reasoning_content"] = reasoning;
    return out;
  }
  return message;
}

void check_objects(const OrderedJson& list, const char* name) {
  if (list.is_null()) return;
  if (!list.is_array()) throw InputError(fmt::format("/{} must be a list", name));
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (!list[i].is_object()) throw InputError(fmt::format("/{}/{} must be an object", name, i));
  }
}

// The text of the last content block that has one; null when there is none.
OrderedJson* last_text(OrderedJson& content) {
  if (!content.is_array()) return &content;
  for (auto block = content.rbegin(); block != content.rend(); ++block) {
    if (block->is_object() && block->contains("text")) return &(*block)["text"];
  }
  return nullptr;
}

}  // namespace

void check_request(const RenderRequest& request) {
  check_objects(request.messages, "messages");
  check_objects(request.tools, "tools");
  check_objects(request.documents, "documents");
  if (request.messages.empty()) {
    throw InputError("/messages is empty: a chat template needs at least one message");
  }
  if (!request.variables.is_object()) throw InputError("/variables must be an object");
  if (request.continue_final_message && request.add_generation_prompt) {
    throw InputError(
        "continue_final_message and add_generation_prompt exclude each other: one goes on with the "
        "last message, the other starts a new one");
  }
}

OrderedJson prepare_messages(const OrderedJson& messages) {
  OrderedJson prepared = OrderedJson::array();
  for (const OrderedJson& message : messages) {
    prepared.push_back(with_reasoning(without_nulls(message)));
  }
  return prepared;
}

std::string mark_final_message(OrderedJson& messages, const std::string& source) {
  OrderedJson& message = messages.back();
  if (!message.contains("content")) {
    throw InputError(
        "continue_final_message is set, but the final message has no content to continue");
  }
  if (source.find("content") == std::string::npos) {
    throw InputError(
        "continue_final_message is set, but the chat template does not use the messages' content");
  }
  OrderedJson* text = last_text(message["content"]);
  if (text == nullptr || !text->is_string()) {
    throw InputError(
        "continue_final_message is set, but the final message has no text to continue");
  }
  std::string final_text = text->get<std::string>();
  *text = final_text + std::string(kMarker);
  return final_text;
}

std::string cut_after_final_message(std::string rendered, const std::string& final_text) {
  const std::string_view marker = trimmed(kMarker);
  const std::size_t at = rendered.rfind(marker);
  if (at == std::string::npos || rendered.find(trimmed(final_text)) == std::string::npos) {
    throw InputError(
        "continue_final_message is set, but the final message does not appear in the rendered "
        "chat: the chat template leaves out a part of it");
  }
  const bool keeps_blanks = std::string_view(rendered).substr(at).starts_with(kMarker);
  rendered.resize(at);
  if (keeps_blanks) return rendered;
  return std::string(jinja::strip(rendered, std::nullopt, jinja::Side::kRight));
}

}  // namespace aurum::text
