#include <algorithm>
#include <fstream>
#include <iostream>

#include "base/error.h"
#include "base/files.h"
#include "cli/command.h"
#include "cli/model_files.h"
#include "text/alignment/byte_alignment.h"

namespace aurum::cli {
namespace {

using Json = nlohmann::ordered_json;

struct Options {
  std::string student, teacher, text, html;
  std::string mode = "exact";
  bool summary = false;
  bool json = false;
  JsonLinesOptions lines;
};

struct Side {
  std::string text;
  std::vector<text::TokenId> ids;
  std::vector<text::ByteSpan> spans;
};

struct Alignment {
  std::string text;
  Side student, teacher;
  std::vector<text::AlignedGroup> groups;
};

struct Summary {
  std::int64_t lines = 0, bytes = 0, student_tokens = 0, teacher_tokens = 0, groups = 0;
  std::int64_t one_to_one = 0, largest = 0;

  void add(const Alignment& a) {
    ++lines;
    bytes += static_cast<std::int64_t>(a.text.size());
    student_tokens += static_cast<std::int64_t>(a.student.ids.size());
    teacher_tokens += static_cast<std::int64_t>(a.teacher.ids.size());
    groups += static_cast<std::int64_t>(a.groups.size());
    for (const text::AlignedGroup& g : a.groups) {
      const std::int64_t s = g.student_end - g.student_begin, t = g.teacher_end - g.teacher_begin;
      one_to_one += s == 1 && t == 1 ? 1 : 0;
      largest = std::max({largest, s, t});
    }
  }
  void print() const {
    const auto per = [](std::int64_t a, std::int64_t b) {
      return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
    };
    std::cerr << fmt::format(
        "{} lines, {} bytes\nstudent {} tokens ({:.2f} bytes each), teacher {} tokens ({:.2f} "
        "bytes "
        "each)\n{} groups, {:.1f} % of one token on both sides, the largest has {} tokens\n",
        lines, bytes, student_tokens, per(bytes, student_tokens), teacher_tokens,
        per(bytes, teacher_tokens), groups, 100 * per(one_to_one, groups), largest);
  }
};

// Fields of a request, with messages that name the key.
std::vector<text::TokenId> ids_field(const Json& request, const char* key) {
  const auto it = request.find(key);
  if (it == request.end() || !it->is_array()) {
    throw InputError(fmt::format("\"{}\" must be a list of token ids", key));
  }
  std::vector<text::TokenId> ids;
  for (const Json& id : *it) {
    if (!id.is_number_integer()) throw InputError(fmt::format("\"{}\" holds {}", key, id.dump()));
    ids.push_back(id.get<text::TokenId>());
  }
  return ids;
}

Side side_of_text(const text::Tokenizer& tokenizer, const std::string& input) {
  text::Encoding encoding = tokenizer.encode(input, false);
  return {input, std::move(encoding.ids), std::move(encoding.spans)};
}

Side side_of_ids(const text::Tokenizer& tokenizer, std::vector<text::TokenId> ids) {
  text::DecodedSpans decoded = tokenizer.spans_of_ids(ids);
  return {std::move(decoded.text), std::move(ids), std::move(decoded.spans)};
}

// What TRL counts as the length of a token: the characters of its string, which are bytes only for
// tokens in the byte alphabet. It lays these end to end.
void use_trl_lengths(const text::Tokenizer& tokenizer, Side& side) {
  std::int64_t at = 0;
  for (std::size_t i = 0; i < side.ids.size(); ++i) {
    const std::string piece = tokenizer.piece(side.ids[i]);
    const auto chars =
        std::count_if(piece.begin(), piece.end(), [](char c) { return (c & 0xC0) != 0x80; });
    side.spans[i] = {at, at + chars};
    at += chars;
  }
}

class Aligner {
 public:
  explicit Aligner(const Options& options)
      : trl_(options.mode == "trl"),
        student_(open_tokenizer(options.student)),
        teacher_(open_tokenizer(options.teacher)) {}

  Alignment align(const Json& request) const {
    if (!request.is_object()) throw InputError("the request must be a JSON object");
    if (request.contains("student_ids") || request.contains("teacher_ids")) {
      return align_ids(ids_field(request, "student_ids"), ids_field(request, "teacher_ids"));
    }
    const auto it = request.find("text");
    if (it == request.end() || !it->is_string()) {
      throw InputError("give \"text\", or \"student_ids\" and \"teacher_ids\"");
    }
    return align_text(it->get<std::string>());
  }

  Alignment align_text(const std::string& input) const {
    return finish({input, side_of_text(*student_, input), side_of_text(*teacher_, input), {}});
  }

  std::string show(bool of_student, text::TokenId id) const {
    return std::string((of_student ? student_ : teacher_)->piece(id));
  }

 private:
  Alignment align_ids(std::vector<text::TokenId> student_ids,
                      std::vector<text::TokenId> teacher_ids) const {
    Side student = side_of_ids(*student_, std::move(student_ids));
    Side teacher = side_of_ids(*teacher_, std::move(teacher_ids));
    if (student.text != teacher.text && !trl_) {
      const auto differ = std::mismatch(student.text.begin(), student.text.end(),
                                        teacher.text.begin(), teacher.text.end());
      throw InputError(
          fmt::format("student_ids and teacher_ids stand for different texts: they "
                      "differ from byte {}",
                      differ.first - student.text.begin()));
    }
    std::string input = student.text;
    return finish({std::move(input), std::move(student), std::move(teacher), {}});
  }

  Alignment finish(Alignment a) const {
    if (trl_) use_trl_lengths(*student_, a.student);
    a.groups = text::align_by_bytes(a.student.spans, a.teacher.spans);
    return a;
  }

