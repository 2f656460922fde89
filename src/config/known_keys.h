#pragma once

namespace aurum::config {

// A JSON array of {"key", "type", "default", "choices"?, "values"?}: the one list of keys that
// parsing, validation, `config show` and the reference document are made from.
extern const char* const kKnownKeysJson;

}  // namespace aurum::config
