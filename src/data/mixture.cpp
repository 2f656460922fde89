#include "data/mixture.h"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "base/error.h"
#include "base/random_stream.h"

namespace aurum::data {

namespace {

constexpr std::size_t kMostRows = std::size_t{1} << 28;

void append_shuffled(std::vector<std::uint32_t>& rows, const MixturePart& part,
                     std::uint64_t round) {
  const std::size_t begin = rows.size();
  rows.resize(begin + part.num_rows);
  std::iota(rows.begin() + static_cast<std::ptrdiff_t>(begin), rows.end(), 0U);
  if (!part.shuffle) return;
  RandomStream stream(part.seed, "dataset shuffle", round);
  for (std::size_t i = part.num_rows; i > 1; --i) {
    std::swap(rows[begin + i - 1], rows[begin + stream.uniform_below(i)]);
  }
}

// The rows of one part in their order: whole rounds, each shuffled anew, then a part of one.
std::vector<std::uint32_t> sample(const MixturePart& part) {
  std::vector<std::uint32_t> rows;
  const std::size_t count = part.sample_count.value_or(part.num_rows);
  if (count > kMostRows) {
    throw ConfigError(fmt::format("a data set cannot give {} rows; sample_count is at most {}",
                                  count, kMostRows));
  }
  if (count > 0 && part.num_rows == 0) return {};
  for (std::uint64_t round = 0; rows.size() < count; ++round) append_shuffled(rows, part, round);
  rows.resize(count);
  return rows;
}

class Interleaver {
 public:
  Interleaver(const std::vector<MixturePart>& parts,
              std::vector<std::vector<std::uint32_t>> samples, std::uint64_t seed)
      : samples_(std::move(samples)), stream_(seed, "mixture") {
    for (const MixturePart& part : parts) {
      bounds_.push_back((bounds_.empty() ? 0.0 : bounds_.back()) + part.proportion.value_or(0));
    }
  }

  std::vector<MixedRow> run(MixtureStrategy strategy) {
    std::vector<MixedRow> mixed;
    std::vector<std::size_t> next(samples_.size(), 0);
    std::vector<bool> is_used_up(samples_.size(), false);
    std::size_t num_used_up = 0;
    const std::size_t wanted = strategy == MixtureStrategy::kAllExhausted ? samples_.size() : 1;
    while (num_used_up < wanted) {
      const std::size_t part = draw();
      mixed.push_back({static_cast<std::uint32_t>(part), samples_[part][next[part]]});
      if (mixed.size() > kMostRows) {
        throw ConfigError(
            fmt::format("data.*.mixture_proportion: all_exhausted would need more "
                        "than {} rows; give small shares fewer rows",
                        kMostRows));
      }
      if (++next[part] < samples_[part].size()) continue;
      next[part] = 0;
      if (!is_used_up[part]) ++num_used_up;
      is_used_up[part] = true;
    }
    return mixed;
  }

 private:
  std::size_t draw() {
    const double point = stream_.uniform() * bounds_.back();
    const auto bound = std::upper_bound(bounds_.begin(), bounds_.end(), point);
    const auto part = static_cast<std::size_t>(bound - bounds_.begin());
    return std::min(part, bounds_.size() - 1);
  }

  std::vector<std::vector<std::uint32_t>> samples_;
  RandomStream stream_;
  std::vector<double> bounds_;  // the parts' shares, summed up
};

}  // namespace

std::vector<MixedRow> mix(const std::vector<MixturePart>& parts, MixtureStrategy strategy,
                          std::uint64_t seed) {
  std::vector<std::vector<std::uint32_t>> samples;
  bool has_proportions = false;
  for (const MixturePart& part : parts) {
    samples.push_back(sample(part));
    has_proportions = has_proportions || part.proportion.has_value();
  }
  if (!has_proportions) {
    std::vector<MixedRow> rows;
    for (std::uint32_t part = 0; part < samples.size(); ++part) {
      for (const std::uint32_t row : samples[part]) rows.push_back({part, row});
    }
    return rows;
  }
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const bool is_drawn = parts[i].proportion.value_or(0) > 0;
    if (samples[i].empty() || (!is_drawn && strategy == MixtureStrategy::kAllExhausted)) {
      throw ConfigError(fmt::format("datasets[{}] {}: leave it out of the mixture", i,
                                    samples[i].empty() ? "has no rows"
                                                       : "has mixture_proportion 0, so it is never "
                                                         "used up"));
    }
  }
  return Interleaver(parts, std::move(samples), seed).run(strategy);
}

}  // namespace aurum::data
