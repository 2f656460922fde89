// An interpreter for the part of Jinja2 that chat templates use most. What it does not know is
// refused at parse time by name, never skipped.

#include "text/chat/chat_template.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <unicode/locid.h>
#include <unicode/unistr.h>

#include "base/error.h"
#include "text/chat/template_lexer.h"

namespace aurum::text {

namespace {

using Value = OrderedJson;  // an undefined value is a discarded one
using Kind = TemplateToken::Kind;

constexpr std::int64_t kMostSteps = 1'000'000;
constexpr std::size_t kMostOutput = 16'000'000;
constexpr std::size_t kMostBuilt = 256'000'000;  // bytes of all strings and lists a template makes
constexpr int kMostIndent = 100;
constexpr int kMostDepth = 100;

Value undefined() { return Value(Value::value_t::discarded); }

struct Context {
  std::vector<std::map<std::string, Value>> scopes;
  std::string output, name;
  std::int64_t steps = 0;
  std::size_t built = 0;
  int line = 0;

  [[noreturn]] void fail(std::string_view what) const {
    throw InputError(fmt::format("{}: line {}: {}", name, line, what));
  }
  void count_step() {
    if (++steps > kMostSteps) fail("the template runs too long");
  }
  void print(std::string_view text) {
    if (output.size() + text.size() > kMostOutput) fail("the template prints too much");
    output += text;
  }
  // Bounds memory: a few doublings of a string or list would otherwise use all there is.
  void charge(std::size_t bytes) {
    if (bytes > kMostBuilt - built) fail("the template uses too much memory");
    built += bytes;
  }
  Value* find(const std::string& variable) {
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
      const auto found = scope->find(variable);
      if (found != scope->end()) return &found->second;
    }
    return nullptr;
  }
};

bool is_true(const Value& v) {
  if (v.is_discarded() || v.is_null()) return false;
  if (v.is_boolean()) return v.get<bool>();
  if (v.is_number()) return v.get<double>() != 0.0;
  if (v.is_string()) return !v.get_ref<const std::string&>().empty();
  return !v.empty();
}

// As Python's str(); containers are refused, since their repr is not modelled yet.
std::string to_text(const Value& v, const Context& context) {
  if (v.is_discarded()) return "";
  if (v.is_null()) return "None";
  if (v.is_boolean()) return v.get<bool>() ? "True" : "False";
  if (v.is_string()) return v.get<std::string>();
  if (v.is_number()) return v.dump();
  context.fail("printing a list or mapping is not supported yet; use |tojson");
}

// As Python's json.dumps.
std::string dump_json(const Value& v, int indent, int depth = 0) {
  const std::string newline =
      indent >= 0 ? "\n" + std::string(static_cast<std::size_t>(indent * (depth + 1)), ' ') : "";
  const std::string last =
      indent >= 0 ? "\n" + std::string(static_cast<std::size_t>(indent * depth), ' ') : "";
  const std::string comma = indent >= 0 ? "," : ", ";
  if ((!v.is_object() && !v.is_array()) || v.empty()) return v.dump();
  std::string out(1, v.is_object() ? '{' : '[');
  bool first = true;
  for (const auto& [key, item] : v.items()) {
    if (!first) out += comma;
    first = false;
    out += newline;
    if (v.is_object()) out += Value(key).dump() + ": ";
    out += dump_json(item, indent, depth + 1);
  }
  return out + last + (v.is_object() ? '}' : ']');
}

// Bytes that a copy of `v` takes, roughly.
std::size_t weight(const Value& v) {
  std::size_t bytes = 32;
  if (v.is_string()) return bytes + v.get_ref<const std::string&>().size();
  if (!v.is_structured()) return bytes;
  for (const auto& [key, item] : v.items())
    bytes += (v.is_object() ? key.size() : 0) + weight(item);
  return bytes;
}

// Splits UTF-8 into code points.
std::vector<std::string> characters(std::string_view text) {
  std::vector<std::string> out;
  for (const char ch : text) {
    if (out.empty() || (ch & 0xC0) != 0x80) out.emplace_back();
    out.back() += ch;
  }
  return out;
}

// What Python's strip() removes.
const std::vector<std::string>& blank_characters() {
  static const std::vector<std::string> blanks = characters(
      " \t\n\r\f\v\x1c\x1d\x1e\x1f\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005"
      "\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000");
  return blanks;
}

std::string strip(std::string_view text, const std::vector<std::string>& blanks, bool left,
                  bool right) {
  const auto remove_one = [&](auto matches, auto remove) {
    for (const std::string& blank : blanks) {
      if (!matches(blank)) continue;
      remove(blank.size());
      return true;
    }
    return false;
  };
  while (left && remove_one([&](const std::string& blank) { return text.starts_with(blank); },
                            [&](std::size_t size) { text.remove_prefix(size); })) {
  }
  while (right && remove_one([&](const std::string& blank) { return text.ends_with(blank); },
                             [&](std::size_t size) { text.remove_suffix(size); })) {
  }
  return std::string(text);
}

std::string change_case(const std::string& text, bool upper) {
  icu::UnicodeString wide = icu::UnicodeString::fromUTF8(text);
  if (upper)
    wide.toUpper(icu::Locale::getRoot());
  else
    wide.toLower(icu::Locale::getRoot());
  std::string out;
  return wide.toUTF8String(out);
}

// The items of a list, the keys of a mapping or the characters of a string.
Value items_to_list(const Value& v, Context& c) {
  Value out = Value::array();
  if (v.is_array()) return v;
  if (v.is_object()) {
    for (const auto& [key, item] : v.items()) out.push_back(key);
  } else if (v.is_string()) {
    for (std::string& ch : characters(v.get_ref<const std::string&>()))
      out.push_back(std::move(ch));
    c.charge(weight(out));
  } else if (!v.is_discarded()) {
    c.fail("this value cannot be looped over");
  }
  return out;
}

struct Expression;
using ExpressionPtr = std::shared_ptr<const Expression>;

// An expression is a closure over its parts.
struct Expression {
  std::function<Value(Context&)> evaluate;
};

ExpressionPtr make(std::function<Value(Context&)> f) {
  return std::make_shared<const Expression>(Expression{std::move(f)});
}

using Arguments = std::vector<Value>;
using Named = std::map<std::string, Value>;

Value call_method(const Value& self, const std::string& method, const Arguments& args, Context& c) {
  const auto text_argument = [&](std::size_t i) {
    if (i >= args.size() || !args[i].is_string()) c.fail(method + "() wants a string");
    return args[i].get<std::string>();
  };
  if (self.is_string()) {
    const auto text = self.get<std::string>();
    if (method == "strip" || method == "lstrip" || method == "rstrip") {
      const auto blanks = args.empty() ? blank_characters() : characters(text_argument(0));
      return strip(text, blanks, method != "rstrip", method != "lstrip");
    }
    if (method == "startswith") return text.rfind(text_argument(0), 0) == 0;
    if (method == "endswith") return text.ends_with(text_argument(0));
    if (method == "upper" || method == "lower") return change_case(text, method == "upper");
    if (method == "split" || method == "replace") {
      const std::string separator = text_argument(0);
      if (separator.empty()) c.fail(method + "() wants a text that is not empty");
      const std::size_t limit_at = method == "split" ? 1 : 2;
      if (args.size() > limit_at && !args[limit_at].is_number_integer())
        c.fail("the count must be a whole number");
      std::int64_t left = args.size() > limit_at ? args[limit_at].get<std::int64_t>() : -1;
      Value pieces = Value::array();
      std::size_t begin = 0;
      for (std::size_t at; left != 0 && (at = text.find(separator, begin)) != std::string::npos;
           --left) {
        c.count_step();
        pieces.push_back(text.substr(begin, at - begin));
        begin = at + separator.size();
      }
      pieces.push_back(text.substr(begin));
      c.charge(weight(pieces));
      if (method == "split") return pieces;
      const std::string replacement = text_argument(1);
      c.charge(replacement.size() * (pieces.size() - 1) + text.size());
      std::string joined = pieces[0].get<std::string>();
      for (std::size_t i = 1; i < pieces.size(); ++i)
        joined += replacement + pieces[i].get<std::string>();
      return joined;
    }
  }
  if (self.is_object()) {
    Value out = Value::array();
    if (method == "items") {
      for (const auto& [key, item] : self.items()) out.push_back(Value::array({key, item}));
      return out;
    }
    if (method == "keys" || method == "values") {
      for (const auto& [key, item] : self.items())
        out.push_back(method == "keys" ? Value(key) : item);
      return out;
    }
    if (method == "get") {
      const std::string key = text_argument(0);
      if (self.contains(key)) return self[key];
      return args.size() > 1 ? args[1] : Value(nullptr);
    }
  }
  c.fail(fmt::format("there is no method {}() of this value", method));
}

Value apply_filter(const std::string& filter, const Value& v, const Arguments& args,
                   const Named& named, Context& c) {
  if (filter == "trim") return strip(to_text(v, c), blank_characters(), true, true);
  if (filter == "string") return to_text(v, c);
  if (filter == "safe") return v;
  if (filter == "tojson") {
    if (v.is_discarded()) c.fail("tojson of an undefined value");
    int indent = -1;
    if (const auto found = named.find("indent");
        found != named.end() && found->second.is_number_integer()) {
      const auto wanted = found->second.get<std::int64_t>();
      if (wanted < 0 || wanted > kMostIndent) c.fail("tojson's indent is out of range");
      indent = static_cast<int>(wanted);
    }
    std::string json = dump_json(v, indent);
    c.charge(json.size());
    return json;
  }
  if (filter == "length" || filter == "count") {
    if (v.is_string()) {
      const auto& text = v.get_ref<const std::string&>();
      return std::count_if(text.begin(), text.end(), [](char ch) { return (ch & 0xC0) != 0x80; });
    }
    if (!v.is_discarded() && !v.is_structured()) c.fail("this value has no length");
    return v.is_discarded() ? 0 : static_cast<std::int64_t>(v.size());
  }
  if (filter == "upper" || filter == "lower")
    return call_method(Value(to_text(v, c)), filter, {}, c);
  if (filter == "default" || filter == "d") {
    const bool also_false = args.size() > 1 && is_true(args[1]);
    const Value fallback = args.empty() ? Value("") : args[0];
    return v.is_discarded() || (also_false && !is_true(v)) ? fallback : v;
  }
  if (filter == "first" || filter == "last") {
    const Value list = items_to_list(v, c);
    return list.empty() ? undefined() : (filter == "first" ? list.front() : list.back());
  }
  if (filter == "list") return items_to_list(v, c);
  if (filter == "items") return call_method(v, "items", {}, c);
  if (filter == "join") {
    const Value list = items_to_list(v, c);
    const std::string separator = args.empty() ? "" : to_text(args[0], c);
    std::string out;
    for (std::size_t i = 0; i < list.size(); ++i) {
      const std::string piece = to_text(list[i], c);
      c.charge(separator.size() + piece.size());
      if (i > 0) out += separator;
      out += piece;
    }
    return out;
  }
  c.fail(fmt::format("the filter {} is not supported yet", filter));
}

bool apply_test(const std::string& test, const Value& v, Context& c) {
  if (test == "defined") return !v.is_discarded();
  if (test == "undefined") return v.is_discarded();
  if (test == "none") return v.is_null();
  if (test == "string") return v.is_string();
  if (test == "mapping") return v.is_object();
  if (test == "iterable" || test == "sequence") {
    return v.is_discarded() || v.is_array() || v.is_object() || v.is_string();
  }
  if (test == "number") return v.is_number() || v.is_boolean();
  if (test == "boolean") return v.is_boolean();
  if (test == "true") return v.is_boolean() && v.get<bool>();
  if (test == "false") return v.is_boolean() && !v.get<bool>();
  c.fail(fmt::format("the test {} is not supported yet", test));
}

bool contains(const Value& container, const Value& item, Context& c) {
  if (container.is_discarded()) return false;
  if (container.is_string()) {
    if (!item.is_string()) c.fail("only a string can be in a string");
    return container.get_ref<const std::string&>().find(item.get<std::string>()) !=
           std::string::npos;
  }
  if (container.is_object()) return item.is_string() && container.contains(item.get<std::string>());
  return std::find(container.begin(), container.end(), item) != container.end();
}

Value item_of(const Value& container, const Value& key, Context& c) {
  if (container.is_discarded()) c.fail("an undefined value has no items");
  if (container.is_object() && key.is_string()) {
    const auto found = container.find(key.get<std::string>());
    return found == container.end() ? undefined() : *found;
  }
  if (key.is_number_integer() && (container.is_array() || container.is_string())) {
    const Value list = items_to_list(container, c);
    auto index = key.get<std::int64_t>();
    const auto size = static_cast<std::int64_t>(list.size());
    if (index < 0) index += size;
    if (index < 0 || index >= size) return undefined();
    return list[static_cast<std::size_t>(index)];
  }
  return undefined();
}

Value slice_of(const Value& v, const Value& from, const Value& to, const Value& step, Context& c) {
  if (v.is_string()) {
    std::string text;
    for (const Value& ch : slice_of(items_to_list(v, c), from, to, step, c))
      text += ch.get<std::string>();
    return text;
  }
  if (!v.is_array()) c.fail("only lists and strings can be sliced");
  const auto size = static_cast<std::int64_t>(v.size());
  const std::int64_t stride =
      step.is_number_integer()
          ? std::clamp<std::int64_t>(step.get<std::int64_t>(), -size - 1, size + 1)
          : 1;
  if (stride == 0) c.fail("a slice's step must not be 0");
  const auto bound = [&](const Value& b, std::int64_t otherwise) {
    if (!b.is_number_integer()) return otherwise;
    std::int64_t x = b.get<std::int64_t>();
    if (x < 0) x += size;
    return std::clamp<std::int64_t>(x, stride < 0 ? -1 : 0, stride < 0 ? size - 1 : size);
  };
  Value out = Value::array();
  const std::int64_t end = bound(to, stride < 0 ? -1 : size);
  for (std::int64_t i = bound(from, stride < 0 ? size - 1 : 0); stride < 0 ? i > end : i < end;
       i += stride) {
    out.push_back(v[static_cast<std::size_t>(i)]);
  }
  return out;
}

Value arithmetic(char op, const Value& a, const Value& b, Context& c) {
  if (op == '~' || op == '+') c.charge(weight(a) + weight(b));
  if (op == '~') return to_text(a, c) + to_text(b, c);
  if (op == '+' && a.is_string() && b.is_string())
    return a.get<std::string>() + b.get<std::string>();
  if (op == '+' && a.is_array() && b.is_array()) {
    Value out = a;
    for (const Value& item : b) out.push_back(item);
    return out;
  }
  if (!a.is_number() || !b.is_number()) c.fail(fmt::format("\"{}\" does not fit these values", op));
  const bool whole = a.is_number_integer() && b.is_number_integer();
  if (op == '%') {
    if (!whole || b == 0) c.fail("% wants whole numbers, the second not 0");
    const std::int64_t x = a.get<std::int64_t>(), y = b.get<std::int64_t>();
    if (y == -1) return 0;  // the lowest integer has no quotient
    const std::int64_t rest = x % y;
    return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
  }
  if (op == '/') {
    if (b.get<double>() == 0.0) c.fail("division by 0");
    return a.get<double>() / b.get<double>();
  }
  if (!whole) {
    const double x = a.get<double>(), y = b.get<double>();
    return op == '+' ? x + y : (op == '-' ? x - y : x * y);
  }
  const std::int64_t x = a.get<std::int64_t>(), y = b.get<std::int64_t>();
  std::int64_t result = 0;
  const bool overflows = op == '+'   ? __builtin_add_overflow(x, y, &result)
                         : op == '-' ? __builtin_sub_overflow(x, y, &result)
                                     : __builtin_mul_overflow(x, y, &result);
  if (overflows) c.fail("this number is too large");
  return result;
}

class ExpressionParser {
 public:
  ExpressionParser(std::vector<TemplateToken> tokens, std::string name, int line)
      : tokens_(std::move(tokens)), name_(std::move(name)), line_(line) {}

