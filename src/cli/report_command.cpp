// aurum report: one page about a run.

#include <cstdio>
#include <memory>
#include <string>

#include <fmt/format.h>

#include "base/error.h"
#include "base/files.h"
#include "cli/command.h"
#include "report/html_report.h"

namespace aurum::cli {

namespace {

struct ReportOptions {
  std::string run;
  std::string output = "-";
};

void write_report(const ReportOptions& options) {
  const std::string page = report::render_html_report(options.run);
  if (options.output != "-") {
    write_file(options.output, page);
    fmt::print(stderr, "wrote {}\n", options.output);
    return;
  }
  if (std::fwrite(page.data(), 1, page.size(), stdout) != page.size() || std::fflush(stdout) != 0) {
    throw_errno("standard output", "cannot write the page", "Is the disk full?");
  }
}

}  // namespace

void add_report_command(CLI::App& app) {
  auto* command = app.add_subcommand("report", "Make one self-contained HTML page about a run");
  command->footer("Example: aurum report output/demo --output report.html");
  auto options = std::make_shared<ReportOptions>();
  command->add_option("run", options->run, "Run folder, finished or not")->required();
  command->add_option("--output", options->output, "File to write; - is standard output");
  command->callback([options] { write_report(*options); });
}

}  // namespace aurum::cli
