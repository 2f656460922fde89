// Templates that would take all memory, time or stack end with one line instead. What they used is
// bounded by the budgets and counted on the heap, not by a clock, so the tests do not measure time.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "tests/text/heap_bytes.h"
#include "text/chat/chat_template.h"

namespace aurum::text {
namespace {

using testing::ContainsRegex;
using testing::Not;

std::string repeat(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

// The error of parsing or rendering.
std::string error_of(const std::string& source) {
  try {
    RenderRequest request;
    request.messages = OrderedJson::parse(R"([{"role": "user", "content": "x"}])");
    ChatTemplate::parse(source, "bomb").render(request);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

constexpr std::size_t kMostBytes = 32'000'000;

void expect_refused(const std::vector<std::string>& sources) {
  for (const std::string& source : sources) {
    const HeapPeak peak;
    const std::string error = error_of(source);
    EXPECT_LT(peak.bytes(), kMostBytes) << source.substr(0, 200);
    EXPECT_THAT(error, ContainsRegex("^bomb: (line [0-9]+: )?.")) << source.substr(0, 200);
    EXPECT_THAT(error, Not(ContainsRegex("\n")));
  }
}

TEST(ChatTemplateBudget, EndsLongLoops) {
  expect_refused({
      repeat("{% for a in range(99999) %}", 12) + "x" + repeat("{% endfor %}", 12),
      "{% for i in range(10**12) %}x{% endfor %}",
      "{% macro f(n) %}{% if n %}{{ f(n-1) }}{{ f(n-1) }}{% endif %}{% endmacro %}{{ f(60) }}",
      "{% set a='a'*9000000 %}{% for i in range(100000) %}{{ 'b' in a }}{% endfor %}",
      "{% set a='a'*5000000 %}{% set b='a'*5000000 %}{% for i in range(9999) %}{{ a == b }}"
      "{% endfor %}",
      "{% set a=' '*9000000 %}{% for i in range(100000) %}{% set x = a.strip() %}{% endfor %}",
      "{% set a='é'*2000000 %}{% for i in range(99999) %}{% set x = a.upper() %}{% endfor %}",
      "{% set a=range(99999)|list %}{% for i in range(99999) %}{% set x = a|sort %}{% endfor %}",
      "{% for i in range(1000) %}{{ -1 in range(100000) }}{% endfor %}",
      repeat("{% for i in range(99999) %}{% generation %}x{% endgeneration %}{% endfor %}", 50),
  });
}

TEST(ChatTemplateBudget, EndsWhatTakesMemory) {
  expect_refused({
      "{% set ns=namespace(s='a') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}"
      "{% endfor %}",
      "{% set ns=namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}"
      "{% endfor %}",
      "{% set ns=namespace(s=(1,)) %}{% for i in range(99) %}{% set ns.s = (ns.s, ns.s) %}"
      "{% endfor %}{{ ns.s }}",
      "{{ 'a' * 10**9 }}",
      "{{ [1] * 10**9 }}",
      "{{ '%999999999d' % 1 }}",
      "{{ '%*d' % (999999999, 1) }}",
      "{{ '%.999999999f' % 1.5 }}",
      "{{ '{:>999999999}'.format(1) }}",
      "{{ '{:{}}'.format(1, 999999999) }}",
      "{{ '{:0999999999,}'.format(1) }}",
      "{{ 'a'|center(10**9) }}",
      "{{ 'a'.zfill(10**9) }}",
      "{{ ('\t'*1000).expandtabs(10**9) }}",
      "{% set a='a'*1000000 %}{{ a.replace('a', a) }}",
      "{% set a='a'*1000000 %}{{ range(100000)|join(a) }}",
      "{{ ('a\n'*100000)|indent(10**6) }}",
      "{{ [[1]]|tojson(indent=10**9) }}",
      "{{ [1]|batch(10**9, 1)|list }}",
      "{{ 'a' * 9000000 ~ 'b' * 9000000 }}",
      "{{ ('a'*9000000)|list|length }}",
      "{{ ('\n'*9000000).splitlines()|length }}",
      "{% set ns=namespace(p=1) %}{% for i in range(100000) %}"
      "{% set ns.p = namespace(q=ns.p) %}{% endfor %}",
      "{{ strftime_now('%999999999d') }}",
      "{{ 10**10**9 }}",
      "{{ " + repeat("4", 99) + " }}",
  });
}

TEST(ChatTemplateBudget, EndsRecursionAndDeepNesting) {
  expect_refused({
      "{% macro f(n) %}{{ f(n+1) }}{% endmacro %}{{ f(0) }}",
      "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
      "{% set ns=namespace(p=1) %}{% for i in range(9999) %}{% set ns.p = [ns.p] %}{% endfor %}",
      "{{ " + repeat("(", 50000) + "1" + repeat(")", 50000) + " }}",
      "{{ " + repeat("[", 50000) + "1" + repeat("]", 50000) + " }}",
      "{{ " + repeat("not ", 50000) + "1 }}",
      "{{ " + repeat("-", 50000) + "1 }}",
      "{{ " + repeat("1+", 50000) + "1 }}",
      "{{ 1" + repeat("|string", 50000) + " }}",
      "{{ messages" + repeat(".a", 50000) + " }}",
      "{{ dict" + repeat("()", 50000) + " }}",
      "{{ " + repeat("1 if 0 else ", 20000) + "2 }}",
      repeat("{% if 1 %}", 20000) + repeat("{% endif %}", 20000),
      std::string(600000, 'x'),
  });
}

TEST(ChatTemplateBudget, GrowsWithTheConversation) {
  RenderRequest request;
  const std::string content(20'000'000, 'x');
  request.messages.push_back({{"role", "user"}, {"content", content}});
  const ChatTemplate chat = ChatTemplate::parse(
      "{% for m in messages %}{{ '<' + m.content | trim + '>' }}{% endfor %}", "test");
  EXPECT_EQ(chat.render(request).text.size(), content.size() + 2);
}

TEST(ChatTemplateBudget, ForgetsValuesThatContainThemselves) {
  EXPECT_EQ(error_of("{% set ns = namespace() %}{% set ns.ns = ns %}{% macro m() %}{{ m }}"
                     "{% endmacro %}{% set ns.m = m %}{{ ns }}"),
            "no error");  // the leak checker of the sanitizer build looks for the rest
}

}  // namespace
}  // namespace aurum::text
