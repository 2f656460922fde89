#include "text/tokenizer/char_splitting.h"

#include <functional>
#include <utility>

#include "text/tokenizer/splitting.h"
#include "text/unicode/char_classes.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

// Splits by a property of single characters.
class CharSplit : public PreTokenizer {
 public:
  using Test = std::function<bool(char32_t)>;
  CharSplit(Test test, SplitBehavior behavior) : test_(std::move(test)), behavior_(behavior) {}
  void apply(PreTokenized& state) const override {
    std::vector<PieceRange> out;
    std::vector<Stretch> stretches;
    const std::string_view text = state.text.text();
    for (const PieceRange piece : state.pieces) {
      stretches.clear();
      for (std::size_t p = piece.begin; p < piece.end;) {
        const std::size_t begin = p;
        const bool matched = test_(next_code_point(text, p));
        if (!matched && !stretches.empty() && !stretches.back().matched) {
          stretches.back().range.end = p;
        } else {
          stretches.push_back({{begin, p}, matched});
        }
      }
      split_stretches(stretches, behavior_, out);
    }
    state.pieces = std::move(out);
  }

 private:
  Test test_;
  SplitBehavior behavior_;
};

// Keeps runs of word characters and runs of other characters that are not blanks.
class Whitespace : public PreTokenizer {
 public:
  void apply(PreTokenized& state) const override {
    std::vector<PieceRange> out;
    const std::string_view text = state.text.text();
    for (const PieceRange piece : state.pieces) {
      Kind previous = Kind::kBlank;
      for (std::size_t p = piece.begin; p < piece.end;) {
        const std::size_t begin = p;
        const Kind kind = kind_of(next_code_point(text, p));
        if (kind != Kind::kBlank && kind == previous) {
          out.back().end = p;
        } else if (kind != Kind::kBlank) {
          out.push_back({begin, p});
        }
        previous = kind;
      }
    }
    state.pieces = std::move(out);
  }

 private:
  enum class Kind { kBlank, kWord, kOther };
  static Kind kind_of(char32_t c) {
    if (is_word_char(c)) return Kind::kWord;
    return is_white_space(c) ? Kind::kBlank : Kind::kOther;
  }
};

class FixedLength : public PreTokenizer {
 public:
  explicit FixedLength(std::size_t length) : length_(length) {}
  void apply(PreTokenized& state) const override {
    std::vector<PieceRange> out;
    const std::string_view text = state.text.text();
    for (const PieceRange piece : state.pieces) {
      for (std::size_t p = piece.begin; p < piece.end;) {
        const std::size_t begin = p;
        for (std::size_t i = 0; i < length_ && p < piece.end; ++i) p += utf8_length(text[p]);
        out.push_back({begin, p});
      }
    }
    state.pieces = std::move(out);
  }

 private:
  std::size_t length_;
};

// Splits where the script changes. Kana counts as Han; a space, and what has no script, joins
// either side. Such characters at the start of a piece are lost, as in Hugging Face.
class UnicodeScripts : public PreTokenizer {
 public:
  void apply(PreTokenized& state) const override {
    std::vector<PieceRange> out;
    const std::string_view text = state.text.text();
    for (const PieceRange piece : state.pieces) {
      int previous = kAny;
      for (std::size_t p = piece.begin; p < piece.end;) {
        const std::size_t begin = p;
        const int script = merged_script(next_code_point(text, p));
        if (script != kAny && script != previous) {
          out.push_back({begin, p});
        } else if (previous != kAny) {
          out.back().end = p;
        }
        if (script != kAny) previous = script;
      }
    }
    state.pieces = std::move(out);
  }

 private:
  static constexpr int kAny = 0;
  static int merged_script(char32_t c) {
    static const int han = script_of(U'一'), hiragana = script_of(U'あ'),
                     katakana = script_of(U'ア');
    if (c == ' ') return kAny;
    const int script = script_of(c);
    return c == 0x30FC || script == hiragana || script == katakana ? han : script;
  }
};

std::unique_ptr<PreTokenizer> split_chars(CharSplit::Test test, SplitBehavior behavior) {
  return std::make_unique<CharSplit>(std::move(test), behavior);
}

std::unique_ptr<PreTokenizer> make_fixed_length(const Json& object, const JsonPlace& place) {
  const auto length = json_value<std::int64_t>(object, "length", 5, place);
  if (length < 1) (place / "length").fail("must be at least 1");
  return std::make_unique<FixedLength>(static_cast<std::size_t>(length));
}

}  // namespace

std::unique_ptr<PreTokenizer> make_char_pre_tokenizer(const std::string& type, const Json& object,
                                                      const JsonPlace& place) {
  if (type == "Digits") {
    const bool individual = json_value(object, "individual_digits", false, place);
    return split_chars(is_numeric,
                       individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
  }
  if (type == "Punctuation") {
    const auto behavior = json_value<std::string>(object, "behavior", "Isolated", place);
    return split_chars(is_punctuation, parse_split_behavior(behavior, place / "behavior"));
  }
  if (type == "WhitespaceSplit") return split_chars(is_white_space, SplitBehavior::kRemoved);
  if (type == "Whitespace") return std::make_unique<Whitespace>();
  if (type == "CharDelimiterSplit") {
    return std::make_unique<PatternSplit>(Pattern::literal(json_string(object, "delimiter", place)),
                                          SplitBehavior::kRemoved, false);
  }
  if (type == "BertPreTokenizer") {
    std::vector<std::unique_ptr<PreTokenizer>> steps;
    steps.push_back(split_chars(is_white_space, SplitBehavior::kRemoved));
    steps.push_back(split_chars(is_punctuation, SplitBehavior::kIsolated));
    return make_pre_tokenizer_sequence(std::move(steps));
  }
  if (type == "FixedLength") return make_fixed_length(object, place);
  if (type == "UnicodeScripts") return std::make_unique<UnicodeScripts>();
  return nullptr;
}

}  // namespace aurum::text
