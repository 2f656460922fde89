#include "text/tokenizer/pre_tokenizer.h"

#include <array>
#include <functional>
#include <utility>

#include "text/tokenizer/pattern.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

constexpr std::string_view kGpt2Pattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

enum class SplitBehavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

SplitBehavior parse_behavior(const std::string& name, const JsonPlace& place) {
  static constexpr std::array<std::string_view, 5> kNames = {
      "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"};
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i]) return static_cast<SplitBehavior>(i);
  }
  place.fail("unknown split behavior " + name);
}

struct Stretch {
  PieceRange range;
  bool matched;
};

void push_piece(std::vector<PieceRange>& out, PieceRange range) {
  if (range.end > range.begin) out.push_back(range);
}

// Turns stretches that cover a piece into new pieces (4.1 of the behaviours in the README of
// Hugging Face tokenizers: Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous).
void split_stretches(const std::vector<Stretch>& stretches, SplitBehavior behavior,
                     std::vector<PieceRange>& out) {
  const std::size_t first = out.size();
  bool previous_matched = false;
  for (std::size_t i = 0; i < stretches.size(); ++i) {
    const auto [range, matched] = stretches[i];
    const bool has_previous = out.size() > first;
    switch (behavior) {
      case SplitBehavior::kRemoved:
        if (!matched) push_piece(out, range);
        break;
      case SplitBehavior::kIsolated:
        push_piece(out, range);
        break;
      case SplitBehavior::kMergedWithPrevious:
        if (matched && !previous_matched && has_previous) {
          out.back().end = range.end;
        } else {
          push_piece(out, range);
        }
        break;
      case SplitBehavior::kMergedWithNext:
        if (!matched && previous_matched && has_previous) {
          out.back().end = range.end;
        } else {
          push_piece(out, range);
        }
        break;
      case SplitBehavior::kContiguous:
        if (has_previous && matched == previous_matched) {
          out.back().end = range.end;
        } else {
          push_piece(out, range);
        }
        break;
    }
    previous_matched = matched;
  }
}

class Sequence : public PreTokenizer {
 public:
  explicit Sequence(std::vector<std::unique_ptr<PreTokenizer>> steps) : steps_(std::move(steps)) {}
  void apply(PreTokenized& state) const override {
    for (const auto& step : steps_) step->apply(state);
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> steps_;
};

class PatternSplit : public PreTokenizer {
 public:
  PatternSplit(Pattern pattern, SplitBehavior behavior, bool invert)
      : pattern_(std::move(pattern)), behavior_(behavior), invert_(invert) {}

  void apply(PreTokenized& state) const override {
    std::vector<PieceRange> out;
    out.reserve(state.pieces.size() + state.text.text().size() / 4);
    std::vector<Stretch> stretches;
    for (const PieceRange piece : state.pieces) {
      const std::string_view text = state.text.text().substr(piece.begin, piece.end - piece.begin);
      if (behavior_ == SplitBehavior::kIsolated) {
        split_isolated(text, piece.begin, out);
      } else {
        stretches.clear();
        find_stretches(text, piece.begin, stretches);
        split_stretches(stretches, behavior_, out);
      }
    }
    state.pieces = std::move(out);
  }

 private:
  template <typename Visit>
  void visit_matches(std::string_view text, const Visit& visit) const {
    RegexMatch match{};
    for (std::size_t from = 0; from <= text.size() && pattern_.find(text, from, match);) {
      if (match.end > match.begin) visit(match);
      from = match.end;
      if (match.end == match.begin) {
        if (from >= text.size()) break;
        from += utf8_length(text[from]);
      }
    }
  }
  void split_isolated(std::string_view text, std::size_t base, std::vector<PieceRange>& out) const {
    std::size_t done = 0;
    visit_matches(text, [&](RegexMatch match) {
      push_piece(out, {base + done, base + match.begin});
      push_piece(out, {base + match.begin, base + match.end});
      done = match.end;
    });
    push_piece(out, {base + done, base + text.size()});
  }
  void find_stretches(std::string_view text, std::size_t base, std::vector<Stretch>& out) const {
    std::size_t done = 0;
    const auto push = [&](std::size_t begin, std::size_t end, bool matched) {
      if (end > begin) out.push_back({{base + begin, base + end}, matched != invert_});
    };
    visit_matches(text, [&](RegexMatch match) {
      push(done, match.begin, false);
      push(match.begin, match.end, true);
      done = match.end;
    });
    push(done, text.size(), false);
  }

