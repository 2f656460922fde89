#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "text/tokenizer/tokenizer.h"
#include "weights/checkpoint.h"

namespace aurum::cli {

// The local folder or file behind a MODEL or TOKENIZER argument: a path that exists, else a hub id
// in the Hugging Face cache layout (HF_HOME, HF_HUB_CACHE). Throws InputError that says what was
// looked for where.
std::filesystem::path resolve_model(const std::string& name, const std::string& revision = "main");

// Loads the tokenizer of a folder, tokenizer.json or .gguf file; a tokenizer.json beside a .gguf is
// preferred to its metadata.
std::shared_ptr<const text::Tokenizer> open_tokenizer(const std::string& name,
                                                      const std::string& revision = "main");

std::shared_ptr<const weights::Checkpoint> open_model(const std::string& name,
                                                      const std::string& revision = "main");

}  // namespace aurum::cli
