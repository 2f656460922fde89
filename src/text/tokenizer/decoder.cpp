#include "text/tokenizer/decoder.h"

#include <algorithm>

#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/pattern.h"
#include "text/unicode/replace_all.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

class Sequence : public Decoder {
 public:
  explicit Sequence(std::vector<std::unique_ptr<Decoder>> steps) : steps_(std::move(steps)) {}
  void apply(DecodedPieces& state) const override {
    for (const auto& step : steps_) step->apply(state);
  }

 private:
  std::vector<std::unique_ptr<Decoder>> steps_;
};

class ByteLevel : public Decoder {
 public:
  void apply(DecodedPieces& state) const override {
    std::string bytes;
    for (std::string& piece : state.pieces) {
      if (bytes_of_alphabet(piece, bytes)) piece = bytes;
    }
    state.fused = true;
  }
};

class Replace : public Decoder {
 public:
  Replace(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void apply(DecodedPieces& state) const override {
    if (state.fused) return replace_in_whole(state.pieces);
    for (std::string& piece : state.pieces) {
      std::string out;
      std::size_t done = 0;
      pattern_.for_each(piece, [&](RegexMatch match) {
        out.append(piece, done, match.begin - done);
        out += content_;
        done = match.end;
      });
      if (out.empty() && done == 0) continue;
      out.append(piece, done);
      piece = std::move(out);
    }
  }

 private:
  // Matches may reach over several pieces; the replacement belongs to the one that ends the match.
  void replace_in_whole(std::vector<std::string>& pieces) const {
    std::string whole;
    std::vector<std::size_t> ends;
    for (const std::string& piece : pieces) ends.push_back((whole += piece).size());
    std::size_t piece = 0, done = 0;
    for (std::string& text : pieces) text.clear();
    const auto give_until = [&](std::size_t end) {
      while (done < end) {
        while (ends[piece] <= done) ++piece;
        const std::size_t stop = std::min(end, ends[piece]);
        pieces[piece].append(whole, done, stop - done);
        done = stop;
      }
    };
    pattern_.for_each(whole, [&](RegexMatch match) {
      give_until(match.begin);
      while (piece + 1 < ends.size() && ends[piece] < match.end) ++piece;
      pieces[piece] += content_;
      done = match.end;
    });
    give_until(whole.size());
  }

  Pattern pattern_;
  std::string content_;
};

class ByteFallback : public Decoder {
 public:
  void apply(DecodedPieces& state) const override {
    auto& pieces = state.pieces;
    for (std::size_t begin = 0; begin < pieces.size();) {
      std::string run;
      std::size_t end = begin;
      for (; end < pieces.size(); ++end) {
        const auto byte = byte_of_token(pieces[end]);
        if (!byte) break;
        run.push_back(static_cast<char>(*byte));
      }
      if (end == begin) {
        ++begin;
        continue;
      }
      // One bad byte spoils the whole run, as in Hugging Face.
      const bool valid = is_valid_utf8(run);
      for (std::size_t i = begin; i < end; ++i) {
        pieces[i] = valid ? std::string(1, run[i - begin]) : std::string(kReplacementCharacter);
      }
      begin = end;
    }
  }
};

class Fuse : public Decoder {
 public:
  void apply(DecodedPieces& state) const override { state.fused = true; }
};

class Strip : public Decoder {
 public:
  Strip(std::string content, std::size_t start, std::size_t stop)
      : content_(std::move(content)), start_(start), stop_(stop) {}
  void apply(DecodedPieces& state) const override {
    auto& pieces = state.pieces;
    std::size_t left = start_, right = stop_;
    for (std::string& piece : pieces) {
      if (!state.fused) left = start_;
      while (left > 0 && !content_.empty() && piece.starts_with(content_)) {
        piece.erase(0, content_.size());
        --left;
      }
      if (state.fused && (left == 0 || !piece.empty())) break;
    }
    for (std::size_t i = pieces.size(); i-- > 0;) {
      if (!state.fused) right = stop_;
      while (right > 0 && !content_.empty() && pieces[i].ends_with(content_)) {
        pieces[i].resize(pieces[i].size() - content_.size());
        --right;
      }
      if (state.fused && (right == 0 || !pieces[i].empty())) break;
    }
  }

 private:
  std::string content_;
  std::size_t start_, stop_;
};

class Metaspace : public Decoder {
 public:
  Metaspace(std::string replacement, bool drop_first)
      : replacement_(std::move(replacement)), drop_first_(drop_first) {}
  void apply(DecodedPieces& state) const override {
    for (std::size_t i = 0; i < state.pieces.size(); ++i) {
      replace_all(state.pieces[i], replacement_, i == 0 && drop_first_ ? "" : " ");
    }
  }

 private:
  std::string replacement_;
  bool drop_first_;
};

class JoinWithSpaces : public Decoder {
 public:
  void apply(DecodedPieces& state) const override {
    for (std::size_t i = 1; i < state.pieces.size(); ++i)
      state.pieces[i].insert(state.pieces[i].begin(), ' ');
  }
};

std::unique_ptr<Decoder> make_sequence(const Json& object, const JsonPlace& place) {
  std::vector<std::unique_ptr<Decoder>> steps;
  const Json& list = json_array(object, "decoders", place);
  for (std::size_t i = 0; i < list.size(); ++i) {
    steps.push_back(make_decoder(list[i], place / "decoders" / std::to_string(i)));
  }
  return std::make_unique<Sequence>(std::move(steps));
}

}  // namespace

std::unique_ptr<Decoder> make_decoder(const Json& object, const JsonPlace& place) {
  if (object.is_null()) return std::make_unique<JoinWithSpaces>();
  const std::string type = json_type(object, place);
  if (type == "Sequence") return make_sequence(object, place);
  if (type == "ByteLevel") return std::make_unique<ByteLevel>();
  if (type == "ByteFallback") return std::make_unique<ByteFallback>();
  if (type == "Fuse") return std::make_unique<Fuse>();
  if (type == "Replace") {
    return std::make_unique<Replace>(
        Pattern::from_json(object.value("pattern", Json()), place / "pattern"),
        json_string(object, "content", place));
  }
  if (type == "Strip") {
    return std::make_unique<Strip>(json_string(object, "content", place),
                                   json_value<std::size_t>(object, "start", 0, place),
                                   json_value<std::size_t>(object, "stop", 0, place));
  }
  if (type == "Metaspace") {
    const std::string scheme = json_value<std::string>(object, "prepend_scheme", "always", place);
    const bool prefix = json_value(object, "add_prefix_space", true, place);
    return std::make_unique<Metaspace>(
        json_value<std::string>(object, "replacement", "\xE2\x96\x81", place),
        prefix && scheme != "never");
  }
  if (auto decoder = make_word_decoder(type, object, place)) return decoder;
  place.fail(
      fmt::format("the decoder {} is not supported (supported: Sequence, ByteLevel, "
                  "ByteFallback, Fuse, Replace, Strip, Metaspace, BPEDecoder, WordPiece, CTC)",
                  type));
}

}  // namespace aurum::text
