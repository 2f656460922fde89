#include "text/chat/jinja/arguments.h"

#include <algorithm>

#include <fmt/format.h>

#include "text/chat/jinja/comparison.h"
#include "text/chat/jinja/python_numbers.h"

namespace aurum::text::jinja {

const Value* Arguments::keyword(std::string_view name) const {
  for (const auto& [key, value] : keywords) {
    if (key == name) return &value;
  }
  return nullptr;
}

BoundArguments::BoundArguments(std::string_view function, const Signature& signature,
                               const Arguments& arguments)
    : function_(function), signature_(&signature), values_(signature.parameters.size()) {
  if (arguments.positional.size() > values_.size()) {
    fail(fmt::format("{} takes at most {} arguments, not {}", function, values_.size(),
                     arguments.positional.size()));
  }
  std::copy(arguments.positional.begin(), arguments.positional.end(), values_.begin());
  for (const auto& [name, value] : arguments.keywords) place(name, value);
  for (std::size_t i = 0; i < signature.num_required; ++i) {
    if (!values_[i]) {
      fail(fmt::format("{} misses its argument '{}'", function, signature.parameters[i]));
    }
  }
}

void BoundArguments::place(std::string_view name, const Value& value) {
  const auto& names = signature_->parameters;
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) fail(fmt::format("{} has no argument '{}'", function_, name));
  auto& slot = values_[static_cast<std::size_t>(found - names.begin())];
  if (slot) fail(fmt::format("{} got two values for its argument '{}'", function_, name));
  slot = value;
}

const Value* BoundArguments::find(std::size_t index) const {
  return values_[index] ? &*values_[index] : nullptr;
}

bool BoundArguments::is_given(std::size_t index) const {
  return values_[index] && !values_[index]->is_none();
}

const Value& BoundArguments::at(std::size_t index) const { return *values_[index]; }

bool BoundArguments::flag(std::size_t index, bool otherwise) const {
  return values_[index] ? is_true(*values_[index]) : otherwise;
}

std::int64_t BoundArguments::integer(std::size_t index) const {
  const auto integer = values_[index]->as_integer();
  if (values_[index]->is_undefined()) fail(values_[index]->undefined_reason());
  if (!integer) {
    fail(fmt::format("{}: '{}' must be a whole number, not {}", function_, name(index),
                     values_[index]->type_name()));
  }
  return clamp_to_64_bits(*integer);
}

std::int64_t BoundArguments::integer(std::size_t index, std::int64_t otherwise) const {
  return values_[index] ? integer(index) : otherwise;
}

const std::string& BoundArguments::text(std::size_t index) const {
  if (values_[index]->is_undefined()) fail(values_[index]->undefined_reason());
  const Text* text = values_[index]->text();
  if (text == nullptr) {
    fail(fmt::format("{}: '{}' must be a string, not {}", function_, name(index),
                     values_[index]->type_name()));
  }
  return text->bytes;
}

std::optional<std::string_view> BoundArguments::optional_text(std::size_t index) const {
  if (!is_given(index)) return std::nullopt;
  return text(index);
}

}  // namespace aurum::text::jinja
