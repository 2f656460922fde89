#include "text/chat/jinja/runtime.h"

#include <cstdlib>

#include <fmt/format.h>

#include "text/chat/jinja/python_repr.h"
#include "text/chat/jinja/python_text.h"

namespace aurum::text::jinja {

namespace {

// Far less than the 8 MiB (1 MiB for some threads) that a stack has.
constexpr std::ptrdiff_t kMostStackBytes = 700'000;

constexpr std::size_t kManyVariables = 32;  // whose search takes more than a step

}  // namespace

const Value* Scope::find(std::string_view name) const {
  if (variables.size() >= kManyVariables) count_bytes(8 * variables.size());
  for (const auto& [key, value] : variables) {
    if (key == name) return &value;
  }
  return nullptr;
}

void Scope::set(std::string_view name, Value value) {
  if (variables.size() >= kManyVariables) count_bytes(8 * variables.size());
  for (auto& [key, old] : variables) {
    if (key != name) continue;
    old = std::move(value);
    return;
  }
  variables.emplace_back(name, std::move(value));
}

std::string Namespace::repr() const {
  if (is_printing_) return "<Namespace {...}>";
  is_printing_ = true;
  std::string text = "<Namespace " + jinja::repr(attributes_) + ">";
  is_printing_ = false;
  return text;
}

std::optional<Value> Namespace::attribute(std::string_view name) const {
  const Value* found = attributes_->find(name);
  return found == nullptr ? std::nullopt : std::optional<Value>(*found);
}

void Namespace::set(std::string_view name, Value value) {
  if (name.starts_with('_')) {
    fail(
        fmt::format("Chat templates cannot store underscore-prefixed attributes on a namespace, "
                    "but got '{}'",
                    name));
  }
  attributes_->set(Value(std::string(name)), std::move(value));
}

Runtime::Runtime(const Context& context)
    : context_(context),
      scope_(nullptr),
      output_charge_(0),
      stack_base_(static_cast<const char*>(__builtin_frame_address(0))) {
  scope_ = enter(nullptr);
}

// Breaks the cycles that macros (which keep their scope) and namespaces can form.
Runtime::~Runtime() {
  for (const auto& scope : scopes_) scope->variables.clear();
  for (const auto& object : namespaces_) object->clear();
}

namespace {

Value undefined_variable(std::string_view name) {
  return Value::undefined(fmt::format("'{}' is undefined", name));
}

}  // namespace

void Runtime::begin_unset(const std::vector<std::string>& names) {
  for (const std::string& name : names) scope_->set(name, undefined_variable(name));
}

Value Runtime::look_up(std::string_view name) const {
  for (const Scope* scope = scope_; scope != nullptr; scope = scope->parent) {
    if (const Value* found = scope->find(name)) return *found;
  }
  const auto variable = context_.variables.find(std::string(name));
  if (variable != context_.variables.end()) return variable->second;
  if (const Value* global = find_global(name)) return *global;
  return undefined_variable(name);
}

void Runtime::print(std::string_view text) {
  output_charge_.grow(text.size());
  output_->append(text);
  if (output_ == &root_output_) root_characters_ += count_characters(text);
}

std::string Runtime::capture(const std::function<void()>& run) {
  std::string captured;
  std::string* outer = std::exchange(output_, &captured);
  try {
    run();
  } catch (...) {
    output_ = outer;
    throw;
  }
  output_ = outer;
  output_charge_.shrink(captured.size());  // it becomes a value, which charges itself
  return captured;
}

void Runtime::add_generation_span(std::string_view generated) {
  spans_.push_back({root_characters_, root_characters_ + count_characters(generated)});
}

std::shared_ptr<Namespace> Runtime::make_namespace() {
  namespaces_.push_back(std::make_shared<Namespace>());
  return namespaces_.back();
}

void Runtime::check_stack() const {
  const auto* here = static_cast<const char*>(__builtin_frame_address(0));
  if (std::abs(stack_base_ - here) > kMostStackBytes) fail("the template recurses too deeply");
}

Scope* Runtime::enter(Scope* parent) {
  if (free_scopes_.empty()) {
    scopes_.push_back(std::make_unique<Scope>());
    free_scopes_.push_back(scopes_.back().get());
  }
  Scope* scope = free_scopes_.back();
  free_scopes_.pop_back();
  scope->parent = parent;
  return scope;
}

void Runtime::leave(Scope* scope, Scope* previous) {
  scope_ = previous;
  if (scope->is_kept) return;
  scope->variables.clear();
  free_scopes_.push_back(scope);
}

ScopeGuard::ScopeGuard(Runtime& runtime, Scope* parent)
    : runtime_(runtime), previous_(runtime.scope_) {
  runtime.check_stack();
  scope_ = runtime.enter(parent == nullptr ? previous_ : parent);
  runtime.scope_ = scope_;
}

ScopeGuard::~ScopeGuard() { runtime_.leave(scope_, previous_); }

}  // namespace aurum::text::jinja
