#include "text/tokenizer/normalizer.h"

#include <functional>
#include <vector>

#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/char_normalizers.h"
#include "text/tokenizer/pattern.h"
#include "text/tokenizer/precompiled_charsmap.h"
#include "text/unicode/char_classes.h"
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
    pattern_.for_each(text, [&](RegexMatch found) {
      builder.keep_until(found.begin);
      builder.replace_until(found.end, content_);
    });
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

class ByteLevelNormalizer : public Normalizer {
 public:
  MappedText apply(MappedText source) const override {
    MappedTextBuilder builder(source);
    for (std::size_t p = 0; p < source.text().size(); ++p) {
      builder.replace_until(p + 1, alphabet_of_bytes(source.text().substr(p, 1)));
    }
    return builder.finish();
  }
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

std::unique_ptr<Normalizer> make_sequence(const Json& object, const JsonPlace& place) {
  std::vector<std::unique_ptr<Normalizer>> steps;
  const Json& list = json_array(object, "normalizers", place);
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto step = make_normalizer(list[i], place / "normalizers" / std::to_string(i));
    if (step != nullptr) steps.push_back(std::move(step));
  }
  return std::make_unique<SequenceNormalizer>(std::move(steps));
}

// BERT's cleaning: its switches are steps of their own.
std::unique_ptr<Normalizer> make_bert(const Json& object, const JsonPlace& place) {
  const bool lowercase = json_value(object, "lowercase", true, place);
  std::vector<std::unique_ptr<Normalizer>> steps;
  if (json_value(object, "clean_text", true, place)) {
    steps.push_back(make_char_normalizer("BertCleanText"));
  }
  if (json_value(object, "handle_chinese_chars", true, place)) {
    steps.push_back(make_char_normalizer("BertChineseChars"));
  }
  if (json_value(object, "strip_accents", lowercase, place)) {
    steps.push_back(std::make_unique<UnicodeNormalizer>(NormalizationForm::kNfd));
    steps.push_back(make_char_normalizer("BertStripAccents"));
  }
  if (lowercase) steps.push_back(make_char_normalizer("Lowercase"));
  return std::make_unique<SequenceNormalizer>(std::move(steps));
}

std::unique_ptr<Normalizer> make_unicode_form(std::string_view type) {
  const auto make = [](NormalizationForm form) {
    return std::make_unique<UnicodeNormalizer>(form);
  };
  if (type == "NFC") return make(NormalizationForm::kNfc);
  if (type == "NFD") return make(NormalizationForm::kNfd);
  if (type == "NFKC") return make(NormalizationForm::kNfkc);
  if (type == "NFKD") return make(NormalizationForm::kNfkd);
  return nullptr;
}

}  // namespace

std::unique_ptr<Normalizer> make_normalizer(const Json& object, const JsonPlace& place) {
  if (object.is_null()) return nullptr;
  const std::string type = json_type(object, place);
  if (type == "Sequence") return make_sequence(object, place);
  if (auto form = make_unicode_form(type)) return form;
  if (type == "Replace") {
    return std::make_unique<ReplaceNormalizer>(
        Pattern::from_json(object.value("pattern", Json()), place / "pattern"),
        json_string(object, "content", place));
  }
  if (type == "Prepend") {
    return std::make_unique<PrependNormalizer>(json_string(object, "prepend", place));
  }
  if (type == "Lowercase" || type == "StripAccents" || type == "Nmt") {
    return make_char_normalizer(type);
  }
  if (type == "Strip") {
    return std::make_unique<StripNormalizer>(json_value(object, "strip_left", true, place),
                                             json_value(object, "strip_right", true, place));
  }
  if (type == "ByteLevel") return std::make_unique<ByteLevelNormalizer>();
  if (type == "BertNormalizer") return make_bert(object, place);
  if (type == "Precompiled") {
    return make_precompiled_normalizer(json_string(object, "precompiled_charsmap", place),
                                       place / "precompiled_charsmap");
  }
  place.fail(
      fmt::format("the normalizer {} is not supported (supported: Sequence, NFC, NFD, NFKC, NFKD, "
                  "Replace, Prepend, Lowercase, Strip, StripAccents, Nmt, ByteLevel, "
                  "BertNormalizer, Precompiled)",
                  type));
}

}  // namespace aurum::text
