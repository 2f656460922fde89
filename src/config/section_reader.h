#pragma once

#include <string>
#include <vector>

#include "config/section.h"
#include "config/training_config.h"
#include "config/yaml_tree.h"

namespace aurum::config {

// Fills a section from a tree: finds each key's entry, converts its value to the member's type and
// checks range and choices. Adds every key it meets to `set_keys`. Throws ConfigError with the
// place, the full key, what is expected and what was found; an unknown key names the nearest one.
void read_section(const YamlTree& tree, const Section& section, std::vector<SetKey>& set_keys);

// Reads one value into the key at `path` (outside lists); messages name it `shown_as`.
void read_key(const YamlTree& tree, const std::string& path, const std::string& shown_as,
              TrainingConfig& config);

// The value of the key at `path` as JSON.
Json value_at(const TrainingConfig& config, const std::string& path);

}  // namespace aurum::config
