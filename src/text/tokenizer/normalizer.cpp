#include "text/tokenizer/normalizer.h"

#include <functional>
#include <vector>

#include <unicode/uchar.h>
#include <unicode/ustring.h>

#include "text/tokenizer/pattern.h"
#include "text/unicode/normalization.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

class SequenceNormalizer : public Normalizer {
 public:
  explicit SequenceNormalizer(std::vector<std::unique_ptr<Normalizer>> steps)
      : steps_(std::move(steps)) {}
  MappedText apply(MappedText text) const override {
    for (const auto& step : steps_) text = step->apply(std::move(text));
    return text;
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> steps_;
};

class UnicodeNormalizer : public Normalizer {
 public:
  explicit UnicodeNormalizer(NormalizationForm form) : form_(form) {}
  MappedText apply(MappedText text) const override { return normalize(std::move(text), form_); }

 private:
  NormalizationForm form_;
};

class ReplaceNormalizer : public Normalizer {
 public:
  ReplaceNormalizer(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  MappedText apply(MappedText source) const override {
    const std::string_view text = source.text();
    RegexMatch match{};
    if (!pattern_.find(text, 0, match)) return source;
    MappedTextBuilder builder(source);
    bool found = true;
    while (found) {
      builder.keep_until(match.begin);
      builder.replace_until(match.end, content_);
      std::size_t next = match.end;
      if (match.begin == match.end) {
        if (next >= text.size()) break;
        next += utf8_length(text[next]);
      }
      found = pattern_.find(text, next, match);
    }
    return builder.finish();
  }

 private:
  Pattern pattern_;
  std::string content_;
};

class PrependNormalizer : public Normalizer {
 public:
  explicit PrependNormalizer(std::string prefix) : prefix_(std::move(prefix)) {}
  MappedText apply(MappedText source) const override {
    if (source.text().empty()) return source;
    MappedTextBuilder builder(source);
    builder.replace_until(0, prefix_);
    return builder.finish();
  }

 private:
  std::string prefix_;
};

// Replaces each character by what `change` makes of it.
class CharNormalizer : public Normalizer {
 public:
  // `change` appends the new text and returns true, or returns false to keep the character.
  using Change = std::function<bool(char32_t, std::string& out)>;
  explicit CharNormalizer(Change change) : change_(std::move(change)) {}
  MappedText apply(MappedText source) const override {
    const std::string_view text = source.text();
    MappedTextBuilder builder(source);
    std::string replacement;
    for (std::size_t p = 0; p < text.size();) {
      replacement.clear();
      if (change_(next_code_point(text, p), replacement)) {
        builder.replace_until(p, replacement);
      } else {
        builder.keep_until(p);
      }
    }
    return builder.finish();
  }

 private:
  Change change_;
};

class StripNormalizer : public Normalizer {
 public:
  StripNormalizer(bool left, bool right) : left_(left), right_(right) {}
  MappedText apply(MappedText source) const override {
    const std::string_view text = source.text();
    std::size_t begin = text.size(), end = 0;
    for (std::size_t p = 0; p < text.size();) {
      const std::size_t start = p;
      if (is_white_space(next_code_point(text, p))) continue;
      begin = std::min(begin, start);
      end = p;
    }
    if (!left_) begin = 0;
    if (!right_) end = text.size();
    MappedTextBuilder builder(source);
    builder.replace_until(begin, "");
    if (end > begin) builder.keep_until(end);
    builder.replace_until(text.size(), "");
    return builder.finish();
  }

 private:
  bool left_, right_;
};

bool lowercase(char32_t c, std::string& out) {
  if (c < 0x80) {
    if (c < 'A' || c > 'Z') return false;
    out.push_back(static_cast<char>(c + 32));
    return true;
  }
  if (c == 0x130) {  // the only character whose lower case is two
    out = "i\xCC\x87";
    return true;
  }
  const auto lower = static_cast<char32_t>(u_tolower(static_cast<UChar32>(c)));
  if (lower == c) return false;
  append_code_point(lower, out);
  return true;
}

std::unique_ptr<Normalizer> make_sequence(const Json& object, const JsonPlace& place) {
  std::vector<std::unique_ptr<Normalizer>> steps;
  const Json& list = json_array(object, "normalizers", place);
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto step = make_normalizer(list[i], place / "normalizers" / std::to_string(i));
    if (step != nullptr) steps.push_back(std::move(step));
  }
  return std::make_unique<SequenceNormalizer>(std::move(steps));
}

}  // namespace

std::unique_ptr<Normalizer> make_normalizer(const Json& object, const JsonPlace& place) {
  if (object.is_null()) return nullptr;
  const std::string type = json_type(object, place);
  if (type == "Sequence") return make_sequence(object, place);
  if (type == "NFC") return std::make_unique<UnicodeNormalizer>(NormalizationForm::kNfc);
  if (type == "NFD") return std::make_unique<UnicodeNormalizer>(NormalizationForm::kNfd);
  if (type == "NFKC") return std::make_unique<UnicodeNormalizer>(NormalizationForm::kNfkc);
  if (type == "NFKD") return std::make_unique<UnicodeNormalizer>(NormalizationForm::kNfkd);
  if (type == "Replace") {
    return std::make_unique<ReplaceNormalizer>(
        Pattern::from_json(object.value("pattern", Json()), place / "pattern"),
        json_string(object, "content", place));
  }
  if (type == "Prepend") {
    return std::make_unique<PrependNormalizer>(json_string(object, "prepend", place));
  }
  if (type == "Lowercase") return std::make_unique<CharNormalizer>(lowercase);
  if (type == "StripAccents") {
    return std::make_unique<CharNormalizer>([](char32_t c, std::string&) { return is_mark(c); });
  }
  if (type == "Strip") {
    return std::make_unique<StripNormalizer>(json_value(object, "strip_left", true, place),
                                             json_value(object, "strip_right", true, place));
  }
  place.fail(
      fmt::format("the normalizer {} is not supported (supported: Sequence, NFC, NFD, NFKC, "
                  "NFKD, Replace, Prepend, Lowercase, Strip, StripAccents)",
                  type));
}

}  // namespace aurum::text
