#include "tests/fuzz/use_tokenizer.h"

#include "base/error.h"

namespace aurum::fuzz {
namespace {

void check_spans(const std::vector<text::ByteSpan>& spans, std::size_t size) {
  std::int64_t position = 0;
  for (const text::ByteSpan& span : spans) {
    AURUM_CHECK(span.begin == position && span.end >= span.begin, "spans have gaps");
    position = span.end;
  }
  AURUM_CHECK(spans.empty() || position == static_cast<std::int64_t>(size), "spans end early");
}

void check_stream(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& ids) {
  const auto stream = tokenizer.make_stream_decoder(false);
  std::string text;
  for (const text::TokenId id : ids) text += stream->push(id);
  text += stream->finish();
  AURUM_CHECK(text == tokenizer.decode(ids, false), "the stream decodes to another text");
}

}  // namespace

void use_tokenizer(const text::Tokenizer& tokenizer) {
  for (const char* input :
       {"", "a", "Hello  w\u00F6rld!\n\t12 \U0001F9D1\u200D\u65E5e\u0301 <s></s>",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"}) {
    const text::Encoding encoding = tokenizer.encode(input, false);
    check_spans(encoding.spans, std::string_view(input).size());
    check_stream(tokenizer, encoding.ids);
  }
  std::vector<text::TokenId> ids = {-1, 0, 1, 2, 3, 2, 1, 1 << 30};
  check_stream(tokenizer, ids);
  const text::DecodedSpans decoded = tokenizer.spans_of_ids(ids);
  check_spans(decoded.spans, decoded.text.size());
}

}  // namespace aurum::fuzz
