#include "text/alignment/trl_spans.h"

#include <algorithm>
#include <optional>

#include "base/error.h"
#include "text/tokenizer/byte_alphabet.h"
#include "text/unicode/utf8.h"

namespace aurum::text {
namespace {

std::int64_t length_in_chars(const Tokenizer& tokenizer, TokenId id) {
  return static_cast<std::int64_t>(count_code_points(tokenizer.piece(id)));
}

// Hugging Face's offsets are whole characters: a token over a part of one covers all of it.
ByteSpan widen_to_chars(std::string_view text, ByteSpan span) {
  if (span.begin == span.end) return span;
  auto begin = static_cast<std::size_t>(span.begin), end = static_cast<std::size_t>(span.end);
  while (begin > 0 && is_utf8_continuation(text[begin])) --begin;
  while (end < text.size() && is_utf8_continuation(text[end])) ++end;
  return {static_cast<std::int64_t>(begin), static_cast<std::int64_t>(end)};
}

// Runs of tokens with the same span share it by their lengths, if these add up.
void split_repeated(const std::vector<std::int64_t>& lengths, std::vector<ByteSpan>& spans) {
  for (std::size_t begin = 0, end = 0; begin < spans.size(); begin = end) {
    end = begin + 1;
    while (end < spans.size() && spans[end] == spans[begin]) ++end;
    std::int64_t sum = 0;
    for (std::size_t i = begin; i < end; ++i) sum += lengths[i];
    std::int64_t cursor = spans[begin].begin;
    if (end - begin < 2 || sum != spans[begin].end - cursor) continue;
    for (std::size_t i = begin; i < end; ++i) {
      spans[i] = {cursor, cursor + lengths[i]};
      cursor += lengths[i];
    }
  }
}

// The bytes of a token, without a leading space that the text lacks; none for a token that is not
// written in the byte alphabet.
std::optional<std::int64_t> byte_length(const std::string& piece, std::string_view text,
                                        std::int64_t begin) {
  std::string bytes;
  if (!bytes_of_alphabet(piece, bytes)) return std::nullopt;
  const auto at = static_cast<std::size_t>(begin);
  const bool text_has_space = at < text.size() && text[at] == ' ';
  const bool has_extra_space = bytes.starts_with(' ') && !text_has_space;
  return static_cast<std::int64_t>(bytes.size()) - (has_extra_space ? 1 : 0);
}

}  // namespace

std::vector<ByteSpan> trl_spans_of_ids(const Tokenizer& tokenizer, std::span<const TokenId> ids) {
  std::vector<ByteSpan> spans;
  std::int64_t at = 0;
  for (const TokenId id : ids) {
    const std::int64_t end = at + length_in_chars(tokenizer, id);
    spans.push_back({at, end});
    at = end;
  }
  return spans;
}

std::vector<ByteSpan> trl_spans_of_text(const Tokenizer& tokenizer, std::string_view text,
                                        const Encoding& encoding) {
  std::vector<ByteSpan> spans;
  std::vector<std::int64_t> lengths;
  for (std::size_t i = 0; i < encoding.ids.size(); ++i) {
    spans.push_back(widen_to_chars(text, encoding.spans[i]));
    lengths.push_back(length_in_chars(tokenizer, encoding.ids[i]));
  }
  split_repeated(lengths, spans);
  std::int64_t cursor = 0;
  for (std::size_t i = 0; i < spans.size(); ++i) {
    ByteSpan& span = spans[i];
    if (span.begin == span.end) {
      span = {cursor, cursor};
      continue;
    }
    const auto length = byte_length(tokenizer.piece(encoding.ids[i]), text, span.begin);
    // TRL looks at the next span as it was before this pass.
    const bool overlaps =
        span.begin < cursor || (i + 1 < spans.size() && spans[i + 1].begin < span.end);
    if (length && (overlaps || *length == span.end - span.begin)) {
      const std::int64_t begin = std::max(span.begin, cursor);
      if (begin + *length <= span.end) span = {begin, begin + *length};
    }
    if (span.begin < cursor) {
      throw InputError(
          fmt::format("token {} begins at byte {}, behind byte {}: TRL refuses such a "
                      "text; use --mode exact",
                      i, span.begin, cursor));
    }
    cursor = span.end;
  }
  return spans;
}

}  // namespace aurum::text
