#include "data/example.h"

#include <map>

#include <fmt/format.h>

#include "base/error.h"

namespace aurum::data {

namespace {

[[noreturn]] void refuse(const std::string& source, const std::string& what) {
  throw InputError(source + ": " + what);
}

bool has(const OrderedJson& row, const std::string& key) {
  return row.contains(key) && !row[key].is_null();
}

std::string text_of(const OrderedJson& row, const std::string& key, const std::string& source) {
  if (!has(row, key)) return "";
  if (!row[key].is_string()) refuse(source, fmt::format("\"{}\" must be a string", key));
  return row[key].get<std::string>();
}

OrderedJson message(const std::string& role, const std::string& content) {
  return {{"role", role}, {"content", content}};
}

// The text of a content that is a list of parts: {"type": "text", "text"}, or Oumi's "content".
std::string join_parts(const OrderedJson& parts, const std::string& source) {
  std::string text;
  for (const OrderedJson& part : parts) {
    if (part.is_string()) {
      text += part.get<std::string>();
      continue;
    }
    const bool is_text =
        part.is_object() && (!has(part, "type") || text_of(part, "type", source) == "text");
    if (!is_text)
      refuse(source, "a message holds something other than text; models here read text");
    text += text_of(part, has(part, "text") ? "text" : "content", source);
  }
  return text;
}

// Checks a list of messages and makes every content a string (null stays: tool calls have none).
OrderedJson normalize_messages(const OrderedJson& messages, const char* column,
                               const std::string& source) {
  if (!messages.is_array())
    refuse(source, fmt::format("\"{}\" must be a list of messages", column));
  OrderedJson out = OrderedJson::array();
  for (const OrderedJson& item : messages) {
    if (!item.is_object() || !item.contains("role") || !item["role"].is_string()) {
      refuse(source, "every message needs a \"role\" and a \"content\"");
    }
    // A table has a cell for every key of any message; the empty ones are none.
    OrderedJson copy = OrderedJson::object();
    for (const auto& [key, value] : item.items()) {
      if (!value.is_null()) copy[key] = value;
    }
    OrderedJson& content = copy["content"];
    if (content.is_array()) content = join_parts(content, source);
    if (!content.is_string() && !content.is_null()) {
      refuse(source, "the \"content\" of a message must be a string or a list of parts");
    }
    if (content.is_null() && !has(item, "tool_calls")) {
      refuse(source, "every message needs a \"role\" and a \"content\"");
    }
    out.push_back(std::move(copy));
  }
  return out;
}

// The last assistant turn is the completion, what comes before it the prompt.
Example from_messages(const OrderedJson& messages, const std::string& source) {
  Example example{.source = source};
  std::size_t last = messages.size();
  while (last > 0 && messages[last - 1]["role"] != "assistant") --last;
  const std::size_t prompt_size = last == 0 ? messages.size() : last - 1;
  for (std::size_t i = 0; i < prompt_size; ++i) example.prompt_messages.push_back(messages[i]);
  if (last != 0) example.completion_messages.push_back(messages[last - 1]);
  return example;
}

std::string role_of_share_gpt(const std::string& from) {
  static const std::map<std::string, std::string> roles = {
      {"human", "user"},        {"gpt", "assistant"},
      {"chatgpt", "assistant"}, {"bard", "assistant"},
      {"bing", "assistant"},    {"model", "assistant"},
      {"bot", "assistant"},     {"function_call", "assistant"},
      {"observation", "tool"},  {"function_response", "tool"}};
  const auto found = roles.find(from);
  return found == roles.end() ? from : found->second;
}

Example from_share_gpt(const OrderedJson& row, const std::string& source) {
  const OrderedJson& turns = row["conversations"];
  if (!turns.is_array()) refuse(source, "\"conversations\" must be a list of turns");
  OrderedJson messages = OrderedJson::array();
  const std::string system = text_of(row, "system", source);
  if (!system.empty()) messages.push_back(message("system", system));
  for (const OrderedJson& turn : turns) {
    if (turn.is_object() && has(turn, "role")) {
      messages.push_back(turn);
    } else if (turn.is_object() && has(turn, "from") && turn.contains("value")) {
      messages.push_back(message(role_of_share_gpt(text_of(turn, "from", source)),
                                 text_of(turn, "value", source)));
    } else {
      refuse(source, "every turn needs \"from\" and \"value\"");
    }
  }
  return from_messages(normalize_messages(messages, "conversations", source), source);
}

// The words of Oumi's AlpacaDataset.
constexpr const char* kSystemWithInput =
    "Below is an instruction that describes a task, paired with an input that provides further "
    "context. Write a response that appropriately completes the request.";
constexpr const char* kSystemWithoutInput =
    "Below is an instruction that describes a task. Write a response that appropriately completes "
    "the request.";

Example from_alpaca(const OrderedJson& row, const std::string& source, const RowOptions& options) {
  const std::string input = text_of(row, "input", source);
  const std::string output = text_of(row, "output", source);
  std::string prompt = text_of(row, "instruction", source);
  if (!input.empty()) prompt += (options.alpaca_headings ? "\n\n### Input:\n" : "\n\n") + input;
  Example example{.source = source};
  if (options.include_system_prompt) {
    example.prompt_messages.push_back(
        message("system", input.empty() ? kSystemWithoutInput : kSystemWithInput));
  }
  example.prompt_messages.push_back(message("user", prompt));
  example.completion_messages.push_back(message("assistant", output));
  return example;
}

OrderedJson as_messages(const OrderedJson& value, const char* role, const std::string& column,
                        const std::string& source) {
  if (value.is_string()) return OrderedJson::array({message(role, value.get<std::string>())});
  return normalize_messages(value, column.c_str(), source);
}

Example from_pair(const OrderedJson& row, const std::string& prompt_column,
                  const std::string& response_column, const std::string& source) {
  const OrderedJson& prompt = row[prompt_column];
  const OrderedJson& completion = row[response_column];
  Example example{.source = source};
  if (prompt.is_string() && completion.is_string()) {
    example.prompt_text = prompt.get<std::string>();
    example.completion_text = completion.get<std::string>();
    return example;
  }
  for (const auto& [value, column] :
       {std::pair(&prompt, &prompt_column), std::pair(&completion, &response_column)}) {
    if (!value->is_string() && !value->is_array()) {
      refuse(source, fmt::format("\"{}\" must be a string or a list of messages", *column));
    }
  }
  example.prompt_messages = as_messages(prompt, "user", prompt_column, source);
  example.completion_messages = as_messages(completion, "assistant", response_column, source);
  return example;
}

Example from_text(const OrderedJson& row, const std::string& source) {
  return {.completion_text = text_of(row, "text", source), .is_free_text = true, .source = source};
}

Example parse_by_columns(const OrderedJson& row, const std::string& source,
                         const RowOptions& options) {
  if (has(row, "messages")) {
    return from_messages(normalize_messages(row["messages"], "messages", source), source);
  }
  if (has(row, "conversations")) return from_share_gpt(row, source);
  if (has(row, "conversation") && row["conversation"].is_object() &&
      has(row["conversation"], "messages")) {
    return from_messages(normalize_messages(row["conversation"]["messages"], "messages", source),
                         source);
  }
  for (const auto& response : {options.response_column, std::string("response")}) {
    if (has(row, options.prompt_column) && has(row, response)) {
      return from_pair(row, options.prompt_column, response, source);
    }
  }
  if (has(row, "instruction") && has(row, "output")) return from_alpaca(row, source, options);
  if (has(row, "text")) return from_text(row, source);
  refuse(source,
         "no known columns; use \"messages\", \"prompt\" and \"completion\", \"instruction\" and "
         "\"output\", \"conversations\", or \"text\"");
}

}  // namespace

bool Example::is_usable() const {
  if (!is_chat() && completion_messages.empty()) {
    return (is_free_text || !prompt_text.empty()) && !completion_text.empty();
  }
  if (!is_chat() || completion_messages.empty()) return false;
  // A user turn without a word is no prompt, an answer without a word or a call no completion.
  const auto says_something = [](const OrderedJson& item) {
    return has(item, "tool_calls") || !item.value("content", std::string()).empty();
  };
  for (const OrderedJson& item : completion_messages) {
    if (!says_something(item)) return false;
  }
  return says_something(prompt_messages.back());
}

Example parse_example(const OrderedJson& row, const std::string& source,
                      const RowOptions& options) {
  if (!row.is_object()) refuse(source, "a row must be a JSON object");
  Example example = parse_by_columns(row, source, options);
  if (has(row, "tools")) example.tools = row["tools"];
  return example;
}

}  // namespace aurum::data
