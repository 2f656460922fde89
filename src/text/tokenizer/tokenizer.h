#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/alignment/byte_alignment.h"
#include "text/chat/template_source.h"

namespace aurum::text {

using TokenId = std::int32_t;

// Token ids of a text and, for each, the bytes of the text that it stands for. The spans are
// monotone and tile the text; tokens that stand for no text (BOS, EOS) have zero-width spans.
struct Encoding {
  std::vector<TokenId> ids;
  std::vector<ByteSpan> spans;
};

// The text that sampled ids stand for (lossy where bytes are not UTF-8), and the bytes each covers.
struct DecodedSpans {
  std::string text;
  std::vector<ByteSpan> spans;
};

struct SpecialTokens {
  std::optional<TokenId> bos, eos, pad, unk;
  // Every id that ends a turn (generation_config.eos_token_id may be a list); contains `eos`.
  std::vector<TokenId> end_of_turn;
  // By the name templates use: "bos_token" -> "<s>", and so on.
  std::map<std::string, std::string> by_name;
};

// Decodes a stream of ids into text that only ever grows by whole characters.
class StreamDecoder {
 public:
  virtual ~StreamDecoder() = default;
  // The text that became certain with this id (may be empty).
  virtual std::string push(TokenId id) = 0;
  // What was held back, decoded lossily.
  virtual std::string finish() = 0;
};

// A tokenizer, immutable after loading; every method is thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  virtual Encoding encode(std::string_view text, bool add_special_tokens) const = 0;
  // As Hugging Face's decode with clean_up_tokenization_spaces=False.
  virtual std::string decode(std::span<const TokenId> ids, bool skip_special_tokens) const = 0;
  // Special tokens are skipped: zero-width spans where they stand.
  virtual DecodedSpans spans_of_ids(std::span<const TokenId> ids) const = 0;
  virtual std::unique_ptr<StreamDecoder> make_stream_decoder(bool skip_special_tokens) const = 0;

  // Number of ids that stand for a token: one more than the largest such id.
  virtual std::int64_t vocab_size() const = 0;
  virtual std::optional<TokenId> id_of(std::string_view token) const = 0;
  // The token string as the file has it ("Ġthe"); "" for ids without a token.
  virtual std::string piece(TokenId id) const = 0;
  // The raw bytes that the token stands for in running text ("▁the" -> " the", "<0x41>" -> "A");
  // a special or added token gives its literal content; "" for ids without a token.
  virtual std::string_view token_bytes(TokenId id) const = 0;
  virtual bool is_special(TokenId id) const = 0;
  // True for byte-fallback tokens such as <0x41>.
  virtual bool is_byte_token(TokenId id) const = 0;
  virtual const SpecialTokens& special_tokens() const = 0;
  // Empty when the model has none.
  virtual const TemplateSources& chat_templates() const = 0;
  virtual std::optional<std::int64_t> model_max_length() const = 0;
  // Two tokenizers with equal fingerprints give equal ids for every text.
  virtual std::uint64_t fingerprint() const = 0;
};

// The tokenizer part of a GGUF file's metadata, as whoever read the file found it.
struct GgufVocabulary {
  std::string source;            // file name, for messages
  std::string model;             // tokenizer.ggml.model: "gpt2", "llama" or "gemma4"
  std::string pre;               // tokenizer.ggml.pre
  std::string huggingface_json;  // tokenizer.huggingface.json: wins over the rest
  std::vector<std::string> tokens;
  std::vector<float> scores;
  std::vector<std::int32_t> token_types;
  std::vector<std::string> merges;
  std::optional<TokenId> bos, eos, eot, unk, pad;
  std::optional<bool> add_bos, add_eos, add_space_prefix;
  TemplateSources chat_templates;
};

// Loads tokenizer.json with the files beside it (tokenizer_config.json, chat_template.jinja,
// generation_config.json ...). `path` is a model folder, or a tokenizer.json or folder with only
// that. Throws FormatError with file and JSON pointer, IoError when missing.
std::shared_ptr<const Tokenizer> load_tokenizer(const std::filesystem::path& path);
std::shared_ptr<const Tokenizer> make_tokenizer(const GgufVocabulary& vocabulary);
// The way back: what a GGUF file must hold for llama.cpp to give the same ids. Ids without a token
// are named [PADn]. Throws FormatError for tokenizers that GGUF cannot express.
GgufVocabulary gguf_vocabulary(const Tokenizer& tokenizer);

// Writes tokenizer.json, tokenizer_config.json and chat_template.jinja so that Hugging Face's
// PreTrainedTokenizerFast gives the same ids. A tokenizer loaded from files copies them.
void save_tokenizer(const Tokenizer& tokenizer, const std::filesystem::path& folder);

}  // namespace aurum::text
