// Makes a Hugging Face pipeline of a GGUF file's tokenizer metadata. What the metadata does not
// record (the pattern, NFC) is known by the name in tokenizer.ggml.pre.
#include <algorithm>
#include <array>
#include <numeric>
#include <unordered_map>

#include "base/error.h"
#include "base/log.h"
#include "text/tokenizer/definition.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

constexpr std::string_view kUnderline = "\xE2\x96\x81";  // U+2581, SentencePiece's space

enum TokenType {
  kNormal = 1,
  kUnknown = 2,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
  kByte = 6
};

constexpr const char* kLlama3 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen2 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kQwen35 =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kGpt4o =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kTekken =
    R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
constexpr const char* kDeepseekWords =
    R"([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

Json split_by(const char* pattern) {
  return {{"type", "Split"},
          {"pattern", {{"Regex", pattern}}},
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
       sequence({split_by(kQwen2), byte_level(false)}),
       true},
      {{"qwen35"}, sequence({split_by(kQwen35), byte_level(false)}), true},
      {{"llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"},
       sequence({split_by(kLlama3), byte_level(false)}),
       false,
       true,
       true},
      {{"smaug-bpe", "dbrx-llama3"}, sequence({split_by(kLlama3), byte_level(false)})},
      {{"gpt-4o", "llama4"}, sequence({split_by(kGpt4o), byte_level(false)})},
      {{"tekken"}, sequence({split_by(kTekken), byte_level(false)}), false, true, true},
      {{"deepseek-v3"},
       sequence({split_by(R"(\p{N}{1,3})"), split_by("[一-龥぀-ゟ゠-ヿ]+"),
                 split_by(kDeepseekWords), byte_level(false)})},
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

int token_type(const GgufVocabulary& v, std::size_t id) {
  return id < v.token_types.size() ? v.token_types[id] : kNormal;
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
      if (v.tokens[id] == end && chat->second.find(end) != std::string::npos) {
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

void define_byte_level(const GgufVocabulary& v, TokenizerDefinition& out) {
  const PreTokenizerKind kind = find_kind(v);
  out.pre_tokenizer = kind.pre_tokenizer;
  if (kind.nfc) out.normalizer = {{"type", "NFC"}};
  out.decoder = byte_level(true);
  out.post_processor = post_processor(v, kind.adds_bos);
  out.model.ignore_merges = kind.ignore_merges;
  for (std::size_t i = 0; i < v.merges.size(); ++i) {
    const std::string& merge = v.merges[i];
    const std::size_t space = merge.empty() ? std::string::npos : merge.find(' ', 1);
    if (space == std::string::npos) {
      throw FormatError(
          fmt::format("{}: tokenizer.ggml.merges[{}] is not two tokens", v.source, i));
    }
    out.model.merges.emplace_back(merge.substr(0, space), merge.substr(space + 1));
  }
}

// SentencePiece files hold scores. A merge for every way to put a token together, the best score
// first, gives the same tokens; it is also how Hugging Face converts them.
void merges_from_scores(const GgufVocabulary& v, BpeDefinition& model) {
  struct Merge {
    double score;
    std::uint32_t left_chars, right_chars;
    TokenId id;
    std::uint32_t split;
  };
  std::unordered_map<std::string_view, TokenId> ids;
  ids.reserve(model.vocabulary.size());
  for (std::size_t id = 0; id < model.vocabulary.size(); ++id) {
    const std::string& token = model.vocabulary[id];
    if (!token.empty()) ids.emplace(token, static_cast<TokenId>(id));
  }
  std::vector<Merge> merges;
  std::vector<std::tuple<TokenId, TokenId, Merge>> local;
  for (std::size_t id = 0; id < model.vocabulary.size(); ++id) {
    const int type = token_type(v, id);
    const std::string_view token = model.vocabulary[id];
    if (token.empty() || (type != kNormal && type != kUserDefined)) continue;
    const auto chars = static_cast<std::uint32_t>(
        std::count_if(token.begin(), token.end(), [](char c) { return (c & 0xC0) != 0x80; }));
    // User-defined tokens (runs of blanks) come before all others, whatever their score says.
    constexpr double kAboveScores = 1e12;
    const double score =
        type == kUserDefined ? kAboveScores - static_cast<double>(id) : v.scores[id];
    local.clear();
    std::uint32_t left_chars = 1;
    for (std::size_t p = utf8_length(token[0]); p < token.size(); p += utf8_length(token[p])) {
      const auto left = ids.find(token.substr(0, p)), right = ids.find(token.substr(p));
      if (left != ids.end() && right != ids.end()) {
        local.emplace_back(left->second, right->second,
                           Merge{score, left_chars, chars - left_chars, static_cast<TokenId>(id),
                                 static_cast<std::uint32_t>(p)});
      }
      ++left_chars;
    }
    std::sort(local.begin(), local.end(), [](const auto& a, const auto& b) {
      return std::tie(std::get<0>(a), std::get<1>(a)) < std::tie(std::get<0>(b), std::get<1>(b));
    });
    for (const auto& entry : local) merges.push_back(std::get<2>(entry));
  }
  std::stable_sort(merges.begin(), merges.end(), [](const Merge& a, const Merge& b) {
    return std::tie(a.score, a.left_chars, a.right_chars) >
           std::tie(b.score, b.left_chars, b.right_chars);
  });
  model.merges.reserve(merges.size());
  for (const Merge& merge : merges) {
    const std::string& token = model.vocabulary[static_cast<std::size_t>(merge.id)];
    model.merges.emplace_back(token.substr(0, merge.split), token.substr(merge.split));
  }
}

void define_sentencepiece(const GgufVocabulary& v, TokenizerDefinition& out) {
  if (v.scores.size() != v.tokens.size()) {
    throw FormatError(fmt::format("{}: tokenizer.ggml.scores has {} entries for {} tokens",
                                  v.source, v.scores.size(), v.tokens.size()));
  }
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
  if (v.add_space_prefix.value_or(true)) {
    out.normalizer = {{"type", "Sequence"},
                      {"normalizers", {{{"type", "Prepend"}, {"prepend", kUnderline}}, replace}}};
    decoders.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  } else {
    out.normalizer = replace;
  }
  out.decoder = {{"type", "Sequence"}, {"decoders", Json(std::move(decoders))}};
  out.post_processor = post_processor(v, true);
  out.model.byte_fallback = true;
  out.model.fuse_unk = true;
  if (v.unk) out.model.unk_token = token_at(v, *v.unk, "unknown_token_id");
  merges_from_scores(v, out.model);
}

}  // namespace

TokenizerDefinition define_from_gguf(const GgufVocabulary& v) {
  if (v.tokens.empty()) {
    throw FormatError(
        fmt::format("{}: there is no tokenizer.ggml.tokens; give --tokenizer, or put "
                    "the model's tokenizer.json beside the file",
                    v.source));
  }
  TokenizerDefinition out;
  out.source = v.source;
  out.chat_templates = v.chat_templates;
  take_tokens(v, out);
  if (v.model == "gpt2") {
    define_byte_level(v, out);
  } else if (v.model == "llama") {
    define_sentencepiece(v, out);
  } else {
    throw FormatError(
        fmt::format("{}: tokenizer.ggml.model = {} is not supported (supported: gpt2, "
                    "llama); put the model's tokenizer.json beside the file",
                    v.source, v.model));
  }
  name_special_tokens(v, out);
  return out;
}

}  // namespace aurum::text
