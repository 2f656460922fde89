#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace aurum::data {

// One data set of a mixture.
struct MixturePart {
  std::size_t num_rows = 0;
  std::optional<std::size_t> sample_count;  // more than there are repeats rows
  bool shuffle = false;
  std::uint64_t seed = 0;            // of the shuffle
  std::optional<double> proportion;  // of all parts or of none
};

enum class MixtureStrategy { kFirstExhausted, kAllExhausted };

struct MixedRow {
  std::uint32_t part = 0;
  std::uint32_t row = 0;
  bool operator==(const MixedRow&) const = default;
};

// The order in which rows are read: part by part without proportions; with them, each row comes
// from a part drawn with its proportion, until the first part is used up, or, starting used-up
// parts over, until all have been used up once. As in Hugging Face's interleave_datasets, but with
// draws of our own. A function of its arguments alone, so a position in it is all that resuming
// needs. Throws ConfigError where it would not end: a part without rows, or one that is never
// drawn.
std::vector<MixedRow> mix(const std::vector<MixturePart>& parts, MixtureStrategy strategy,
                          std::uint64_t seed);

}  // namespace aurum::data
