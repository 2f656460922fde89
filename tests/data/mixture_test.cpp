#include "data/mixture.h"

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"

namespace aurum::data {
namespace {

using ::testing::ElementsAre;
constexpr auto kFirst = MixtureStrategy::kFirstExhausted;
constexpr auto kAll = MixtureStrategy::kAllExhausted;

std::vector<std::uint32_t> rows_of(const std::vector<MixedRow>& mixed) {
  std::vector<std::uint32_t> rows;
  for (const MixedRow& row : mixed) rows.push_back(row.row);
  return rows;
}

TEST(Mixture, ReadsPartByPartWithoutProportions) {
  EXPECT_THAT(mix({{.num_rows = 2}, {.num_rows = 3, .sample_count = 1}}, kFirst, 1),
              ElementsAre(MixedRow{0, 0}, MixedRow{0, 1}, MixedRow{1, 0}));
}

TEST(Mixture, RepeatsRowsWhenMoreAreWantedThanThereAre) {
  EXPECT_THAT(rows_of(mix({{.num_rows = 2, .sample_count = 5}}, kFirst, 1)),
              ElementsAre(0, 1, 0, 1, 0));
}

TEST(Mixture, ShufflesBySeedAlone) {
  const auto order = [](std::uint64_t seed) {
    return rows_of(mix({{.num_rows = 50, .shuffle = true, .seed = seed}}, kFirst, 1));
  };
  EXPECT_EQ(order(7), order(7));
  EXPECT_NE(order(7), order(8));
  auto sorted = order(7);
  std::sort(sorted.begin(), sorted.end());
  for (std::uint32_t i = 0; i < 50; ++i) EXPECT_EQ(sorted[i], i);
}

TEST(Mixture, DrawsPartsByTheirProportion) {
  const auto mixed =
      mix({{.num_rows = 100000, .proportion = 0.75}, {.num_rows = 100000, .proportion = 0.25}},
          kFirst, 3);
  std::array<double, 2> counts{};
  for (const MixedRow& row : mixed) ++counts[row.part];
  EXPECT_EQ(std::max(counts[0], counts[1]), 100000);
  EXPECT_NEAR(counts[0] / static_cast<double>(mixed.size()), 0.75, 0.01);
}

TEST(Mixture, StopsWhenTheFirstPartIsUsedUp) {
  const auto mixed =
      mix({{.num_rows = 5, .proportion = 0.5}, {.num_rows = 1000, .proportion = 0.5}}, kFirst, 3);
  EXPECT_EQ(mixed.back(), (MixedRow{0, 4}));
  EXPECT_LT(mixed.size(), 100U);
}

TEST(Mixture, RepeatsPartsUntilAllAreUsedUp) {
  const auto mixed =
      mix({{.num_rows = 5, .proportion = 0.5}, {.num_rows = 100, .proportion = 0.5}}, kAll, 3);
  EXPECT_EQ(mixed.back(), (MixedRow{1, 99}));
  std::uint32_t expected = 0;
  for (const MixedRow& row : mixed) {
    if (row.part != 0) continue;
    EXPECT_EQ(row.row, expected);
    expected = (expected + 1) % 5;
  }
}

TEST(Mixture, RefusesWhatWouldNotEnd) {
  EXPECT_THROW(mix({{.num_rows = 0, .proportion = 1.0}}, kFirst, 1), ConfigError);
  EXPECT_THROW(
      mix({{.num_rows = 5, .proportion = 1.0}, {.num_rows = 5, .proportion = 0.0}}, kAll, 1),
      ConfigError);
  EXPECT_THROW(mix({{.num_rows = 5, .sample_count = std::size_t{1} << 40}}, kAll, 1), ConfigError);
}

}  // namespace
}  // namespace aurum::data
