#include "text/chat/jinja/statements.h"

#include "text/chat/jinja/comparison.h"
#include "text/chat/jinja/python_repr.h"
#include "text/chat/jinja/runtime.h"

namespace aurum::text::jinja {

Flow Block::run(Runtime& runtime) const {
  runtime.check_stack();
  if (names_) runtime.begin_unset(names_->unset);
  for (const auto& statement : statements_) {
    runtime.line = statement->line();
    count_step();
    const Flow flow = statement->run(runtime);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

std::string Block::render(Runtime& runtime, Flow& flow) const {
  const ScopeGuard guard(runtime);
  return runtime.capture([&] { flow = run(runtime); });
}

Flow TextOutput::run(Runtime& runtime) const {
  runtime.print(text_);
  return Flow::kNext;
}

Flow ExpressionOutput::run(Runtime& runtime) const {
  const Value value = value_->evaluate(runtime);
  if (const Text* text = value.text()) {
    runtime.print(text->bytes);
  } else {
    runtime.print(to_text(value));
  }
  return Flow::kNext;
}

Flow IfStatement::run(Runtime& runtime) const {
  for (const auto& [condition, body] : branches_) {
    if (!condition || is_true(condition->evaluate(runtime))) return body.run(runtime);
  }
  return Flow::kNext;
}

Flow SetStatement::run(Runtime& runtime) const {
  target_.check(runtime);
  target_.assign(runtime, value_->evaluate(runtime));
  return Flow::kNext;
}

Flow SetBlock::run(Runtime& runtime) const {
  Flow flow = Flow::kNext;
  Value text = body_.render(runtime, flow);
  if (flow != Flow::kNext) return flow;
  target_.assign(runtime, filter_ ? filter_->apply_to(runtime, text) : text);
  return Flow::kNext;
}

Flow FilterBlock::run(Runtime& runtime) const {
  Flow flow = Flow::kNext;
  const Value text = body_.render(runtime, flow);
  if (flow != Flow::kNext) return flow;
  const Value filtered = filter_->apply_to(runtime, text);
  if (filtered.text() == nullptr) {
    fail("the filter of a block must give a string, not " + filtered.type_name());
  }
  runtime.print(filtered.text()->bytes);
  return Flow::kNext;
}

Flow WithStatement::run(Runtime& runtime) const {
  std::vector<Value> values;  // none of them sees the names that the others bind
  for (const auto& [target, value] : bindings_) values.push_back(value->evaluate(runtime));
  const ScopeGuard guard(runtime);
  for (std::size_t i = 0; i < values.size(); ++i) bindings_[i].first.assign(runtime, values[i]);
  return body_.run(runtime);
}

Flow GenerationBlock::run(Runtime& runtime) const {
  Flow flow = Flow::kNext;
  const std::string generated = body_.render(runtime, flow);
  runtime.add_generation_span(generated);
  runtime.print(generated);
  return Flow::kNext;
}

MacroStatement::MacroStatement(int line, std::unique_ptr<const MacroDefinition> macro)
    : Statement(line), macro_(std::move(macro)) {}
MacroStatement::~MacroStatement() = default;

Flow MacroStatement::run(Runtime& runtime) const {
  runtime.scope().set(macro_->name, make_macro(*macro_, runtime));
  return Flow::kNext;
}

CallBlock::CallBlock(int line, std::unique_ptr<const Call> call,
                     std::unique_ptr<const MacroDefinition> caller)
    : Statement(line), call_(std::move(call)), caller_(std::move(caller)) {}
CallBlock::~CallBlock() = default;

Flow CallBlock::run(Runtime& runtime) const {
  const Value caller = make_macro(*caller_, runtime);
  runtime.print(to_text(call_->call_with(runtime, &caller)));
  return Flow::kNext;
}

}  // namespace aurum::text::jinja
