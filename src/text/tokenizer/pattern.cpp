#include "text/tokenizer/pattern.h"

namespace aurum::text {

Pattern Pattern::from_json(const Json& object, const JsonPlace& place) {
  if (object.is_string()) return literal(object.get<std::string>());
  if (!object.is_object()) place.fail("must be {\"String\": ...} or {\"Regex\": ...}");
  if (object.contains("String")) return literal(json_string(object, "String", place));
  return regex(json_string(object, "Regex", place), (place / "Regex").path);
}

bool Pattern::find(std::string_view text, std::size_t from, RegexMatch& match) const {
  if (const auto* regex = std::get_if<std::shared_ptr<Regex>>(&what_)) {
    return (*regex)->find(text, from, match);
  }
  const std::string& needle = std::get<std::string>(what_);
  if (needle.empty()) return false;
  const std::size_t at = text.find(needle, from);
  if (at == std::string_view::npos) return false;
  match = {at, at + needle.size()};
  return true;
}

}  // namespace aurum::text
