#include "text/tokenizer/decoder.h"

#include <algorithm>

#include "text/tokenizer/bpe_model.h"
#include "text/tokenizer/byte_alphabet.h"
#include "text/tokenizer/pattern.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

void replace_all(std::string& text, std::string_view from, std::string_view to) {
  if (from.empty()) return;
  for (std::size_t p = text.find(from); p != std::string::npos;
       p = text.find(from, p + to.size())) {
    text.replace(p, from.size(), to);
  }
}

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
  }
};

class Replace : public Decoder {
 public:
  Replace(Pattern pattern, std::string content)
      : pattern_(std::move(pattern)), content_(std::move(content)) {}
  void apply(DecodedPieces& state) const override {
    for (std::string& piece : state.pieces) {
      std::string out;
      RegexMatch match{};
      std::size_t done = 0;
      while (done < piece.size() && pattern_.find(piece, done, match) && match.end > match.begin) {
        out.append(piece, done, match.begin - done);
        out += content_;
        done = match.end;
      }
      if (done == 0) continue;
      out.append(piece, done);
      piece = std::move(out);
    }
  }

 private:
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
  if (type == "BPEDecoder") {
    return std::make_unique<BpeSuffix>(json_value<std::string>(object, "suffix", "</w>", place));
  }
  place.fail(
      fmt::format("the decoder {} is not supported (supported: Sequence, ByteLevel, "
                  "ByteFallback, Fuse, Replace, Strip, Metaspace, BPEDecoder)",
                  type));
}

}  // namespace aurum::text