  ExpressionPtr parse() { return parse_conditional(); }
  bool accept(const char* text) {
    const TemplateToken& token = tokens_[at_];
    if (token.text != text || token.kind == Kind::kString || token.kind == Kind::kEnd) return false;
    ++at_;
    return true;
  }
  void expect(const char* text) {
    if (!accept(text)) fail(fmt::format("expected \"{}\", found \"{}\"", text, tokens_[at_].text));
  }
  std::string take_name() {
    if (tokens_[at_].kind != Kind::kName) fail("expected a name");
    return tokens_[at_++].text;
  }
  bool at_end() const { return tokens_[at_].kind == Kind::kEnd; }
  void expect_end() {
    if (!at_end()) fail(fmt::format("unexpected \"{}\"", tokens_[at_].text));
  }
  // The rest without a conditional, for the iterable of a `for ... if`.
  ExpressionPtr parse_without_conditional() { return parse_or(); }
  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: line {}: {}", name_, line_, what));
  }

 private:
  struct DepthGuard {
    explicit DepthGuard(ExpressionParser& p) : parser(p) {
      if (++parser.depth_ > kMostDepth) parser.fail("this expression is nested too deeply");
    }
    ~DepthGuard() { --parser.depth_; }
    ExpressionParser& parser;
  };

