#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "text/chat/jinja/assignment.h"
#include "text/chat/jinja/expressions.h"
#include "text/chat/jinja/frame_names.h"
#include "text/chat/jinja/macro.h"

// The part of the syntax tree that prints and assigns.
namespace aurum::text::jinja {

// How a statement ended: {% break %} and {% continue %} leave the blocks up to their loop.
enum class Flow { kNext, kBreak, kContinue };

class Statement {
 public:
  explicit Statement(int line) : line_(line) {}
  virtual ~Statement() = default;
  virtual Flow run(Runtime& runtime) const = 0;
  int line() const { return line_; }

 private:
  int line_;
};

class Block {
 public:
  void add(std::unique_ptr<const Statement> statement) {
    statements_.push_back(std::move(statement));
  }
  // For a block with variables of its own: `names` are complete before it runs.
  void set_names(std::shared_ptr<const FrameNames> names) { names_ = std::move(names); }
  Flow run(Runtime& runtime) const;
  // Runs in a scope of its own and returns what was printed.
  std::string render(Runtime& runtime, Flow& flow) const;

 private:
  std::vector<std::unique_ptr<const Statement>> statements_;
  std::shared_ptr<const FrameNames> names_;  // null for the branches of an {% if %}
};

class TextOutput : public Statement {
 public:
  TextOutput(int line, std::string text) : Statement(line), text_(std::move(text)) {}
  Flow run(Runtime& runtime) const override;

 private:
  std::string text_;
};

class ExpressionOutput : public Statement {
 public:
  ExpressionOutput(int line, ExpressionPtr value) : Statement(line), value_(std::move(value)) {}
  Flow run(Runtime& runtime) const override;

 private:
  ExpressionPtr value_;
};

class LoopJump : public Statement {
 public:
  LoopJump(int line, Flow flow) : Statement(line), flow_(flow) {}
  Flow run(Runtime&) const override { return flow_; }

 private:
  Flow flow_;
};

class IfStatement : public Statement {
 public:
  // The condition of an {% else %} branch is null.
  using Branch = std::pair<ExpressionPtr, Block>;
  IfStatement(int line, std::vector<Branch> branches)
      : Statement(line), branches_(std::move(branches)) {}
  Flow run(Runtime& runtime) const override;

 private:
  std::vector<Branch> branches_;
};

class SetStatement : public Statement {
 public:
  SetStatement(int line, AssignmentTarget target, ExpressionPtr value)
      : Statement(line), target_(std::move(target)), value_(std::move(value)) {}
  Flow run(Runtime& runtime) const override;

 private:
  AssignmentTarget target_;
  ExpressionPtr value_;
};

// {% set x %}…{% endset %}; the filter chain may be null.
class SetBlock : public Statement {
 public:
  SetBlock(int line, AssignmentTarget target, std::unique_ptr<const FilterCall> filter, Block body)
      : Statement(line),
        target_(std::move(target)),
        filter_(std::move(filter)),
        body_(std::move(body)) {}
  Flow run(Runtime& runtime) const override;

 private:
  AssignmentTarget target_;
  std::unique_ptr<const FilterCall> filter_;
  Block body_;
};

class FilterBlock : public Statement {
 public:
  FilterBlock(int line, std::unique_ptr<const FilterCall> filter, Block body)
      : Statement(line), filter_(std::move(filter)), body_(std::move(body)) {}
  Flow run(Runtime& runtime) const override;

 private:
  std::unique_ptr<const FilterCall> filter_;
  Block body_;
};

class WithStatement : public Statement {
 public:
  using Binding = std::pair<AssignmentTarget, ExpressionPtr>;
  WithStatement(int line, std::vector<Binding> bindings, Block body)
      : Statement(line), bindings_(std::move(bindings)), body_(std::move(body)) {}
  Flow run(Runtime& runtime) const override;

 private:
  std::vector<Binding> bindings_;
  Block body_;
};

class GenerationBlock : public Statement {
 public:
  GenerationBlock(int line, Block body) : Statement(line), body_(std::move(body)) {}
  Flow run(Runtime& runtime) const override;

 private:
  Block body_;
};

class MacroStatement : public Statement {
 public:
  MacroStatement(int line, std::unique_ptr<const MacroDefinition> macro);
  ~MacroStatement() override;
  Flow run(Runtime& runtime) const override;

 private:
  std::unique_ptr<const MacroDefinition> macro_;
};

// {% call(a, b) f(x) %}…{% endcall %}: the body is a macro that f reaches as `caller`.
class CallBlock : public Statement {
 public:
  CallBlock(int line, std::unique_ptr<const Call> call,
            std::unique_ptr<const MacroDefinition> caller);
  ~CallBlock() override;
  Flow run(Runtime& runtime) const override;

 private:
  std::unique_ptr<const Call> call_;
  std::unique_ptr<const MacroDefinition> caller_;
};

}  // namespace aurum::text::jinja
