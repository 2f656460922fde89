// Feeds arbitrary bytes to the reader of tokenizer.json. Whatever the file says, loading either
// throws one of our errors or gives a tokenizer that encodes and decodes.
#include <cstdint>
#include <string_view>

#include "base/error.h"
#include "tests/fuzz/use_tokenizer.h"
#include "text/tokenizer/definition.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace aurum;
  try {
    text::TokenizerDefinition definition;
    definition.source = "fuzz.json";
    text::read_tokenizer_json("fuzz.json", {reinterpret_cast<const char*>(data), size}, definition);
    fuzz::use_tokenizer(*text::build_tokenizer(std::move(definition)));
  } catch (const InternalError&) {
    throw;
  } catch (const Error&) {
  }
  return 0;
}