  ExpressionPtr parse_conditional() {
    const DepthGuard guard(*this);
    ExpressionPtr value = parse_or();
    if (!accept("if")) return value;
    ExpressionPtr condition = parse_or();
    ExpressionPtr otherwise;
    if (accept("else")) otherwise = parse_conditional();
    return make([=](Context& c) {
      if (is_true(condition->evaluate(c))) return value->evaluate(c);
      return otherwise ? otherwise->evaluate(c) : undefined();
    });
  }
  ExpressionPtr parse_or() {
    ExpressionPtr left = parse_and();
    while (accept("or")) {
      left = make([left, right = parse_and()](Context& c) {
        Value v = left->evaluate(c);
        return is_true(v) ? v : right->evaluate(c);
      });
    }
    return left;
  }
  ExpressionPtr parse_and() {
    ExpressionPtr left = parse_not();
    while (accept("and")) {
      left = make([left, right = parse_not()](Context& c) {
        Value v = left->evaluate(c);
        return is_true(v) ? right->evaluate(c) : v;
      });
    }
    return left;
  }
  ExpressionPtr parse_not() {
    const DepthGuard guard(*this);
    if (!accept("not")) return parse_comparison();
    return make([inner = parse_not()](Context& c) { return Value(!is_true(inner->evaluate(c))); });
  }
  ExpressionPtr parse_comparison() {
    ExpressionPtr left = parse_sum();
    for (;;) {
      std::string op;
      for (const char* known : {"==", "!=", "<=", ">=", "<", ">", "in"}) {
        if (accept(known)) {
          op = known;
          break;
        }
      }
      if (op.empty() && tokens_[at_].text == "not" && tokens_[at_ + 1].text == "in") {
        at_ += 2;
        op = "not in";
      }
      if (op.empty()) return left;
      left = make([left, op, right = parse_sum()](Context& c) {
        return Value(compare(op, left->evaluate(c), right->evaluate(c), c));
      });
    }
  }
  static bool compare(const std::string& op, const Value& a, const Value& b, Context& c) {
    if (op == "in") return contains(b, a, c);
    if (op == "not in") return !contains(b, a, c);
    const bool both_undefined = a.is_discarded() && b.is_discarded();
    const bool equal = both_undefined || (!a.is_discarded() && !b.is_discarded() && a == b);
    if (op == "==") return equal;
    if (op == "!=") return !equal;
    if (!(a.is_number() && b.is_number()) && !(a.is_string() && b.is_string()))
      c.fail("these values have no order");
    if (op == "<") return a < b;
    if (op == ">") return b < a;
    return op == "<=" ? !(b < a) : !(a < b);
  }
  ExpressionPtr parse_sum() {
    ExpressionPtr left = parse_product();
    for (;;) {
      const char op = accept("+") ? '+' : accept("-") ? '-' : accept("~") ? '~' : '\0';
      if (op == '\0') return left;
      left = binary(op, left, parse_product());
    }
  }
  ExpressionPtr parse_product() {
    ExpressionPtr left = parse_unary();
    for (;;) {
      const char op = accept("*") ? '*' : accept("/") ? '/' : accept("%") ? '%' : '\0';
      if (op == '\0') return left;
      left = binary(op, left, parse_unary());
    }
  }
  static ExpressionPtr binary(char op, ExpressionPtr left, ExpressionPtr right) {
    return make([op, left, right](Context& c) {
      const Value a = left->evaluate(c);
      return arithmetic(op, a, right->evaluate(c), c);
    });
  }
  ExpressionPtr parse_unary() {
    const DepthGuard guard(*this);
    ExpressionPtr value;
    if (accept("-")) {
      value = make([inner = parse_unary()](Context& c) {
        return arithmetic('-', Value(0), inner->evaluate(c), c);
      });
    } else {
      value = parse_postfix(parse_primary());
    }
    for (;;) {
      if (accept("|"))
        value = parse_filter(value);
      else if (accept("is"))
        value = parse_test(value);
      else
        return value;
    }
  }
  ExpressionPtr parse_filter(ExpressionPtr value) {
    const std::string filter = take_name();
    auto [args, named] = accept("(") ? parse_arguments() : ParsedArguments{};
    return make([=](Context& c) {
      const Value v = value->evaluate(c);
      return apply_filter(filter, v, evaluate_all(args, c), evaluate_all(named, c), c);
    });
  }
  ExpressionPtr parse_test(ExpressionPtr value) {
    const bool negated = accept("not");
    const std::string test = take_name();
    return make(
        [=](Context& c) { return Value(apply_test(test, value->evaluate(c), c) != negated); });
  }

