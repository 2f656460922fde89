#include "text/tokenizer/precompiled_charsmap.h"

#include <cstring>
#include <optional>
#include <vector>

#include <unicode/brkiter.h>
#include <unicode/utext.h>

#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

int base64_digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  return c == '/' ? 63 : -1;
}

std::string decode_base64(std::string_view text, const JsonPlace& place) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  std::uint32_t bits = 0;
  int count = 0;
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) place.fail("is not base64");
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    out.push_back(static_cast<char>(bits >> count & 0xFF));
  }
  return out;
}

// Little-endian 32-bit units of a darts-clone trie, then the replacements, each closed by a zero.
class Charsmap {
 public:
  Charsmap(const std::string& data, const JsonPlace& place) {
    std::uint32_t size = 0;
    if (data.size() < sizeof(size)) place.fail("is shorter than its header");
    std::memcpy(&size, data.data(), sizeof(size));
    if (size % 4 != 0 || size == 0 || size > data.size() - sizeof(size)) {
      place.fail("has a trie that does not fit its size");
    }
    units_.resize(size / 4);
    std::memcpy(units_.data(), data.data() + sizeof(size), size);
    replacements_ = data.substr(sizeof(size) + size);
    if (!is_valid_utf8(replacements_)) place.fail("has replacements that are not UTF-8");
  }

  // The replacement of the shortest key that begins `text` (so does Hugging Face).
  std::optional<std::string_view> find(std::string_view text) const {
    std::size_t node = offset(units_[0]);
    for (const char c : text) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte == 0) return std::nullopt;
      node ^= byte;
      if (node >= units_.size() || label(units_[node]) != byte) return std::nullopt;
      const std::uint32_t unit = units_[node];
      node ^= offset(unit);
      if ((unit >> 8 & 1) == 0) continue;
      if (node >= units_.size()) return std::nullopt;
      return replacement(units_[node] & 0x7FFFFFFF);
    }
    return std::nullopt;
  }

 private:
  static std::size_t offset(std::uint32_t unit) {
    return static_cast<std::size_t>(unit >> 10) << ((unit & 1U << 9) >> 6);
  }
  static std::uint32_t label(std::uint32_t unit) { return unit & (1U << 31 | 0xFF); }
  std::optional<std::string_view> replacement(std::size_t at) const {
    // A broken file may point into a character or beyond the end.
    if (at >= replacements_.size() || is_utf8_continuation(replacements_[at])) return std::nullopt;
    return std::string_view(replacements_).substr(at, replacements_.find('\0', at) - at);
  }

  std::vector<std::uint32_t> units_;
  std::string replacements_;
};

// The ends of the grapheme clusters of a text, one after the other.
class Graphemes {
 public:
  explicit Graphemes(std::string_view text) {
    UErrorCode error = U_ZERO_ERROR;
    breaks_.reset(icu::BreakIterator::createCharacterInstance(icu::Locale::getRoot(), error));
    utext_ = utext_openUTF8(nullptr, text.data(), static_cast<std::int64_t>(text.size()), &error);
    if (breaks_ != nullptr) breaks_->setText(utext_, error);
    AURUM_CHECK(U_SUCCESS(error) && breaks_ != nullptr, "ICU has no grapheme data");
  }
  Graphemes(const Graphemes&) = delete;
  Graphemes& operator=(const Graphemes&) = delete;
  ~Graphemes() { utext_close(utext_); }
  std::size_t next() { return static_cast<std::size_t>(breaks_->next()); }

 private:
  std::unique_ptr<icu::BreakIterator> breaks_;
  UText* utext_ = nullptr;
};

class PrecompiledNormalizer : public Normalizer {
 public:
  explicit PrecompiledNormalizer(Charsmap map) : map_(std::move(map)) {}

  MappedText apply(MappedText source) const override {
    const std::string_view text = source.text();
    if (text.empty()) return source;
    MappedTextBuilder builder(source);
    Graphemes graphemes(text);
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t end = graphemes.next();
      change_grapheme(text.substr(begin, end - begin), begin, builder);
      begin = end;
    }
    return builder.finish();
  }

 private:
  void change_grapheme(std::string_view grapheme, std::size_t begin,
                       MappedTextBuilder& builder) const {
    constexpr std::size_t kLongGrapheme = 6;
    if (grapheme.size() < kLongGrapheme) {
      if (const auto replacement = map_.find(grapheme)) {
        return builder.replace_until(begin + grapheme.size(), *replacement);
      }
    }
    for (std::size_t p = 0; p < grapheme.size();) {
      const std::size_t length = utf8_length(grapheme[p]);
      const auto replacement = map_.find(grapheme.substr(p, length));
      p += length;
      if (replacement) {
        builder.replace_until(begin + p, *replacement);
      } else {
        builder.keep_until(begin + p);
      }
    }
  }

  Charsmap map_;
};

}  // namespace

std::unique_ptr<Normalizer> make_precompiled_normalizer(std::string_view base64,
                                                        const JsonPlace& place) {
  return std::make_unique<PrecompiledNormalizer>(Charsmap(decode_base64(base64, place), place));
}

}  // namespace aurum::text
