#pragma once

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace aurum::config {

// The types of keys beside bool, std::int64_t, double and std::string. std::optional of any of them
// is a key that takes null.

using Json = nlohmann::ordered_json;

// Free keyword arguments. A file's entries are laid over the default's, key by key.
struct Mapping {
  Json entries = Json::object();
  bool operator==(const Mapping&) const = default;
};

using Texts = std::vector<std::string>;

// A whole number or a word such as "auto".
struct CountOrWord {
  Json value;
  bool operator==(const CountOrWord&) const = default;
};

// A number of steps, or a fraction of all steps when it lies in (0, 1).
struct StepsOrShare {
  double value = 0;
  // The number of steps when the whole run has `all_steps`; a share is rounded up.
  std::int64_t steps(std::int64_t all_steps) const {
    const bool is_share = value > 0 && value < 1;
    return static_cast<std::int64_t>(is_share ? std::ceil(value * static_cast<double>(all_steps))
                                              : value);
  }
  bool operator==(const StepsOrShare&) const = default;
};

}  // namespace aurum::config