  struct ParsedArguments {
    std::vector<ExpressionPtr> args;
    std::map<std::string, ExpressionPtr> named;
  };
  ParsedArguments parse_arguments() {
    ParsedArguments parsed;
    while (!accept(")")) {
      if (tokens_[at_].kind == Kind::kName && tokens_[at_ + 1].text == "=") {
        const std::string key = take_name();
        expect("=");
        parsed.named[key] = parse_conditional();
      } else {
        parsed.args.push_back(parse_conditional());
      }
      if (!accept(",")) {
        expect(")");
        break;
      }
    }
    return parsed;
  }
  static Arguments evaluate_all(const std::vector<ExpressionPtr>& args, Context& c) {
    Arguments values;
    for (const ExpressionPtr& arg : args) values.push_back(arg->evaluate(c));
    return values;
  }
  static Named evaluate_all(const std::map<std::string, ExpressionPtr>& named, Context& c) {
    Named values;
    for (const auto& [key, arg] : named) values[key] = arg->evaluate(c);
    return values;
  }

  ExpressionPtr parse_postfix(ExpressionPtr value) {
    for (;;) {
      if (accept(".")) {
        const std::string name = take_name();
        if (accept("(")) {
          const ParsedArguments arguments = parse_arguments();
          value = make([=, args = arguments.args](Context& c) {
            c.count_step();
            const Value self = value->evaluate(c);
            return call_method(self, name, evaluate_all(args, c), c);
          });
        } else {
          value = make([=](Context& c) { return item_of(value->evaluate(c), Value(name), c); });
        }
      } else if (accept("[")) {
        value = parse_subscript(value);
      } else {
        return value;
      }
    }
  }
  ExpressionPtr parse_subscript(ExpressionPtr value) {
    ExpressionPtr parts[3];
    int index = 0;
    bool is_slice = false;
    while (!accept("]")) {
      if (accept(":")) {
        is_slice = true;
        if (++index > 2) fail("a slice has at most three parts");
      } else {
        parts[index] = parse_conditional();
      }
    }
    if (!is_slice) {
      if (!parts[0]) fail("a subscript is missing");
      return make([value, key = parts[0]](Context& c) {
        const Value container = value->evaluate(c);
        return item_of(container, key->evaluate(c), c);
      });
    }
    return make([value, from = parts[0], to = parts[1], step = parts[2]](Context& c) {
      const auto part = [&c](const ExpressionPtr& p) {
        return p ? p->evaluate(c) : Value(nullptr);
      };
      return slice_of(value->evaluate(c), part(from), part(to), part(step), c);
    });
  }
  ExpressionPtr parse_primary() {
    const TemplateToken token = tokens_[at_];
    if (token.kind == Kind::kEnd) fail("an expression is missing");
    ++at_;
    if (token.kind == Kind::kString) return constant(token.text);
    if (token.kind == Kind::kInteger) {
      if (token.text.size() > 18) fail("this number is too large");
      return constant(std::stoll(token.text));
    }
    if (token.kind == Kind::kFloat) return constant(std::stod(token.text));
    if (token.text == "(") {
      ExpressionPtr inner = parse_conditional();
      expect(")");
      return inner;
    }
    if (token.text == "[") return parse_list();
    if (token.kind != Kind::kName) fail(fmt::format("unexpected \"{}\"", token.text));
    return parse_variable(token.text);
  }
  static ExpressionPtr constant(Value v) {
    return make([v = std::move(v)](Context&) { return v; });
  }
  ExpressionPtr parse_list() {
    std::vector<ExpressionPtr> items;
    while (!accept("]")) {
      items.push_back(parse_conditional());
      if (!accept(",")) {
        expect("]");
        break;
      }
    }
    return make([items](Context& c) {
      Value list = Value::array();
      for (const ExpressionPtr& item : items) {
        list.push_back(item->evaluate(c));
        c.charge(weight(list.back()));
      }
      return list;
    });
  }
  ExpressionPtr parse_variable(const std::string& name) {
    if (name == "true" || name == "True") return constant(true);
    if (name == "false" || name == "False") return constant(false);
    if (name == "none" || name == "None") return constant(nullptr);
    if (!accept("(")) {
      return make([name](Context& c) {
        c.count_step();
        const Value* found = c.find(name);
        return found != nullptr ? *found : undefined();
      });
    }
    const ParsedArguments arguments = parse_arguments();
    if (name == "raise_exception") {
      return make([args = arguments.args](Context& c) -> Value {
        c.fail(args.empty() ? "the template refuses this conversation"
                            : to_text(args[0]->evaluate(c), c));
      });
    }
    if (name == "namespace") {
      return make([named = arguments.named](Context& c) {
        Value object = Value::object();
        for (const auto& [key, arg] : named) object[key] = arg->evaluate(c);
        return object;
      });
    }
    fail(fmt::format("the function {}() is not supported yet", name));
  }

