#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace aurum::testing_support {

// What a tiny model folder is made of; two of them with other values are another family.
struct TinyModelOptions {
  std::int64_t hidden_size = 32, num_layers = 2;
  std::vector<std::string> merges;  // "t h": byte-level BPE on top of the 256 bytes
  std::string end_of_turn = "<|im_end|>", start_of_turn = "<|im_start|>";
  std::string chat_template;  // empty: one around the two markers
  std::uint64_t seed = 1;
};

// Writes a Hugging Face folder with a random two-layer Llama and a byte-level BPE tokenizer that
// every command loads in milliseconds.
void write_tiny_model(const std::filesystem::path& folder, const TinyModelOptions& options = {});

// A student and a teacher with different tokenizers, templates and widths, and `num_rows` chat
// rows, under `folder`: student/, teacher/, rows.jsonl and config.yaml that distils one from the
// other in `max_steps` steps into folder/run.
void write_tiny_run(const std::filesystem::path& folder, std::int64_t max_steps);

}  // namespace aurum::testing_support
