#include "text/tokenizer/pre_tokenizer.h"

#include <utility>

#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/char_splitting.h"
#include "text/tokenizer/splitting.h"

namespace aurum::text {
namespace {

constexpr std::string_view kUnderline = "\xE2\x96\x81";  // U+2581

class Sequence : public PreTokenizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<PreTokenizer>> steps) : steps_(std::move(steps)) {}
  void apply(PreTokenized& state) const override {
    for (const auto& step : steps_) step->apply(state);
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> steps_;
};

// Rewrites every piece: rewrite(builder, piece, is_first) brings `builder` to the piece's end.
template <typename Rewrite>
void rewrite_pieces(PreTokenized& state, const Rewrite& rewrite) {
  const MappedText source = std::move(state.text);
  MappedTextBuilder builder(source);
  std::vector<PieceRange> out;
  out.reserve(state.pieces.size());
  for (const PieceRange piece : state.pieces) {
    builder.keep_until(piece.begin);
    const std::size_t begin = builder.size();
    rewrite(builder, source.text(), piece);
    builder.keep_until(piece.end);
    out.push_back({begin, builder.size()});
  }
  state.text = builder.finish();
  state.pieces = std::move(out);
}

class ByteLevel : public PreTokenizer {
 public:
  ByteLevel(bool add_prefix_space, bool use_regex, LastByteLevel last, const JsonPlace& place)
      : add_prefix_space_(add_prefix_space), writes_(last == LastByteLevel::kWritesAlphabet) {
    if (use_regex) {
      split_ = std::make_unique<PatternSplit>(Pattern::regex(kGpt2Pattern, place.path),
                                              SplitBehavior::kIsolated, false);
    }
  }
  void apply(PreTokenized& state) const override {
    if (add_prefix_space_) {
      rewrite_pieces(state,
                     [](MappedTextBuilder& builder, std::string_view text, PieceRange piece) {
                       if (text[piece.begin] != ' ') builder.replace_until(piece.begin, " ");
                     });
    }
    if (split_ != nullptr) split_->apply(state);
    if (!writes_) return;
    rewrite_pieces(state, [](MappedTextBuilder& builder, std::string_view text, PieceRange piece) {
      for (std::size_t p = piece.begin; p < piece.end; ++p) {
        builder.replace_until(p + 1, alphabet_of_bytes(text.substr(p, 1)));
      }
    });
  }

 private:
  bool add_prefix_space_, writes_;
  std::unique_ptr<PatternSplit> split_;
};

class Metaspace : public PreTokenizer {
 public:
  enum class Scheme { kAlways, kFirst, kNever };
  Metaspace(std::string replacement, Scheme scheme, bool split)
      : replacement_(std::move(replacement)), scheme_(scheme) {
    if (split) {
      split_ = std::make_unique<PatternSplit>(Pattern::literal(replacement_),
                                              SplitBehavior::kMergedWithNext, false);
    }
  }
  void apply(PreTokenized& state) const override {
    const bool at_start = state.at_text_start;
    rewrite_pieces(state, [&](MappedTextBuilder& builder, std::string_view text, PieceRange piece) {
      const std::string_view content = text.substr(piece.begin, piece.end - piece.begin);
      if (wants_prefix(content, at_start && piece.begin == 0)) {
        builder.replace_until(piece.begin, replacement_);
      }
      for (std::size_t p = text.find(' ', piece.begin); p < piece.end; p = text.find(' ', p + 1)) {
        builder.keep_until(p);
        builder.replace_until(p + 1, replacement_);
      }
    });
    if (split_ != nullptr) split_->apply(state);
  }

 private:
  bool wants_prefix(std::string_view piece, bool first) const {
    if (scheme_ == Scheme::kNever || (scheme_ == Scheme::kFirst && !first)) return false;
    return piece[0] != ' ' && !piece.starts_with(replacement_);
  }

  std::string replacement_;
  Scheme scheme_;
  std::unique_ptr<PatternSplit> split_;
};

std::unique_ptr<PreTokenizer> make_metaspace(const Json& object, const JsonPlace& place) {
  const std::string name = json_value<std::string>(
      object, "prepend_scheme",
      json_value(object, "add_prefix_space", true, place) ? "always" : "never", place);
  Metaspace::Scheme scheme{};
  if (name == "always") {
    scheme = Metaspace::Scheme::kAlways;
  } else if (name == "first") {
    scheme = Metaspace::Scheme::kFirst;
  } else if (name == "never") {
    scheme = Metaspace::Scheme::kNever;
  } else {
    (place / "prepend_scheme").fail("must be always, first or never, not " + name);
  }
  return std::make_unique<Metaspace>(
      json_value<std::string>(object, "replacement", std::string(kUnderline), place), scheme,
      json_value(object, "split", true, place));
}

std::unique_ptr<PreTokenizer> make_sequence(const Json& object, const JsonPlace& place,
                                            LastByteLevel last) {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  const Json& list = json_array(object, "pretokenizers", place);
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto step = make_pre_tokenizer(list[i], place / "pretokenizers" / std::to_string(i),
                                   i + 1 == list.size() ? last : LastByteLevel::kWritesAlphabet);
    if (step != nullptr) steps.push_back(std::move(step));
  }
  return make_pre_tokenizer_sequence(std::move(steps));
}

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer_sequence(
    std::vector<std::unique_ptr<PreTokenizer>> steps) {
  return std::make_unique<Sequence>(std::move(steps));
}

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const Json& object, const JsonPlace& place,
                                                 LastByteLevel last) {
  if (object.is_null()) return nullptr;
  const std::string type = json_type(object, place);
  if (type == "Sequence") return make_sequence(object, place, last);
  if (type == "ByteLevel") {
    return std::make_unique<ByteLevel>(json_value(object, "add_prefix_space", true, place),
                                       json_value(object, "use_regex", true, place), last, place);
  }
  if (type == "Split") {
    return std::make_unique<PatternSplit>(
        Pattern::from_json(object.value("pattern", Json()), place / "pattern"),
        parse_split_behavior(json_string(object, "behavior", place), place / "behavior"),
        json_value(object, "invert", false, place));
  }
  if (type == "Metaspace") return make_metaspace(object, place);
  if (auto result = make_char_pre_tokenizer(type, object, place)) return result;
  place.fail(fmt::format(
      "the pre-tokenizer {} is not supported (supported: Sequence, ByteLevel, Split, Metaspace, "
      "Digits, Punctuation, Whitespace, WhitespaceSplit, BertPreTokenizer, CharDelimiterSplit, "
      "FixedLength, UnicodeScripts)",
      type));
}

bool ends_in_byte_level(const Json& object) {
  if (!object.is_object()) return false;
  const Json type = object.value("type", Json());
  if (type == "ByteLevel") return true;
  const auto steps = object.find("pretokenizers");
  return type == "Sequence" && steps != object.end() && steps->is_array() && !steps->empty() &&
         ends_in_byte_level(steps->back());
}

}  // namespace aurum::text
