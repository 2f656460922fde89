#pragma once

#include <optional>
#include <utility>
#include <vector>

namespace aurum::rollout {

// Code points as disjoint, rising, closed ranges; surrogates are in none.
using CodePointSet = std::vector<std::pair<char32_t, char32_t>>;

inline constexpr char32_t kLastCodePoint = 0x10FFFF;

// The set of ranges in any order, which may overlap and hold surrogates.
CodePointSet set_of(CodePointSet ranges);

// Everything that is in none of the ranges, which may be as those of set_of().
CodePointSet complement(CodePointSet ranges);

// What \d, \D, \s, \S, \w or \W stands for, in ASCII; nullopt for another letter.
std::optional<CodePointSet> class_of(char letter);

}  // namespace aurum::rollout
