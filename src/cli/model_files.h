#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "text/tokenizer/tokenizer.h"
#include "weights/checkpoint.h"

namespace aurum::cli {

inline constexpr const char* kMain = "main";  // the revision of whoever names none

// The local folder or file behind a MODEL argument: a path that exists, else a hub id, from the
// Hugging Face cache (HF_HOME, HF_HUB_CACHE) or fetched into it, with a progress line on a
// terminal. Throws InputError that says what was looked for where.
std::filesystem::path resolve_model(const std::string& name, const std::string& revision = kMain);

// Loads the tokenizer of a folder, tokenizer.json, .gguf file or hub id (no weights are fetched); a
// tokenizer.json beside a .gguf is preferred to its metadata.
std::shared_ptr<const text::Tokenizer> open_tokenizer(const std::string& name,
                                                      const std::string& revision = kMain);

std::shared_ptr<const weights::Checkpoint> open_model(const std::string& name,
                                                      const std::string& revision = kMain);

}  // namespace aurum::cli
