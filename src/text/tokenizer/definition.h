#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "text/tokenizer/json_reader.h"
#include "text/tokenizer/tokenizer.h"

namespace aurum::text {

struct AddedToken {
  std::string content;
  bool single_word = false, lstrip = false, rstrip = false, normalized = false, special = false;
  // What the file says; the id in use follows from the order (see PipelineTokenizer).
  std::optional<TokenId> file_id = {};
};

// What the "model" part of a tokenizer.json holds besides the vocabulary, by its type.
struct BpeDefinition {
  std::vector<std::pair<std::string, std::string>> merges;  // by falling priority
  std::string continuing_subword_prefix, end_of_word_suffix;
  bool fuse_unk = false, byte_fallback = false, ignore_merges = false;
};
struct UnigramDefinition {
  std::vector<double> scores;  // by id
  std::optional<TokenId> unk_id;
  bool byte_fallback = false;
};
struct WordPieceDefinition {
  std::string continuing_subword_prefix = "##";
  std::size_t max_input_chars_per_word = 100;
};

struct ModelDefinition {
  // Token strings by id; "" where an id has none.
  std::vector<std::string> vocabulary;
  std::optional<std::string> unk_token;
  std::variant<BpeDefinition, UnigramDefinition, WordPieceDefinition> kind;

  bool has_byte_fallback() const;
};

// A tokenizer as data: what tokenizer.json and its companions say, or what was made of GGUF
// metadata. The small parts stay JSON, to be written back as they are.
struct TokenizerDefinition {
  std::string source;  // for messages
  Json normalizer, pre_tokenizer, post_processor, decoder;
  ModelDefinition model;
  std::vector<AddedToken> added_tokens;  // in order of their ids
  std::map<std::string, std::string> special_by_name;
  std::vector<TokenId> end_of_turn;
  TemplateSources chat_templates;
  std::optional<std::int64_t> model_max_length;
  // The files it came from, to be copied when saved; empty for GGUF.
  std::vector<std::filesystem::path> files;
};

TokenizerDefinition read_tokenizer_files(const std::filesystem::path& path);
// Adds what the tokenizer.json at `path` says; its text is `content`.
void read_tokenizer_json(const std::filesystem::path& path, std::string_view content,
                         TokenizerDefinition& out);
TokenizerDefinition define_from_gguf(const GgufVocabulary& vocabulary);
std::shared_ptr<const Tokenizer> build_tokenizer(TokenizerDefinition definition);

}  // namespace aurum::text
