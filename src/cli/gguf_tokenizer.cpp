#include "cli/gguf_tokenizer.h"

#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/error.h"

namespace aurum::cli {
namespace {

// Token ids and types have 32 bits here; files may store any width.
std::int32_t narrow(const weights::GgufFile& file, const std::string& key, std::int64_t value) {
  if (!std::in_range<std::int32_t>(value)) {
    throw FormatError(
        fmt::format("{}: {} = {} does not fit into 32 bits.", file.path(), key, value));
  }
  return static_cast<std::int32_t>(value);
}

std::optional<text::TokenId> token_id(const weights::GgufFile& file, const std::string& key) {
  const auto value = file.integer(key);
  if (!value) return std::nullopt;
  return narrow(file, key, *value);
}

std::vector<std::string> to_strings(const std::optional<std::vector<std::string_view>>& views) {
  if (!views) return {};
  return {views->begin(), views->end()};
}

void read_templates(const weights::GgufFile& file, text::GgufVocabulary& out) {
  constexpr std::string_view kKey = "tokenizer.chat_template";
  for (const std::string& key : file.keys()) {
    if (!key.starts_with(kKey) || file.is_array(key)) continue;
    const std::string_view rest = std::string_view(key).substr(kKey.size());
    if (!rest.empty() && (rest[0] != '.' || rest.size() == 1)) continue;
    const auto source = file.string(key);
    if (!source) continue;
    const std::string name = rest.empty() ? "default" : std::string(rest.substr(1));
    out.chat_templates[name] = {std::string(*source), fmt::format("{}: {}", file.path(), key)};
  }
}

}  // namespace

text::GgufVocabulary read_gguf_vocabulary(const weights::GgufFile& file) {
  text::GgufVocabulary out;
  out.source = file.path();
  const auto key = [](const char* name) { return std::string("tokenizer.ggml.") + name; };
  out.model = file.string(key("model")).value_or("");
  out.pre = file.string(key("pre")).value_or("");
  out.huggingface_json = file.string("tokenizer.huggingface.json").value_or("");
  out.tokens = to_strings(file.strings(key("tokens")));
  out.merges = to_strings(file.strings(key("merges")));
  out.scores = file.floats(key("scores")).value_or(std::vector<float>());
  for (const std::int64_t type :
       file.integers(key("token_type")).value_or(std::vector<std::int64_t>())) {
    out.token_types.push_back(narrow(file, key("token_type"), type));
  }
  const auto id = [&](const char* name) { return token_id(file, key(name)); };
  out.bos = id("bos_token_id");
  out.eos = id("eos_token_id");
  out.eot = id("eot_token_id");
  out.unk = id("unknown_token_id");
  out.pad = id("padding_token_id");
  out.add_bos = file.boolean(key("add_bos_token"));
  out.add_eos = file.boolean(key("add_eos_token"));
  out.add_space_prefix = file.boolean(key("add_space_prefix"));
  read_templates(file, out);
  return out;
}

namespace {

// Rows of the embedding without a token get a name that no text contains.
void pad_tokens(text::GgufVocabulary& vocabulary, std::int64_t num_rows) {
  constexpr std::int32_t kNormal = 1, kUnused = 5;
  constexpr float kUnusedScore = -10000.0F;
  const auto count = static_cast<std::size_t>(num_rows);
  if (vocabulary.tokens.size() > count) {
    throw InputError(
        fmt::format("{}: the tokenizer has {} ids, the embedding {} rows. They do not belong "
                    "together.",
                    vocabulary.source, vocabulary.tokens.size(), count));
  }
  vocabulary.token_types.resize(vocabulary.tokens.size(), kNormal);
  for (std::size_t id = vocabulary.tokens.size(); id < count; ++id) {
    vocabulary.tokens.push_back(fmt::format("[PAD{}]", id));
  }
  vocabulary.token_types.resize(count, kUnused);
  if (!vocabulary.scores.empty()) vocabulary.scores.resize(count, kUnusedScore);
}

}  // namespace

weights::GgufMetadata gguf_tokenizer_metadata(text::GgufVocabulary vocabulary,
                                              std::int64_t num_rows) {
  pad_tokens(vocabulary, num_rows);
  weights::GgufMetadata out;
  const auto put = [&](const char* key, weights::GgufValue value) {
    out.emplace_back(std::string("tokenizer.ggml.") + key, std::move(value));
  };
  const auto put_id = [&](const char* key, std::optional<text::TokenId> id) {
    if (id) put(key, static_cast<std::uint32_t>(*id));
  };
  const auto put_flag = [&](const char* key, std::optional<bool> flag) {
    if (flag) put(key, *flag);
  };
  put("model", vocabulary.model);
  put("pre", vocabulary.pre);
  put("tokens", std::move(vocabulary.tokens));
  if (!vocabulary.scores.empty()) put("scores", std::move(vocabulary.scores));
  put("token_type", std::move(vocabulary.token_types));
  if (vocabulary.model == "gpt2") put("merges", std::move(vocabulary.merges));
  put_id("bos_token_id", vocabulary.bos);
  put_id("eos_token_id", vocabulary.eos);
  put_id("eot_token_id", vocabulary.eot);
  put_id("unknown_token_id", vocabulary.unk);
  put_id("padding_token_id", vocabulary.pad);
  put_flag("add_bos_token", vocabulary.add_bos);
  put_flag("add_eos_token", vocabulary.add_eos);
  put_flag("add_space_prefix", vocabulary.add_space_prefix);
  for (const auto& [name, source] : vocabulary.chat_templates) {
    const std::string suffix = name == "default" ? "" : "." + name;
    out.emplace_back("tokenizer.chat_template" + suffix, source.text);
  }
  return out;
}

}  // namespace aurum::cli
