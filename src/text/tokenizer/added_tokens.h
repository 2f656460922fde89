#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "text/tokenizer/definition.h"
#include "text/tokenizer/flat_map.h"

namespace aurum::text {

// Finds added tokens in a text: leftmost, then longest, not overlapping.
class AddedTokenMatcher {
 public:
  // `id` is what a match of `pattern` reports; `token` holds the flags.
  void add(std::string_view pattern, TokenId id, const AddedToken& token);
  bool empty() const { return entries_.empty(); }

  struct Match {
    std::size_t begin;  // with the blanks that lstrip and rstrip take in
    std::size_t end;
    TokenId id;
  };
  std::vector<Match> find_all(std::string_view text) const;

 private:
  struct Entry {
    TokenId id;
    bool single_word, lstrip, rstrip;
  };
  // Length and entry of the longest pattern at `position`; false when there is none.
  bool longest_at(std::string_view text, std::size_t position, std::size_t& length,
                  std::size_t& entry) const;

  std::vector<Entry> entries_;
  std::vector<bool> is_first_ = std::vector<bool>(256, false);
  FlatMap edges_;                                // node * 256 + byte -> node
  std::vector<std::int32_t> entry_of_node_{-1};  // the pattern that ends at a node, or -1
};

}  // namespace aurum::text
