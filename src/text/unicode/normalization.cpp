#include "text/unicode/normalization.h"

#include <algorithm>
#include <vector>

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include "base/error.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

constexpr int kUnicodeVersion = 9;

struct Form {
  const icu::Normalizer2* decomposition;  // whose raw decompositions to use
  const icu::Normalizer2* quick_check;
  bool compose;
};

const icu::Normalizer2* checked(const icu::Normalizer2* instance, UErrorCode error) {
  AURUM_CHECK(U_SUCCESS(error) && instance != nullptr, "ICU has no normalization data");
  return instance;
}

Form find_form(NormalizationForm form) {
  UErrorCode error = U_ZERO_ERROR;
  const icu::Normalizer2* nfc = checked(icu::Normalizer2::getNFCInstance(error), error);
  const icu::Normalizer2* nfd = checked(icu::Normalizer2::getNFDInstance(error), error);
  const icu::Normalizer2* nfkc = checked(icu::Normalizer2::getNFKCInstance(error), error);
  const icu::Normalizer2* nfkd = checked(icu::Normalizer2::getNFKDInstance(error), error);
  switch (form) {
    case NormalizationForm::kNfc:
      return {nfc, nfc, true};
    case NormalizationForm::kNfd:
      return {nfd, nfd, false};
    case NormalizationForm::kNfkc:
      return {nfkc, nfkc, true};
    case NormalizationForm::kNfkd:
      return {nfkd, nfkd, false};
  }
  throw InternalError("unknown normalization form");
}

bool is_newer(char32_t c) {
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] > kUnicodeVersion;
}

int combining_class(char32_t c) {
  return is_newer(c) ? 0 : u_getCombiningClass(static_cast<UChar32>(c));
}

void decompose(const Form& form, char32_t c, std::u32string& out) {
  icu::UnicodeString parts;
  if (c < 0x80 || is_newer(c) ||
      !form.decomposition->getRawDecomposition(static_cast<UChar32>(c), parts)) {
    out.push_back(c);
    return;
  }
  for (std::int32_t i = 0; i < parts.length(); i = parts.moveIndex32(i, 1)) {
    decompose(form, static_cast<char32_t>(parts.char32At(i)), out);
  }
}

void reorder(std::u32string& text) {
  for (std::size_t begin = 0; begin < text.size();) {
    if (combining_class(text[begin]) == 0) {
      ++begin;
      continue;
    }
    std::size_t end = begin;
    while (end < text.size() && combining_class(text[end]) != 0) ++end;
    std::stable_sort(text.begin() + static_cast<std::ptrdiff_t>(begin),
                     text.begin() + static_cast<std::ptrdiff_t>(end), [](char32_t a, char32_t b) {
                       return combining_class(a) < combining_class(b);
                     });
    begin = end;
  }
}

// The canonical composition algorithm (Unicode 3.11, D117).
void compose(const Form& form, std::u32string& text) {
  constexpr std::size_t kNone = ~std::size_t{0};
  std::u32string out;
  std::size_t starter = kNone;
  int last_class = -1;
  for (const char32_t c : text) {
    const int c_class = combining_class(c);
    if (starter != kNone && last_class < c_class + (last_class == -1 ? 1 : 0) && !is_newer(c)) {
      const UChar32 pair = form.quick_check->composePair(static_cast<UChar32>(out[starter]),
                                                         static_cast<UChar32>(c));
      if (pair >= 0 && !is_newer(static_cast<char32_t>(pair))) {
        out[starter] = static_cast<char32_t>(pair);
        continue;
      }
    }
    if (c_class == 0) {
      starter = out.size();
      last_class = -1;
    } else {
      last_class = c_class;
    }
    out.push_back(c);
  }
  text = std::move(out);
}

bool has_boundary_before(const Form& form, char32_t c) {
  return c < 0x80 || is_newer(c) || form.quick_check->hasBoundaryBefore(static_cast<UChar32>(c));
}

std::string normalize_segment(const Form& form, std::string_view segment) {
  std::u32string text;
  for (std::size_t p = 0; p < segment.size();) decompose(form, next_code_point(segment, p), text);
  reorder(text);
  if (form.compose) compose(form, text);
  std::string out;
  for (const char32_t c : text) append_code_point(c, out);
  return out;
}

}  // namespace

MappedText normalize(MappedText source, NormalizationForm which) {
  const std::string_view text = source.text();
  if (std::none_of(text.begin(), text.end(),
                   [](char c) { return static_cast<signed char>(c) < 0; })) {
    return source;
  }
  const Form form = find_form(which);
  UErrorCode error = U_ZERO_ERROR;
  if (form.quick_check->isNormalizedUTF8(
          icu::StringPiece(text.data(), static_cast<std::int32_t>(text.size())), error)) {
    return source;
  }
  MappedTextBuilder builder(source);
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    next_code_point(text, end);
    while (end < text.size()) {
      std::size_t next = end;
      if (has_boundary_before(form, next_code_point(text, next))) break;
      end = next;
    }
    const std::string_view segment = text.substr(begin, end - begin);
    const std::string normalized =
        end - begin == 1 ? std::string(segment) : normalize_segment(form, segment);
    if (normalized == segment) {
      builder.keep_until(end);
    } else {
      builder.replace_until(end, normalized);
    }
    begin = end;
  }
  return builder.finish();
}

}  // namespace aurum::text
