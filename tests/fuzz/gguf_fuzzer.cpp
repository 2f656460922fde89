// Feeds arbitrary bytes to the GGUF reader and makes a tokenizer of the metadata it finds.
#include <cstdint>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "tests/fuzz/use_tokenizer.h"
#include "weights/gguf.h"

namespace {

using namespace aurum;

// A file in memory that holds the bytes; the reader maps files by name.
class MemoryFile {
 public:
  MemoryFile(const std::uint8_t* data, std::size_t size) : file_(::memfd_create("fuzz", 0)) {
    AURUM_CHECK(file_ >= 0 && ::write(file_, data, size) == static_cast<ssize_t>(size),
                "no memory");
  }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;
  ~MemoryFile() { ::close(file_); }
  std::string path() const { return fmt::format("/proc/self/fd/{}", file_); }

 private:
  int file_;
};

std::vector<std::string> strings(const weights::GgufFile& file, const char* key) {
  std::vector<std::string> out;
  if (const auto values = file.strings(key)) out.assign(values->begin(), values->end());
  return out;
}

text::GgufVocabulary vocabulary_of(const weights::GgufFile& file) {
  text::GgufVocabulary v;
  v.source = "fuzz.gguf";
  v.model = file.string("tokenizer.ggml.model").value_or("");
  v.pre = file.string("tokenizer.ggml.pre").value_or("");
  v.huggingface_json = file.string("tokenizer.huggingface.json").value_or("");
  v.tokens = strings(file, "tokenizer.ggml.tokens");
  v.merges = strings(file, "tokenizer.ggml.merges");
  v.scores = file.floats("tokenizer.ggml.scores").value_or(std::vector<float>());
  for (const auto type :
       file.integers("tokenizer.ggml.token_type").value_or(std::vector<std::int64_t>())) {
    v.token_types.push_back(static_cast<std::int32_t>(type));
  }
  const auto id = [&](const char* key) -> std::optional<text::TokenId> {
    const auto value = file.integer(key);
    return value ? std::optional(static_cast<text::TokenId>(*value)) : std::nullopt;
  };
  v.bos = id("tokenizer.ggml.bos_token_id");
  v.eos = id("tokenizer.ggml.eos_token_id");
  v.unk = id("tokenizer.ggml.unknown_token_id");
  v.add_eos = file.boolean("tokenizer.ggml.add_eos_token");
  v.add_space_prefix = file.boolean("tokenizer.ggml.add_space_prefix");
  if (const auto chat = file.string("tokenizer.chat_template")) {
    v.chat_templates["default"].text = *chat;
  }
  return v;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const MemoryFile memory(data, size);
    const auto file = weights::GgufFile::open(memory.path());
    fuzz::use_tokenizer(*text::make_tokenizer(vocabulary_of(*file)));
  } catch (const InternalError&) {
    throw;
  } catch (const Error&) {
  }
  return 0;
}
