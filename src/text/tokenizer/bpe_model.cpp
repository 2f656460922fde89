#include "text/tokenizer/bpe_model.h"

#include <algorithm>
#include <atomic>

#include "base/error.h"
#include "base/parallel.h"
#include "text/tokenizer/bpe_scratch.h"
#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/piece_cache.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

std::uint64_t next_serial() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

std::uint64_t joint_key(char32_t left, char32_t right) {
  return static_cast<std::uint64_t>(left) << 32 | right;
}

char32_t last_code_point(std::string_view text) {
  std::size_t at = text.size() - 1;
  while (at > 0 && is_utf8_continuation(text[at])) --at;
  return next_code_point(text, at);
}

}  // namespace

BpeModel::BpeModel(const ModelDefinition& definition, bool byte_level, const std::string& source)
    : serial_(next_serial()), byte_level_(byte_level), ids_(definition.vocabulary.size()) {
  const auto& bpe = std::get<BpeDefinition>(definition.kind);
  fuse_unk_ = bpe.fuse_unk;
  byte_fallback_ = bpe.byte_fallback;
  ignore_merges_ = bpe.ignore_merges;
  prefix_ = bpe.continuing_subword_prefix;
  suffix_ = bpe.end_of_word_suffix;
  cuts_words_ = !byte_level_ && !ignore_merges_ && prefix_.empty() && suffix_.empty();
  read_vocabulary(definition);
  if (definition.unk_token) unk_ = id_of(*definition.unk_token);
  read_merges(bpe, source);
  index_whole_tokens(definition);
}

void BpeModel::read_vocabulary(const ModelDefinition& definition) {
  byte_ids_.fill(-1);
  std::string bytes;
  for (std::size_t id = 0; id < definition.vocabulary.size(); ++id) {
    const std::string& token = definition.vocabulary[id];
    if (token.empty()) continue;
    const auto token_id = static_cast<TokenId>(id);
    ids_.set(token, token_id);
    if (utf8_length(token[0]) == token.size()) {
      std::size_t p = 0;
      char_ids_.set(next_code_point(token, p), id);
      if (byte_level_ && bytes_of_alphabet(token, bytes)) {
        byte_ids_[static_cast<unsigned char>(bytes[0])] = token_id;
      }
    }
    const auto byte = byte_of_token(token);
    if (!byte_level_ && byte) byte_ids_[*byte] = token_id;
  }
}

std::optional<TokenId> BpeModel::id_of(std::string_view token) const { return ids_.find(token); }

void BpeModel::read_merges(const BpeDefinition& bpe, const std::string& source) {
  merges_ = FlatMap(bpe.merges.size() + 1);
  std::string joined;
  for (std::size_t rank = 0; rank < bpe.merges.size(); ++rank) {
    const auto& [left, right] = bpe.merges[rank];
    joined = left;
    if (right.starts_with(prefix_)) joined.append(right, prefix_.size());
    const auto left_id = id_of(left), right_id = id_of(right), id = id_of(joined);
    if (!left_id || !right_id || !id) {
      throw FormatError(fmt::format(
          "{}: /model/merges/{} ({} + {}) needs a token that the vocabulary does not have", source,
          rank, left, right));
    }
    merges_.set(pair_key(*left_id, *right_id), rank << 32 | static_cast<std::uint32_t>(*id));
    if (cuts_words_) note_joint(left, right);
  }
  // Unknown characters may vanish or fuse, so no word is cut beside them.
  for (std::size_t c = 0; c < 128; ++c) {
    if (char_ids_.find(c) != nullptr) continue;
    for (std::size_t other = 0; other < 128; ++other) {
      ascii_joints_.set(c * 128 + other);
      ascii_joints_.set(other * 128 + c);
    }
  }
}

void BpeModel::note_joint(std::string_view left, std::string_view right) {
  std::size_t p = 0;
  const char32_t before = last_code_point(left), after = next_code_point(right, p);
  if (before < 128 && after < 128) {
    ascii_joints_.set(before * 128 + after);
  } else {
    joints_.set(joint_key(before, after), 1);
  }
}

// Most pieces of running text are one token. Knowing which tokens come out of their own bytes as
// themselves answers those with one look-up.
void BpeModel::index_whole_tokens(const ModelDefinition& definition) {
  // Affixes depend on the place in the word, so that only a look-up of the whole word is sure.
  if (!ignore_merges_ && !(prefix_.empty() && suffix_.empty())) return;
  const std::size_t count = definition.vocabulary.size();
  std::vector<std::string> bytes(count);
  std::vector<char> whole(count, 0);
  parallel_for(static_cast<std::int64_t>(count), 4096, [&](std::int64_t begin, std::int64_t end) {
    Scratch scratch;
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      const std::string& token = definition.vocabulary[i];
      if (token.empty()) continue;
      if (!byte_level_) {
        bytes[i] = token;
      } else if (!bytes_of_alphabet(token, bytes[i])) {
        continue;
      }
      if (ignore_merges_) {
        whole[i] = 1;
        continue;
      }
      merge_all(bytes[i], scratch);
      whole[i] = scratch.symbols.size() == 1 && scratch.symbols[0].id == static_cast<TokenId>(i);
    }
  });
  whole_tokens_ = TokenTable(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (whole[i] != 0) whole_tokens_.set(bytes[i], static_cast<TokenId>(i));
  }
}

