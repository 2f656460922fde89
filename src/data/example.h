#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace aurum::data {

using OrderedJson = nlohmann::ordered_json;

// One row of a data set, in one of two forms.
struct Example {
  // Chat rows: everything before the last assistant turn, and that turn's messages.
  OrderedJson prompt_messages = OrderedJson::array();
  OrderedJson completion_messages = OrderedJson::array();
  OrderedJson tools;
  // Plain rows: literal strings; used when prompt_messages is empty.
  std::string prompt_text, completion_text;
  std::string source;  // "file.jsonl:12", for messages

  bool is_chat() const { return !prompt_messages.empty(); }
};

// Turns a row of any accepted shape (messages, prompt/completion, Alpaca, ShareGPT)
// into an example. Throws InputError that names `source` and what is wrong.
Example parse_example(const OrderedJson& row, const std::string& source);

// Reads .jsonl or .json (array or lines), or a folder of them whose names start with `split`.
std::vector<Example> read_examples(const std::string& path, const std::string& split = "train");

}  // namespace aurum::data