  std::vector<TemplateToken> tokens_;
  std::string name_;
  int line_;
  std::size_t at_ = 0;
  int depth_ = 0;
};

struct Statement;
using Block = std::vector<std::shared_ptr<const Statement>>;

struct Statement {
  int line = 0;
  std::function<void(Context&)> run;
};

void run_block(const Block& block, Context& c) {
  for (const auto& statement : block) {
    c.line = statement->line;
    c.count_step();
    statement->run(c);
  }
}

class TemplateParser {
 public:
  TemplateParser(std::vector<TemplatePart> parts, std::string name)
      : parts_(std::move(parts)), name_(std::move(name)) {}

  Block parse() {
    Block block = parse_until({});
    return block;
  }

 private:
  // Parses statements up to one of `ends`; end_ is then the parser of that tag's rest.
  Block parse_until(const std::vector<std::string>& ends) {
    if (++depth_ > kMostDepth) fail("blocks are nested too deeply");
    Block block;
    while (at_ < parts_.size()) {
      const TemplatePart& part = parts_[at_++];
      line_ = part.line;
      if (part.kind == TemplatePart::Kind::kText) {
        add(block, [text = part.source](Context& c) { c.print(text); });
        continue;
      }
      auto parser =
          std::make_shared<ExpressionParser>(tokenize_expression(part, name_), name_, part.line);
      if (part.kind == TemplatePart::Kind::kOutput) {
        ExpressionPtr value = parser->parse();
        parser->expect_end();
        add(block, [value](Context& c) { c.print(to_text(value->evaluate(c), c)); });
        continue;
      }
      const std::string keyword = parser->take_name();
      if (std::find(ends.begin(), ends.end(), keyword) != ends.end()) {
        end_keyword_ = keyword;
        end_ = parser;
        --depth_;
        return block;
      }
      parse_statement(keyword, *parser, block);
    }
    if (!ends.empty()) fail("a block is not closed: " + ends.back() + " is missing");
    --depth_;
    return block;
  }

