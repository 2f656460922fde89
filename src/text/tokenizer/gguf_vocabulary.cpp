// Turns a tokenizer into the metadata that GGUF files carry; the way back of gguf_definition.cpp.

#include <algorithm>
#include <array>
#include <unordered_map>

#include "base/error.h"
#include "text/tokenizer/definition.h"
#include "text/tokenizer/pipeline_tokenizer.h"

namespace aurum::text {
namespace {

constexpr std::string_view kUnderline = "\xE2\x96\x81";  // U+2581, SentencePiece's space
constexpr float kNeverMerged = -1e6F;

enum TokenType { kNormal = 1, kUnknown = 2, kControl = 3, kUserDefined = 4, kByte = 6 };

[[noreturn]] void refuse(const TokenizerDefinition& d, const std::string& problem) {
  throw FormatError(fmt::format("{}: {}, so GGUF cannot hold this tokenizer", d.source, problem));
}

const BpeDefinition& bpe_of(const TokenizerDefinition& d) {
  const auto* bpe = std::get_if<BpeDefinition>(&d.model.kind);
  if (bpe == nullptr) refuse(d, "its model is not BPE");
  return *bpe;
}

// Brings what a step says by default into one form, so that equal steps compare equal.
nlohmann::json canonical(nlohmann::json step) {
  if (step.is_array()) {
    for (nlohmann::json& item : step) item = canonical(item);
    return step;
  }
  if (!step.is_object()) return step;
  step.erase("trim_offsets");
  const std::string type = step.value("type", "");
  if (type == "ByteLevel") step.emplace("use_regex", true);
  if (type == "ByteLevel") step.emplace("add_prefix_space", true);
  if (type == "Split") step.emplace("invert", false);
  if (type != "Sequence") return step;
  const nlohmann::json steps = canonical(step.value("pretokenizers", nlohmann::json::array()));
  return steps.size() == 1 ? steps[0] : nlohmann::json({{"type", type}, {"pretokenizers", steps}});
}

// llama.cpp's name for the pattern that splits text before the merges.
std::string pre_tokenizer_name(const TokenizerDefinition& d) {
  static constexpr std::array kNames = {"gpt-2",  "smollm",    "qwen2",  "qwen35",     "llama-bpe",
                                        "gpt-4o", "smaug-bpe", "tekken", "deepseek-v3"};
  const nlohmann::json wanted = canonical(nlohmann::json(d.pre_tokenizer));
  for (const char* name : kNames) {
    GgufVocabulary probe;
    probe.source = d.source;
    probe.model = "gpt2";
    probe.pre = name;
    probe.tokens = {"a"};
    const TokenizerDefinition known = define_from_gguf(probe);
    if (canonical(nlohmann::json(known.pre_tokenizer)) == wanted &&
        bpe_of(known).ignore_merges == bpe_of(d).ignore_merges) {
      return name;
    }
  }
  refuse(d, "its pre-tokenizer is none that llama.cpp knows");
}

bool is_blank_run(std::string_view token) {
  while (token.starts_with(kUnderline)) token.remove_prefix(kUnderline.size());
  return token.empty();
}

void put_tokens(const Tokenizer& tokenizer, const TokenizerDefinition& d, GgufVocabulary& out) {
  const auto count = static_cast<std::size_t>(tokenizer.vocab_size());
  out.tokens.resize(count);
  out.token_types.assign(count, kNormal);
  for (std::size_t i = 0; i < count; ++i) {
    const auto id = static_cast<TokenId>(i);
    out.tokens[i] = tokenizer.piece(id);
    if (out.tokens[i].empty()) {
      out.tokens[i] = fmt::format("[PAD{}]", i);
      out.token_types[i] = 5;
    } else if (tokenizer.is_byte_token(id)) {
      out.token_types[i] = kByte;
    }
  }
  for (const AddedToken& token : d.added_tokens) {
    if (const auto id = tokenizer.id_of(token.content)) {
      out.token_types[static_cast<std::size_t>(*id)] = token.special ? kControl : kUserDefined;
    }
  }
}

// Scores that order pairs as the merges do: minus the rank of the first merge that makes a token.
void put_scores(const TokenizerDefinition& d, GgufVocabulary& out) {
  std::unordered_map<std::string, std::size_t> ids;
  ids.reserve(out.tokens.size());
  for (std::size_t id = 0; id < out.tokens.size(); ++id) ids.emplace(out.tokens[id], id);
  out.scores.assign(out.tokens.size(), kNeverMerged);
  for (std::size_t rank = 0; rank < bpe_of(d).merges.size(); ++rank) {
    const auto& [left, right] = bpe_of(d).merges[rank];
    const auto found = ids.find(left + right);
    if (found == ids.end()) continue;
    float& score = out.scores[found->second];
    if (score == kNeverMerged) score = -static_cast<float>(rank);
  }
}

void put_sentencepiece(const Tokenizer& tokenizer, const TokenizerDefinition& d,
                       GgufVocabulary& out) {
  if (bpe_of(d).merges.empty()) refuse(d, "it has no merges to make scores of");
  out.model = "llama";
  out.pre = "default";
  put_scores(d, out);
  // Runs of blanks are literal blanks of a type of their own in GGUF.
  for (std::size_t id = 0; id < out.tokens.size(); ++id) {
    std::string& token = out.tokens[id];
    const std::size_t length = token.size() / kUnderline.size();
    if (length < 2 || !is_blank_run(token)) continue;
    token = std::string(length, ' ');
    out.token_types[id] = kUserDefined;
  }
  if (out.unk) out.token_types[static_cast<std::size_t>(*out.unk)] = kUnknown;
  const Encoding probe = tokenizer.encode("a", /*add_special_tokens=*/false);
  out.add_space_prefix =
      !probe.ids.empty() && tokenizer.piece(probe.ids[0]).starts_with(kUnderline);
}

void put_byte_level(const TokenizerDefinition& d, GgufVocabulary& out) {
  out.model = "gpt2";
  out.pre = pre_tokenizer_name(d);
  for (const auto& [left, right] : bpe_of(d).merges) out.merges.push_back(left + " " + right);
  out.add_space_prefix = false;
}

void put_special_tokens(const Tokenizer& tokenizer, GgufVocabulary& out) {
  const SpecialTokens& special = tokenizer.special_tokens();
  out.bos = special.bos;
  out.eos = special.eos;
  out.pad = special.pad;
  out.unk = special.unk;
  for (const TokenId id : special.end_of_turn) {
    if (id != special.eos && !out.eot) out.eot = id;
  }
  const std::vector<TokenId> ids = tokenizer.encode("a", /*add_special_tokens=*/true).ids;
  out.add_bos = out.bos && !ids.empty() && ids.front() == *out.bos;
  out.add_eos = out.eos && ids.size() > 1 && ids.back() == *out.eos;
}

}  // namespace

GgufVocabulary gguf_vocabulary(const Tokenizer& tokenizer) {
  const auto* pipeline = dynamic_cast<const PipelineTokenizer*>(&tokenizer);
  AURUM_CHECK(pipeline != nullptr, "a tokenizer of an unknown kind");
  const TokenizerDefinition& d = pipeline->definition();
  GgufVocabulary out;
  out.source = d.source;
  out.chat_templates = d.chat_templates;
  put_tokens(tokenizer, d, out);
  put_special_tokens(tokenizer, out);
  const std::string decoder = d.decoder.is_object() ? d.decoder.value("type", "") : "";
  if (decoder == "ByteLevel") {
    put_byte_level(d, out);
  } else if (bpe_of(d).byte_fallback) {
    put_sentencepiece(tokenizer, d, out);
  } else {
    refuse(d, "it is neither byte-level BPE nor SentencePiece with byte fallback");
  }
  return out;
}

}  // namespace aurum::text
