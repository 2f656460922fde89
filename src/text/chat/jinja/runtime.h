#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

// The variables of one block. Names point into the syntax tree, which outlives every scope.
struct Scope {
  Scope* parent = nullptr;
  std::vector<std::pair<std::string_view, Value>> variables;
  bool is_kept = false;  // a macro made here may still read it
  MemoryCharge charge{256};

  const Value* find(std::string_view name) const;
  void set(std::string_view name, Value value);
};

// A mapping that templates can change: namespace(a=1), {% set ns.a = 2 %}.
class Namespace : public Object {
 public:
  std::string type_name() const override { return "Namespace"; }
  std::string repr() const override;
  std::optional<Value> attribute(std::string_view name) const override;
  void set(std::string_view name, Value value);
  void clear() { attributes_.reset(); }

 private:
  std::shared_ptr<Dict> attributes_ = std::make_shared<Dict>();
  mutable bool is_printing_ = false;
};

// The characters of the output that a {% generation %} block printed.
struct GenerationSpan {
  std::int64_t begin, end;
};

// What a template reads beside its own variables.
struct Context {
  std::unordered_map<std::string, Value> variables;
  std::optional<std::tm> now;  // nullopt: the local time
};

// The state of one rendering.
class Runtime {
 public:
  explicit Runtime(const Context& context);
  ~Runtime();
  Runtime(const Runtime&) = delete;
  Runtime& operator=(const Runtime&) = delete;

  Value look_up(std::string_view name) const;
  Scope& scope() { return *scope_; }
  // Hides what the names mean outside the current scope.
  void begin_unset(const std::vector<std::string>& names);
  const std::optional<std::tm>& now() const { return context_.now; }

  void print(std::string_view text);
  // What `run` prints, instead of printing it.
  std::string capture(const std::function<void()>& run);
  void add_generation_span(std::string_view generated);

  // Makes a namespace whose attributes go when the rendering ends, even if it contains itself.
  std::shared_ptr<Namespace> make_namespace();

  // Fails when macros, blocks and expressions are nested so deeply that the stack runs short.
  void check_stack() const;

  std::string take_output() { return std::move(root_output_); }
  std::vector<GenerationSpan> take_generation_spans() { return std::move(spans_); }

  int line = 1;  // of the statement that runs

 private:
  friend class ScopeGuard;
  Scope* enter(Scope* parent);
  void leave(Scope* scope, Scope* previous);

  const Context& context_;
  std::vector<std::unique_ptr<Scope>> scopes_;  // all that exist, and so their owner
  std::vector<Scope*> free_scopes_;
  Scope* scope_;
  std::string root_output_;
  std::int64_t root_characters_ = 0;
  std::string* output_ = &root_output_;
  MemoryCharge output_charge_;
  std::vector<GenerationSpan> spans_;
  std::vector<std::shared_ptr<Namespace>> namespaces_;
  const char* stack_base_;
};

// Opens a scope inside `parent` (the current one unless given) and closes it again.
class ScopeGuard {
 public:
  explicit ScopeGuard(Runtime& runtime, Scope* parent = nullptr);
  ~ScopeGuard();
  ScopeGuard(const ScopeGuard&) = delete;
  ScopeGuard& operator=(const ScopeGuard&) = delete;

  Scope& scope() { return *scope_; }

 private:
  Runtime& runtime_;
  Scope* previous_;
  Scope* scope_;
};

// The functions every template can call: range, dict, namespace, cycler, joiner, raise_exception,
// strftime_now. Null when `name` is none of them.
const Value* find_global(std::string_view name);

}  // namespace aurum::text::jinja
