#include "cli/alignment_view.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/files.h"
#include "report/svg_chart.h"
#include "text/unicode/utf8.h"

namespace aurum::cli {
namespace {

// The tokens [begin, end) of one side, with bars between.
std::string joined_pieces(const AlignedSide& side, std::int32_t begin, std::int32_t end) {
  std::string out;
  for (std::int32_t i = begin; i < end; ++i) {
    if (i > begin) out += " | ";
    out += side.pieces[static_cast<std::size_t>(i)];
  }
  return out;
}

bool is_one_to_one(const text::AlignedGroup& group) {
  return group.student_end - group.student_begin == 1 &&
         group.teacher_end - group.teacher_begin == 1;
}

std::string html_cell(const AlignedSide& side, std::int32_t begin, std::int32_t end) {
  std::string out = "<td>";
  for (std::int32_t i = begin; i < end; ++i) {
    const auto at = static_cast<std::size_t>(i);
    out +=
        fmt::format("<span title=\"id {}, bytes {}-{}\">{}</span>", side.ids[at],
                    side.spans[at].begin, side.spans[at].end, report::escape_html(side.pieces[at]));
  }
  return out + "</td>";
}

// The start of a text, whole characters only.
std::string_view title_of(std::string_view text) {
  std::size_t end = std::min<std::size_t>(text.size(), 200);
  while (end < text.size() && end > 0 && text::is_utf8_continuation(text[end])) --end;
  return text.substr(0, end);
}

}  // namespace

std::string alignment_table(const TextAlignment& a, bool color) {
  std::vector<std::string> lefts;
  std::size_t width = 7;
  for (const text::AlignedGroup& g : a.groups) {
    lefts.push_back(joined_pieces(a.student, g.student_begin, g.student_end));
    width = std::max(width, text::count_code_points(lefts.back()));
  }
  std::string out = fmt::format("{:<{}}  {:<9}  teacher\n", "student", width, "bytes");
  for (std::size_t i = 0; i < lefts.size(); ++i) {
    const text::AlignedGroup& g = a.groups[i];
    const char* on = !color ? "" : is_one_to_one(g) ? "\033[32m" : "\033[33m";
    const char* off = color ? "\033[0m" : "";
    const auto begin = a.student.spans[static_cast<std::size_t>(g.student_begin)].begin;
    const auto end = a.student.spans[static_cast<std::size_t>(g.student_end) - 1].end;
    const std::string padding(width - text::count_code_points(lefts[i]), ' ');
    out += fmt::format("{}{}{}{}  {:<9}  {}{}{}\n", on, lefts[i], off, padding,
                       fmt::format("{}-{}", begin, end), on,
                       joined_pieces(a.teacher, g.teacher_begin, g.teacher_end), off);
  }
  return out;
}

std::string summary_lines(const text::AlignmentSummary& s, const text::VocabularyOverlap& overlap) {
  const auto share = [](std::int64_t a, std::int64_t b) {
    return b == 0 ? 0.0 : static_cast<double>(a) / static_cast<double>(b);
  };
  return fmt::format(
      "{} texts, {} bytes\n"
      "student {} tokens ({:.2f} bytes each), teacher {} tokens ({:.2f} bytes each)\n"
      "{} groups, {:.1f} % of one token on both sides, the longest has {} tokens\n"
      "vocabularies: student {}, teacher {}; {} byte strings in both ({:.1f} % of the student's), "
      "{} token strings in both ({:.1f} %)\n",
      s.texts, s.bytes, s.student_tokens, share(s.bytes, s.student_tokens), s.teacher_tokens,
      share(s.bytes, s.teacher_tokens), s.groups, 100 * s.one_to_one_share(), s.longest_group,
      overlap.student_tokens, overlap.teacher_tokens, overlap.same_bytes,
      100 * share(overlap.same_bytes, overlap.student_tokens), overlap.same_strings,
      100 * share(overlap.same_strings, overlap.student_tokens));
}

void AlignmentPage::add(const TextAlignment& a) {
  body_ += fmt::format("<h2>{}</h2>\n<table><tr><th>student</th><th>teacher</th></tr>\n",
                       report::escape_html(title_of(a.text)));
  for (const text::AlignedGroup& g : a.groups) {
    body_ += fmt::format("<tr class=\"{}\">{}{}</tr>\n", is_one_to_one(g) ? "one" : "many",
                         html_cell(a.student, g.student_begin, g.student_end),
                         html_cell(a.teacher, g.teacher_begin, g.teacher_end));
  }
  body_ += "</table>\n";
}

void AlignmentPage::write(const std::string& path, const std::string& summary) const {
  write_file(path,
             "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Token alignment"
             "</title><style>body{font:14px system-ui;margin:2em}h2{font-size:1em}td,th{padding:"
             "2px 8px;text-align:left;font-family:monospace}span{border:1px solid #999;"
             "border-radius:3px;padding:0 3px;margin-right:3px}.one span{background:#dfd}"
             ".many span{background:#fe9}</style>\n<h1>Token alignment</h1>\n<pre>" +
                 report::escape_html(summary) + "</pre>\n" + body_ + "</html>\n");
}

}  // namespace aurum::cli
