#include "data/example.h"

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "base/files.h"

namespace aurum::data {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void refuse(const std::string& source, const std::string& what) {
  throw InputError(source + ": " + what);
}

std::string text_of(const OrderedJson& row, const char* key, const std::string& source) {
  const auto found = row.find(key);
  if (found == row.end() || found->is_null()) return "";
  if (!found->is_string()) refuse(source, fmt::format("\"{}\" must be a string", key));
  return found->get<std::string>();
}

OrderedJson message(const std::string& role, const std::string& content) {
  return {{"role", role}, {"content", content}};
}

void check_messages(const OrderedJson& messages, const std::string& source) {
  if (!messages.is_array() || messages.empty())
    refuse(source, "\"messages\" must be a list of messages");
  for (const auto& item : messages) {
    if (!item.is_object() || !item.contains("role") || !item["role"].is_string()) {
      refuse(source, "every message needs a \"role\" and a \"content\"");
    }
  }
}

// The last assistant turn is the completion, what comes before it the prompt.
Example from_messages(const OrderedJson& messages, const std::string& source) {
  check_messages(messages, source);
  std::size_t last = messages.size();
  for (std::size_t i = messages.size(); i-- > 0;) {
    if (messages[i]["role"] == "assistant") {
      last = i;
      break;
    }
  }
  if (last == messages.size()) refuse(source, "no message has the role \"assistant\"");
  if (last == 0) refuse(source, "nothing comes before the assistant's message");
  Example example{.source = source};
  for (std::size_t i = 0; i < last; ++i) example.prompt_messages.push_back(messages[i]);
  example.completion_messages.push_back(messages[last]);
  return example;
}

Example from_share_gpt(const OrderedJson& turns, const std::string& source) {
  if (!turns.is_array()) refuse(source, "\"conversations\" must be a list");
  OrderedJson messages = OrderedJson::array();
  for (const auto& turn : turns) {
    if (!turn.is_object()) refuse(source, "every turn needs \"from\" and \"value\"");
    std::string role = text_of(turn, "from", source);
    if (role == "human") role = "user";
    if (role == "gpt") role = "assistant";
    messages.push_back(message(role, text_of(turn, "value", source)));
  }
  return from_messages(messages, source);
}

Example from_alpaca(const OrderedJson& row, const std::string& source) {
  const std::string input = text_of(row, "input", source);
  std::string prompt = text_of(row, "instruction", source);
  if (!input.empty()) prompt += "\n\n" + input;
  return from_messages(
      {message("user", prompt), message("assistant", text_of(row, "output", source))}, source);
}

Example from_pair(const OrderedJson& row, const std::string& source) {
  const OrderedJson& prompt = row["prompt"];
  const OrderedJson& completion = row["completion"];
  Example example{.source = source};
  if (prompt.is_string() && completion.is_string()) {
    example.prompt_text = prompt.get<std::string>();
    example.completion_text = completion.get<std::string>();
    if (example.prompt_text.empty()) refuse(source, "\"prompt\" is empty");
    return example;
  }
  check_messages(prompt, source);
  check_messages(completion, source);
  example.prompt_messages = prompt;
  example.completion_messages = completion;
  return example;
}

std::vector<Example> parse_lines(const std::string& text, const std::string& file) {
  std::vector<Example> examples;
  std::istringstream stream(text);
  std::int64_t number = 0;
  for (std::string line; std::getline(stream, line);) {
    ++number;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    const std::string source = fmt::format("{}:{}", file, number);
    const OrderedJson row = OrderedJson::parse(line, nullptr, false);
    if (row.is_discarded()) refuse(source, "this line is not JSON");
    examples.push_back(parse_example(row, source));
  }
  return examples;
}

std::vector<Example> read_file_of_examples(const fs::path& path) {
  const std::string text = read_file(path);
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (path.extension() != ".json" || first == std::string::npos || text[first] != '[') {
    return parse_lines(text, path.string());
  }
  const OrderedJson rows = OrderedJson::parse(text, nullptr, false);
  if (rows.is_discarded()) refuse(path.string(), "this file is not JSON");
  std::vector<Example> examples;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    examples.push_back(parse_example(rows[i], fmt::format("{}: row {}", path.string(), i + 1)));
  }
  return examples;
}

}  // namespace

Example parse_example(const OrderedJson& row, const std::string& source) {
  if (!row.is_object()) refuse(source, "a row must be a JSON object");
  Example example;
  if (row.contains("messages")) {
    example = from_messages(row["messages"], source);
  } else if (row.contains("conversations")) {
    example = from_share_gpt(row["conversations"], source);
  } else if (row.contains("prompt") && row.contains("completion")) {
    example = from_pair(row, source);
  } else if (row.contains("instruction") && row.contains("output")) {
    example = from_alpaca(row, source);
  } else {
    refuse(source,
           "no known columns; use \"messages\", \"prompt\" and \"completion\", \"instruction\" and "
           "\"output\", or \"conversations\"");
  }
  if (row.contains("tools")) example.tools = row["tools"];
  return example;
}

std::vector<Example> read_examples(const std::string& path, const std::string& split) {
  if (!fs::is_directory(path)) return read_file_of_examples(path);
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path)) {
    const std::string extension = entry.path().extension().string();
    const bool is_rows = extension == ".jsonl" || extension == ".json";
    if (is_rows && entry.path().filename().string().rfind(split, 0) == 0)
      files.push_back(entry.path());
  }
  if (files.empty()) {
    throw InputError(
        fmt::format("{}: no .jsonl or .json file of this folder starts with \"{}\"", path, split));
  }
  std::sort(files.begin(), files.end());
  std::vector<Example> examples;
  for (const fs::path& file : files) {
    std::vector<Example> rows = read_file_of_examples(file);
    std::move(rows.begin(), rows.end(), std::back_inserter(examples));
  }
  return examples;
}

}  // namespace aurum::data
