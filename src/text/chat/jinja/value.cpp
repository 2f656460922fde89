#include "text/chat/jinja/value.h"

#include <algorithm>
#include <functional>

#include <fmt/format.h>

#include "text/chat/jinja/comparison.h"

namespace aurum::text::jinja {

namespace {

constexpr int kMostDepth = 200;
constexpr std::size_t kTextOverhead = 96;  // the object, its reference count, the allocator

int checked_depth(int depth) {
  if (depth > kMostDepth) fail("lists and mappings are nested too deeply");
  return depth;
}

int depth_of(const std::vector<Value>& items) {
  int deepest = 0;
  for (const Value& item : items) deepest = std::max(deepest, item.depth());
  return checked_depth(deepest + 1);
}

std::string sequence_type_name(Sequence::Form form) {
  switch (form) {
    case Sequence::Form::kList:
      return "list";
    case Sequence::Form::kTuple:
      return "tuple";
    case Sequence::Form::kGroup:
      return "_GroupTuple";
    case Sequence::Form::kKeys:
      return "dict_keys";
    case Sequence::Form::kValues:
      return "dict_values";
    case Sequence::Form::kItems:
      break;
  }
  return "dict_items";
}

}  // namespace

Text::Text(std::string text, bool markup)
    : bytes(std::move(text)), is_markup(markup), charge(kTextOverhead + bytes.size()) {
  count_bytes(bytes.size());
}

Sequence::Sequence(std::vector<Value> values, Form what)
    : items(std::move(values)),
      form(what),
      depth(depth_of(items)),
      charge(sizeof(Sequence) + items.size() * sizeof(Value)) {
  count_bytes(items.size() * sizeof(Value));
}

Iterator::Iterator(std::vector<Value> values, std::string name)
    : items(std::move(values)),
      type_name(std::move(name)),
      depth(depth_of(items)),
      charge(sizeof(Iterator) + items.size() * sizeof(Value)) {
  count_bytes(items.size() * sizeof(Value));
}

Dict::Dict() : charge_(sizeof(Dict)) {}

template <typename Matches>
std::optional<std::size_t> Dict::search(std::size_t hash, const Matches& matches) const {
  if (entries_.size() <= kSmall) {
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      if (matches(entries_[i].first)) return i;
    }
    return std::nullopt;
  }
  const auto [begin, end] = index_.equal_range(hash);
  for (auto entry = begin; entry != end; ++entry) {
    count_step();
    if (matches(entries_[entry->second].first)) return entry->second;
  }
  return std::nullopt;
}

std::optional<std::size_t> Dict::position_of(const Value& key) const {
  return search(hash_of(key), [&](const Value& other) { return are_equal(key, other); });
}

void Dict::set(Value key, Value value) {
  depth_ = checked_depth(std::max({depth_, key.depth() + 1, value.depth() + 1}));
  if (const auto position = position_of(key)) {
    entries_[*position].second = std::move(value);
    return;
  }
  charge_.grow(2 * sizeof(Entry));  // the index and spare room included
  count_step();
  entries_.emplace_back(std::move(key), std::move(value));
  if (entries_.size() == kSmall + 1) {
    for (std::size_t i = 0; i < kSmall; ++i) index_.emplace(hash_of(entries_[i].first), i);
  }
  if (entries_.size() > kSmall) {
    index_.emplace(hash_of(entries_.back().first), entries_.size() - 1);
  }
}

const Value* Dict::find(const Value& key) const {
  const auto position = position_of(key);
  return position ? &entries_[*position].second : nullptr;
}

const Value* Dict::find(std::string_view key) const {
  const auto position = search(hash_of(key), [&](const Value& other) {
    const Text* text = other.text();
    return text != nullptr && text->bytes == key;
  });
  return position ? &entries_[*position].second : nullptr;
}

std::optional<Value> Object::attribute(std::string_view) const { return std::nullopt; }

Value Object::call(Runtime&, const Arguments&) const {
  fail(fmt::format("'{}' object is not callable", type_name()));
}

Value Value::undefined(std::string reason) {
  Value value;
  value.storage_ = Undefined{std::make_shared<const Text>(std::move(reason), false)};
  return value;
}

Value Value::make_text(std::string text, bool is_markup) {
  return std::shared_ptr<const Text>(std::make_shared<const Text>(std::move(text), is_markup));
}

Value Value::list(std::vector<Value> items) {
  return make_sequence(std::move(items), Sequence::Form::kList);
}

Value Value::tuple(std::vector<Value> items) {
  return make_sequence(std::move(items), Sequence::Form::kTuple);
}

Value Value::iterator(std::vector<Value> items, std::string type_name) {
  return std::make_shared<Iterator>(std::move(items), std::move(type_name));
}

std::shared_ptr<Object> Value::shared_object() const {
  const auto* pointer = std::get_if<std::shared_ptr<Object>>(&storage_);
  return pointer == nullptr ? nullptr : *pointer;
}

std::optional<Integer> Value::as_integer() const {
  if (const auto* b = std::get_if<bool>(&storage_)) return *b ? 1 : 0;
  if (const auto* i = std::get_if<Integer>(&storage_)) return *i;
  return std::nullopt;
}

std::optional<double> Value::as_float() const {
  if (const auto* d = std::get_if<double>(&storage_)) return *d;
  if (const auto integer = as_integer()) return static_cast<double>(*integer);
  return std::nullopt;
}

const std::string& Value::undefined_reason() const {
  static const std::string unknown = "the value is undefined";
  const auto* undefined = std::get_if<Undefined>(&storage_);
  return undefined != nullptr && undefined->reason ? undefined->reason->bytes : unknown;
}

bool Value::same_object(const Value& other) const {
  if (storage_.index() != other.storage_.index()) return false;
  if (is_undefined()) return false;
  return std::visit(
      [&](const auto& mine) {
        using T = std::decay_t<decltype(mine)>;
        if constexpr (std::is_same_v<T, None> || std::is_same_v<T, Undefined>) {
          return true;
        } else {
          return mine == std::get<T>(other.storage_);
        }
      },
      storage_);
}

int Value::depth() const {
  if (const Sequence* s = sequence()) return s->depth;
  if (const Dict* d = dict()) return d->depth();
  if (const Iterator* i = iterator()) return i->depth;
  return 0;
}

std::string Value::type_name() const {
  if (is_undefined()) return "Undefined";
  if (is_none()) return "NoneType";
  if (is_bool()) return "bool";
  if (is_integer()) return "int";
  if (is_float()) return "float";
  if (const Text* t = text()) return t->is_markup ? "Markup" : "str";
  if (const Sequence* s = sequence()) return sequence_type_name(s->form);
  if (dict() != nullptr) return "dict";
  if (range() != nullptr) return "range";
  if (const Iterator* i = iterator()) return i->type_name;
  return object()->type_name();
}

std::shared_ptr<const Sequence> make_sequence(std::vector<Value> items, Sequence::Form form) {
  return std::make_shared<const Sequence>(std::move(items), form);
}

}  // namespace aurum::text::jinja
