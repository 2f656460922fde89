#include "tests/support/tiny_model.h"

#include <fstream>
#include <map>
#include <span>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/random_stream.h"
#include "text/tokenizer/byte_alphabet.h"
#include "weights/checkpoint.h"

namespace aurum::testing_support {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::int64_t kNumBytes = 256;

void write_json(const fs::path& file, const Json& json) { std::ofstream(file) << json.dump(1); }

std::int64_t vocab_size(const TinyModelOptions& options) {
  return kNumBytes + static_cast<std::int64_t>(options.merges.size()) + 2;
}

Json special_token(std::int64_t id, const std::string& content) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", true}};
}

void write_tokenizer(const fs::path& folder, const TinyModelOptions& options) {
  Json vocabulary = Json::object();
  for (int byte = 0; byte < kNumBytes; ++byte) {
    vocabulary[text::alphabet_of_bytes(std::string(1, static_cast<char>(byte)))] = byte;
  }
  for (std::string merge : options.merges) {
    merge.erase(merge.find(' '), 1);
    vocabulary[merge] = vocabulary.size();
  }
  const auto first_special = static_cast<std::int64_t>(vocabulary.size());
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  write_json(folder / "tokenizer.json",
             {{"version", "1.0"},
              {"added_tokens",
               {special_token(first_special, options.start_of_turn),
                special_token(first_special + 1, options.end_of_turn)}},
              {"normalizer", nullptr},
              {"pre_tokenizer", byte_level},
              {"post_processor", nullptr},
              {"decoder", byte_level},
              {"model", {{"type", "BPE"}, {"vocab", vocabulary}, {"merges", options.merges}}}});
  const std::string standard_template = fmt::format(
      "{{% for message in messages %}}{0}{{{{ message.role }}}}\n{{{{ message.content }}}}{1}\n"
      "{{% endfor %}}{{% if add_generation_prompt %}}{0}assistant\n{{% endif %}}",
      options.start_of_turn, options.end_of_turn);
  write_json(folder / "tokenizer_config.json",
             {{"tokenizer_class", "PreTrainedTokenizerFast"},
              {"eos_token", options.end_of_turn},
              {"chat_template",
               options.chat_template.empty() ? standard_template : options.chat_template}});
}

void write_config(const fs::path& folder, const TinyModelOptions& options) {
  const std::int64_t end_of_turn = vocab_size(options) - 1;
  write_json(folder / "config.json", {{"architectures", {"LlamaForCausalLM"}},
                                      {"model_type", "llama"},
                                      {"torch_dtype", "float32"},
                                      {"vocab_size", vocab_size(options)},
                                      {"hidden_size", options.hidden_size},
                                      {"intermediate_size", 2 * options.hidden_size},
                                      {"num_hidden_layers", options.num_layers},
                                      {"num_attention_heads", 4},
                                      {"num_key_value_heads", 2},
                                      {"head_dim", options.hidden_size / 4},
                                      {"max_position_embeddings", 256},
                                      {"rms_norm_eps", 1e-5},
                                      {"rope_theta", 10000.0},
                                      {"hidden_act", "silu"},
                                      {"attention_bias", false},
                                      {"mlp_bias", false},
                                      {"tie_word_embeddings", true},
                                      {"bos_token_id", nullptr},
                                      {"eos_token_id", end_of_turn}});
  write_json(folder / "generation_config.json", {{"eos_token_id", end_of_turn}});
}

using Shapes = std::map<std::string, std::vector<std::int64_t>>;

