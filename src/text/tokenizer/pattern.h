#pragma once

#include <memory>
#include <string>
#include <variant>

#include "text/tokenizer/json_reader.h"
#include "text/tokenizer/known_patterns.h"
#include "text/tokenizer/regex.h"

namespace aurum::text {

// The {"String": ...} or {"Regex": ...} of a tokenizer file.
class Pattern {
 public:
  static Pattern from_json(const Json& object, const JsonPlace& place);
  static Pattern literal(std::string text) { return Pattern(std::move(text)); }
  static Pattern regex(std::string_view source, const std::string& where);
  // The first match at or after `from`; false when there is none. Matches may be empty. `text` is
  // valid UTF-8.
  bool find(std::string_view text, std::size_t from, RegexMatch& match) const;

  // Calls visit(match) for every match from left to right. None overlap, and an empty match is
  // none directly after another one.
  template <typename Visit>
  void for_each(std::string_view text, const Visit& visit) const {
    RegexMatch match{};
    constexpr std::size_t kNone = ~std::size_t{0};
    std::size_t last_end = kNone;
    for (std::size_t from = 0; !text.empty() && from <= text.size() && find(text, from, match);) {
      from = match.end;
      const bool empty = match.begin == match.end;
      if (!empty || match.end != last_end) {
        visit(match);
        last_end = match.end;
      }
      if (empty && !step(text, from)) return;
    }
  }

 private:
  using What = std::variant<std::string, std::shared_ptr<Regex>, KnownMatcher>;
  explicit Pattern(What what) : what_(std::move(what)) {}
  // Moves to the next character; false at the end.
  static bool step(std::string_view text, std::size_t& position);

  What what_;
};

}  // namespace aurum::text
