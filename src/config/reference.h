#pragma once

#include <string>

namespace aurum::config {

// docs/config.md: every key with type, default, range, what it does here. A test compares the file
// with this text; `aurum config docs > docs/config.md` writes it anew.
std::string reference_markdown();

// The keys that act, one a line, for --help.
std::string acting_keys_help();

}  // namespace aurum::config