  bool trl_;
  std::shared_ptr<const text::Tokenizer> student_, teacher_;
};

Json side_json(const Side& side) {
  Json spans = Json::array();
  for (const text::ByteSpan& span : side.spans) spans.push_back({span.begin, span.end});
  return {{"ids", side.ids}, {"spans", spans}};
}

Json to_json(const Alignment& a) {
  Json groups = Json::array();
  for (const text::AlignedGroup& g : a.groups) {
    groups.push_back({g.student_begin, g.student_end, g.teacher_begin, g.teacher_end});
  }
  return {{"text", a.text},
          {"student", side_json(a.student)},
          {"teacher", side_json(a.teacher)},
          {"groups", groups}};
}

// The tokens [begin, end) of one side, with bars between, printable on one line.
std::string pieces_of(const Aligner& aligner, bool of_student, const Side& side, std::int32_t begin,
                      std::int32_t end) {
  std::string out;
  for (std::int32_t i = begin; i < end; ++i) {
    if (i > begin) out += " | ";
    out += aligner.show(of_student, side.ids[static_cast<std::size_t>(i)]);
  }
  return out;
}

std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

void print_table(const Aligner& aligner, const Alignment& a) {
  const bool color = use_color(1);
  std::vector<std::pair<std::string, std::string>> rows;
  std::size_t width = 7;
  for (const text::AlignedGroup& g : a.groups) {
    rows.emplace_back(pieces_of(aligner, true, a.student, g.student_begin, g.student_end),
                      pieces_of(aligner, false, a.teacher, g.teacher_begin, g.teacher_end));
    width = std::max(width, columns(rows.back().first));
  }
  std::cout << fmt::format("{:<{}}  {:<9}  teacher\n", "student", width, "bytes");
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const text::AlignedGroup& g = a.groups[i];
    const bool single =
        g.student_end - g.student_begin == 1 && g.teacher_end - g.teacher_begin == 1;
    const auto begin = a.student.spans[static_cast<std::size_t>(g.student_begin)].begin;
    const auto end = a.student.spans[static_cast<std::size_t>(g.student_end) - 1].end;
    const std::string padding(width - columns(rows[i].first), ' ');
    std::cout << (color ? (single ? "\033[32m" : "\033[33m") : "") << rows[i].first << padding
              << (color ? "\033[0m" : "")
              << fmt::format("  {:<9}  ", fmt::format("{}-{}", begin, end))
              << (color ? (single ? "\033[32m" : "\033[33m") : "") << rows[i].second
              << (color ? "\033[0m" : "") << '\n';
  }
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string html_row(const Aligner& aligner, const Alignment& a, const text::AlignedGroup& g) {
  const auto cell = [&](bool of_student, const Side& side, std::int32_t begin, std::int32_t end) {
    std::string out = "<td>";
    for (std::int32_t i = begin; i < end; ++i) {
      const auto at = static_cast<std::size_t>(i);
      out += fmt::format("<span title=\"id {}, bytes {}-{}\">{}</span>", side.ids[at],
                         side.spans[at].begin, side.spans[at].end,
                         escape_html(aligner.show(of_student, side.ids[at])));
    }
    return out + "</td>";
  };
  const bool single = g.student_end - g.student_begin == 1 && g.teacher_end - g.teacher_begin == 1;
  return fmt::format("<tr class=\"{}\">{}{}</tr>\n", single ? "one" : "many",
                     cell(true, a.student, g.student_begin, g.student_end),
                     cell(false, a.teacher, g.teacher_begin, g.teacher_end));
}

class HtmlPage {
 public:
  void add(const Aligner& aligner, const Alignment& a) {
    body_ += fmt::format("<h2>{}</h2>\n<table><tr><th>student</th><th>teacher</th></tr>\n",
                         escape_html(a.text.substr(0, 200)));
    for (const text::AlignedGroup& g : a.groups) body_ += html_row(aligner, a, g);
    body_ += "</table>\n";
  }
  void write(const std::string& path) const {
    write_file(path,
               "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Token alignment"
               "</title><style>body{font:14px system-ui;margin:2em}h2{font-size:1em}td,th{padding:"
               "2px 8px;text-align:left;font-family:monospace}span{border:1px solid #999;"
               "border-radius:3px;padding:0 3px;margin-right:3px}.one span{background:#dfd}"
               ".many span{background:#fe9}</style>\n<h1>Token alignment</h1>\n" +
                   body_ + "</html>\n");
  }

 private:
  std::string body_;
};

void run(const Options& options) {
  const Aligner aligner(options);
  Summary summary;
  HtmlPage page;
  const auto note = [&](const Alignment& a) {
    if (options.summary) summary.add(a);
    if (!options.html.empty()) page.add(aligner, a);
  };
  const auto finish = [&] {
    if (options.summary) summary.print();
    if (!options.html.empty()) page.write(options.html);
  };
  if (!options.text.empty()) {
    const Alignment a = aligner.align_text(options.text);
    note(a);
    if (options.json) {
      std::cout << to_json(a).dump() << '\n';
    } else {
      print_table(aligner, a);
    }
    return finish();
  }
  try {
    answer_json_lines(options.lines, [&](const Json& request) {
      const Alignment a = aligner.align(request);
      note(a);
      return to_json(a);
    });
  } catch (const ExitWithCode&) {
    finish();  // the good lines still count
    throw;
  }
  finish();
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
  command->add_flag("--summary", options->summary, "Print statistics over all lines at the end");
  command->add_flag("--json", options->json, "JSON instead of a table for a text argument");
  add_json_lines_options(*command, options->lines);
  command->footer(
      "Example:\n  aurum align --student models/student --teacher models/teacher \"Hello world\"");
  command->callback([options] { run(*options); });
}

}  // namespace aurum::cli
