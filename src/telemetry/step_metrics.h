#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace aurum::telemetry {

// One logged step of training (or, with `is_evaluation`, one evaluation). Losses are means over the
// steps since the last log. Absent optionals are left out of the JSONL. Key names in the file are
// the member names; evaluation keys get the prefix eval_.
struct StepMetrics {
  bool is_evaluation = false;
  std::int64_t step = 0;
  double epoch = 0.0;
  std::optional<double> loss, on_policy_loss, off_policy_loss, matched_loss, unmatched_loss;
  std::optional<double> cross_entropy, grad_norm, learning_rate;
  std::int64_t num_input_tokens_seen = 0;
  std::optional<double> completion_length_mean, completion_cut_off_share, multi_token_group_share;
  std::map<std::string, double> seconds;  // rollout, teacher, student, loss, optimizer, total
  std::optional<double> tokens_per_second;
  std::int64_t peak_memory_bytes = 0;
};

nlohmann::ordered_json to_json(const StepMetrics& metrics);
StepMetrics parse_step_metrics(const nlohmann::ordered_json& json);

// A sampled completion, kept in completions.jsonl.
struct CompletionSample {
  std::int64_t step = 0;
  std::string phase;  // "before", "train", "after"
  std::string prompt, completion;
  std::string finish_reason;
};

nlohmann::ordered_json to_json(const CompletionSample& sample);
CompletionSample parse_completion_sample(const nlohmann::ordered_json& json);

// Appends whole lines to a JSONL file; each append reaches the kernel before it returns. On resume,
// keep_lines_up_to_step drops what a killed run logged past its checkpoint.
class JsonlWriter {
 public:
  explicit JsonlWriter(std::string path);
  ~JsonlWriter();
  JsonlWriter(const JsonlWriter&) = delete;
  JsonlWriter& operator=(const JsonlWriter&) = delete;
  void append(const nlohmann::ordered_json& line);

 private:
  std::string path_;
  int descriptor_ = -1;
};

void keep_lines_up_to_step(const std::string& path, std::int64_t step);
// Bad lines (a torn last one) are skipped; `num_bad_lines` counts them.
std::vector<nlohmann::ordered_json> read_jsonl(const std::string& path,
                                               std::int64_t* num_bad_lines);

}  // namespace aurum::telemetry
