#include "text/chat/jinja/statement_parser.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "text/chat/jinja/loop.h"
#include "text/chat/jinja/macro.h"

namespace aurum::text::jinja {

namespace {

using Kind = Token::Kind;

constexpr int kMostNesting = 100;

// Changes a variable for as long as it lives.
template <typename T>
class Setting {
 public:
  Setting(T& variable, T value) : variable_(variable), old_(std::exchange(variable, value)) {}
  ~Setting() { variable_ = old_; }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

 private:
  T& variable_;
  T old_;
};

}  // namespace

Block StatementParser::parse() {
  Block block = parse_until({}, "");
  names_.finish();
  block.set_names(names_.root());
  return block;
}

bool StatementParser::at_any(Names names) const {
  return std::any_of(names.begin(), names.end(),
                     [&](std::string_view name) { return tokens_.is_name(name); });
}

Block StatementParser::parse_until(Names ends, std::string_view opening) {
  if (nesting_ >= kMostNesting) tokens_.fail("blocks are nested too deeply");
  const Setting<int> nesting(nesting_, nesting_ + 1);
  Block block;
  while (!tokens_.is(Kind::kEnd)) {
    if (tokens_.is(Kind::kData)) {
      const Token data = tokens_.take();
      block.add(std::make_unique<const TextOutput>(data.line, data.text));
    } else if (tokens_.is(Kind::kVariableBegin)) {
      block.add(parse_output());
    } else {
      tokens_.expect(Kind::kBlockBegin);
      if (at_any(ends)) return block;
      block.add(parse_statement());
      tokens_.expect(Kind::kBlockEnd);
    }
  }
  if (ends.size() != 0) {
    tokens_.fail(
        fmt::format("Unexpected end of template. The innermost block that needs to be "
                    "closed is '{}'.",
                    opening));
  }
  return block;
}

Block StatementParser::parse_body(Names ends, std::string_view opening) {
  tokens_.accept_operator(":");
  tokens_.expect(Kind::kBlockEnd);
  return parse_until(ends, opening);
}

Block StatementParser::parse_frame(const std::shared_ptr<FrameNames>& frame, Names ends,
                                   std::string_view opening) {
  const NameTracker::Inside inside(names_, *frame);
  Block block = parse_body(ends, opening);
  block.set_names(frame);
  return block;
}

Block StatementParser::parse_frame(Names ends, std::string_view opening) {
  return parse_frame(names_.make_frame(), ends, opening);
}

StatementParser::StatementPtr StatementParser::parse_output() {
  const int line = tokens_.take().line;
  ExpressionPtr value = expressions_.parse_tuple();
  tokens_.expect(Kind::kVariableEnd);
  return std::make_unique<const ExpressionOutput>(line, std::move(value));
}

StatementParser::StatementPtr StatementParser::parse_statement() {
  using Parse = StatementPtr (StatementParser::*)(int);
  static constexpr std::pair<std::string_view, Parse> kStatements[] = {
      {"if", &StatementParser::parse_if},
      {"for", &StatementParser::parse_for},
      {"set", &StatementParser::parse_set},
      {"with", &StatementParser::parse_with},
      {"filter", &StatementParser::parse_filter},
      {"macro", &StatementParser::parse_macro},
      {"call", &StatementParser::parse_call},
      {"generation", &StatementParser::parse_generation},
      {"print", &StatementParser::parse_print},
      {"break", &StatementParser::parse_break},
      {"continue", &StatementParser::parse_continue},
  };
  const int line = tokens_.line();
  const std::string name = tokens_.expect_name();
  for (const auto& [keyword, parse] : kStatements) {
    if (name == keyword) return (this->*parse)(line);
  }
  for (const char* refused : {"include", "import", "from", "extends", "block", "autoescape"}) {
    if (name == refused) {
      tokens_.fail_at(line, fmt::format("the tag '{}' is not supported in chat templates", name));
    }
  }
  tokens_.fail_at(line, fmt::format("Encountered unknown tag '{}'.", name));
}

StatementParser::StatementPtr StatementParser::parse_if(int line) {
  std::vector<IfStatement::Branch> branches;
  const Setting<int> lenient(expressions_.lenient_depth, expressions_.lenient_depth + 1);
  for (;;) {
    ExpressionPtr condition = expressions_.parse_tuple(/*with_conditional=*/false);
    const NameTracker::Branch branch(names_);
    Block body = parse_body({"elif", "else", "endif"}, "if");
    branches.emplace_back(std::move(condition), std::move(body));
    if (tokens_.accept_name("elif")) continue;
    if (tokens_.accept_name("else")) branches.emplace_back(nullptr, parse_body({"endif"}, "if"));
    tokens_.expect_name("endif");
    return std::make_unique<const IfStatement>(line, std::move(branches));
  }
}

StatementParser::StatementPtr StatementParser::parse_for(int line) {
  ForStatement::Parts parts;
  parts.target = parse_target(/*allows_attribute=*/false, "in");
  if (parts.target.name == "loop") {
    tokens_.fail("Can't assign to special loop variable in for-loop target");
  }
  tokens_.expect_name("in");
  parts.items = expressions_.parse_tuple(/*with_conditional=*/false, "recursive");
  if (tokens_.accept_name("if")) {
    const NameTracker::Inside inside(names_, *names_.make_frame());
    parts.condition = expressions_.parse();
  }
  parts.is_recursive = tokens_.accept_name("recursive");
  const Setting<int> lenient(expressions_.lenient_depth, 0);
  {
    const Setting<int> loops(num_loops_, num_loops_ + 1);
    const Setting<int> loops_in_all(num_loops_in_all_, num_loops_in_all_ + 1);
    const auto frame = names_.make_frame();
    frame->bind(parts.target.names());
    parts.body = parse_frame(frame, {"endfor", "else"}, "for");
  }
  if (tokens_.accept_name("else")) parts.otherwise = parse_frame({"endfor"}, "for");
  tokens_.expect_name("endfor");
  return std::make_unique<const ForStatement>(line, std::move(parts));
}

StatementParser::StatementPtr StatementParser::parse_set(int line) {
  AssignmentTarget target = parse_target(/*allows_attribute=*/true);
  if (num_loops_in_all_ > 0 && target.name == "loop" && target.attribute.empty()) {
    tokens_.fail("Can't assign to special loop variable in for-loop target");
  }
  if (tokens_.accept_operator("=")) {
    ExpressionPtr value = expressions_.parse_tuple();
    note_assignment(target);
    return std::make_unique<const SetStatement>(line, std::move(target), std::move(value));
  }
  note_assignment(target);
  std::unique_ptr<const FilterCall> filter;
  if (tokens_.is_operator("|")) filter = expressions_.parse_filter_chain(false);
  Block body = parse_frame({"endset"}, "set");
  tokens_.expect_name("endset");
  return std::make_unique<const SetBlock>(line, std::move(target), std::move(filter),
                                          std::move(body));
}

StatementParser::StatementPtr StatementParser::parse_with(int line) {
  std::vector<WithStatement::Binding> bindings;
  const auto frame = names_.make_frame();
  while (!tokens_.is(Kind::kBlockEnd)) {
    if (!bindings.empty()) tokens_.expect_operator(",");
    AssignmentTarget target = parse_target(/*allows_attribute=*/false);
    tokens_.expect_operator("=");
    frame->bind(target.names());
    bindings.emplace_back(std::move(target), expressions_.parse());
  }
  Block body = parse_frame(frame, {"endwith"}, "with");
  tokens_.expect_name("endwith");
  return std::make_unique<const WithStatement>(line, std::move(bindings), std::move(body));
}

StatementParser::StatementPtr StatementParser::parse_filter(int line) {
  auto filter = expressions_.parse_filter_chain(/*starts_with_name=*/true);
  Block body = parse_frame({"endfilter"}, "filter");
  tokens_.expect_name("endfilter");
  return std::make_unique<const FilterBlock>(line, std::move(filter), std::move(body));
}

StatementParser::StatementPtr StatementParser::parse_generation(int line) {
  const Setting<int> loops(num_loops_, 0);
  Block body = parse_frame({"endgeneration"}, "generation");
  tokens_.expect_name("endgeneration");
  return std::make_unique<const GenerationBlock>(line, std::move(body));
}

StatementParser::StatementPtr StatementParser::parse_print(int line) {
  return std::make_unique<const ExpressionOutput>(line, expressions_.parse());
}

StatementParser::StatementPtr StatementParser::parse_jump(int line, Flow flow) {
  if (num_loops_ == 0) tokens_.fail_at(line, "break and continue are for the inside of loops");
  return std::make_unique<const LoopJump>(line, flow);
}

StatementParser::StatementPtr StatementParser::parse_macro(int line) {
  auto macro = std::make_unique<MacroDefinition>();
  macro->name = parse_assigned_name();
  names_.assign(macro->name);
  const auto frame = names_.make_frame();
  parse_signature(*macro, *frame);
  parse_macro_body(*macro, frame, "endmacro", "macro");
  return std::make_unique<const MacroStatement>(line, std::move(macro));
}

StatementParser::StatementPtr StatementParser::parse_call(int line) {
  auto caller = std::make_unique<MacroDefinition>();
  const auto frame = names_.make_frame();
  if (tokens_.is_operator("(")) parse_signature(*caller, *frame);
  auto call = expressions_.parse_call();
  parse_macro_body(*caller, frame, "endcall", "call");
  return std::make_unique<const CallBlock>(line, std::move(call), std::move(caller));
}

void StatementParser::parse_signature(MacroDefinition& macro, FrameNames& frame) {
  const NameTracker::Inside inside(names_, frame);
  tokens_.expect_operator("(");
  while (!tokens_.is_operator(")")) {
    macro.parameters.push_back(parse_assigned_name());
    frame.bind({macro.parameters.back()});
    if (tokens_.accept_operator("=")) {
      macro.defaults.push_back(expressions_.parse());
    } else if (!macro.defaults.empty()) {
      tokens_.fail("non-default argument follows default argument");
    }
    if (!tokens_.accept_operator(",")) break;
  }
  tokens_.expect_operator(")");
}

void StatementParser::parse_macro_body(MacroDefinition& macro,
                                       const std::shared_ptr<FrameNames>& frame,
                                       std::string_view end, std::string_view opening) {
  const auto outer = std::exchange(expressions_.special_names, {});
  const Setting<int> loops(num_loops_, 0);
  const Setting<int> lenient(expressions_.lenient_depth, 0);
  *macro.body = parse_frame(frame, {end}, opening);
  tokens_.expect_name(end);
  auto& names = expressions_.special_names;
  macro.uses_caller = names.caller;
  macro.uses_kwargs = names.kwargs && !macro.has_parameter("kwargs");
  macro.uses_varargs = names.varargs && !macro.has_parameter("varargs");
  names = {.caller = names.caller || outer.caller,
           .kwargs = names.kwargs || outer.kwargs,
           .varargs = names.varargs || outer.varargs};
}

std::string StatementParser::parse_assigned_name() {
  std::string name = tokens_.expect_name();
  for (const char* constant : {"true", "false", "none", "True", "False", "None"}) {
    if (name == constant) tokens_.fail(fmt::format("can't assign to '{}'", name));
  }
  return name;
}

void StatementParser::note_assignment(const AssignmentTarget& target) {
  for (const AssignmentTarget& part : target.parts) note_assignment(part);
  if (target.is_tuple) return;
  if (target.attribute.empty()) {
    names_.assign(target.name);
  } else {
    names_.read(target.name);  // the namespace that gets the attribute
  }
}

AssignmentTarget StatementParser::parse_target_part(bool allows_attribute) {
  if (tokens_.accept_operator("(")) {
    AssignmentTarget inner = parse_target(allows_attribute);
    tokens_.expect_operator(")");
    return inner;
  }
  AssignmentTarget target{.name = parse_assigned_name()};
  if (allows_attribute && tokens_.accept_operator(".")) target.attribute = tokens_.expect_name();
  return target;
}

AssignmentTarget StatementParser::parse_target(bool allows_attribute, std::string_view end_name) {
  const Setting<int> nesting(nesting_, nesting_ + 1);
  if (nesting_ > kMostNesting) tokens_.fail("names are nested too deeply");
  AssignmentTarget first = parse_target_part(allows_attribute);
  if (!tokens_.is_operator(",")) return first;
  AssignmentTarget tuple{.is_tuple = true};
  tuple.parts.push_back(std::move(first));
  while (tokens_.accept_operator(",")) {
    const bool ends = tokens_.is(Kind::kBlockEnd) || tokens_.is_operator(")") ||
                      tokens_.is_operator("=") || (!end_name.empty() && tokens_.is_name(end_name));
    if (ends) break;
    tuple.parts.push_back(parse_target_part(allows_attribute));
  }
  return tuple;
}

}  // namespace aurum::text::jinja
