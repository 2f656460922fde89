#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <memory>
#include <string>

#include <pcre2.h>

namespace aurum::rollout {

// Whether PCRE2 matches all of `text`.
inline bool pcre2_matches(const std::string& pattern, const std::string& text) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  const std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code(
      pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                    PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF | PCRE2_DOLLAR_ENDONLY, &error,
                    &offset, nullptr),
      pcre2_code_free);
  if (code == nullptr) throw std::runtime_error("PCRE2 refuses " + pattern);
  const std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> data(
      pcre2_match_data_create_from_pattern(code.get(), nullptr), pcre2_match_data_free);
  return pcre2_match(code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0, 0,
                     data.get(), nullptr) >= 0;
}

}  // namespace aurum::rollout
