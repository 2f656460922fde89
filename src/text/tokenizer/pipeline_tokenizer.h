#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "text/tokenizer/added_tokens.h"
#include "text/tokenizer/decoder.h"
#include "text/tokenizer/definition.h"
#include "text/tokenizer/model.h"
#include "text/tokenizer/normalizer.h"
#include "text/tokenizer/post_processor.h"
#include "text/tokenizer/pre_tokenizer.h"

namespace aurum::text {

// The pipeline of Hugging Face tokenizers: added tokens, normalizer, pre-tokenizer, model,
// post-processor; and the way back.
class PipelineTokenizer : public Tokenizer {
 public:
  explicit PipelineTokenizer(TokenizerDefinition definition);

  Encoding encode(std::string_view text, bool add_special_tokens) const override;
  std::string decode(std::span<const TokenId> ids, bool skip_special_tokens) const override;
  DecodedSpans spans_of_ids(std::span<const TokenId> ids) const override;
  std::unique_ptr<StreamDecoder> make_stream_decoder(bool skip_special_tokens) const override;

  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(tokens_.size()); }
  std::optional<TokenId> id_of(std::string_view token) const override;
  std::string piece(TokenId id) const override;
  std::string_view token_bytes(TokenId id) const override;
  bool is_special(TokenId id) const override;
  bool is_byte_token(TokenId id) const override;
  const SpecialTokens& special_tokens() const override { return special_; }
  const TemplateSources& chat_templates() const override { return definition_.chat_templates; }
  std::optional<std::int64_t> model_max_length() const override {
    return definition_.model_max_length;
  }
  std::uint64_t fingerprint() const override { return fingerprint_; }

  const TokenizerDefinition& definition() const { return definition_; }
  // Decoding a token cannot change the text of the ones before it, only add bytes.
  bool decodes_bytewise() const { return decodes_bytewise_; }
  bool has_token(TokenId id) const {
    return id >= 0 && static_cast<std::size_t>(id) < tokens_.size() && !token(id).text.empty();
  }

 private:
  struct Token {
    std::string text;
    std::string bytes;
    bool special = false, added = false, byte = false;
  };

  const Token& token(TokenId id) const { return tokens_[static_cast<std::size_t>(id)]; }
  void place_added_tokens();
  void fill_token_bytes();
  void find_special_tokens();

  void encode_section(std::string_view section, std::size_t base,
                      std::vector<ModelToken>& out) const;
  void encode_normalized(MappedText text, std::size_t base, std::vector<ModelToken>& out) const;
  // The pieces of `ids`, one each, empty where a token is skipped or unknown.
  std::vector<std::string> decode_pieces(std::span<const TokenId> ids, bool skip_special) const;

  TokenizerDefinition definition_;
  bool byte_level_;
  bool decodes_bytewise_;
  std::unique_ptr<Model> model_;
  std::unique_ptr<Normalizer> normalizer_;
  std::unique_ptr<PreTokenizer> pre_tokenizer_;
  std::unique_ptr<Decoder> decoder_;
  AddedTokenMatcher raw_matcher_, normalized_matcher_;
  std::unordered_map<std::string, TokenId> added_ids_;
  std::vector<Token> tokens_;
  PostProcessor post_processor_;
  SpecialTokens special_;
  std::uint64_t fingerprint_ = 0;
};

}  // namespace aurum::text
