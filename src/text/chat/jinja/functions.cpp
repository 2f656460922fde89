// The functions that every template can call.

#include <algorithm>
#include <limits>
#include <map>

#include <fmt/format.h>

#include "text/chat/jinja/arguments.h"
#include "text/chat/jinja/clock.h"
#include "text/chat/jinja/iteration.h"
#include "text/chat/jinja/python_numbers.h"
#include "text/chat/jinja/python_repr.h"
#include "text/chat/jinja/runtime.h"

namespace aurum::text::jinja {

namespace {

constexpr std::int64_t kLongestRange = 100'000;  // as Jinja2's sandbox

class Function : public Object {
 public:
  using Run = Value (*)(Runtime& runtime, const Arguments& arguments);
  Function(std::string_view name, Run run) : name_(name), run_(run) {}

  std::string type_name() const override { return "function"; }
  std::string repr() const override { return fmt::format("<function {}>", name_); }
  bool is_callable() const override { return true; }
  Value call(Runtime& runtime, const Arguments& arguments) const override {
    return run_(runtime, arguments);
  }

 private:
  std::string_view name_;
  Run run_;
};

std::int64_t range_bound(const Value& value) {
  if (value.is_undefined()) fail(value.undefined_reason());
  const auto integer = value.as_integer();
  if (!integer) fail(fmt::format("range wants whole numbers, not {}", value.type_name()));
  constexpr Integer kMost = Integer{1} << 62;
  if (*integer > kMost || *integer < -kMost) fail("Range too big.");
  return static_cast<std::int64_t>(*integer);
}

Value make_range(Runtime&, const Arguments& arguments) {
  const auto& given = arguments.positional;
  if (given.empty() || given.size() > 3 || !arguments.keywords.empty()) {
    fail("range wants one to three numbers");
  }
  const std::int64_t start = given.size() == 1 ? 0 : range_bound(given[0]);
  const std::int64_t stop = range_bound(given[given.size() == 1 ? 0 : 1]);
  const std::int64_t step = given.size() == 3 ? range_bound(given[2]) : 1;
  if (step == 0) fail("range() arg 3 must not be zero");
  const Integer distance = step > 0 ? Integer{stop} - start : Integer{start} - stop;
  const Integer stride = step > 0 ? Integer{step} : -Integer{step};
  const Integer count = distance <= 0 ? 0 : (distance - 1) / stride + 1;
  if (count > kLongestRange) {
    fail(fmt::format("Range too big. The sandbox blocks ranges larger than {}.", kLongestRange));
  }
  return std::shared_ptr<const Range>(
      std::make_shared<const Range>(Range{start, stop, step, static_cast<std::int64_t>(count)}));
}

// dict(mapping or pairs, name=value…)
std::shared_ptr<Dict> dict_of(const Arguments& arguments) {
  if (arguments.positional.size() > 1) fail("dict expected at most 1 argument");
  auto dict = std::make_shared<Dict>();
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (const Dict* other = source.dict()) {
      for (const auto& [key, value] : other->entries()) dict->set(key, value);
    } else {
      for (const Value& pair : items_of(source)) {
        std::vector<Value> parts = items_of(pair);
        if (parts.size() != 2) fail("dict wants pairs of a key and a value");
        dict->set(std::move(parts[0]), std::move(parts[1]));
      }
    }
  }
  for (const auto& [name, value] : arguments.keywords) dict->set(Value(name), value);
  return dict;
}

Value make_dict(Runtime&, const Arguments& arguments) { return dict_of(arguments); }

Value make_namespace(Runtime& runtime, const Arguments& arguments) {
  const auto attributes = dict_of(arguments);
  const std::shared_ptr<Namespace> space = runtime.make_namespace();
  for (const auto& [key, value] : attributes->entries()) space->set(to_text(key), value);
  return std::shared_ptr<Object>(space);
}

// Calls a member function of a cycler.
class CyclerMethod;

class Cycler : public Object, public std::enable_shared_from_this<Cycler> {
 public:
  explicit Cycler(std::vector<Value> items) : items_(std::move(items)) {}

