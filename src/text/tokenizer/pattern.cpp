#include "text/tokenizer/pattern.h"

#include "text/unicode/utf8.h"

namespace aurum::text {

Pattern Pattern::from_json(const Json& object, const JsonPlace& place) {
  if (object.is_string()) return literal(object.get<std::string>());
  if (!object.is_object()) place.fail("must be {\"String\": ...} or {\"Regex\": ...}");
  if (object.contains("String")) return literal(json_string(object, "String", place));
  return regex(json_string(object, "Regex", place), (place / "Regex").path);
}

Pattern Pattern::regex(std::string_view source, const std::string& where) {
  if (const KnownMatcher matcher = find_known_matcher(source)) return Pattern(matcher);
  return Pattern(std::make_shared<Regex>(Regex::from_oniguruma(source, where)));
}

bool Pattern::step(std::string_view text, std::size_t& position) {
  if (position >= text.size()) return false;
  position += utf8_length(text[position]);
  return true;
}

bool Pattern::find(std::string_view text, std::size_t from, RegexMatch& match) const {
  if (const auto* known = std::get_if<KnownMatcher>(&what_)) {
    for (; from < text.size(); step(text, from)) {
      match = {from, (*known)(text, from)};
      if (match.end > match.begin) return true;
    }
    return false;
  }
  if (const auto* regex = std::get_if<std::shared_ptr<Regex>>(&what_)) {
    return (*regex)->find(text, from, match);
  }
  const std::string& needle = std::get<std::string>(what_);
  const std::size_t at = text.find(needle, from);
  if (at == std::string_view::npos) return false;
  match = {at, at + needle.size()};
  return true;
}

}  // namespace aurum::text
