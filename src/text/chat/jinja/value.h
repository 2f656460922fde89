#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

#include "text/chat/jinja/budget.h"

namespace aurum::text::jinja {

// Python's whole numbers have no limit; ours end at 127 bits, beyond which a template fails.
__extension__ using Integer = __int128;

class Value;
class Dict;
class Runtime;
struct Arguments;

// The result of a name, key or attribute that does not exist. `reason` says which one, for the
// error of a template that goes on to use it.
struct Undefined {
  std::shared_ptr<const struct Text> reason;
};

struct None {};

// A string. `is_markup` is set by |safe: such a string escapes what is added to it.
struct Text {
  Text(std::string text, bool markup);
  std::string bytes;  // valid UTF-8
  bool is_markup;
  MemoryCharge charge;
};

// A list, a tuple, or what a mapping's keys(), values() and items() return.
struct Sequence {
  enum class Form { kList, kTuple, kGroup, kKeys, kValues, kItems };
  Sequence(std::vector<Value> values, Form what);
  std::vector<Value> items;
  Form form;
  int depth;  // levels of containers inside, bounded so that recursion over a value is safe
  MemoryCharge charge;

  bool is_view() const { return form >= Form::kKeys; }
};

// range(start, stop, step), never expanded.
struct Range {
  std::int64_t start, stop, step, count;
  Integer at(std::int64_t index) const { return Integer{start} + Integer{step} * index; }
};

// What map(), select() and their kin return: it can be looped over once.
struct Iterator {
  Iterator(std::vector<Value> values, std::string type_name);
  std::vector<Value> items;
  std::size_t next = 0;
  std::string type_name;  // as Python prints it
  int depth;
  MemoryCharge charge;
};

// Everything else: functions, macros, namespaces, the loop variable.
class Object {
 public:
  virtual ~Object() = default;
  virtual std::string type_name() const = 0;
  virtual std::string repr() const = 0;
  virtual std::optional<Value> attribute(std::string_view name) const;
  virtual std::optional<std::int64_t> length() const { return std::nullopt; }
  virtual bool is_callable() const { return false; }
  virtual Value call(Runtime& runtime, const Arguments& arguments) const;
};

// A Python value as templates see it. Cheap to copy; texts and containers are shared and never
// change, apart from iterators and objects.
class Value {
 public:
  Value() = default;  // undefined
  Value(None none) : storage_(none) {}
  Value(bool b) : storage_(b) {}
  Value(Integer i) : storage_(i) {}
  Value(std::int64_t i) : storage_(Integer{i}) {}
  Value(int i) : storage_(Integer{i}) {}
  Value(double d) : storage_(d) {}
  Value(std::string text) : Value(make_text(std::move(text), false)) {}
  Value(const char* text) : Value(std::string(text)) {}
  Value(const void*) = delete;
  Value(std::shared_ptr<const Text> text) : storage_(std::move(text)) {}
  Value(std::shared_ptr<const Sequence> sequence) : storage_(std::move(sequence)) {}
  Value(std::shared_ptr<const Dict> dict) : storage_(std::move(dict)) {}
  Value(std::shared_ptr<Dict> dict) : storage_(std::shared_ptr<const Dict>(std::move(dict))) {}
  Value(std::shared_ptr<const Range> range) : storage_(std::move(range)) {}
  Value(std::shared_ptr<Iterator> iterator) : storage_(std::move(iterator)) {}
  Value(std::shared_ptr<Object> object) : storage_(std::move(object)) {}

  static Value undefined(std::string reason);
  static Value make_text(std::string text, bool is_markup);
  static Value list(std::vector<Value> items);
  static Value tuple(std::vector<Value> items);
  static Value iterator(std::vector<Value> items, std::string type_name);

  bool is_undefined() const { return holds<Undefined>(); }
  bool is_none() const { return holds<None>(); }
  bool is_bool() const { return holds<bool>(); }
  bool is_integer() const { return holds<Integer>(); }  // not a bool
  bool is_float() const { return holds<double>(); }
  bool is_number() const { return is_bool() || is_integer() || is_float(); }

  // Each is null when the value is of another kind.
  const Text* text() const { return pointee<const Text>(); }
  const Sequence* sequence() const { return pointee<const Sequence>(); }
  const Dict* dict() const { return pointee<const Dict>(); }
  const Range* range() const { return pointee<const Range>(); }
  Iterator* iterator() const { return pointee<Iterator>(); }
  Object* object() const { return pointee<Object>(); }
  std::shared_ptr<Object> shared_object() const;

  bool is_list() const { return has_form(Sequence::Form::kList); }
  bool is_tuple() const {
    return has_form(Sequence::Form::kTuple) || has_form(Sequence::Form::kGroup);
  }

  std::optional<Integer> as_integer() const;  // of an integer or bool
  std::optional<double> as_float() const;     // of any number
  const std::string& undefined_reason() const;
  bool same_object(const Value& other) const;  // Python's `is`
  int depth() const;
  std::string type_name() const;  // as Python names it in errors

 private:
  using Storage = std::variant<Undefined, None, bool, Integer, double, std::shared_ptr<const Text>,
                               std::shared_ptr<const Sequence>, std::shared_ptr<const Dict>,
                               std::shared_ptr<const Range>, std::shared_ptr<Iterator>,
                               std::shared_ptr<Object>>;

  template <typename T>
  bool holds() const {
    return std::holds_alternative<T>(storage_);
  }
  template <typename T>
  T* pointee() const {
    const auto* pointer = std::get_if<std::shared_ptr<T>>(&storage_);
    return pointer == nullptr ? nullptr : pointer->get();
  }
  bool has_form(Sequence::Form form) const {
    const Sequence* s = sequence();
    return s != nullptr && s->form == form;
  }

  Storage storage_;
};

// A mapping in the order of insertion.
class Dict {
 public:
  using Entry = std::pair<Value, Value>;

  Dict();
  // Replaces the value of an equal key in place. Fails for a key that Python cannot hash.
  void set(Value key, Value value);
  const Value* find(const Value& key) const;
  const Value* find(std::string_view key) const;
  const std::vector<Entry>& entries() const { return entries_; }
  std::size_t size() const { return entries_.size(); }
  int depth() const { return depth_; }

 private:
  static constexpr std::size_t kSmall = 8;  // searched entry by entry
  template <typename Matches>
  std::optional<std::size_t> search(std::size_t hash, const Matches& matches) const;
  std::optional<std::size_t> position_of(const Value& key) const;

  std::vector<Entry> entries_;
  std::unordered_multimap<std::size_t, std::size_t> index_;  // hash -> position
  int depth_ = 1;
  MemoryCharge charge_;
};

std::shared_ptr<const Sequence> make_sequence(std::vector<Value> items, Sequence::Form form);

}  // namespace aurum::text::jinja