  void parse_statement(const std::string& keyword, ExpressionParser& parser, Block& block) {
    if (keyword == "if") return parse_if(parser, block);
    if (keyword == "for") return parse_for(parser, block);
    if (keyword == "set") return parse_set(parser, block);
    if (keyword == "generation") return parse_generation(block);
    fail(fmt::format("the statement {} is not supported yet", keyword));
  }

  void parse_if(ExpressionParser& parser, Block& block) {
    struct Branch {
      ExpressionPtr condition;  // null: else
      Block body;
    };
    std::vector<Branch> branches;
    ExpressionPtr condition = parser.parse();
    parser.expect_end();
    const int line = line_;
    for (;;) {
      Block body = parse_until({"elif", "else", "endif"});
      branches.push_back({condition, std::move(body)});
      if (end_keyword_ == "endif") break;
      condition = nullptr;
      if (end_keyword_ == "elif") condition = end_->parse();
    }
    line_ = line;
    add(block, [branches](Context& c) {
      for (const Branch& branch : branches) {
        if (branch.condition && !is_true(branch.condition->evaluate(c))) continue;
        run_block(branch.body, c);
        return;
      }
    });
  }

  void parse_for(ExpressionParser& parser, Block& block) {
    std::vector<std::string> targets = {parser.take_name()};
    while (parser.accept(",")) targets.push_back(parser.take_name());
    parser.expect("in");
    ExpressionPtr items = parser.parse_without_conditional();
    ExpressionPtr condition;
    if (parser.accept("if")) condition = parser.parse();
    parser.expect_end();
    const int line = line_;
    Block body = parse_until({"else", "endfor"});
    Block otherwise;
    if (end_keyword_ == "else") otherwise = parse_until({"endfor"});
    line_ = line;
    add(block, [=](Context& c) { run_for(targets, items, condition, body, otherwise, c); });
  }

