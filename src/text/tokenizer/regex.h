#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace aurum::text {

// Rewrites a pattern from Oniguruma's Ruby syntax, in which tokenizer files are written, to
// PCRE2's. Throws FormatError("<where>: ...") for constructs that PCRE2 has no equal for.
std::string rewrite_oniguruma(std::string_view pattern, const std::string& where);

struct RegexMatch {
  std::size_t begin;
  std::size_t end;
};

// A compiled pattern; matching is thread-safe.
class Regex {
 public:
  // `where` names the pattern's place in messages.
  static Regex from_oniguruma(std::string_view pattern, const std::string& where);
  ~Regex();
  Regex(Regex&&) noexcept;
  Regex& operator=(Regex&&) noexcept;

  // The first match in text[0, end) at or after `from`; false when there is none. `text` must be
  // valid UTF-8, and lookbehind sees what is before `from`.
  bool find(std::string_view text, std::size_t from, RegexMatch& match) const;

 private:
  struct Code;
  explicit Regex(std::unique_ptr<Code> code);
  std::unique_ptr<Code> code_;
};

}  // namespace aurum::text
