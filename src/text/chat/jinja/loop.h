#pragma once

#include <deque>
#include <functional>

#include "text/chat/jinja/statements.h"

namespace aurum::text::jinja {

class ForStatement;
struct Scope;

// The `loop` variable. Items are taken from their source one by one, as late as possible, since a
// loop's condition may depend on what its body assigns to a namespace.
class LoopState : public Object, public std::enable_shared_from_this<LoopState> {
 public:
  using Source = std::function<std::optional<Value>()>;

  // `length` is known unless the loop has a condition or runs over an iterator.
  LoopState(Source source, std::optional<std::int64_t> length, std::int64_t depth0);

  std::string type_name() const override { return "LoopContext"; }
  std::string repr() const override;
  std::optional<Value> attribute(std::string_view name) const override;
  std::optional<std::int64_t> length() const override { return total(); }
  bool is_callable() const override { return true; }
  // loop(items): runs a recursive loop again, one level deeper.
  Value call(Runtime& runtime, const Arguments& arguments) const override;

  // Moves to the next item and returns it; null at the end.
  std::optional<Value> advance();
  void make_recursive(const ForStatement& statement, Scope* scope);

  Value cycle(const std::vector<Value>& items) const;
  Value changed(const std::vector<Value>& values) const;

 private:
  std::int64_t total() const;
  bool has_next() const;
  Value method(std::string_view name) const;

  Source source_;
  mutable std::optional<std::int64_t> length_;
  mutable std::deque<Value> waiting_;  // taken from the source ahead of time
  std::int64_t index0_ = -1, depth0_;
  Value current_;
  std::optional<Value> previous_;
  mutable std::optional<Value> last_changed_;
  const ForStatement* recursion_ = nullptr;
  Scope* scope_ = nullptr;
};

class ForStatement : public Statement {
 public:
  struct Parts {
    AssignmentTarget target;
    ExpressionPtr items;
    ExpressionPtr condition;  // may be null
    Block body, otherwise;
    bool is_recursive = false;
  };
  ForStatement(int line, Parts parts) : Statement(line), parts_(std::move(parts)) {}

  Flow run(Runtime& runtime) const override;
  // Runs the loop over `items` in scopes inside `scope`, as level `depth0`.
  Flow run_over(Runtime& runtime, const Value& items, Scope* scope, std::int64_t depth0) const;

 private:
  LoopState::Source source_of(Runtime& runtime, const Value& items, Scope* scope) const;

  Parts parts_;
};

}  // namespace aurum::text::jinja
