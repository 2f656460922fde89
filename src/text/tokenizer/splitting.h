#pragma once

#include <string>
#include <vector>

#include "text/tokenizer/json_reader.h"
#include "text/tokenizer/pattern.h"
#include "text/tokenizer/pre_tokenizer.h"

namespace aurum::text {

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

// Throws FormatError for unknown names.
SplitBehavior parse_split_behavior(const std::string& name, const JsonPlace& place);

// A part of a piece that does or does not match the delimiter.
struct Stretch {
  PieceRange range;
  bool matched;
};

// Turns stretches that cover a piece into new pieces. "a-b" at "-" gives: Removed a b, Isolated
// a - b, MergedWithPrevious a- b, MergedWithNext a -b; Contiguous also joins neighbouring matches.
void split_stretches(const std::vector<Stretch>& stretches, SplitBehavior behavior,
                     std::vector<PieceRange>& out);

// Splits every piece by the matches of a pattern.
class PatternSplit : public PreTokenizer {
 public:
  // `invert`: what lies between the matches is the delimiter.
  PatternSplit(Pattern pattern, SplitBehavior behavior, bool invert);
  void apply(PreTokenized& state) const override;

 private:
  Pattern pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

}  // namespace aurum::text