  Pattern pattern_;
  SplitBehavior behavior_;
  bool invert_;
};

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

// Puts `prefix` before every piece for which `wants` says so; spaces become `space` when given.
template <typename Wants>
void prefix_pieces(PreTokenized& state, std::string_view prefix, std::string_view space,
                   const Wants& wants) {
  const MappedText source = std::move(state.text);
  const std::string_view text = source.text();
  MappedTextBuilder builder(source);
  std::vector<PieceRange> out;
  for (const PieceRange piece : state.pieces) {
    builder.keep_until(piece.begin);
    const std::size_t begin = builder.size();
    if (wants(text.substr(piece.begin, piece.end - piece.begin), piece.begin == 0)) {
      builder.replace_until(piece.begin, prefix);
    }
    for (std::size_t p = piece.begin; !space.empty() && p < piece.end; ++p) {
      if (text[p] != ' ') continue;
      builder.keep_until(p);
      builder.replace_until(p + 1, space);
    }
    builder.keep_until(piece.end);
    out.push_back({begin, builder.size()});
  }
  state.text = builder.finish();
  state.pieces = std::move(out);
}

class ByteLevel : public PreTokenizer {
 public:
  ByteLevel(bool add_prefix_space, bool use_regex, const JsonPlace& place)
      : add_prefix_space_(add_prefix_space) {
    if (use_regex) {
      split_ = std::make_unique<PatternSplit>(Pattern::regex(kGpt2Pattern, place.path),
                                              SplitBehavior::kIsolated, false);
    }
  }
  void apply(PreTokenized& state) const override {
    if (add_prefix_space_) {
      prefix_pieces(state, " ", "", [](std::string_view piece, bool) { return piece[0] != ' '; });
    }
    if (split_ != nullptr) split_->apply(state);
  }

 private:
  bool add_prefix_space_;
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
    prefix_pieces(state, replacement_, replacement_, [&](std::string_view piece, bool first) {
      if (scheme_ == Scheme::kNever || (scheme_ == Scheme::kFirst && !(at_start && first))) {
        return false;
      }
      return piece[0] != ' ' && !piece.starts_with(replacement_);
    });
    if (split_ != nullptr) split_->apply(state);
  }

 private:
  std::string replacement_;
  Scheme scheme_;
  std::unique_ptr<PatternSplit> split_;
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
      json_value<std::string>(object, "replacement", "\xE2\x96\x81", place), scheme,
      json_value(object, "split", true, place));
}

std::unique_ptr<PreTokenizer> make_sequence(const Json& object, const JsonPlace& place) {
  std::vector<std::unique_ptr<PreTokenizer>> steps;
  const Json& list = json_array(object, "pretokenizers", place);
  for (std::size_t i = 0; i < list.size(); ++i) {
    auto step = make_pre_tokenizer(list[i], place / "pretokenizers" / std::to_string(i));
    if (step != nullptr) steps.push_back(std::move(step));
  }
  return std::make_unique<Sequence>(std::move(steps));
}

std::unique_ptr<PreTokenizer> make_simple(const std::string& type, const Json& object,
                                          const JsonPlace& place) {
  if (type == "Digits") {
    const bool individual = json_value(object, "individual_digits", false, place);
    return std::make_unique<CharSplit>(
        is_numeric, individual ? SplitBehavior::kIsolated : SplitBehavior::kContiguous);
  }
  if (type == "Punctuation") {
    return std::make_unique<CharSplit>(
        is_punctuation,
        parse_behavior(json_value<std::string>(object, "behavior", "Isolated", place), place));
  }
  if (type == "WhitespaceSplit") {
    return std::make_unique<CharSplit>(is_white_space, SplitBehavior::kRemoved);
  }
  if (type == "Whitespace") {
    return std::make_unique<PatternSplit>(Pattern::regex(R"(\w+|[^\w\s]+)", place.path),
                                          SplitBehavior::kRemoved, true);
  }
  if (type == "CharDelimiterSplit") {
    return std::make_unique<PatternSplit>(Pattern::literal(json_string(object, "delimiter", place)),
                                          SplitBehavior::kRemoved, false);
  }
  if (type == "BertPreTokenizer") {
    std::vector<std::unique_ptr<PreTokenizer>> steps;
    steps.push_back(std::make_unique<CharSplit>(is_white_space, SplitBehavior::kRemoved));
    steps.push_back(std::make_unique<CharSplit>(is_punctuation, SplitBehavior::kIsolated));
    return std::make_unique<Sequence>(std::move(steps));
  }
  if (type == "FixedLength") {
    const auto length = json_value<std::int64_t>(object, "length", 5, place);
    if (length < 1) (place / "length").fail("must be at least 1");
    return std::make_unique<FixedLength>(static_cast<std::size_t>(length));
  }
  place.fail(fmt::format("the pre-tokenizer {} is not supported", type));
}

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const Json& object, const JsonPlace& place) {
  if (object.is_null()) return nullptr;
  const std::string type = json_type(object, place);
  if (type == "Sequence") return make_sequence(object, place);
  if (type == "ByteLevel") {
    return std::make_unique<ByteLevel>(json_value(object, "add_prefix_space", true, place),
                                       json_value(object, "use_regex", true, place), place);
  }
  if (type == "Split") {
    return std::make_unique<PatternSplit>(
        Pattern::from_json(object.value("pattern", Json()), place / "pattern"),
        parse_behavior(json_string(object, "behavior", place), place / "behavior"),
        json_value(object, "invert", false, place));
  }
  if (type == "Metaspace") return make_metaspace(object, place);
  return make_simple(type, object, place);
}

bool uses_byte_level(const Json& object) {
  if (object.is_object()) {
    if (object.value("type", Json()) == "ByteLevel") return true;
    for (const auto& [key, value] : object.items()) {
      if (uses_byte_level(value)) return true;
    }
  }
  if (object.is_array()) {
    for (const Json& value : object) {
      if (uses_byte_level(value)) return true;
    }
  }
  return false;
}

}  // namespace aurum::text
