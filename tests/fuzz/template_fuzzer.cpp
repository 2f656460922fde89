// Renders whatever bytes come as a chat template: it must end with a text or an aurum::Error.
//
//   cmake --preset fuzz && cmake --build build-fuzz --target template_fuzzer
//   build-fuzz/bin/template_fuzzer NEW tests/fuzz/corpus/template tests/golden/templates

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/error.h"
#include "text/chat/chat_template.h"

namespace {

aurum::text::RenderRequest make_request() {
  using aurum::text::OrderedJson;
  aurum::text::RenderRequest request;
  request.messages = OrderedJson::parse(R"([
      {"role": "system", "content": "S"},
      {"role": "user", "content": [{"type": "text", "text": "ü"}]},
      {"role": "assistant", "content": "", "tool_calls": [
          {"function": {"name": "f", "arguments": {"a": [1, 2.5, null, true]}}}]},
      {"role": "tool", "content": "4"}])");
  request.tools = OrderedJson::parse(R"([{"type": "function", "function": {"name": "f"}}])");
  request.add_generation_prompt = true;
  request.special_tokens = {{"bos_token", "<s>"}, {"eos_token", "</s>"}};
  return request;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const aurum::text::RenderRequest request = make_request();
  std::string source(reinterpret_cast<const char*>(data), size);
  try {
    aurum::text::ChatTemplate::parse(std::move(source), "fuzz").render(request);
  } catch (const aurum::InternalError&) {
    throw;
  } catch (const aurum::Error&) {  // syntax errors and refusals are fine
  }
  return 0;
}
