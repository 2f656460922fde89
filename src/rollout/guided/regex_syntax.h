#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "rollout/guided/code_point_set.h"

namespace aurum::rollout {

struct RegexNode {
  enum class Kind { kSet, kSequence, kChoice, kRepeat, kTextBegin, kTextEnd };

  Kind kind = Kind::kSequence;
  CodePointSet set = {};                 // kSet
  std::vector<RegexNode> children = {};  // kSequence, kChoice; kRepeat has one
  std::int64_t min = 0;                  // kRepeat
  std::int64_t max = 0;                  // kRepeat; kUnlimited: no end
};

inline constexpr std::int64_t kUnlimited = -1;

// Parses what Python's re and PCRE2 have in common and a finite automaton can do: literals,
// escapes, . [...] ( ) (?: ) | * + ? {m,n}, ^ and $ for the ends of the text. \d, \s and \w are
// ASCII; . is anything but a newline; greedy and lazy say the same. Throws InputError ("at 3: ...")
// for anything else and for what is beyond the limits of length, nesting or repetition.
RegexNode parse_regex(std::string_view pattern);

}  // namespace aurum::rollout
