#include "text/tokenizer/added_tokens.h"

#include "text/unicode/char_classes.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

std::size_t previous_char(std::string_view text, std::size_t position) {
  do {
    --position;
  } while (is_utf8_continuation(text[position]));
  return position;
}

bool word_char_at(std::string_view text, std::size_t position) {
  return position < text.size() && is_word_char(next_code_point(text, position));
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  return !(begin > 0 && word_char_at(text, previous_char(text, begin))) && !word_char_at(text, end);
}

std::size_t skip_blanks_back(std::string_view text, std::size_t begin, std::size_t limit) {
  while (begin > limit) {
    std::size_t at = previous_char(text, begin);
    const std::size_t start = at;
    if (!is_white_space(next_code_point(text, at))) break;
    begin = start;
  }
  return begin;
}

std::size_t skip_blanks(std::string_view text, std::size_t end) {
  while (end < text.size()) {
    std::size_t next = end;
    if (!is_white_space(next_code_point(text, next))) break;
    end = next;
  }
  return end;
}

}  // namespace

void AddedTokenMatcher::add(std::string_view pattern, TokenId id, const AddedToken& token) {
  if (pattern.empty()) return;
  std::uint64_t node = 0;
  for (const char c : pattern) {
    const std::uint64_t key = node * 256 + static_cast<unsigned char>(c);
    if (const auto* next = edges_.find(key)) {
      node = *next;
    } else {
      node = entry_of_node_.size();
      entry_of_node_.push_back(-1);
      edges_.set(key, node);
    }
  }
  is_first_[static_cast<unsigned char>(pattern[0])] = true;
  entry_of_node_[node] = static_cast<std::int32_t>(entries_.size());
  entries_.push_back({id, token.single_word, token.lstrip, token.rstrip});
}

bool AddedTokenMatcher::longest_at(std::string_view text, std::size_t position, std::size_t& length,
                                   std::size_t& entry) const {
  std::uint64_t node = 0;
  bool found = false;
  for (std::size_t p = position; p < text.size(); ++p) {
    const auto* next = edges_.find(node * 256 + static_cast<unsigned char>(text[p]));
    if (next == nullptr) break;
    node = *next;
    if (entry_of_node_[node] >= 0) {
      entry = static_cast<std::size_t>(entry_of_node_[node]);
      length = p + 1 - position;
      found = true;
    }
  }
  return found;
}

std::vector<AddedTokenMatcher::Match> AddedTokenMatcher::find_all(std::string_view text) const {
  std::vector<Match> matches;
  if (entries_.empty()) return matches;
  std::size_t done = 0;
  for (std::size_t p = 0; p < text.size();) {
    std::size_t length = 0, index = 0;
    if (!is_first_[static_cast<unsigned char>(text[p])] || !longest_at(text, p, length, index)) {
      ++p;
      continue;
    }
    const Entry& entry = entries_[index];
    std::size_t begin = p, end = p + length;
    p = end;
    // A rejected match still uses up its text.
    if (entry.single_word && !stands_alone(text, begin, end)) continue;
    if (entry.lstrip) begin = skip_blanks_back(text, begin, done);
    if (entry.rstrip) end = skip_blanks(text, end);
    if (begin < done) continue;
    matches.push_back({begin, end, entry.id});
    done = end;
  }
  return matches;
}

}  // namespace aurum::text
