#include "train/trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <sys/resource.h>

#include "base/error.h"
#include "base/log.h"
#include "base/random_stream.h"

namespace aurum::train {

namespace {

constexpr std::int64_t kNumSamples = 4;

// Adds the seconds of its life to a named total.
class PhaseTimer {
 public:
  PhaseTimer(std::map<std::string, double>& seconds, const char* phase)
      : seconds_(seconds), phase_(phase), start_(Clock::now()) {}
  ~PhaseTimer() {
    seconds_[phase_] += std::chrono::duration<double>(Clock::now() - start_).count();
  }
  PhaseTimer(const PhaseTimer&) = delete;
  PhaseTimer& operator=(const PhaseTimer&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  std::map<std::string, double>& seconds_;
  const char* phase_;
  Clock::time_point start_;
};

std::int64_t peak_memory_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::int64_t>(usage.ru_maxrss) * 1024;
}

template <typename Side>
model::PackedBatch pack(const std::vector<loss::Row>& rows, Side side) {
  model::PackedBatch batch;
  for (const loss::Row& row : rows) batch.add_row(std::invoke(side, row).ids);
  return batch;
}

// Cuts `all` into consecutive pieces of at most `size`.
template <typename T>
std::vector<std::vector<T>> in_pieces(const std::vector<T>& all, std::int64_t size) {
  std::vector<std::vector<T>> pieces;
  for (std::size_t begin = 0; begin < all.size(); begin += static_cast<std::size_t>(size)) {
    const std::size_t end = std::min(all.size(), begin + static_cast<std::size_t>(size));
    pieces.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(begin),
                        all.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return pieces;
}

}  // namespace

struct Trainer::MicroBatch {
  bool on_policy = false;
  std::vector<const data::Example*> examples;
  std::vector<std::vector<std::int32_t>> prompts;  // on-policy only
  std::vector<rollout::Rollout> rollouts;          // on-policy only
  std::vector<loss::Row> rows;
};

// Sums over one window.
struct Trainer::Totals {
  std::map<std::string, double> seconds;
  loss::LossTerms terms;
  double on_policy_loss = 0.0, off_policy_loss = 0.0;
  std::int64_t on_policy_rows = 0, off_policy_rows = 0;
  std::int64_t tokens = 0, completion_tokens = 0, cut_off = 0, rollouts = 0;
};

Trainer::Trainer(TrainerConfig config, TrainerParts parts, TrainerEvents events)
    : config_(std::move(config)),
      parts_(parts),
      events_(std::move(events)),
      optimizer_(parts.student.parameters(), config_.adamw) {}

std::int64_t Trainer::steps_per_epoch() const {
  const std::int64_t rows = config_.batch_size * config_.accumulation_steps;
  const auto examples = static_cast<std::int64_t>(parts_.train_examples.size());
  return std::max<std::int64_t>(1, examples / rows);
}

void Trainer::run(Progress progress) {
  progress_ = progress;
  if (progress.num_steps == 0) {
    sample_completions("before", 0);
    if (config_.eval_steps > 0) events_.on_metrics(evaluate(0));
  }
  for (std::int64_t done = progress.num_steps; done < config_.max_steps;) {
    telemetry::StepMetrics metrics = step(done);
    ++done;
    const bool last = done == config_.max_steps;
    if (last || done % config_.logging_steps == 0) events_.on_metrics(metrics);
    if (config_.eval_steps > 0 && (last || done % config_.eval_steps == 0)) {
      events_.on_metrics(evaluate(done));
    }
    if (config_.save_steps > 0 && (last || done % config_.save_steps == 0)) {
      events_.on_checkpoint(progress_);
    }
    if (events_.should_stop && events_.should_stop()) throw Interrupted("stopped after this step");
  }
  sample_completions("after", config_.max_steps);
}

telemetry::StepMetrics Trainer::step(std::int64_t step_index) {
  Totals totals;
  telemetry::StepMetrics metrics;
  {
    const PhaseTimer timer(totals.seconds, "total");
    std::vector<MicroBatch> window = choose_examples(step_index);
    roll_out(window, step_index, totals);
    build_rows(window);
    std::vector<loss::Row> all_rows;
    for (const MicroBatch& batch : window) {
      all_rows.insert(all_rows.end(), batch.rows.begin(), batch.rows.end());
    }
    const loss::WindowCounts counts = loss::count_window(all_rows, config_.loss);
    for (MicroBatch& batch : window) train_on(batch, counts, totals);

    const PhaseTimer optimizer_timer(totals.seconds, "optimizer");
    const double norm = optimizer_.gradient_norm();
    if (!std::isfinite(norm) || !std::isfinite(totals.terms.loss)) {
      throw InputError(fmt::format(
          "step {}: the loss is {} and the gradient norm {}; lower training.learning_rate or look "
          "at the rows of this step",
          step_index + 1, totals.terms.loss, norm));
    }
    const double limit = config_.max_grad_norm;
    const double rate = config_.schedule.at(step_index);
    optimizer_.step(rate, limit > 0 && norm > limit ? limit / (norm + 1e-6) : 1.0);
    parts_.rollouts.sync_weights();
    metrics.grad_norm = norm;
    metrics.learning_rate = rate;
  }
  progress_ = {.num_steps = step_index + 1,
               .num_input_tokens_seen = progress_.num_input_tokens_seen + totals.tokens};
  metrics.step = step_index + 1;
  metrics.epoch = static_cast<double>(step_index + 1) / static_cast<double>(steps_per_epoch());
  metrics.loss = totals.terms.loss;
  const double rows = static_cast<double>(totals.on_policy_rows + totals.off_policy_rows);
  if (totals.on_policy_rows > 0) {
    metrics.on_policy_loss =
        totals.on_policy_loss * rows / static_cast<double>(totals.on_policy_rows);
    metrics.completion_length_mean =
        static_cast<double>(totals.completion_tokens) / static_cast<double>(totals.rollouts);
    metrics.completion_cut_off_share =
        static_cast<double>(totals.cut_off) / static_cast<double>(totals.rollouts);
  }
  if (totals.off_policy_rows > 0) {
    metrics.off_policy_loss =
        totals.off_policy_loss * rows / static_cast<double>(totals.off_policy_rows);
  }
  if (config_.loss.hybrid) {
    metrics.matched_loss = totals.terms.matched;
    metrics.unmatched_loss = totals.terms.unmatched;
  }
  if (config_.loss.crossentropy_weight > 0) metrics.cross_entropy = totals.terms.cross_entropy;
  metrics.num_input_tokens_seen = progress_.num_input_tokens_seen;
  metrics.seconds = totals.seconds;
  metrics.tokens_per_second = static_cast<double>(totals.tokens) / totals.seconds["total"];
  metrics.peak_memory_bytes = peak_memory_bytes();
  return metrics;
}

std::size_t Trainer::example_index(std::int64_t position) const {
  const auto size = static_cast<std::int64_t>(parts_.train_examples.size());
  const std::int64_t epoch = position / size;
  if (epoch != shuffled_epoch_) {
    order_.resize(static_cast<std::size_t>(size));
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    RandomStream stream(config_.data_seed, "shuffle", static_cast<std::uint64_t>(epoch));
    for (std::size_t i = order_.size(); i > 1; --i)
      std::swap(order_[i - 1], order_[stream.uniform_below(i)]);
    shuffled_epoch_ = epoch;
  }
  return order_[static_cast<std::size_t>(position % size)];
}

std::vector<Trainer::MicroBatch> Trainer::choose_examples(std::int64_t step_index) const {
  RandomStream policy(config_.seed, "on_policy", static_cast<std::uint64_t>(step_index));
  std::vector<MicroBatch> window(static_cast<std::size_t>(config_.accumulation_steps));
  std::int64_t position = step_index * config_.batch_size * config_.accumulation_steps;
  for (MicroBatch& batch : window) {
    batch.on_policy = policy.uniform() < config_.lmbda;
    for (std::int64_t i = 0; i < config_.batch_size; ++i) {
      batch.examples.push_back(&parts_.train_examples[example_index(position++)]);
    }
  }
  return window;
}

void Trainer::roll_out(std::vector<MicroBatch>& window, std::int64_t step_index, Totals& totals) {
  const PhaseTimer timer(totals.seconds, "rollout");
  std::vector<rollout::RolloutRequest> requests;
  auto stream =
      static_cast<std::uint64_t>(step_index * config_.batch_size * config_.accumulation_steps);
  for (MicroBatch& batch : window) {
    for (const data::Example* example : batch.examples) {
      const std::uint64_t index = stream++;
      if (!batch.on_policy) continue;
      batch.prompts.push_back(parts_.rows.rollout_prompt(*example));
      requests.push_back({.prompt_ids = batch.prompts.back(),
                          .sampling = config_.sampling,
                          .seed = config_.seed,
                          .stream_index = index});
    }
  }
  if (requests.empty()) return;
  std::vector<rollout::Rollout> answers = parts_.rollouts.generate(requests);
  std::size_t next = 0;
  for (MicroBatch& batch : window) {
    for (std::size_t i = 0; i < batch.prompts.size(); ++i, ++next) {
      totals.completion_tokens += static_cast<std::int64_t>(answers[next].completion_ids.size());
      totals.cut_off += answers[next].finish_reason == rollout::FinishReason::kLength ? 1 : 0;
      ++totals.rollouts;
      batch.rollouts.push_back(std::move(answers[next]));
    }
  }
}

void Trainer::build_rows(std::vector<MicroBatch>& window) {
  for (MicroBatch& batch : window) {
    for (std::size_t i = 0; i < batch.examples.size(); ++i) {
      const data::Example& example = *batch.examples[i];
      if (batch.on_policy) {
        batch.rows.push_back(
            parts_.rows.from_rollout(example, batch.prompts[i], batch.rollouts[i]));
      } else if (auto row = parts_.rows.from_answer(example)) {
        batch.rows.push_back(std::move(*row));
      }
    }
  }
}

loss::LossResult Trainer::compute_loss(const std::vector<loss::Row>& rows, const at::Tensor& hidden,
                                       const loss::WindowCounts& counts, bool want_gradients,
                                       Totals& totals) {
  at::Tensor teacher_hidden;
  {
    const PhaseTimer timer(totals.seconds, "teacher");
    const c10::NoGradGuard no_grad;
    teacher_hidden = parts_.teacher.hidden_states(pack(rows, &loss::Row::teacher));
  }
  const PhaseTimer timer(totals.seconds, "loss");
  const c10::NoGradGuard no_grad;
  const loss::HeadInput student{.hidden = hidden.detach(),
                                .weight = parts_.student.head_weight().detach(),
                                .vocab = parts_.student.config().vocab_size,
                                .logit_softcap = parts_.student.config().final_logit_softcap};
  model::CausalLm& teacher_model = parts_.teacher;
  const loss::HeadInput teacher{.hidden = teacher_hidden,
                                .weight_rows =
                                    [&teacher_model](std::int64_t begin, std::int64_t end) {
                                      return teacher_model.head_rows(begin, end);
                                    },
                                .vocab = teacher_model.config().vocab_size,
                                .logit_softcap = teacher_model.config().final_logit_softcap};
  return loss::fused_loss(rows, student, teacher, parts_.vocabulary, counts, config_.loss,
                          config_.groups_per_chunk, want_gradients);
}

void Trainer::train_on(MicroBatch& batch, const loss::WindowCounts& counts, Totals& totals) {
  if (batch.rows.empty()) return;
  at::Tensor hidden;
  {
    const PhaseTimer timer(totals.seconds, "student");
    hidden = parts_.student.hidden_states(pack(batch.rows, &loss::Row::student));
  }
  totals.tokens += hidden.size(0);
  const loss::LossResult result = compute_loss(batch.rows, hidden, counts, true, totals);
  {
    const PhaseTimer timer(totals.seconds, "student");
    hidden.backward(result.gradients.student_hidden.to(hidden.scalar_type()));
    optimizer_.accumulate_gradients();
    optimizer_.accumulate_gradient(parts_.student.head_weight(), result.gradients.student_weight);
  }
  totals.terms.loss += result.terms.loss;
  totals.terms.cross_entropy += result.terms.cross_entropy;
  totals.terms.matched += result.terms.matched;
  totals.terms.unmatched += result.terms.unmatched;
  const auto rows = static_cast<std::int64_t>(batch.rows.size());
  (batch.on_policy ? totals.on_policy_loss : totals.off_policy_loss) += result.terms.loss;
  (batch.on_policy ? totals.on_policy_rows : totals.off_policy_rows) += rows;
}

telemetry::StepMetrics Trainer::evaluate(std::int64_t step_index) {
  const c10::NoGradGuard no_grad;
  std::vector<loss::Row> rows;
  for (const data::Example& example : parts_.eval_examples) {
    if (auto row = parts_.rows.from_answer(example)) rows.push_back(std::move(*row));
  }
  if (rows.empty()) throw InputError("data.validation: every row is empty after truncation");
  const loss::WindowCounts counts = loss::count_window(rows, config_.loss);
  Totals totals;
  {
    const PhaseTimer timer(totals.seconds, "total");
    for (const auto& piece : in_pieces(rows, config_.eval_batch_size)) {
      const at::Tensor hidden = parts_.student.hidden_states(pack(piece, &loss::Row::student));
      const loss::LossResult result = compute_loss(piece, hidden, counts, false, totals);
      totals.terms.loss += result.terms.loss;
      totals.terms.matched += result.terms.matched;
      totals.terms.unmatched += result.terms.unmatched;
    }
  }
  telemetry::StepMetrics metrics;
  metrics.is_evaluation = true;
  metrics.step = step_index;
  metrics.epoch = static_cast<double>(step_index) / static_cast<double>(steps_per_epoch());
  metrics.loss = totals.terms.loss;
  if (config_.loss.hybrid) {
    metrics.matched_loss = totals.terms.matched;
    metrics.unmatched_loss = totals.terms.unmatched;
  }
  metrics.num_input_tokens_seen = progress_.num_input_tokens_seen;
  metrics.seconds = totals.seconds;
  metrics.peak_memory_bytes = peak_memory_bytes();
  return metrics;
}

void Trainer::sample_completions(const std::string& phase, std::int64_t step_index) {
  if (!events_.on_completion) return;
  const auto& examples =
      parts_.eval_examples.empty() ? parts_.train_examples : parts_.eval_examples;
  std::vector<rollout::RolloutRequest> requests;
  rollout::SamplingParams greedy = config_.sampling;
  greedy.temperature = 0.0;
  for (std::size_t i = 0; i < std::min<std::size_t>(kNumSamples, examples.size()); ++i) {
    requests.push_back({.prompt_ids = parts_.rows.rollout_prompt(examples[i]), .sampling = greedy});
  }
  const std::vector<rollout::Rollout> answers = parts_.rollouts.generate(requests);
  const text::Tokenizer& tokenizer = *parts_.rows.student().tokenizer;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const bool ended = answers[i].finish_reason == rollout::FinishReason::kEndOfTurn;
    events_.on_completion({.step = step_index,
                           .phase = phase,
                           .prompt = tokenizer.decode(requests[i].prompt_ids, true),
                           .completion = tokenizer.decode(answers[i].completion_ids, true),
                           .finish_reason = ended ? "eos" : "length"});
  }
}

}  // namespace aurum::train
