#include <array>
#include <utility>

#include "text/tokenizer/decoder.h"
#include "text/unicode/replace_all.h"

namespace aurum::text {
namespace {

// Takes back the spaces that English writes without, one token at a time.
void clean_up(std::string& text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 11> kRules = {
      {{" .", "."},
       {" ?", "?"},
       {" !", "!"},
       {" ,", ","},
       {" ' ", "'"},
       {" n't", "n't"},
       {" 'm", "'m"},
       {" do not", " don't"},
       {" 's", "'s"},
       {" 've", "'ve"},
       {" 're", "'re"}}};
  for (const auto& [from, to] : kRules) replace_all(text, from, to);
}

// The suffix that ends a word becomes a space, but for the last token's.
class BpeSuffix : public Decoder {
 public:
  explicit BpeSuffix(std::string suffix) : suffix_(std::move(suffix)) {}
  void apply(DecodedPieces& state) const override {
    for (std::size_t i = 0; i < state.pieces.size(); ++i) {
      replace_all(state.pieces[i], suffix_, i + 1 == state.pieces.size() ? "" : " ");
    }
  }

 private:
  std::string suffix_;
};

// Tokens with the prefix continue a word, others begin one.
class WordPiece : public Decoder {
 public:
  WordPiece(std::string prefix, bool cleanup) : prefix_(std::move(prefix)), cleanup_(cleanup) {}
  void apply(DecodedPieces& state) const override {
    bool first = true;
    for (std::string& piece : state.pieces) {
      if (!first && piece.starts_with(prefix_)) {
        piece.erase(0, prefix_.size());
      } else if (!first) {
        piece.insert(piece.begin(), ' ');
      }
      if (cleanup_) clean_up(piece);
      first = false;
    }
  }

 private:
  std::string prefix_;
  bool cleanup_;
};

// Speech models repeat a token for as long as it sounds, with a padding token between equal ones.
class Ctc : public Decoder {
 public:
  Ctc(std::string pad, std::string delimiter, bool cleanup)
      : pad_(std::move(pad)), delimiter_(std::move(delimiter)), cleanup_(cleanup) {}
  void apply(DecodedPieces& state) const override {
    std::string previous;
    bool first = true;
    for (std::string& piece : state.pieces) {
      const bool repeats = !first && piece == previous;
      previous = piece;
      first = false;
      if (repeats) piece.clear();
      replace_all(piece, pad_, "");
      if (!cleanup_) continue;
      clean_up(piece);
      replace_all(piece, delimiter_, " ");
    }
  }

 private:
  std::string pad_, delimiter_;
  bool cleanup_;
};

}  // namespace

std::unique_ptr<Decoder> make_word_decoder(const std::string& type, const Json& object,
                                           const JsonPlace& place) {
  const auto text = [&](const char* key, const char* fallback) {
    return json_value<std::string>(object, key, fallback, place);
  };
  if (type == "BPEDecoder") return std::make_unique<BpeSuffix>(text("suffix", "</w>"));
  if (type == "WordPiece") {
    return std::make_unique<WordPiece>(text("prefix", "##"),
                                       json_value(object, "cleanup", true, place));
  }
  if (type == "CTC") {
    return std::make_unique<Ctc>(text("pad_token", "<pad>"), text("word_delimiter_token", "|"),
                                 json_value(object, "cleanup", true, place));
  }
  return nullptr;
}

}  // namespace aurum::text
