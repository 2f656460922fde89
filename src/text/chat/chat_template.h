#pragma once

#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "text/alignment/byte_alignment.h"
#include "text/chat/template_source.h"

namespace aurum::text {

// JSON whose objects keep their key order, as templates print them.
using OrderedJson = nlohmann::ordered_json;

struct RenderRequest {
  OrderedJson messages = OrderedJson::array();
  OrderedJson tools;      // null when there are none
  OrderedJson documents;  // null when there are none
  bool add_generation_prompt = false;
  bool continue_final_message = false;
  OrderedJson variables = OrderedJson::object();      // win over everything else in the context
  std::map<std::string, std::string> special_tokens;  // "bos_token" -> "<s>"
  std::optional<std::tm> now;                         // nullopt: the local time
};

struct RenderedChat {
  std::string text;
  std::vector<ByteSpan> generation_spans;  // bytes inside {% generation %} blocks
};

// A chat template parsed once, rendered many times; immutable and thread-safe. What it prints
// equals what transformers' apply_chat_template prints. Rendering is sandboxed and has budgets on
// steps, recursion, memory and output, so that a hostile template ends with an error.
class ChatTemplate {
 public:
  // `name` appears in messages. Throws FormatError with the line of a syntax error.
  static ChatTemplate parse(std::string source, std::string name);

  // Throws InputError for a request that transformers refuses, and, with the template's line, for
  // raise_exception() and every other failure. With continue_final_message the text ends where the
  // last message does, and there are no generation spans.
  RenderedChat render(const RenderRequest& request) const;

  ChatTemplate(ChatTemplate&&) noexcept;
  ChatTemplate& operator=(ChatTemplate&&) noexcept;
  ~ChatTemplate();

 private:
  struct Program;
  explicit ChatTemplate(std::unique_ptr<const Program> program);
  std::unique_ptr<const Program> program_;
};

// The templates of a model, parsed once. Example:
//   const ChatTemplates templates(tokenizer.chat_templates(), "MODEL");
//   templates.render(request).text;
class ChatTemplates {
 public:
  // Only "default" and "tool_use" are looked at. `model_name` appears in messages about what is
  // missing; those about a template name its origin.
  ChatTemplates(const TemplateSources& sources, std::string model_name);

  bool empty() const { return !default_ && !tool_use_; }

  // Renders with "tool_use" when tools are given and it exists, else with "default". Throws
  // InputError also when there is none.
  RenderedChat render(const RenderRequest& request) const;

 private:
  std::string model_name_;
  std::optional<ChatTemplate> default_, tool_use_;
};

}  // namespace aurum::text
