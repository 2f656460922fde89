#include "text/chat/jinja/loop.h"

#include <fmt/format.h>

#include "text/chat/jinja/comparison.h"
#include "text/chat/jinja/iteration.h"
#include "text/chat/jinja/runtime.h"

namespace aurum::text::jinja {

namespace {

// loop.cycle(…) and loop.changed(…).
class LoopMethod : public Object {
 public:
  using Run = Value (LoopState::*)(const std::vector<Value>&) const;
  LoopMethod(std::shared_ptr<const LoopState> loop, Run run) : loop_(std::move(loop)), run_(run) {}

  std::string type_name() const override { return "method"; }
  std::string repr() const override { return "<bound method of LoopContext>"; }
  bool is_callable() const override { return true; }
  Value call(Runtime&, const Arguments& arguments) const override {
    if (!arguments.keywords.empty()) fail("loop.cycle and loop.changed take no keywords");
    return (loop_.get()->*run_)(arguments.positional);
  }

 private:
  std::shared_ptr<const LoopState> loop_;
  Run run_;
};

}  // namespace

LoopState::LoopState(Source source, std::optional<std::int64_t> length, std::int64_t depth0)
    : source_(std::move(source)), length_(length), depth0_(depth0) {}

std::string LoopState::repr() const {
  return fmt::format("<LoopContext {}/{}>", index0_ + 1, total());
}

bool LoopState::has_next() const {
  if (!waiting_.empty()) return true;
  auto item = source_();
  if (!item) return false;
  waiting_.push_back(std::move(*item));
  return true;
}

std::int64_t LoopState::total() const {
  if (length_) return *length_;
  while (auto item = source_()) waiting_.push_back(std::move(*item));
  length_ = index0_ + 1 + static_cast<std::int64_t>(waiting_.size());
  return *length_;
}

std::optional<Value> LoopState::advance() {
  if (!has_next()) return std::nullopt;
  if (index0_ >= 0) previous_ = std::move(current_);
  current_ = std::move(waiting_.front());
  waiting_.pop_front();
  ++index0_;
  return current_;
}

void LoopState::make_recursive(const ForStatement& statement, Scope* scope) {
  recursion_ = &statement;
  scope_ = scope;
}

Value LoopState::method(std::string_view name) const {
  return std::shared_ptr<Object>(std::make_shared<LoopMethod>(
      shared_from_this(), name == "cycle" ? &LoopState::cycle : &LoopState::changed));
}

Value LoopState::cycle(const std::vector<Value>& items) const {
  if (items.empty()) fail("no items for cycling given");
  return items[static_cast<std::size_t>(index0_) % items.size()];
}

Value LoopState::changed(const std::vector<Value>& values) const {
  Value now = Value::tuple(values);
  if (last_changed_ && are_equal(*last_changed_, now)) return false;
  last_changed_ = std::move(now);
  return true;
}

std::optional<Value> LoopState::attribute(std::string_view name) const {
  if (name == "index0") return Value(index0_);
  if (name == "index") return Value(index0_ + 1);
  if (name == "first") return index0_ == 0;
  if (name == "last") return !has_next();
  if (name == "length") return Value(total());
  if (name == "revindex") return Value(total() - index0_);
  if (name == "revindex0") return Value(total() - index0_ - 1);
  if (name == "depth0") return Value(depth0_);
  if (name == "depth") return Value(depth0_ + 1);
  if (name == "previtem")
    return previous_ ? *previous_ : Value::undefined("there is no previous item");
  if (name == "nextitem") {
    return has_next() ? waiting_.front() : Value::undefined("there is no next item");
  }
  if (name == "cycle" || name == "changed") return method(name);
  return std::nullopt;
}

Value LoopState::call(Runtime& runtime, const Arguments& arguments) const {
  if (recursion_ == nullptr) {
    fail("The loop must have the 'recursive' marker to be called recursively.");
  }
  if (arguments.positional.size() != 1) fail("loop() wants the items to loop over");
  const int line = runtime.line;
  std::string text = runtime.capture(
      [&] { recursion_->run_over(runtime, arguments.positional[0], scope_, depth0_ + 1); });
  runtime.line = line;
  return text;
}

Flow ForStatement::run(Runtime& runtime) const {
  const Value items = parts_.items->evaluate(runtime);
  if (!parts_.is_recursive) return run_over(runtime, items, &runtime.scope(), 0);
  runtime.print(runtime.capture([&] { run_over(runtime, items, &runtime.scope(), 0); }));
  return Flow::kNext;
}

LoopState::Source ForStatement::source_of(Runtime& runtime, const Value& items,
                                          Scope* scope) const {
  const auto cursor = std::make_shared<Cursor>(items);
  if (!parts_.condition) return [cursor] { return cursor->next(); };
  return [this, cursor, &runtime, scope]() -> std::optional<Value> {
    const ScopeGuard guard(runtime, scope);
    while (const auto item = cursor->next()) {
      count_step();
      parts_.target.assign(runtime, *item);
      if (is_true(parts_.condition->evaluate(runtime))) return parts_.target.read(runtime);
    }
    return std::nullopt;
  };
}

Flow ForStatement::run_over(Runtime& runtime, const Value& items, Scope* scope,
                            std::int64_t depth0) const {
  const bool has_length = !parts_.condition && items.iterator() == nullptr;
  const auto loop = std::make_shared<LoopState>(
      source_of(runtime, items, scope), has_length ? length_of(items) : std::nullopt, depth0);
  if (parts_.is_recursive) loop->make_recursive(*this, scope);
  // As in Jinja2, an iteration counts only when its body reaches the end.
  bool has_completed = false;
  {
    ScopeGuard guard(runtime, scope);
    while (auto item = loop->advance()) {
      count_step();
      guard.scope().variables.clear();
      parts_.target.assign(runtime, *item);
      guard.scope().set("loop", std::shared_ptr<Object>(loop));
      const Flow flow = parts_.body.run(runtime);
      if (flow == Flow::kBreak) break;
      has_completed = has_completed || flow == Flow::kNext;
    }
  }
  if (has_completed) return Flow::kNext;
  const ScopeGuard guard(runtime, scope);
  return parts_.otherwise.run(runtime);
}

}  // namespace aurum::text::jinja
