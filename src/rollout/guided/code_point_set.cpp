#include "rollout/guided/code_point_set.h"

#include <algorithm>

namespace aurum::rollout {

namespace {

// Sorts ranges and joins those that touch.
CodePointSet united(CodePointSet set) {
  std::sort(set.begin(), set.end());
  CodePointSet out;
  for (const auto& [low, high] : set) {
    if (!out.empty() && low <= out.back().second + 1) {
      out.back().second = std::max(out.back().second, high);
    } else {
      out.emplace_back(low, high);
    }
  }
  return out;
}

const CodePointSet kDigits = {{'0', '9'}};
const CodePointSet kSpaces = {{'\t', '\r'}, {' ', ' '}};
const CodePointSet kWords = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};

}  // namespace

CodePointSet complement(CodePointSet ranges) {
  ranges.emplace_back(0xD800, 0xDFFF);
  CodePointSet out;
  char32_t next = 0;
  for (const auto& [low, high] : united(std::move(ranges))) {
    if (low > next) out.emplace_back(next, low - 1);
    next = high + 1;
  }
  if (next <= kLastCodePoint) out.emplace_back(next, kLastCodePoint);
  return out;
}

CodePointSet set_of(CodePointSet ranges) { return complement(complement(std::move(ranges))); }

std::optional<CodePointSet> class_of(char letter) {
  switch (letter) {
    case 'd':
      return kDigits;
    case 'D':
      return complement(kDigits);
    case 's':
      return kSpaces;
    case 'S':
      return complement(kSpaces);
    case 'w':
      return kWords;
    case 'W':
      return complement(kWords);
    default:
      return std::nullopt;
  }
}

}  // namespace aurum::rollout
