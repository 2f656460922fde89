#include "config/interpolation.h"

#include <cstdlib>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "base/error.h"
#include "config/yaml_scalar.h"

namespace aurum::config {

namespace {

constexpr int kMaxDepth = 32;

std::string trim(const std::string& text) {
  const std::size_t begin = text.find_first_not_of(" \t");
  if (begin == std::string::npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

// A resolver's argument without the quotes that may be around it.
std::string unquote(const std::string& text) {
  const bool is_quoted = text.size() >= 2 && (text[0] == '\'' || text[0] == '"');
  return is_quoted && text.back() == text[0] ? text.substr(1, text.size() - 2) : text;
}

class Interpolator {
 public:
  Interpolator(YamlTree& root, const DefaultOfKey& default_of_key)
      : root_(root), default_of_key_(default_of_key) {}

  void resolve(YamlTree& node, const std::string& path, int depth) {
    if (node.kind == YamlTree::Kind::kScalar) {
      if (node.scalar.is_string()) resolve_scalar(node, path, depth);
      return;
    }
    for (auto& [key, value] : node.entries) {
      resolve(value, path.empty() ? key : path + "." + key, depth);
    }
    for (std::size_t i = 0; i < node.items.size(); ++i) {
      resolve(node.items[i], fmt::format("{}[{}]", path, i), depth);
    }
  }

 private:
  [[noreturn]] static void fail(const YamlTree& node, const std::string& what) {
    throw ConfigError(fmt::format("{}: {}: {}", node.place, node.text, what));
  }

  void resolve_scalar(YamlTree& node, const std::string& path, int depth) {
    const std::string text = node.scalar.get<std::string>();
    if (text.find("${") == std::string::npos) return;
    if (depth > kMaxDepth) fail(node, "the interpolation refers to itself");
    std::size_t at = 0;
    if (text.rfind("${", 0) == 0) {
      const std::string reference = take_braces(text, at, node);
      if (at == text.size()) {
        YamlTree value = look_up(reference, node, path, depth);
        value.place = node.place;
        node = std::move(value);
        return;
      }
    }
    node.scalar = expand(text, node, path, depth);
  }

  // Reads "${...}" at `at`, nested braces included, and moves behind it.
  static std::string take_braces(const std::string& text, std::size_t& at, const YamlTree& node) {
    const std::size_t begin = at + 2;
    int open = 1;
    for (std::size_t i = begin; i < text.size(); ++i) {
      if (text[i] == '{') ++open;
      if (text[i] == '}' && --open == 0) {
        at = i + 1;
        return text.substr(begin, i - begin);
      }
    }
    fail(node, "a closing brace is missing");
  }

  // The text with every interpolation replaced by the text of its value.
  std::string expand(const std::string& text, const YamlTree& node, const std::string& path,
                     int depth) {
    std::string out;
    for (std::size_t at = 0; at < text.size();) {
      if (text.compare(at, 3, "\\${") == 0) {
        out += "${";
        at += 3;
      } else if (text.compare(at, 2, "${") == 0) {
        const YamlTree value = look_up(take_braces(text, at, node), node, path, depth);
        if (value.kind != YamlTree::Kind::kScalar) {
          fail(node, "only plain values can be put into text");
        }
        out += value.scalar.is_null() ? "None" : python_text(value.scalar);
      } else {
        out += text[at++];
      }
    }
    return out;
  }

  YamlTree look_up(const std::string& written, const YamlTree& node, const std::string& path,
                   int depth) {
    if (depth > kMaxDepth) fail(node, "the interpolation refers to itself");
    const std::string reference = trim(expand(written, node, path, depth + 1));
    const std::size_t colon = reference.find(':');
    if (colon == std::string::npos) return key_value(reference, node, path, depth);
    const std::string resolver = trim(reference.substr(0, colon));
    const std::string arguments = reference.substr(colon + 1);
    const std::size_t comma = arguments.find(',');
    const std::string first = unquote(trim(arguments.substr(0, comma)));
    std::optional<std::string> otherwise;
    if (comma != std::string::npos) otherwise = trim(arguments.substr(comma + 1));
    if (resolver == "oc.env") return environment(first, otherwise, node);
    if (resolver == "oc.decode") return scalar(type_plain_scalar(unquote(trim(arguments))), node);
    if (resolver == "oc.select") {
      if (has_key(first)) return key_value(first, node, path, depth);
      return scalar(otherwise ? type_plain_scalar(unquote(*otherwise)) : Json(nullptr), node);
    }
    fail(node,
         fmt::format("{} is no resolver; there are oc.env, oc.select and oc.decode", resolver));
  }

  static YamlTree scalar(Json value, const YamlTree& node) {
    YamlTree tree{.scalar = std::move(value), .place = node.place};
    tree.text = tree.scalar.is_null() ? "null" : python_text(tree.scalar);
    return tree;
  }

  static YamlTree environment(const std::string& name, const std::optional<std::string>& otherwise,
                              const YamlTree& node) {
    if (const char* value = std::getenv(name.c_str())) return scalar(std::string(value), node);
    if (!otherwise) {
      fail(node, fmt::format("the environment variable {} is not set; set it, or write "
                             "${{oc.env:{},default}}",
                             name, name));
    }
    const bool is_null = type_plain_scalar(*otherwise).is_null() && !otherwise->empty();
    return scalar(is_null ? Json(nullptr) : Json(unquote(*otherwise)), node);
  }

  bool has_key(const std::string& path) {
    return find_path(root_, path) != nullptr || default_of_key_(path).has_value();
  }

  // ".sibling" is relative to the section that holds the key, each further dot goes one up.
  static std::string absolute(const std::string& reference, const std::string& path) {
    std::string base = path;
    std::size_t dots = 0;
    while (dots < reference.size() && reference[dots] == '.') {
      const std::size_t end = base.find_last_of(".[");
      base = end == std::string::npos ? "" : base.substr(0, end);
      ++dots;
    }
    if (dots == 0) return reference;
    return base.empty() ? reference.substr(dots) : base + "." + reference.substr(dots);
  }

  YamlTree key_value(const std::string& reference, const YamlTree& node, const std::string& path,
                     int depth) {
    const std::string key = absolute(reference, path);
    if (YamlTree* found = find_path(root_, key)) {
      YamlTree value = *found;
      resolve(value, key, depth + 1);
      return value;
    }
    const std::optional<Json> fallback = default_of_key_(key);
    if (!fallback) fail(node, fmt::format("there is no key {}", key));
    return scalar(*fallback, node);
  }

  YamlTree& root_;
  const DefaultOfKey& default_of_key_;
};

}  // namespace

void interpolate(YamlTree& tree, const DefaultOfKey& default_of_key) {
  // Looks keys up in a copy, so that a resolved text is never read as an interpolation again.
  YamlTree source = tree;
  Interpolator(source, default_of_key).resolve(tree, "", 0);
}

}  // namespace aurum::config
