#pragma once

#include <functional>
#include <optional>
#include <string>

#include "config/yaml_tree.h"

namespace aurum::config {

// The default of a key that the tree does not set; nullopt for an unknown key.
using DefaultOfKey = std::function<std::optional<Json>(const std::string& path)>;

// Replaces OmegaConf's interpolations in every scalar of the tree: ${other.key} (also ${a[0].b} and
// relative ${.sibling}), ${oc.env:NAME}, ${oc.env:NAME,default}, ${oc.select:key,default} and
// ${oc.decode:text}; nested, several in one text, and escaped as \${. A text that is one
// interpolation takes the type of what it names. Throws ConfigError at the place of the scalar for
// a missing variable or key, a circle or an unclosed brace.
void interpolate(YamlTree& tree, const DefaultOfKey& default_of_key);

}  // namespace aurum::config
