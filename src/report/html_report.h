#pragma once

#include <filesystem>
#include <string>

namespace aurum::report {

// One self-contained page about a run, finished or not: curves, sampled completions before and
// after, the effective configuration. Nothing is loaded from outside and nothing in the run's files
// can become markup. Throws InputError when the folder is missing or holds no run; files that a
// young run does not have yet leave their part of the page out.
std::string render_html_report(const std::filesystem::path& run_folder);

}  // namespace aurum::report
