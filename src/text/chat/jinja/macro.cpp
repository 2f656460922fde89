#include "text/chat/jinja/macro.h"

#include <algorithm>

#include <fmt/format.h>

#include "text/chat/jinja/python_repr.h"
#include "text/chat/jinja/runtime.h"
#include "text/chat/jinja/statements.h"

namespace aurum::text::jinja {

namespace {

class Macro : public Object {
 public:
  Macro(const MacroDefinition& definition, Scope* scope) : definition_(definition), scope_(scope) {}

  std::string type_name() const override { return "Macro"; }
  std::string repr() const override {
    return definition_.name.empty() ? "<Macro anonymous>"
                                    : fmt::format("<Macro {}>", repr_text(definition_.name));
  }
  bool is_callable() const override { return true; }
  std::optional<Value> attribute(std::string_view name) const override;
  Value call(Runtime& runtime, const Arguments& arguments) const override;

 private:
  using Keywords = std::vector<std::pair<std::string, Value>>;

  static std::optional<Value> take(Keywords& keywords, std::string_view name);
  void bind_parameters(Runtime& runtime, Scope& scope, const Arguments& arguments,
                       Keywords& keywords) const;
  void bind_rest(Scope& scope, const Arguments& arguments, Keywords& keywords) const;
  Value default_of(Runtime& runtime, std::size_t parameter) const;

  const MacroDefinition& definition_;
  Scope* scope_;
};

std::optional<Value> Macro::attribute(std::string_view name) const {
  if (name == "name") return definition_.name.empty() ? Value(None{}) : Value(definition_.name);
  if (name == "caller") return definition_.uses_caller;
  if (name == "catch_kwargs") return definition_.uses_kwargs;
  if (name == "catch_varargs") return definition_.uses_varargs;
  if (name != "arguments") return std::nullopt;
  std::vector<Value> names(definition_.parameters.begin(), definition_.parameters.end());
  return Value::tuple(std::move(names));
}

std::optional<Value> Macro::take(Keywords& keywords, std::string_view name) {
  const auto found = std::find_if(keywords.begin(), keywords.end(),
                                  [&](const auto& keyword) { return keyword.first == name; });
  if (found == keywords.end()) return std::nullopt;
  Value value = std::move(found->second);
  keywords.erase(found);
  return value;
}

Value Macro::default_of(Runtime& runtime, std::size_t parameter) const {
  const std::size_t first = definition_.parameters.size() - definition_.defaults.size();
  if (parameter >= first) return definition_.defaults[parameter - first]->evaluate(runtime);
  return Value::undefined(
      fmt::format("parameter '{}' was not provided", definition_.parameters[parameter]));
}

void Macro::bind_parameters(Runtime& runtime, Scope& scope, const Arguments& arguments,
                            Keywords& keywords) const {
  const auto& parameters = definition_.parameters;
  std::vector<std::optional<Value>> given(parameters.size());
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (i < arguments.positional.size()) {
      given[i] = arguments.positional[i];
    } else {
      given[i] = take(keywords, parameters[i]);
    }
    if (given[i]) scope.set(parameters[i], *given[i]);
  }
  // A default may use the parameters; one that is bound later is still undefined then.
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!given[i]) {
      scope.set(parameters[i],
                Value::undefined(fmt::format("parameter '{}' was not provided", parameters[i])));
    }
  }
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (!given[i]) scope.set(parameters[i], default_of(runtime, i));
  }
}

void Macro::bind_rest(Scope& scope, const Arguments& arguments, Keywords& keywords) const {
  const std::size_t count = definition_.parameters.size();
  if (definition_.uses_caller && !definition_.has_parameter("caller")) {
    auto caller = take(keywords, "caller");
    scope.set("caller", caller ? *caller : Value::undefined("No caller defined"));
  }
  if (definition_.uses_kwargs) {
    auto rest = std::make_shared<Dict>();
    for (const auto& [name, value] : keywords) rest->set(Value(name), value);
    scope.set("kwargs", rest);
  } else if (!keywords.empty()) {
    fail(fmt::format("macro '{}' takes no keyword argument '{}'", definition_.name,
                     keywords[0].first));
  }
  const auto& positional = arguments.positional;
  if (definition_.uses_varargs) {
    const auto begin =
        positional.begin() + static_cast<std::ptrdiff_t>(std::min(count, positional.size()));
    scope.set("varargs", Value::tuple(std::vector<Value>(begin, positional.end())));
  } else if (positional.size() > count) {
    fail(fmt::format("macro '{}' takes not more than {} argument(s)", definition_.name, count));
  }
}

Value Macro::call(Runtime& runtime, const Arguments& arguments) const {
  count_step();
  const int line = runtime.line;
  Keywords keywords = arguments.keywords;
  ScopeGuard guard(runtime, scope_);
  bind_parameters(runtime, guard.scope(), arguments, keywords);
  bind_rest(guard.scope(), arguments, keywords);
  std::string text = runtime.capture([&] { definition_.body->run(runtime); });
  runtime.line = line;
  return text;
}

}  // namespace

MacroDefinition::MacroDefinition() : body(std::make_unique<Block>()) {}
MacroDefinition::~MacroDefinition() = default;

bool MacroDefinition::has_parameter(std::string_view parameter) const {
  return std::find(parameters.begin(), parameters.end(), parameter) != parameters.end();
}

Value make_macro(const MacroDefinition& definition, Runtime& runtime) {
  for (Scope* scope = &runtime.scope(); scope != nullptr && !scope->is_kept;
       scope = scope->parent) {
    scope->is_kept = true;
  }
  return std::shared_ptr<Object>(std::make_shared<Macro>(definition, &runtime.scope()));
}

}  // namespace aurum::text::jinja
