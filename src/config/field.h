#pragma once

#include <initializer_list>
#include <limits>
#include <string_view>
#include <vector>

namespace aurum::config {

// What becomes of a key that a user sets.
enum class Effect {
  kActs,     // it does what its help says
  kRefused,  // only its default can be honoured; `train` stops at anything else
  kIgnored,  // it has no meaning here; named once in a warning
};

// Bounds of a number, or of each number that the key holds. NaN and infinity are outside of any.
struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_is_open = false;
  bool max_is_open = false;
};

// One accepted word and the other spellings that mean it.
struct Choice {
  std::string_view name;
  std::string_view also = {};
  std::string_view or_also = {};
};

// What is known of a key beside its C++ member: the one place that reading, validation, --help,
// `config show` and docs/config.md take it from. Made by acts(), refused() and ignored():
//
//   visit("beta", self.beta, acts("Interpolation of the JSD.").between(0, 1));
struct Field {
  std::string_view help;
  Effect effect = Effect::kActs;
  std::string_view note;  // refused: what to do now; ignored: why it has no meaning
  Range range = {};
  std::vector<Choice> choices = {};
  std::string_view unit = {};
  std::string_view alias = {};  // another library's name for the key
  bool is_required = false;

  Field at_least(double min) const { return with_range({.min = min}); }
  Field above(double min) const { return with_range({.min = min, .min_is_open = true}); }
  Field between(double min, double max) const { return with_range({.min = min, .max = max}); }
  Field above_up_to(double min, double max) const {
    return with_range({.min = min, .max = max, .min_is_open = true});
  }
  Field inside(double min, double max) const {
    return with_range({.min = min, .max = max, .min_is_open = true, .max_is_open = true});
  }
  Field one_of(std::initializer_list<Choice> accepted) const {
    Field field = *this;
    field.choices = accepted;
    return field;
  }
  Field in(std::string_view unit_name) const {
    Field field = *this;
    field.unit = unit_name;
    return field;
  }
  Field also_named(std::string_view other_name) const {
    Field field = *this;
    field.alias = other_name;
    return field;
  }
  Field required() const {
    Field field = *this;
    field.is_required = true;
    return field;
  }

 private:
  Field with_range(const Range& bounds) const {
    Field field = *this;
    field.range = bounds;
    return field;
  }
};

inline Field acts(std::string_view help) { return {.help = help}; }
inline Field refused(std::string_view help, std::string_view what_now) {
  return {.help = help, .effect = Effect::kRefused, .note = what_now};
}
inline Field ignored(std::string_view help, std::string_view why) {
  return {.help = help, .effect = Effect::kIgnored, .note = why};
}

}  // namespace aurum::config
