#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "text/chat/jinja/expression_parser.h"
#include "text/chat/jinja/frame_names.h"
#include "text/chat/jinja/statements.h"
#include "text/chat/jinja/token_stream.h"

namespace aurum::text::jinja {

// Parses a whole template.
class StatementParser {
 public:
  StatementParser(std::vector<Token> tokens, std::string name)
      : tokens_(std::move(tokens), std::move(name)), expressions_(tokens_, names_) {}

  Block parse();

 private:
  using StatementPtr = std::unique_ptr<const Statement>;
  using Names = std::initializer_list<std::string_view>;
  class MacroFrame;

  // Reads up to a tag with one of `ends`, and that name but not the rest of its tag.
  Block parse_until(Names ends, std::string_view opening);
  // The same, from the end of the opening tag.
  Block parse_body(Names ends, std::string_view opening);
  // The same for a block with variables of its own.
  Block parse_frame(const std::shared_ptr<FrameNames>& frame, Names ends, std::string_view opening);
  Block parse_frame(Names ends, std::string_view opening);
  bool at_any(Names names) const;
  StatementPtr parse_statement();
  StatementPtr parse_output();

  StatementPtr parse_if(int line);
  StatementPtr parse_for(int line);
  StatementPtr parse_set(int line);
  StatementPtr parse_with(int line);
  StatementPtr parse_filter(int line);
  StatementPtr parse_macro(int line);
  StatementPtr parse_call(int line);
  StatementPtr parse_generation(int line);
  StatementPtr parse_print(int line);
  StatementPtr parse_jump(int line, Flow flow);
  StatementPtr parse_break(int line) { return parse_jump(line, Flow::kBreak); }
  StatementPtr parse_continue(int line) { return parse_jump(line, Flow::kContinue); }

  AssignmentTarget parse_target(bool allows_attribute, std::string_view end_name = "");
  AssignmentTarget parse_target_part(bool allows_attribute);
  std::string parse_assigned_name();
  void note_assignment(const AssignmentTarget& target);
  void parse_signature(MacroDefinition& macro, FrameNames& frame);
  void parse_macro_body(MacroDefinition& macro, const std::shared_ptr<FrameNames>& frame,
                        std::string_view end, std::string_view opening);

  TokenStream tokens_;
  NameTracker names_;
  ExpressionParser expressions_;
  int nesting_ = 0;
  int num_loops_ = 0;         // around the statement, up to the macro it is in
  int num_loops_in_all_ = 0;  // around the statement and its macros
};

}  // namespace aurum::text::jinja