  std::string type_name() const override { return "Cycler"; }
  std::string repr() const override { return "<jinja2.utils.Cycler object>"; }
  std::optional<Value> attribute(std::string_view name) const override;
  Value current() const { return items_[position_]; }
  Value next() {
    Value item = current();
    position_ = (position_ + 1) % items_.size();
    return item;
  }
  Value reset() {
    position_ = 0;
    return None{};
  }

 private:
  std::vector<Value> items_;
  std::size_t position_ = 0;
};

class CyclerMethod : public Object {
 public:
  CyclerMethod(std::shared_ptr<Cycler> cycler, Value (Cycler::*method)())
      : cycler_(std::move(cycler)), method_(method) {}
  std::string type_name() const override { return "method"; }
  std::string repr() const override { return "<bound method of Cycler>"; }
  bool is_callable() const override { return true; }
  Value call(Runtime&, const Arguments&) const override { return (cycler_.get()->*method_)(); }

 private:
  std::shared_ptr<Cycler> cycler_;
  Value (Cycler::*method_)();
};

std::optional<Value> Cycler::attribute(std::string_view name) const {
  const auto method = [&](Value (Cycler::*function)()) {
    auto self = std::const_pointer_cast<Cycler>(shared_from_this());
    return Value(std::shared_ptr<Object>(std::make_shared<CyclerMethod>(self, function)));
  };
  if (name == "current") return current();
  if (name == "next") return method(&Cycler::next);
  if (name == "reset") return method(&Cycler::reset);
  return std::nullopt;
}

Value make_cycler(Runtime&, const Arguments& arguments) {
  if (arguments.positional.empty()) fail("at least one item has to be provided");
  return std::shared_ptr<Object>(std::make_shared<Cycler>(arguments.positional));
}

// Returns "" when it is first called, then its separator.
class Joiner : public Object {
 public:
  explicit Joiner(Value separator) : separator_(std::move(separator)) {}
  std::string type_name() const override { return "Joiner"; }
  std::string repr() const override { return "<jinja2.utils.Joiner object>"; }
  bool is_callable() const override { return true; }
  Value call(Runtime&, const Arguments&) const override {
    return std::exchange(is_used_, true) ? separator_ : Value("");
  }

 private:
  Value separator_;
  mutable bool is_used_ = false;
};

Value make_joiner(Runtime&, const Arguments& arguments) {
  static const Signature signature{{"sep"}, 0};
  const BoundArguments bound("joiner", signature, arguments);
  return std::shared_ptr<Object>(
      std::make_shared<Joiner>(bound.find(0) != nullptr ? *bound.find(0) : Value(", ")));
}

Value raise_exception(Runtime&, const Arguments& arguments) {
  static const Signature signature{{"message"}, 1};
  fail(to_text(BoundArguments("raise_exception", signature, arguments).at(0)));
}

Value strftime_now(Runtime& runtime, const Arguments& arguments) {
  static const Signature signature{{"format"}, 1};
  const BoundArguments bound("strftime_now", signature, arguments);
  return format_time(bound.text(0), runtime.now());
}

std::map<std::string_view, Value> make_globals() {
  std::map<std::string_view, Value> out;
  const auto add = [&](std::string_view name, Function::Run run) {
    out.emplace(name, std::shared_ptr<Object>(std::make_shared<Function>(name, run)));
  };
  add("range", make_range);
  add("dict", make_dict);
  add("namespace", make_namespace);
  add("cycler", make_cycler);
  add("joiner", make_joiner);
  add("raise_exception", raise_exception);
  add("strftime_now", strftime_now);
  return out;
}

}  // namespace

const Value* find_global(std::string_view name) {
  static const std::map<std::string_view, Value> globals = make_globals();
  const auto found = globals.find(name);
  return found == globals.end() ? nullptr : &found->second;
}

}  // namespace aurum::text::jinja
