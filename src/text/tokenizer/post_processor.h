#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "text/tokenizer/json_reader.h"
#include "text/tokenizer/tokenizer.h"

namespace aurum::text {

// The special tokens that the "post_processor" of a tokenizer file puts around a single text.
struct PostProcessor {
  std::vector<TokenId> prefix, suffix;
};

// For a null `object`: none. `id_of` finds tokens that the file names without an id.
PostProcessor read_post_processor(
    const Json& object, const JsonPlace& place,
    const std::function<std::optional<TokenId>(std::string_view)>& id_of);

}  // namespace aurum::text
