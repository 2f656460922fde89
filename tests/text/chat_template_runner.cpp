// Renders JSON lines {"template", "messages", …} for tools/templates/compare.py and fuzz.py.

#include <iomanip>
#include <iostream>
#include <sstream>

#include "base/error.h"
#include "text/chat/chat_template.h"

namespace {

using aurum::text::OrderedJson;

aurum::text::RenderRequest read_request(const OrderedJson& line) {
  aurum::text::RenderRequest request{
      .messages = line.at("messages"),
      .tools = line.value("tools", OrderedJson()),
      .documents = line.value("documents", OrderedJson()),
      .add_generation_prompt = line.value("add_generation_prompt", false),
      .continue_final_message = line.value("continue_final_message", false),
      .variables = line.value("variables", OrderedJson::object())};
  const OrderedJson special = line.value("special", OrderedJson::object());
  for (const auto& [name, token] : special.items()) request.special_tokens[name] = token;
  std::tm now{};
  std::istringstream(line.value("now", "")) >> std::get_time(&now, "%Y-%m-%dT%H:%M:%S");
  request.now = now;
  return request;
}

OrderedJson answer(const OrderedJson& line) {
  try {
    const auto chat = aurum::text::ChatTemplate::parse(line.at("template"), "template");
    const aurum::text::RenderedChat rendered = chat.render(read_request(line));
    OrderedJson spans = OrderedJson::array();
    for (const auto& span : rendered.generation_spans) spans.push_back({span.begin, span.end});
    return {{"text", rendered.text}, {"generation_spans", spans}};
  } catch (const aurum::Error& error) {
    return {{"error", error.what()}};
  }
}

}  // namespace

int main() {
  for (std::string line; std::getline(std::cin, line);) {
    std::cout << answer(OrderedJson::parse(line)).dump() << std::endl;
  }
}
