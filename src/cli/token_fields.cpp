#include "cli/token_fields.h"

#include <limits>

#include "base/error.h"

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

}  // namespace aurum::cli
