#pragma once

#include <string>
#include <vector>

#include "text/chat/jinja/value.h"

namespace aurum::text::jinja {

// What stands left of "=" or between "for" and "in": a name, a namespace's attribute, or a tuple of
// these.
struct AssignmentTarget {
  std::string name;       // empty for a tuple
  std::string attribute;  // empty for a plain name
  std::vector<AssignmentTarget> parts;
  bool is_tuple = false;

  // All names, also those in tuples.
  std::vector<std::string> names() const;
  // Fails when an attribute's owner is not a namespace.
  void check(Runtime& runtime) const;
  void assign(Runtime& runtime, const Value& value) const;
  // The value that the target's names now have; a tuple for a tuple.
  Value read(Runtime& runtime) const;
};

}  // namespace aurum::text::jinja