Shapes tensor_shapes(const TinyModelOptions& options) {
  const std::int64_t hidden = options.hidden_size, inner = 2 * hidden, kv = hidden / 2;
  Shapes shapes = {{"model.embed_tokens.weight", {vocab_size(options), hidden}},
                   {"model.norm.weight", {hidden}}};
  for (std::int64_t i = 0; i < options.num_layers; ++i) {
    const std::string layer = fmt::format("model.layers.{}.", i);
    shapes[layer + "input_layernorm.weight"] = {hidden};
    shapes[layer + "post_attention_layernorm.weight"] = {hidden};
    shapes[layer + "self_attn.q_proj.weight"] = {hidden, hidden};
    shapes[layer + "self_attn.k_proj.weight"] = {kv, hidden};
    shapes[layer + "self_attn.v_proj.weight"] = {kv, hidden};
    shapes[layer + "self_attn.o_proj.weight"] = {hidden, hidden};
    shapes[layer + "mlp.gate_proj.weight"] = {inner, hidden};
    shapes[layer + "mlp.up_proj.weight"] = {inner, hidden};
    shapes[layer + "mlp.down_proj.weight"] = {hidden, inner};
  }
  return shapes;
}

void write_weights(const fs::path& folder, const TinyModelOptions& options) {
  std::map<std::string, std::vector<float>> values;
  std::vector<weights::TensorToWrite> tensors;
  for (const auto& [name, shape] : tensor_shapes(options)) {
    RandomStream random(options.seed, name);
    std::vector<float>& tensor = values[name];
    const bool is_norm = shape.size() == 1;
    const std::int64_t size = is_norm ? shape[0] : shape[0] * shape[1];
    for (std::int64_t i = 0; i < size; ++i) {
      tensor.push_back(is_norm ? 1.0f : static_cast<float>(random.normal() * 0.2));
    }
    tensors.push_back({.name = name,
                       .dtype = weights::DType::kFloat32,
                       .shape = shape,
                       .bytes = std::as_bytes(std::span<const float>(tensor))});
  }
  weights::write_safetensors(folder, std::move(tensors));
}

void write_rows(const fs::path& file, int num_rows) {
  const char* words[] = {"the", "then", "other", "nine", "in", "inner", "her", "then she"};
  std::ofstream stream(file);
  for (int i = 0; i < num_rows; ++i) {
    const Json messages = {{{"role", "user"}, {"content", fmt::format("say {}", words[i % 8])}},
                           {{"role", "assistant"}, {"content", fmt::format("{}!", words[i % 8])}}};
    stream << Json{{"messages", messages}}.dump() << "\n";
  }
}

}  // namespace

void write_tiny_model(const fs::path& folder, const TinyModelOptions& options) {
  fs::create_directories(folder);
  write_tokenizer(folder, options);
  write_config(folder, options);
  write_weights(folder, options);
}

void write_tiny_run(const fs::path& folder, std::int64_t max_steps) {
  write_tiny_model(folder / "student", {.merges = {"h e", "t he"}});
  write_tiny_model(folder / "teacher", {.hidden_size = 48,
                                        .merges = {"i n", "t h", "th e", "e r"},
                                        .end_of_turn = "</s>",
                                        .start_of_turn = "<s>",
                                        .seed = 2});
  write_rows(folder / "rows.jsonl", 8);
  std::ofstream(folder / "config.yaml") << fmt::format(R"(model:
  model_name: {0}/student
  torch_dtype_str: float32
data:
  train: {{datasets: [{{dataset_name: text_sft_jsonl, dataset_path: {0}/rows.jsonl}}]}}
  validation: {{datasets: [{{dataset_name: text_sft_jsonl, dataset_path: {0}/rows.jsonl}}]}}
training:
  trainer_type: TRL_GOLD
  output_dir: {0}/run
  max_steps: {1}
  per_device_train_batch_size: 2
  gradient_accumulation_steps: 2
  learning_rate: 0.01
  lr_scheduler_type: constant
  logging_steps: 1
  eval_strategy: steps
  eval_steps: 4
  save_steps: 2
  gold:
    teacher_model_name_or_path: {0}/teacher
    use_uld_loss: true
    uld_use_hybrid_loss: true
    max_completion_length: 8
)",
                                                       folder.string(), max_steps);
}

}  // namespace aurum::testing_support
