// Makes a Hugging Face pipeline of a GGUF file's tokenizer metadata. What the metadata does not
// record (the pattern, NFC) is known by the name in tokenizer.ggml.pre.
#include <algorithm>
#include <array>

#include "base/error.h"
#include "base/log.h"
#include "text/tokenizer/gguf_tokens.h"
#include "text/tokenizer/known_patterns.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

constexpr std::string_view kUnderline = "\xE2\x96\x81";  // U+2581, SentencePiece's space

Json split_by(std::string_view pattern) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", std::string(pattern)}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

Json sequence(std::vector<Json> steps) {
  return {{"type", "Sequence"}, {"pretokenizers", Json(std::move(steps))}};
}

// What llama.cpp's names for pre-tokenizers mean.
struct PreTokenizerKind {
  std::vector<std::string_view> names;
  Json pre_tokenizer;
  bool nfc = false, ignore_merges = false, adds_bos = false;
};

std::vector<PreTokenizerKind> pre_tokenizer_kinds() {
  return {
      {{"gpt-2", "gpt2", "default", "", "phi-2", "jina-es", "jina-de", "mpt", "olmo", "dbrx"},
       byte_level(true)},
      {{"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"},
       sequence({{{"type", "Digits"}, {"individual_digits", true}}, byte_level(true)})},
      {{"qwen2", "deepseek-r1-qwen", "megrez"},
       sequence({split_by(kQwen2Pattern), byte_level(false)}),
       true},
      {{"qwen35"}, sequence({split_by(kQwen35Pattern), byte_level(false)}), true},
      {{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"},
       sequence({split_by(kLlama3Pattern), byte_level(false)}),
       false,
       true,
       true},
      {{"smaug-bpe", "dbrx-llama3"}, sequence({split_by(kLlama3Pattern), byte_level(false)})},
      {{"gpt-4o", "llama4"}, sequence({split_by(kGpt4oPattern), byte_level(false)})},
      {{"tekken"}, sequence({split_by(kTekkenPattern), byte_level(false)}), false, true, true},
      {{"deepseek-v3"},
       sequence({split_by(kDeepseekNumbers), split_by(kDeepseekCjk), split_by(kDeepseekWords),
                 byte_level(false)})},
  };
}

PreTokenizerKind find_kind(const GgufVocabulary& v) {
  if (v.pre.empty() || v.pre == "default") {
    log_warning(
        "{}: tokenizer.ggml.pre is \"{}\"; GPT-2's pattern is assumed. A tokenizer.json "
        "beside the file would be exact",
        v.source, v.pre);
  }
  std::string known;
  for (PreTokenizerKind& kind : pre_tokenizer_kinds()) {
    for (const std::string_view name : kind.names) {
      if (name == v.pre) return std::move(kind);
      if (!name.empty()) known += fmt::format("{}{}", known.empty() ? "" : ", ", name);
    }
  }
  throw FormatError(
      fmt::format("{}: tokenizer.ggml.pre = {} is not supported (supported: {}); put "
                  "the model's tokenizer.json beside the file",
                  v.source, v.pre, known));
}

const std::string& token_at(const GgufVocabulary& v, TokenId id, const char* key) {
  if (id < 0 || static_cast<std::size_t>(id) >= v.tokens.size()) {
    throw FormatError(fmt::format("{}: tokenizer.ggml.{} = {} is not one of its {} tokens",
                                  v.source, key, id, v.tokens.size()));
  }
  return v.tokens[static_cast<std::size_t>(id)];
}

void name_special_tokens(const GgufVocabulary& v, TokenizerDefinition& out) {
  const auto name = [&](const std::optional<TokenId>& id, const char* key, const char* token_name) {
    if (id) out.special_by_name[token_name] = token_at(v, *id, key);
  };
  name(v.bos, "bos_token_id", "bos_token");
  name(v.eos, "eos_token_id", "eos_token");
  name(v.unk, "unknown_token_id", "unk_token");
  name(v.pad, "padding_token_id", "pad_token");
  const auto add_end = [&](TokenId id) {
    if (std::find(out.end_of_turn.begin(), out.end_of_turn.end(), id) == out.end_of_turn.end()) {
      out.end_of_turn.push_back(id);
    }
  };
  if (v.eos) add_end(*v.eos);
  if (v.eot) {
    token_at(v, *v.eot, "eot_token_id");
    add_end(*v.eot);
  }
  // Older files do not record the end of a turn; the template shows which token it is.
  const auto chat = v.chat_templates.find("default");
  if (chat == v.chat_templates.end()) return;
  static constexpr std::array<std::string_view, 4> kTurnEnds = {"<|im_end|>", "<end_of_turn>",
                                                                "<|eot_id|>", "<|end|>"};
  for (std::size_t id = 0; id < v.tokens.size(); ++id) {
    if (token_type(v, id) != kControl) continue;
    for (const std::string_view end : kTurnEnds) {
      if (v.tokens[id] == end && chat->second.text.find(end) != std::string::npos) {
        add_end(static_cast<TokenId>(id));
      }
    }
  }
}

// BOS and EOS around the text, as add_bos_token and add_eos_token say.
Json post_processor(const GgufVocabulary& v, bool bos_by_default) {
  Json single = Json::array(), pair = Json::array(), specials = Json::object();
  const auto special = [&](TokenId id, const char* key, int type_id, Json& list) {
    const std::string& content = token_at(v, id, key);
    list.push_back({{"SpecialToken", {{"id", content}, {"type_id", type_id}}}});
    specials[content] = {{"id", content}, {"ids", {id}}, {"tokens", {content}}};
  };
  const bool bos = v.bos && v.add_bos.value_or(bos_by_default);
  const bool eos = v.eos && v.add_eos.value_or(false);
  const auto surround = [&](const char* name, int type_id, Json& list) {
    if (bos) special(*v.bos, "bos_token_id", type_id, list);
    list.push_back({{"Sequence", {{"id", name}, {"type_id", type_id}}}});
    if (eos) special(*v.eos, "eos_token_id", type_id, list);
  };
  surround("A", 0, single);
  surround("A", 0, pair);
  surround("B", 1, pair);
  return {{"type", "TemplateProcessing"},
          {"single", single},
          {"pair", pair},
          {"special_tokens", specials}};
}

void take_tokens(const GgufVocabulary& v, TokenizerDefinition& out) {
  auto& vocabulary = out.model.vocabulary;
  vocabulary.resize(v.tokens.size());
  std::size_t last = 0;
  for (std::size_t id = 0; id < v.tokens.size(); ++id) {
    const int type = token_type(v, id);
    if (!is_valid_utf8(v.tokens[id])) {
      throw FormatError(fmt::format("{}: tokenizer.ggml.tokens[{}] is not UTF-8", v.source, id));
    }
    // Rows that pad the embedding have no token.
    if (type == kUnused && v.tokens[id].starts_with("[PAD")) continue;
    vocabulary[id] = v.tokens[id];
    last = id + 1;
    if (type == kControl || type == kUserDefined) {
      out.added_tokens.push_back({v.tokens[id], false, false, false, false, type == kControl});
    }
  }
  vocabulary.resize(last);
}

std::vector<std::pair<std::string, std::string>> split_merges(const GgufVocabulary& v) {
  std::vector<std::pair<std::string, std::string>> merges;
  merges.reserve(v.merges.size());
  for (std::size_t i = 0; i < v.merges.size(); ++i) {
    const std::string& merge = v.merges[i];
    const std::size_t space = merge.empty() ? std::string::npos : merge.find(' ', 1);
    if (space == std::string::npos) {
      throw FormatError(
          fmt::format("{}: tokenizer.ggml.merges[{}] is not two tokens", v.source, i));
    }
    merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
  return merges;
}

void define_byte_level(const GgufVocabulary& v, TokenizerDefinition& out) {
  const PreTokenizerKind kind = find_kind(v);
  out.pre_tokenizer = kind.pre_tokenizer;
  if (kind.nfc) out.normalizer = {{"type", "NFC"}};
  out.decoder = byte_level(true);
  out.post_processor = post_processor(v, kind.adds_bos);
  BpeDefinition bpe;
  bpe.ignore_merges = kind.ignore_merges;
  bpe.merges = split_merges(v);
  out.model.kind = std::move(bpe);
}

// Llama 2 and Gemma hold scores, Gemma 4 merges.
void define_sentencepiece(const GgufVocabulary& v, bool prefix_by_default,
                          TokenizerDefinition& out) {
  // Runs of blanks are kept as literal text in GGUF, as U+2581 in the vocabulary.
  const auto is_blank_run = [](const std::string& token) {
    return !token.empty() && token.find_first_not_of(' ') == std::string::npos;
  };
  for (std::string& token : out.model.vocabulary) {
    if (!is_blank_run(token)) continue;
    std::string underlines;
    for (std::size_t i = 0; i < token.size(); ++i) underlines += kUnderline;
    token = std::move(underlines);
  }
  std::erase_if(out.added_tokens,
                [&](const AddedToken& token) { return is_blank_run(token.content); });
  const Json replace = {
      {"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", kUnderline}};
  const Json back = {{"type", "Replace"}, {"pattern", {{"String", kUnderline}}}, {"content", " "}};
  std::vector<Json> decoders = {back, {{"type", "ByteFallback"}}, {{"type", "Fuse"}}};
  if (v.add_space_prefix.value_or(prefix_by_default)) {
    out.normalizer = {{"type", "Sequence"},
                      {"normalizers", {{{"type", "Prepend"}, {"prepend", kUnderline}}, replace}}};
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  } else {
    out.normalizer = replace;
  }
  out.decoder = {{"type", "Sequence"}, {"decoders", Json(std::move(decoders))}};
  out.post_processor = post_processor(v, true);
  if (v.unk) out.model.unk_token = token_at(v, *v.unk, "unknown_token_id");
  BpeDefinition bpe;
  bpe.byte_fallback = true;
  bpe.fuse_unk = true;
  bpe.merges = v.model == "llama" ? merges_from_scores(v, out.model.vocabulary) : split_merges(v);
  out.model.kind = std::move(bpe);
}

}  // namespace

TokenizerDefinition define_from_gguf(const GgufVocabulary& v) {
  if (!v.huggingface_json.empty()) {
    TokenizerDefinition out;
    out.source = v.source + ": tokenizer.huggingface.json";
    read_tokenizer_json(out.source, v.huggingface_json, out);
    out.chat_templates = v.chat_templates;
    name_special_tokens(v, out);
    return out;
  }
  if (v.tokens.empty()) {
    throw FormatError(
        fmt::format("{}: there is no tokenizer.ggml.tokens; give --tokenizer, or put "
                    "the model's tokenizer.json beside the file",
                    v.source));
  }
  if (!v.token_types.empty() && v.token_types.size() != v.tokens.size()) {
    throw FormatError(fmt::format("{}: tokenizer.ggml.token_type has {} entries for {} tokens",
                                  v.source, v.token_types.size(), v.tokens.size()));
  }
  TokenizerDefinition out;
  out.source = v.source;
  out.chat_templates = v.chat_templates;
  take_tokens(v, out);
  if (v.model == "gpt2") {
    define_byte_level(v, out);
  } else if (v.model == "llama") {
    define_sentencepiece(v, true, out);
  } else if (v.model == "gemma4") {
    define_sentencepiece(v, false, out);
  } else {
    throw FormatError(
        fmt::format("{}: tokenizer.ggml.model = {} is not supported (supported: gpt2, llama, "
                    "gemma4); put the model's tokenizer.json beside the file",
                    v.source, v.model));
  }
  name_special_tokens(v, out);
  return out;
}

}  // namespace aurum::text