  static void assign(const std::vector<std::string>& targets, const Value& item, Context& c) {
    auto& scope = c.scopes.back();
    if (targets.size() == 1) {
      scope[targets[0]] = item;
      return;
    }
    if (!item.is_array() || item.size() != targets.size())
      c.fail("this item does not fit the loop's names");
    for (std::size_t i = 0; i < targets.size(); ++i) scope[targets[i]] = item[i];
  }

  static void run_for(const std::vector<std::string>& targets, const ExpressionPtr& iterable,
                      const ExpressionPtr& condition, const Block& body, const Block& otherwise,
                      Context& c) {
    const Value all = items_to_list(iterable->evaluate(c), c);
    Value items = Value::array();
    c.scopes.emplace_back();
    for (const Value& item : all) {
      c.count_step();
      if (condition) assign(targets, item, c);
      if (!condition || is_true(condition->evaluate(c))) items.push_back(item);
    }
    for (std::size_t i = 0; i < items.size(); ++i) {
      c.scopes.back().clear();
      assign(targets, items[i], c);
      Value loop = {{"index", i + 1},
                    {"index0", i},
                    {"first", i == 0},
                    {"last", i + 1 == items.size()},
                    {"length", items.size()},
                    {"revindex", items.size() - i},
                    {"revindex0", items.size() - i - 1}};
      if (i > 0) loop["previtem"] = items[i - 1];
      if (i + 1 < items.size()) loop["nextitem"] = items[i + 1];
      c.scopes.back()["loop"] = std::move(loop);
      run_block(body, c);
    }
    c.scopes.pop_back();
    if (items.empty()) run_block(otherwise, c);
  }