// The token of one character of a piece, as it is written at its place in a word; -1: none.
TokenId BpeModel::char_id(std::string_view character, bool first, bool last) const {
  const bool prefixed = !first && !prefix_.empty(), suffixed = last && !suffix_.empty();
  if (!prefixed && !suffixed) {
    std::size_t p = 0;
    const auto* found = char_ids_.find(next_code_point(character, p));
    return found == nullptr ? -1 : static_cast<TokenId>(*found);
  }
  std::string token = prefixed ? prefix_ : std::string();
  token += character;
  if (suffixed) token += suffix_;
  return ids_.find(token).value_or(-1);
}

bool BpeModel::push_byte_tokens(std::string_view character, std::uint32_t begin,
                                std::vector<Symbol>& symbols) const {
  for (const char byte : character) {
    if (byte_ids_[static_cast<unsigned char>(byte)] < 0) return false;
  }
  for (std::uint32_t i = 0; i < character.size(); ++i) {
    symbols.push_back({byte_ids_[static_cast<unsigned char>(character[i])], begin + i});
  }
  return true;
}

void BpeModel::split_into_symbols(std::string_view piece, std::vector<Symbol>& symbols) const {
  symbols.clear();
  std::optional<std::uint32_t> pending_unk;  // where the unknown characters begin
  const auto flush_unk = [&] {
    if (!pending_unk) return;
    // It may come after byte tokens that were pushed meanwhile (as in Hugging Face).
    const std::uint32_t begin =
        symbols.empty() ? *pending_unk : std::max(*pending_unk, symbols.back().begin);
    symbols.push_back({*unk_, begin});
    pending_unk.reset();
  };
  for (std::size_t p = 0; p < piece.size();) {
    const std::size_t begin = p;
    const auto at = static_cast<std::uint32_t>(begin);
    p += byte_level_ ? 1 : utf8_length(piece[p]);
    const std::string_view character = piece.substr(begin, p - begin);
    const TokenId id = byte_level_ ? byte_ids_[static_cast<unsigned char>(piece[begin])]
                                   : char_id(character, begin == 0, p == piece.size());
    if (id >= 0) {
      flush_unk();
      symbols.push_back({id, at});
      continue;
    }
    if (byte_fallback_ && !byte_level_ && push_byte_tokens(character, at, symbols)) continue;
    if (!unk_) continue;  // dropped without a trace, as in Hugging Face
    if (pending_unk && fuse_unk_) continue;
    flush_unk();
    pending_unk = at;
  }
  flush_unk();
}

// Whether a merge may ever join the character before `position` with the one at it.
bool BpeModel::may_join(std::string_view text, std::size_t position, std::size_t previous) const {
  const auto before = static_cast<unsigned char>(text[previous]);
  const auto after = static_cast<unsigned char>(text[position]);
  if (before < 128 && after < 128) return ascii_joints_.test(before * 128U + after);
  std::size_t p = previous;
  const char32_t left = next_code_point(text, p), right = next_code_point(text, p);
  return joints_.find(joint_key(left, right)) != nullptr || char_ids_.find(left) == nullptr ||
         char_ids_.find(right) == nullptr;
}

void BpeModel::tokenize_word(std::string_view word, std::uint32_t base,
                             std::vector<ModelToken>& out) const {
  const std::uint64_t hash = hash_bytes(word);
  if (word.size() <= whole_tokens_.longest()) {
    if (const auto id = whole_tokens_.find(word, hash)) {
      out.push_back({*id, base});
      return;
    }
  }
  thread_local Scratch scratch;
  if (word.size() > PieceCache::kLongestPiece) {
    merge_all(word, scratch);
    for (const Symbol& symbol : scratch.symbols) out.push_back({symbol.id, base + symbol.begin});
    return;
  }
  PieceCache::Entry& entry = PieceCache::of_model(serial_).slot(hash);
  if (entry.piece != word) {
    merge_all(word, scratch);
    entry.piece = word;
    entry.tokens.clear();
    for (const Symbol& symbol : scratch.symbols) entry.tokens.push_back({symbol.id, symbol.begin});
  }
  for (const ModelToken& token : entry.tokens) out.push_back({token.id, base + token.begin});
}

void BpeModel::tokenize(std::string_view piece, std::uint32_t base,
                        std::vector<ModelToken>& out) const {
  if (!cuts_words_) return tokenize_word(piece, base, out);
  std::size_t begin = 0, previous = 0;
  for (std::size_t p = utf8_length(piece[0]); p < piece.size(); p += utf8_length(piece[p])) {
    if (!may_join(piece, p, previous)) {
      tokenize_word(piece.substr(begin, p - begin), base + static_cast<std::uint32_t>(begin), out);
      begin = p;
    }
    previous = p;
  }
  tokenize_word(piece.substr(begin), base + static_cast<std::uint32_t>(begin), out);
}

}  // namespace aurum::text
