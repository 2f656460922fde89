#pragma once

#include <string>

#include "config/section.h"
#include "config/yaml_tree.h"

namespace aurum::config {

// Converts a value to the type of a key's member, as OmegaConf would, and checks its choices and
// range. Throws ConfigError: place, `path`, what is expected, what was found.
void read_value(const YamlTree& tree, const std::string& path, const Entry& entry);

// "a number in (0, 1]", "one of steps, epoch, no", "a whole number >= 1 (tokens) or null": what a
// key accepts.
std::string expectation(const Entry& entry);

// " in (0, 1]", " >= 1", or nothing.
std::string range_text(const Range& range);

}  // namespace aurum::config
