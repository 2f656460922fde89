#pragma once

#include <cstdint>
#include <string>

#include <nlohmann/json.hpp>

#include "data/rows.h"

namespace aurum::data {

// One row of a data set, in one of two forms.
struct Example {
  // Chat rows: everything before the last assistant turn, and that turn's messages.
  OrderedJson prompt_messages = OrderedJson::array();
  OrderedJson completion_messages = OrderedJson::array();
  OrderedJson tools;
  // Plain rows: literal strings; used when prompt_messages is empty.
  std::string prompt_text, completion_text;
  bool is_free_text = false;  // a {"text"} row: all of it is completion
  std::string source;         // "file.jsonl:12", for messages

  bool is_chat() const { return !prompt_messages.empty(); }
  // Whether there are a prompt and a completion to train on; free text needs no prompt.
  bool is_usable() const;
};

// What a data set's name and dataset_kwargs say about its rows.
struct RowOptions {
  bool include_system_prompt = false;  // Alpaca: begin with Oumi's system prompt
  bool alpaca_headings = false;        // Alpaca: "### Input:" in front of the input
  std::string prompt_column = "prompt", response_column = "completion";
};

// Turns a row of any accepted shape into an example; its columns say which shape it has:
//   {"messages": [{"role", "content"}...]}, also below "conversation"; content is a string or a
//   list
//   {"conversations": [{"from", "value"}...]} of ShareGPT, with an optional "system"
//   {"prompt", "completion"} (or "response"), strings or lists of messages
//   {"instruction", "input", "output"} of Alpaca
//   {"text"}
// An empty prompt or completion makes an example that is not usable. Throws InputError that names
// `source` and what is wrong.
Example parse_example(const OrderedJson& row, const std::string& source,
                      const RowOptions& options = {});

}  // namespace aurum::data
