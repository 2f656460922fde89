#include "text/chat/jinja/python_json.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "text/chat/jinja/comparison.h"
#include "text/chat/jinja/python_numbers.h"
#include "text/chat/jinja/python_text.h"
#include "text/unicode/utf8.h"

namespace aurum::text::jinja {

namespace {

std::string json_float(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return float_text(value);
}

class Dumper {
 public:
  explicit Dumper(const JsonStyle& style) : style_(style) {}

  void dump(const Value& value) {
    count_step();
    check_memory(out_.size());
    if (const Text* text = value.text()) {
      dump_text(text->bytes);
    } else if (value.is_list() || value.is_tuple()) {
      dump_sequence(*value.sequence());
    } else if (const Dict* dict = value.dict()) {
      dump_dict(*dict);
    } else {
      out_ += scalar(value);
    }
  }

  std::string take() { return std::move(out_); }

 private:
  // The text of a scalar; also what a key of that type becomes.
  static std::string scalar(const Value& value) {
    if (value.is_none()) return "null";
    if (value.is_bool()) return is_true(value) ? "true" : "false";
    if (value.is_integer()) return integer_text(*value.as_integer());
    if (value.is_float()) return json_float(*value.as_float());
    if (value.is_undefined()) fail(value.undefined_reason() + ", so tojson cannot print it");
    fail(fmt::format("tojson cannot print a value of type {}", value.type_name()));
  }

  void dump_sequence(const Sequence& sequence) {
    if (sequence.items.empty()) {
      out_ += "[]";
      return;
    }
    out_ += '[';
    ++level_;
    for (std::size_t i = 0; i < sequence.items.size(); ++i) {
      begin_item(i == 0);
      dump(sequence.items[i]);
    }
    end_items();
    out_ += ']';
  }

  void dump_dict(const Dict& dict) {
    if (dict.size() == 0) {
      out_ += "{}";
      return;
    }
    std::vector<const Dict::Entry*> entries;
    for (const Dict::Entry& entry : dict.entries()) entries.push_back(&entry);
    if (style_.sort_keys) {
      std::stable_sort(entries.begin(), entries.end(),
                       [](const auto* a, const auto* b) { return is_less(a->first, b->first); });
    }
    out_ += '{';
    ++level_;
    for (const Dict::Entry* entry : entries) {
      begin_item(entry == entries.front());
      dump_text(entry->first.text() != nullptr ? entry->first.text()->bytes : scalar(entry->first));
      out_ += style_.key_separator;
      dump(entry->second);
    }
    end_items();
    out_ += '}';
  }

  void begin_item(bool is_first) {
    if (!is_first) out_ += style_.item_separator;
    break_line();
  }

  void end_items() {
    --level_;
    break_line();
  }

  void break_line() {
    if (!style_.indent) return;
    out_ += '\n';
    check_memory(out_.size() + static_cast<std::size_t>(level_) * style_.indent->size());
    for (int i = 0; i < level_; ++i) out_ += *style_.indent;
  }

  void dump_text(const std::string& text) {
    count_bytes(text.size());
    check_memory(out_.size() + text.size());
    out_ += '"';
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t begin = at;
      const char32_t c = next_code_point(text, at);
      if (c >= 0x80 && !style_.ensure_ascii) {
        out_.append(text, begin, at - begin);
      } else {
        dump_character(c);
      }
    }
    out_ += '"';
  }

  void dump_character(char32_t c) {
    static constexpr std::string_view kShort = "\"\\\b\f\n\r\t", kLetters = "\"\\bfnrt";
    const std::size_t at = c < 0x80 ? kShort.find(static_cast<char>(c)) : std::string_view::npos;
    if (at != std::string_view::npos) {
      out_ += '\\';
      out_ += kLetters[at];
    } else if (c < 0x20 || (c > 0x7F && c < 0x10000) || (c == 0x7F && style_.ensure_ascii)) {
      out_ += unit(c);
    } else if (c >= 0x10000) {
      out_ += unit(0xD800 + ((c - 0x10000) >> 10)) + unit(0xDC00 + ((c - 0x10000) & 0x3FF));
    } else {
      out_ += static_cast<char>(c);
    }
  }

  static std::string unit(char32_t c) {
    return fmt::format("\\u{:04x}", static_cast<std::uint32_t>(c));
  }

  const JsonStyle& style_;
  std::string out_;
  int level_ = 0;
};

Value checked_text(const std::string& text) {
  if (!is_valid_utf8(text)) fail("a text of the request is not valid UTF-8");
  return text;
}

Value number_from_json(const nlohmann::ordered_json& json) {
  if (json.is_number_unsigned()) return Integer{json.get<std::uint64_t>()};
  if (json.is_number_integer()) return Integer{json.get<std::int64_t>()};
  return json.get<double>();
}

}  // namespace

std::string dump_json(const Value& value, const JsonStyle& style) {
  Dumper dumper(style);
  dumper.dump(value);
  return dumper.take();
}

// Not recursive beyond the depth that values allow: the check is made on the way up, so the way
// down is bounded here.
Value from_json(const nlohmann::ordered_json& json) {
  struct Reader {
    Value read(const nlohmann::ordered_json& node, int depth) {
      if (depth > 200) fail("the request's lists and mappings are nested too deeply");
      if (node.is_string()) return checked_text(node.get_ref<const std::string&>());
      if (node.is_boolean()) return node.get<bool>();
      if (node.is_number()) return number_from_json(node);
      if (node.is_array()) {
        std::vector<Value> items;
        items.reserve(node.size());
        for (const auto& item : node) items.push_back(read(item, depth + 1));
        return Value::list(std::move(items));
      }
      if (!node.is_object()) return None{};
      auto dict = std::make_shared<Dict>();
      for (const auto& [key, item] : node.items())
        dict->set(checked_text(key), read(item, depth + 1));
      return dict;
    }
  };
  return Reader{}.read(json, 1);
}

}  // namespace aurum::text::jinja