  void parse_set(ExpressionParser& parser, Block& block) {
    const std::string variable = parser.take_name();
    std::string attribute;
    if (parser.accept(".")) attribute = parser.take_name();
    parser.expect("=");
    ExpressionPtr value = parser.parse();
    parser.expect_end();
    add(block, [=](Context& c) {
      Value v = value->evaluate(c);
      c.charge(weight(v));
      if (attribute.empty()) {
        c.scopes.back()[variable] = std::move(v);
        return;
      }
      Value* object = c.find(variable);
      if (object == nullptr || !object->is_object()) c.fail(variable + " is not a namespace");
      (*object)[attribute] = std::move(v);
    });
  }

  void parse_generation(Block& block);

  void add(Block& block, std::function<void(Context&)> run) {
    block.push_back(std::make_shared<const Statement>(Statement{line_, std::move(run)}));
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw FormatError(fmt::format("{}: line {}: {}", name_, line_, what));
  }

  std::vector<TemplatePart> parts_;
  std::string name_;
  std::size_t at_ = 0;
  int line_ = 1, depth_ = 0;
  std::string end_keyword_;
  std::shared_ptr<ExpressionParser> end_;
};

thread_local std::vector<ByteSpan>* current_generation_spans = nullptr;

void TemplateParser::parse_generation(Block& block) {
  Block body = parse_until({"endgeneration"});
  add(block, [body](Context& c) {
    const auto begin = static_cast<std::int64_t>(c.output.size());
    run_block(body, c);
    current_generation_spans->push_back({begin, static_cast<std::int64_t>(c.output.size())});
  });
}

// Drops keys whose value is null, as transformers does before rendering.
Value clean_messages(const Value& messages) {
  Value out = Value::array();
  for (const Value& message : messages) {
    Value kept = Value::object();
    for (const auto& [key, item] : message.items()) {
      if (!item.is_null()) kept[key] = item;
    }
    out.push_back(std::move(kept));
  }
  return out;
}

}  // namespace

struct ChatTemplate::Program {
  std::string name;
  Block block;
};

ChatTemplate::ChatTemplate(std::unique_ptr<const Program> program) : program_(std::move(program)) {}
ChatTemplate::ChatTemplate(ChatTemplate&&) noexcept = default;
ChatTemplate& ChatTemplate::operator=(ChatTemplate&&) noexcept = default;
ChatTemplate::~ChatTemplate() = default;

ChatTemplate ChatTemplate::parse(std::string source, std::string name) {
  Block block = TemplateParser(split_template(source, name), name).parse();
  return ChatTemplate(std::make_unique<const Program>(Program{std::move(name), std::move(block)}));
}

RenderedChat ChatTemplate::render(const RenderRequest& request) const {
  if (request.continue_final_message) {
    throw InputError(program_->name + ": continue_final_message is not supported yet");
  }
  Context context;
  context.name = program_->name;
  auto& globals = context.scopes.emplace_back();
  globals["messages"] = clean_messages(request.messages);
  globals["tools"] = request.tools;
  globals["documents"] = request.documents;
  globals["add_generation_prompt"] = request.add_generation_prompt;
  for (const auto& [name, token] : request.special_tokens) globals[name] = token;
  for (const auto& [name, value] : request.variables.items()) globals[name] = value;
  RenderedChat rendered;
  current_generation_spans = &rendered.generation_spans;
  run_block(program_->block, context);
  rendered.text = std::move(context.output);
  return rendered;
}

const std::string* choose_template(const std::map<std::string, std::string>& templates,
                                   bool has_tools) {
  for (const char* name : {"tool_use", "default"}) {
    if (name == std::string_view("tool_use") && !has_tools) continue;
    const auto found = templates.find(name);
    if (found != templates.end()) return &found->second;
  }
  return nullptr;
}

}  // namespace aurum::text
