#include <algorithm>
#include <iostream>

#include <unistd.h>

#include "base/error.h"
#include "cli/alignment_view.h"
#include "cli/command.h"
#include "cli/model_files.h"
#include "cli/token_fields.h"
#include "text/alignment/trl_spans.h"

namespace aurum::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string student, teacher, text, html;
  std::string mode = "exact";
  bool summary = false;
  bool table = false;
  JsonLinesOptions lines;
};

AlignedSide side_of_text(const text::Tokenizer& tokenizer, const std::string& input) {
  text::Encoding encoding = tokenizer.encode(input, false);
  return {input, std::move(encoding.ids), std::move(encoding.spans), {}};
}

AlignedSide side_of_ids(const text::Tokenizer& tokenizer, std::vector<text::TokenId> ids) {
  text::DecodedSpans decoded = tokenizer.spans_of_ids(ids);
  return {std::move(decoded.text), std::move(ids), std::move(decoded.spans), {}};
}

class Aligner {
 public:
  explicit Aligner(const Options& options)
      : trl_(options.mode == "trl"),
        student_(open_tokenizer(options.student)),
        teacher_(open_tokenizer(options.teacher)) {}

  TextAlignment align(const Json& request) const {
    if (request.contains("student_ids") || request.contains("teacher_ids")) {
      return align_ids(ids_field(request, "student_ids"), ids_field(request, "teacher_ids"));
    }
    const auto it = request.find("text");
    if (it == request.end() || !it->is_string()) {
      throw InputError("give \"text\", or \"student_ids\" and \"teacher_ids\"");
    }
    return align_text(it->get<std::string>());
  }

  TextAlignment align_text(const std::string& input) const {
    TextAlignment a{input, side_of_text(*student_, input), side_of_text(*teacher_, input), {}};
    if (trl_) {
      // TRL samples the student's tokens and encodes their text for the teacher.
      a.student.spans = text::trl_spans_of_ids(*student_, a.student.ids);
      a.teacher.spans = text::trl_spans_of_text(*teacher_, input, {a.teacher.ids, a.teacher.spans});
    }
    return finish(std::move(a));
  }

  text::VocabularyOverlap overlap() const { return text::overlap_of(*student_, *teacher_); }

 private:
  TextAlignment align_ids(std::vector<text::TokenId> student_ids,
                          std::vector<text::TokenId> teacher_ids) const {
    AlignedSide student = side_of_ids(*student_, std::move(student_ids));
    AlignedSide teacher = side_of_ids(*teacher_, std::move(teacher_ids));
    if (trl_) {
      student.spans = text::trl_spans_of_ids(*student_, student.ids);
      teacher.spans = text::trl_spans_of_ids(*teacher_, teacher.ids);
    } else if (student.text != teacher.text) {
      const auto differ = std::mismatch(student.text.begin(), student.text.end(),
                                        teacher.text.begin(), teacher.text.end());
      throw InputError(
          fmt::format("student_ids and teacher_ids stand for different texts: they differ from "
                      "byte {}; encode one text with both, or use --mode trl",
                      differ.first - student.text.begin()));
    }
    std::string input = student.text;
    return finish({std::move(input), std::move(student), std::move(teacher), {}});
  }

  TextAlignment finish(TextAlignment a) const {
    for (const text::TokenId id : a.student.ids) a.student.pieces.push_back(student_->piece(id));
    for (const text::TokenId id : a.teacher.ids) a.teacher.pieces.push_back(teacher_->piece(id));
    a.groups = text::align_by_bytes(a.student.spans, a.teacher.spans);
    return a;
  }

  bool trl_;
  std::shared_ptr<const text::Tokenizer> student_, teacher_;
};

Json side_json(const AlignedSide& side) {
  return {{"ids", side.ids}, {"spans", spans_json(side.spans)}};
}

Json to_json(const TextAlignment& a) {
  Json groups = Json::array();
  for (const text::AlignedGroup& g : a.groups) {
    groups.push_back({g.student_begin, g.student_end, g.teacher_begin, g.teacher_end});
  }
  return {{"text", a.text},
          {"student", side_json(a.student)},
          {"teacher", side_json(a.teacher)},
          {"groups", groups}};
}

// Collects what is said about all texts together.
class Overview {
 public:
  explicit Overview(const Options& options) : options_(options) {}
  void add(const TextAlignment& a) {
    summary_.add(static_cast<std::int64_t>(a.text.size()),
                 static_cast<std::int64_t>(a.student.ids.size()),
                 static_cast<std::int64_t>(a.teacher.ids.size()), a.groups);
    if (!options_.html.empty()) page_.add(a);
  }
  void finish(const Aligner& aligner) const {
    if (!options_.summary && options_.html.empty()) return;
    const std::string lines = summary_lines(summary_, aligner.overlap());
    if (options_.summary) std::cerr << lines;
    if (!options_.html.empty()) page_.write(options_.html, lines);
  }

 private:
  const Options& options_;
  text::AlignmentSummary summary_;
  AlignmentPage page_;
};

void run_on_lines(const Options& options, const Aligner& aligner, Overview& overview) {
  try {
    answer_json_lines(options.lines, [&](const Json& request) {
      const TextAlignment a = aligner.align(request);
      overview.add(a);
      return to_json(a);
    });
  } catch (const ExitWithCode&) {
    overview.finish(aligner);  // the good lines still count
    throw;
  }
  overview.finish(aligner);
}

void run(const Options& options) {
  const Aligner aligner(options);
  Overview overview(options);
  if (options.text.empty()) return run_on_lines(options, aligner, overview);
  const TextAlignment a = aligner.align_text(options.text);
  overview.add(a);
  const bool table = options.table || ::isatty(STDOUT_FILENO) == 1;
  std::cout << (table ? alignment_table(a, use_color(1)) : to_json(a).dump() + "\n");
  overview.finish(aligner);
}

}  // namespace

void add_align_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("align", "Show which student and teacher tokens cover the same bytes");
  command->add_option("text", options->text, "A text to align; without it, JSON lines are read");
  command->add_option("--student", options->student, "Tokenizer of the student")->required();
  command->add_option("--teacher", options->teacher, "Tokenizer of the teacher")->required();
  command->add_option("--mode", options->mode, "exact, or trl for TRL's token lengths")
      ->check(CLI::IsMember({"exact", "trl"}));
  command->add_option("--html", options->html, "Also write a page that shows the groups");
  command->add_flag("--summary", options->summary,
                    "Print statistics over all texts and the vocabularies' overlap at the end");
  command->add_flag("--table", options->table,
                    "For a text argument: a table also when the output is not a terminal");
  add_json_lines_options(*command, options->lines);
  command->footer(
      "Example:\n  aurum align --student models/student --teacher models/teacher \"Hello world\"");
  command->callback([options] { run(*options); });
}

}  // namespace aurum::cli
