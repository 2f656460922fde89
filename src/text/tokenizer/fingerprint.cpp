#include "text/tokenizer/fingerprint.h"

#include <string_view>

#include <fmt/format.h>

namespace aurum::text {
namespace {

// FNV-1a over strings.
class Fingerprint {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) mix(static_cast<unsigned char>(byte));
    mix(0x100);  // so that "a" "b" differs from "ab"
  }
  std::uint64_t value() const { return value_; }

  void operator()(const BpeDefinition& bpe) {
    for (const auto& [left, right] : bpe.merges) {
      add(left);
      add(right);
    }
    add(bpe.continuing_subword_prefix);
    add(bpe.end_of_word_suffix);
    add(fmt::format("{:d}{:d}{:d}", bpe.fuse_unk, bpe.byte_fallback, bpe.ignore_merges));
  }
  void operator()(const UnigramDefinition& unigram) {
    for (const double score : unigram.scores) add(fmt::format("{}", score));
    add(fmt::format("{} {:d}", unigram.unk_id.value_or(-1), unigram.byte_fallback));
  }
  void operator()(const WordPieceDefinition& word_piece) {
    add(word_piece.continuing_subword_prefix);
    add(fmt::format("{}", word_piece.max_input_chars_per_word));
  }

 private:
  void mix(std::uint64_t word) { value_ = (value_ ^ word) * 0x100000001B3ULL; }
  std::uint64_t value_ = 0xCBF29CE484222325ULL;
};

}  // namespace

std::uint64_t fingerprint_of(const TokenizerDefinition& definition) {
  Fingerprint hash;
  for (const Json* json :
       {&definition.normalizer, &definition.pre_tokenizer, &definition.post_processor}) {
    hash.add(json->dump());
  }
  for (const std::string& text : definition.model.vocabulary) hash.add(text);
  hash.add(definition.model.unk_token.value_or(""));
  std::visit(hash, definition.model.kind);
  for (const AddedToken& token : definition.added_tokens) {
    hash.add(token.content);
    hash.add(fmt::format("{:d}{:d}{:d}{:d}{:d}", token.single_word, token.lstrip, token.rstrip,
                         token.normalized, token.special));
  }
  return hash.value();
}

}  // namespace aurum::text
