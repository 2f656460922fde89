#include "text/chat/chat_template.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace aurum::text {
namespace {

std::string render(const std::string& source, const char* variables = "{}") {
  RenderRequest request;
  request.messages = OrderedJson::parse(
      R"([{"role": "user", "content": " hi "}, {"role": "assistant", "content": "yo"}])");
  request.variables = OrderedJson::parse(variables);
  request.add_generation_prompt = true;
  return ChatTemplate::parse(source, "test").render(request).text;
}

TEST(ChatTemplate, RendersChatMl) {
  EXPECT_EQ(render("{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
                   "message['content'] "
                   "+ '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
                   "'<|im_start|>assistant\n' }}{% endif %}"),
            "<|im_start|>user\n hi "
            "<|im_end|>\n<|im_start|>assistant\nyo<|im_end|>\n<|im_start|>assistant\n");
}

// Each expected text was printed by Jinja2 3.1 with trim_blocks and lstrip_blocks.
TEST(ChatTemplate, EvaluatesAsJinja2) {
  const std::pair<const char*, const char*> cases[] = {
      {"{{ 1 + 2 * 3 }}", "7"},
      {"{{ 'a' ~ 1 ~ none }}", "a1None"},
      {"{{ messages[0].content | trim }}|", "hi|"},
      {"{{ 'a' in 'cat' and not 'b' in 'cat' }}", "True"},
      {"{{ missing is defined }}{{ missing }}", "False"},
      {"{{ 'x' if missing else 'y' }}", "y"},
      {"{% for m in messages[::-1] %}{{ loop.index0 }}{{ m.role }}{% if not loop.last %},{% endif "
       "%}{% endfor %}",
       "0assistant,1user"},
      {"{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor "
       "%}{{ ns.n }}",
       "2"},
      {"{% set x = 1 %}{% for m in messages %}{% set x = 2 %}{% endfor %}{{ x }}", "1"},
      {"{{ 'a</think>b'.split('</think>')[-1] }}", "b"},
      {"a\n  {%- if true %} b{% endif %}\nc", "a bc"},
      {"  {% if true %}\nx\n  {% endif %}\ny", "x\ny"},
      {"{# note #}\nz", "z"},
      {"{% if true %}\n  {% if true %}x{% endif %}\n{% endif %}", "x"},
      {"{{ v | tojson }}", "{\"k\": [1, \"\xC3\xA9\"]}"},
      {"{{ [1, 2, 3] | length }}", "3"},
      {"{{ 7 % 4 }}", "3"},
  };
  for (const auto& [source, expected] : cases) {
    EXPECT_EQ(render(source, R"({"v": {"k": [1, "é"]}})"), expected) << source;
  }
}

TEST(ChatTemplate, RefusesWhatItDoesNotKnow) {
  EXPECT_THROW(render("{% macro f() %}{% endmacro %}"), FormatError);
  EXPECT_THROW(render("{% if true %}"), FormatError);
  EXPECT_THROW(render("{{ 'open }}"), FormatError);
  EXPECT_THROW(render("{{ x | nofilter }}"), InputError);
  EXPECT_THROW(render("{{ raise_exception('no system') }}"), InputError);
  EXPECT_THROW(render(std::string(5000, '(').insert(0, "{{ ") + " }}"), FormatError);
}

TEST(ChatTemplate, StopsATemplateThatRunsTooLong) {
  std::string bomb = "{{ 'x' }}";
  for (int i = 0; i < 30; ++i) bomb = "{% for m in messages %}" + bomb + "{% endfor %}";
  EXPECT_THROW(render(bomb), InputError);
}

}  // namespace
}  // namespace aurum::text
