#include "text/tokenizer/stream_decoders.h"

#include <algorithm>

#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

// Bytes to text, holding back what later bytes could still change.
class ByteStreamDecoder : public StreamDecoder {
 public:
  ByteStreamDecoder(const PipelineTokenizer& tokenizer, bool skip_special)
      : tokenizer_(tokenizer), skip_special_(skip_special) {}
  std::string push(TokenId id) override {
    if (skip_special_ && tokenizer_.is_special(id)) return {};
    pending_ += tokenizer_.token_bytes(id);
    const std::size_t complete = complete_utf8_prefix(pending_);
    std::string text = decode_lossily(std::string_view(pending_).substr(0, complete));
    pending_.erase(0, complete);
    return text;
  }
  std::string finish() override {
    std::string text = decode_lossily(pending_);
    pending_.clear();
    return text;
  }

 private:
  const PipelineTokenizer& tokenizer_;
  bool skip_special_;
  std::string pending_;
};

// For decoders that look at neighbours: decodes anew from the last settled token. Byte tokens are
// held back until their run ends, for one bad byte changes the text of the whole run.
class WindowStreamDecoder : public StreamDecoder {
 public:
  WindowStreamDecoder(const PipelineTokenizer& tokenizer, bool skip_special)
      : tokenizer_(tokenizer), skip_special_(skip_special) {}
  std::string push(TokenId id) override {
    if (skip_special_ && tokenizer_.is_special(id)) return {};
    if (!tokenizer_.has_token(id)) return {};
    window_.push_back(id);
    if (tokenizer_.is_byte_token(id)) return {};
    std::string text = fresh_text();
    window_.assign(1, id);
    settled_ = 1;
    return text;
  }
  std::string finish() override {
    std::string text = fresh_text();
    window_.clear();
    settled_ = 0;
    return text;
  }

 private:
  std::string fresh_text() const {
    const std::string whole = tokenizer_.decode(window_, false);
    const std::string before = tokenizer_.decode(std::span(window_).subspan(0, settled_), false);
    return whole.substr(std::min(before.size(), whole.size()));
  }

  const PipelineTokenizer& tokenizer_;
  bool skip_special_;
  std::vector<TokenId> window_;  // the last settled token, then what is held back
  std::size_t settled_ = 0;
};

}  // namespace

std::unique_ptr<StreamDecoder> make_stream_decoder_for(const PipelineTokenizer& tokenizer,
                                                       bool skip_special) {
  if (tokenizer.decodes_bytewise()) {
    return std::make_unique<ByteStreamDecoder>(tokenizer, skip_special);
  }
  return std::make_unique<WindowStreamDecoder>(tokenizer, skip_special);
}

}  // namespace aurum::text
