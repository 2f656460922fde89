#pragma once

#include <memory>
#include <string>
#include <variant>

#include "text/tokenizer/json_reader.h"
#include "text/tokenizer/regex.h"

namespace aurum::text {

// The {"String": ...} or {"Regex": ...} of a tokenizer file.
class Pattern {
 public:
  static Pattern from_json(const Json& object, const JsonPlace& place);
  static Pattern literal(std::string text) { return Pattern(std::move(text)); }
  static Pattern regex(std::string_view source, const std::string& where) {
    return Pattern(std::make_shared<Regex>(Regex::from_oniguruma(source, where)));
  }
  // As Regex::find. Matches may be empty.
  bool find(std::string_view text, std::size_t from, RegexMatch& match) const;

 private:
  explicit Pattern(std::variant<std::string, std::shared_ptr<Regex>> what)
      : what_(std::move(what)) {}
  std::variant<std::string, std::shared_ptr<Regex>> what_;
};

}  // namespace aurum::text
