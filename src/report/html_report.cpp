#include "report/html_report.h"

#include <algorithm>
#include <map>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "base/error.h"
#include "base/files.h"
#include "report/svg_chart.h"
#include "telemetry/run_files.h"
#include "telemetry/step_metrics.h"

namespace aurum::report {

namespace {

namespace fs = std::filesystem;
using telemetry::CompletionSample;
using telemetry::kCompletionsFile;
using telemetry::kConfigFile;
using telemetry::kMetricsFile;
using telemetry::kStateFile;
using telemetry::StepMetrics;
using Json = nlohmann::ordered_json;

constexpr std::size_t kMaxTrainSamples = 30;

constexpr const char* kStyle = R"css(
:root{color-scheme:light dark;--bg:#fbfbfa;--fg:#1d2125;--dim:#5c6670;--card:#fff;--line:#dfe3e6;
--c0:#2563a8;--c1:#c2571a;--c2:#2a8558;--c3:#a32f6b;--c4:#7a5bc0;--c5:#8a7417;--c6:#64748b}
@media(prefers-color-scheme:dark){:root{--bg:#14171a;--fg:#e4e7ea;--dim:#98a2ac;--card:#1c2024;
--line:#343a40;--c0:#6aa9ea;--c1:#f09a5f;--c2:#63c596;--c3:#e57fb3;--c4:#b29df0;--c5:#d6bf57;
--c6:#9aa9bb}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1120px;padding:24px;background:var(--bg);color:var(--fg);
font:15px/1.5 system-ui,sans-serif}
h1{font-size:22px;margin:0}h2{font-size:17px;margin:32px 0 10px}p{margin:4px 0;color:var(--dim)}
.tiles,.charts{display:grid;gap:12px;grid-template-columns:repeat(auto-fit,minmax(150px,1fr))}
.charts{grid-template-columns:repeat(auto-fit,minmax(min(460px,100%),1fr))}
.tile,figure,.sample{margin:0;background:var(--card);border:1px solid var(--line);
border-radius:8px;padding:12px;min-width:0}
.tile b{display:block;font-size:19px}.tile span,.legend,.label{color:var(--dim);font-size:13px}
figcaption{font-weight:600}.key{margin-right:12px;white-space:nowrap}
.key i{display:inline-block;width:10px;height:10px;border-radius:2px;margin-right:5px;
background:currentColor}
svg{display:block;width:100%;height:auto}svg text{fill:var(--dim);font-size:12px}
.grid{stroke:var(--line)}.curve{fill:none;stroke:currentColor;stroke-width:1.8}
circle,.area{fill:currentColor}
.s0{color:var(--c0)}.s1{color:var(--c1)}.s2{color:var(--c2)}.s3{color:var(--c3)}
.s4{color:var(--c4)}.s5{color:var(--c5)}.s6{color:var(--c6)}
.sample{margin-bottom:12px}.pair{display:grid;gap:12px;
grid-template-columns:repeat(auto-fit,minmax(min(320px,100%),1fr))}.pair>div{min-width:0}
pre{margin:4px 0;padding:10px;background:var(--bg);border:1px solid var(--line);border-radius:6px;
white-space:pre-wrap;overflow-wrap:anywhere;font:13px/1.45 ui-monospace,monospace}
summary{cursor:pointer}
)css";

struct Run {
  std::string name;
  std::vector<StepMetrics> steps, evaluations;
  std::vector<CompletionSample> samples;
  std::optional<std::string> config;
  Json state;
  std::int64_t num_bad_lines = 0;
};

// The metrics of a resumed run come in order because resuming drops what lies past the checkpoint.
void read_metrics(const fs::path& path, Run& run) {
  if (!fs::exists(path)) return;
  for (const Json& line : telemetry::read_jsonl(path.string(), &run.num_bad_lines)) {
    StepMetrics metrics = telemetry::parse_step_metrics(line);
    (metrics.is_evaluation ? run.evaluations : run.steps).push_back(std::move(metrics));
  }
}

void read_samples(const fs::path& path, Run& run) {
  if (!fs::exists(path)) return;
  std::int64_t bad = 0;
  for (const Json& line : telemetry::read_jsonl(path.string(), &bad)) {
    const auto step = line.find("step");
    if (step != line.end() && !step->is_number()) {
      ++bad;
      continue;
    }
    run.samples.push_back(telemetry::parse_completion_sample(line));
  }
  run.num_bad_lines += bad;
}

Run read_run(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw InputError(folder.string() + ": no such run folder; give the output_dir of a run");
  }
  if (!fs::exists(folder / kMetricsFile) && !fs::exists(folder / kConfigFile)) {
    throw InputError(
        fmt::format("{}: holds no run: neither {} nor {} is in it; give the output_dir of a run",
                    folder.string(), kMetricsFile, kConfigFile));
  }
  Run run;
  run.name = fs::weakly_canonical(folder).filename().string();
  read_metrics(folder / kMetricsFile, run);
  read_samples(folder / kCompletionsFile, run);
  run.config = read_file_if_present(folder / kConfigFile);
  if (const auto text = read_file_if_present(folder / kStateFile)) {
    run.state = Json::parse(*text, nullptr, false);
  }
  return run;
}

std::optional<std::int64_t> state_number(const Run& run, const char* key) {
  if (!run.state.is_object()) return std::nullopt;
  const auto found = run.state.find(key);
  if (found == run.state.end() || !found->is_number()) return std::nullopt;
  return found->get<std::int64_t>();
}

// --- series ---

using Value = std::optional<double> StepMetrics::*;

Series series_of(std::string name, const std::vector<StepMetrics>& metrics, Value value) {
  Series series{.name = std::move(name), .points = {}};
  for (const StepMetrics& one : metrics) {
    // A step without the number (no on-policy rows in it) is skipped; the line runs on.
    if (one.*value) series.points.push_back({static_cast<double>(one.step), *(one.*value)});
  }
  return series;
}

double seconds_of(const StepMetrics& metrics, const std::string& phase) {
  const auto found = metrics.seconds.find(phase);
  return found == metrics.seconds.end() ? 0.0 : found->second;
}

std::vector<Series> phase_series(const std::vector<StepMetrics>& steps) {
  const std::vector<std::string> phases = {"rollout", "teacher", "student", "loss", "optimizer"};
  std::vector<Series> all;
  for (const std::string& phase : phases) all.push_back({.name = phase, .points = {}});
  Series other{.name = "other", .points = {}};
  for (const StepMetrics& metrics : steps) {
    const auto step = static_cast<double>(metrics.step);
    double rest = seconds_of(metrics, "total");
    for (std::size_t i = 0; i < phases.size(); ++i) {
      const double seconds = seconds_of(metrics, phases[i]);
      all[i].points.push_back({step, seconds});
      rest -= seconds;
    }
    other.points.push_back({step, std::max(rest, 0.0)});
  }
  all.push_back(std::move(other));
  return all;
}

// --- parts of the page ---

std::string tile(std::string_view label, const std::string& value) {
  return fmt::format("<div class=\"tile\"><span>{}</span><b>{}</b></div>", label,
                     escape_html(value));
}

std::string first_to_last(const Series& series) {
  if (series.points.size() < 2) return short_number(series.points.front().y);
  return fmt::format("{} \u2192 {}", short_number(series.points.front().y),
                     short_number(series.points.back().y));
}

std::string render_tiles(const Run& run) {
  std::string tiles;
  if (!run.steps.empty()) {
    const StepMetrics& last = run.steps.back();
    const auto max_steps = state_number(run, "max_steps");
    tiles += tile("steps", max_steps ? fmt::format("{} of {}", last.step, *max_steps)
                                     : std::to_string(last.step));
    tiles += tile("epochs", fmt::format("{:.2f}", last.epoch));
    tiles += tile("tokens seen", short_number(static_cast<double>(last.num_input_tokens_seen)));
    std::int64_t peak = 0;
    for (const StepMetrics& metrics : run.steps) peak = std::max(peak, metrics.peak_memory_bytes);
    if (peak > 0) {
      tiles += tile("peak memory", fmt::format("{:.2f} GB", static_cast<double>(peak) / 1e9));
    }
  }
  const Series train = series_of("", run.steps, &StepMetrics::loss);
  const Series held_out = series_of("", run.evaluations, &StepMetrics::loss);
  if (!train.points.empty()) tiles += tile("train loss", first_to_last(train));
  if (!held_out.points.empty()) tiles += tile("held-out loss", first_to_last(held_out));
  return tiles.empty() ? "<p>No step has been logged yet.</p>\n"
                       : "<div class=\"tiles\">" + tiles + "</div>\n";
}

std::string render_charts(const Run& run) {
  const auto& steps = run.steps;
  std::string charts;
  charts += render_line_chart({.title = "Loss", .y_label = "loss"},
                              {series_of("train", steps, &StepMetrics::loss),
                               series_of("on-policy", steps, &StepMetrics::on_policy_loss),
                               series_of("off-policy", steps, &StepMetrics::off_policy_loss),
                               series_of("held-out", run.evaluations, &StepMetrics::loss)});
  charts += render_line_chart({.title = "Parts of the loss", .y_label = "loss"},
                              {series_of("matched", steps, &StepMetrics::matched_loss),
                               series_of("unmatched", steps, &StepMetrics::unmatched_loss),
                               series_of("cross-entropy", steps, &StepMetrics::cross_entropy)});
  charts += render_line_chart(
      {.title = "Throughput", .y_label = "tokens per second", .y_from_zero = true},
      {series_of("tokens per second", steps, &StepMetrics::tokens_per_second)});
  charts += render_stacked_chart({.title = "Where the time goes", .y_label = "seconds"},
                                 phase_series(steps));
  charts += render_line_chart(
      {.title = "Alignment and cut-off", .y_label = "share", .y_from_zero = true},
      {series_of("multi-token groups", steps, &StepMetrics::multi_token_group_share),
       series_of("completions cut off", steps, &StepMetrics::completion_cut_off_share)});
  charts +=
      render_line_chart({.title = "Completion length", .y_label = "tokens", .y_from_zero = true},
                        {series_of("mean length", steps, &StepMetrics::completion_length_mean)});
  charts += render_line_chart({.title = "Gradient norm", .y_label = "norm", .y_from_zero = true},
                              {series_of("gradient norm", steps, &StepMetrics::grad_norm)});
  charts += render_line_chart({.title = "Learning rate", .y_label = "rate", .y_from_zero = true},
                              {series_of("learning rate", steps, &StepMetrics::learning_rate)});
  if (charts.empty()) return "";
  return "<h2>Curves</h2>\n<div class=\"charts\">" + charts + "</div>\n";
}

std::string render_completion(std::string_view label, const CompletionSample* sample) {
  if (sample == nullptr) {
    return fmt::format("<div><span class=\"label\">{}</span><p>Not sampled yet.</p></div>", label);
  }
  return fmt::format("<div><span class=\"label\">{}, step {}{}</span><pre>{}</pre></div>", label,
                     sample->step, sample->finish_reason == "length" ? ", cut off" : "",
                     escape_html(sample->completion));
}

// The same prompt's completions of before and after, next to each other, in the order sampled.
std::string render_before_and_after(const std::vector<CompletionSample>& samples) {
  struct Pair {
    const CompletionSample* before = nullptr;
    const CompletionSample* after = nullptr;
  };
  std::vector<std::string> prompts;
  std::map<std::string, Pair> pairs;
  for (const CompletionSample& sample : samples) {
    if (sample.phase != "before" && sample.phase != "after") continue;
    const auto [found, is_new] = pairs.try_emplace(sample.prompt);
    if (is_new) prompts.push_back(sample.prompt);
    (sample.phase == "before" ? found->second.before : found->second.after) = &sample;
  }
  if (prompts.empty()) return "";
  std::string html = "<h2>Completions before and after</h2>\n";
  for (const std::string& prompt : prompts) {
    const Pair& pair = pairs[prompt];
    html += fmt::format(
        "<div class=\"sample\"><span class=\"label\">prompt</span><pre>{}</pre>"
        "<div class=\"pair\">{}{}</div></div>\n",
        escape_html(prompt), render_completion("before", pair.before),
        render_completion("after", pair.after));
  }
  return html;
}

std::string render_train_samples(const std::vector<CompletionSample>& samples) {
  std::vector<const CompletionSample*> train;
  for (const CompletionSample& sample : samples) {
    if (sample.phase == "train") train.push_back(&sample);
  }
  if (train.empty()) return "";
  const std::size_t first = train.size() > kMaxTrainSamples ? train.size() - kMaxTrainSamples : 0;
  std::string html = fmt::format(
      "<h2>Completions while training</h2>\n<details><summary>The last {} of {}</summary>\n",
      train.size() - first, train.size());
  for (std::size_t i = first; i < train.size(); ++i) {
    html += fmt::format(
        "<div class=\"sample\"><span class=\"label\">prompt</span><pre>{}</pre>{}"
        "</div>\n",
        escape_html(train[i]->prompt), render_completion("sampled", train[i]));
  }
  return html + "</details>\n";
}

std::string render_header(const Run& run) {
  // trainer_state.json at the top comes with the final model.
  const bool is_finished = run.state.is_object();
  std::string html = fmt::format("<h1>{}</h1>\n<p>{}</p>\n", escape_html(run.name),
                                 is_finished ? "Finished run." : "Run in progress or stopped.");
  if (run.num_bad_lines > 0) {
    html +=
        fmt::format("<p>{} unreadable line(s) in the logs were left out.</p>\n", run.num_bad_lines);
  }
  return html;
}

}  // namespace

std::string render_html_report(const fs::path& run_folder) {
  const Run run = read_run(run_folder);
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<title>{} - aurum report</title>\n<style>{}</style>\n</head>\n<body>\n",
      escape_html(run.name), kStyle);
  html += render_header(run) + render_tiles(run) + render_charts(run);
  html += render_before_and_after(run.samples) + render_train_samples(run.samples);
  if (run.config) {
    html += fmt::format(
        "<h2>Configuration</h2>\n<details><summary>{}</summary><pre>{}</pre>"
        "</details>\n",
        kConfigFile, escape_html(*run.config));
  }
  return html + "</body>\n</html>\n";
}

}  // namespace aurum::report
