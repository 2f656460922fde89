#pragma once

#include <string>
#include <vector>

#include "text/alignment/alignment_summary.h"
#include "text/alignment/byte_alignment.h"
#include "text/tokenizer/tokenizer.h"

namespace aurum::cli {

// A text in the tokens of the student or of the teacher.
struct AlignedSide {
  std::string text;
  std::vector<text::TokenId> ids;
  std::vector<text::ByteSpan> spans;
  std::vector<std::string> pieces;  // how the tokens are shown
};

struct TextAlignment {
  std::string text;
  AlignedSide student, teacher;
  std::vector<text::AlignedGroup> groups;
};

// One row for each group, green where one token faces one token.
std::string alignment_table(const TextAlignment& alignment, bool color);

// Lines of statistics for people.
std::string summary_lines(const text::AlignmentSummary& summary,
                          const text::VocabularyOverlap& overlap);

// A page that shows alignments one below the other.
class AlignmentPage {
 public:
  void add(const TextAlignment& alignment);
  void write(const std::string& path, const std::string& summary) const;

 private:
  std::string body_;
};

}  // namespace aurum::cli
