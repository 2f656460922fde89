#include "text/tokenizer/splitting.h"

#include <algorithm>
#include <array>

namespace aurum::text {
namespace {

std::size_t size_of(PieceRange range) { return range.end - range.begin; }

// Cuts one piece of a text into stretches; empty matches are stretches too.
void find_stretches(const Pattern& pattern, bool invert, std::string_view text, std::size_t base,
                    std::vector<Stretch>& out) {
  std::size_t done = 0;
  const auto push_between = [&](std::size_t end) {
    if (end > done) out.push_back({{base + done, base + end}, invert});
  };
  pattern.for_each(text, [&](RegexMatch match) {
    push_between(match.begin);
    out.push_back({{base + match.begin, base + match.end}, !invert});
    done = match.end;
  });
  push_between(text.size());
}

}  // namespace

SplitBehavior parse_split_behavior(const std::string& name, const JsonPlace& place) {
  static constexpr std::array<std::string_view, 5> kNames = {
      "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<SplitBehavior>(i);
  }
  place.fail(
      fmt::format("the split behavior {} is unknown; known are {}", name, fmt::join(kNames, ", ")));
}

void split_stretches(const std::vector<Stretch>& stretches, SplitBehavior behavior,
                     std::vector<PieceRange>& out) {
  const std::size_t first = out.size();
  bool previous_matched = false;
  for (const auto [range, matched] : stretches) {
    bool joins = false;
    switch (behavior) {
      case SplitBehavior::kRemoved:
        if (matched) continue;
        break;
      case SplitBehavior::kIsolated:
        break;
      case SplitBehavior::kMergedWithPrevious:
        joins = matched && !previous_matched;
        break;
      case SplitBehavior::kMergedWithNext:
        joins = !matched && previous_matched;
        break;
      case SplitBehavior::kContiguous:
        joins = matched == previous_matched;
        break;
    }
    if (joins && out.size() > first) {
      out.back().end = range.end;
    } else {
      out.push_back(range);
    }
    previous_matched = matched;
  }
  const auto new_pieces = out.begin() + static_cast<std::ptrdiff_t>(first);
  out.erase(std::remove_if(new_pieces, out.end(), [](PieceRange r) { return size_of(r) == 0; }),
            out.end());
}

PatternSplit::PatternSplit(Pattern pattern, SplitBehavior behavior, bool invert)
    : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

void PatternSplit::apply(PreTokenized& state) const {
  std::vector<PieceRange> out;
  out.reserve(state.pieces.size() + state.text.text().size() / 4);
  std::vector<Stretch> stretches;
  for (const PieceRange piece : state.pieces) {
    const std::string_view text = state.text.text().substr(piece.begin, size_of(piece));
    stretches.clear();
    find_stretches(pattern_, invert_, text, piece.begin, stretches);
    split_stretches(stretches, behavior_, out);
  }
  state.pieces = std::move(out);
}

}  // namespace aurum::text
