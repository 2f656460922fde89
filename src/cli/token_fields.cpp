#include "cli/token_fields.h"

#include <atomic>
#include <limits>

#include "base/error.h"
#include "base/log.h"

namespace aurum::cli {

using Json = nlohmann::ordered_json;

std::vector<text::TokenId> ids_field(const Json& request, const char* key) {
  const auto it = request.find(key);
  if (it == request.end() || !it->is_array()) {
    throw InputError(fmt::format("\"{}\" must be a list of token ids", key));
  }
  std::vector<text::TokenId> ids;
  for (const Json& id : *it) {
    const bool is_id = id.is_number_integer() && id >= std::numeric_limits<text::TokenId>::min() &&
                       id <= std::numeric_limits<text::TokenId>::max();
    if (!is_id) throw InputError(fmt::format("\"{}\" holds {}, not a token id", key, id.dump()));
    ids.push_back(id.get<text::TokenId>());
  }
  return ids;
}

Json spans_json(const std::vector<text::ByteSpan>& spans) {
  Json list = Json::array();
  for (const text::ByteSpan& span : spans) list.push_back(Json::array({span.begin, span.end}));
  return list;
}

text::Encoding encode_with_special_tokens(const text::Tokenizer& tokenizer, std::string_view text) {
  static std::atomic<bool> has_warned = false;
  text::Encoding encoding = tokenizer.encode(text, /*add_special_tokens=*/true);
  const auto bos = tokenizer.special_tokens().bos;
  const auto& ids = encoding.ids;
  const bool is_double = bos && ids.size() > 1 && ids[0] == *bos && ids[1] == *bos;
  if (is_double && !has_warned.exchange(true)) {
    log_warning(
        "a text begins with {}, and the tokenizer adds another one. Leave it out of the text, or, "
        "for a rendered chat, add no special tokens",
        tokenizer.piece(*bos));
  }
  return encoding;
}

}  // namespace aurum::cli
