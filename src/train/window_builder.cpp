#include "train/window_builder.h"

#include <numeric>
#include <utility>

#include "base/random_stream.h"
#include "loss/row_groups.h"

namespace aurum::train {

namespace {

// Random streams of the teacher's answers, apart from those of rollouts.
constexpr std::uint64_t kTeacherStreams = std::uint64_t{1} << 63;

// How many aligned groups the rows have, and how many of them hold more than one token on a side.
void count_groups(const std::vector<loss::Row>& rows, const loss::LossConfig& config,
                  StepTotals& totals) {
  for (const loss::Row& row : rows) {
    for (const loss::Group& group : loss::groups_of_row(row, config)) {
      ++totals.groups;
      const bool is_multi = !group.student.factors.empty() || !group.teacher.factors.empty();
      totals.multi_token_groups += is_multi ? 1 : 0;
    }
  }
}

}  // namespace

std::size_t ExampleOrder::at(std::int64_t position) {
  const auto size = static_cast<std::int64_t>(order_.size());
  const std::int64_t epoch = position / size;
  if (epoch != shuffled_epoch_) {
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    RandomStream stream(seed_, "shuffle", static_cast<std::uint64_t>(epoch));
    for (std::size_t i = order_.size(); i > 1; --i)
      std::swap(order_[i - 1], order_[stream.uniform_below(i)]);
    shuffled_epoch_ = epoch;
  }
  return order_[static_cast<std::size_t>(position % size)];
}

WindowBuilder::WindowBuilder(const TrainerConfig& config, const TrainerParts& parts)
    : config_(config),
      sequence_loss_(config.loss),
      parts_(parts),
      order_(parts.train_examples.size(), config.data_seed) {
  sequence_loss_.sequence_level = true;
}

std::vector<MicroBatch> WindowBuilder::choose_examples(std::int64_t step_index) {
  RandomStream policy(config_.seed, "on_policy", static_cast<std::uint64_t>(step_index));
  std::vector<MicroBatch> window(static_cast<std::size_t>(config_.accumulation_steps));
  std::int64_t row = step_index * config_.rows_per_step();
  auto index = static_cast<std::uint64_t>(step_index * config_.accumulation_steps);
  for (MicroBatch& batch : window) {
    batch.index = index++;
    batch.on_policy = policy.uniform() < config_.lmbda;
    batch.loss_config = config_.seq_kd && !batch.on_policy ? &sequence_loss_ : &config_.loss;
    for (std::int64_t i = 0; i < config_.batch_size; ++i) {
      const std::int64_t position = row++ / config_.num_generations;
      batch.examples.push_back(&parts_.train_examples[order_.at(position)]);
    }
  }
  return window;
}

void WindowBuilder::roll_out(std::vector<MicroBatch>& window, std::int64_t step_index,
                             StepTotals& totals) const {
  const PhaseTimer timer(totals, "rollout");
  std::vector<rollout::RolloutRequest> student_requests, teacher_requests;
  auto stream = static_cast<std::uint64_t>(step_index * config_.rows_per_step());
  for (MicroBatch& batch : window) {
    for (std::size_t i = 0; i < batch.examples.size(); ++i, ++stream) {
      if (!batch.on_policy && !config_.seq_kd) continue;
      rollout::RolloutRequest request = request_of(batch, i, stream);
      batch.prompts.push_back(request.prompt_ids);
      (batch.on_policy ? student_requests : teacher_requests).push_back(std::move(request));
    }
  }
  answer(window, true, student_requests, totals);
  answer(window, false, teacher_requests, totals);
}

// A student's sample belongs to its row of the run. The teacher does not change: its answers belong
// to the example and the row's place among num_generations, so that later epochs find them again.
rollout::RolloutRequest WindowBuilder::request_of(const MicroBatch& batch, std::size_t index,
                                                  std::uint64_t stream) const {
  const data::Example& example = *batch.examples[index];
  rollout::RolloutRequest request;
  request.sampling = config_.sampling;
  request.seed = config_.seed;
  if (batch.on_policy) {
    request.prompt_ids = parts_.rows.rollout_prompt(example);
    request.stream_index = stream;
    return request;
  }
  const auto copies = static_cast<std::uint64_t>(config_.num_generations);
  const auto number = static_cast<std::uint64_t>(&example - parts_.train_examples.data());
  request.sampling.regex.clear();  // it binds rollouts, no given answers
  request.prompt_ids = parts_.rows.teacher_prompt(example);
  request.stream_index = kTeacherStreams + number * copies + stream % copies;
  return request;
}

void WindowBuilder::answer(std::vector<MicroBatch>& window, bool on_policy,
                           const std::vector<rollout::RolloutRequest>& requests,
                           StepTotals& totals) const {
  if (requests.empty()) return;
  rollout::RolloutSource& source = on_policy ? parts_.rollouts : *parts_.teacher_rollouts;
  std::vector<rollout::Rollout> answers = source.generate(requests);
  source.sleep();
  std::size_t next = 0;
  for (MicroBatch& batch : window) {
    if (batch.on_policy != on_policy) continue;
    for (std::size_t i = 0; i < batch.prompts.size(); ++i, ++next) {
      totals.completion_tokens += static_cast<std::int64_t>(answers[next].completion_ids.size());
      totals.cut_off += answers[next].finish_reason == rollout::FinishReason::kLength ? 1 : 0;
      ++totals.rollouts;
      batch.rollouts.push_back(std::move(answers[next]));
    }
  }
}

void WindowBuilder::build_rows(std::vector<MicroBatch>& window, StepTotals& totals) const {
  for (MicroBatch& batch : window) {
    for (std::size_t i = 0; i < batch.examples.size(); ++i) {
      const data::Example& example = *batch.examples[i];
      if (batch.on_policy) {
        batch.rows.push_back(
            parts_.rows.from_rollout(example, batch.prompts[i], batch.rollouts[i]));
      } else if (config_.seq_kd) {
        batch.rows.push_back(parts_.rows.from_teacher_answer(example, batch.rollouts[i]));
      } else if (auto row = parts_.rows.from_answer(example)) {
        batch.rows.push_back(std::move(*row));
      }
    }
    const loss::LossConfig& config = *batch.loss_config;
    if (config.use_uld_loss && !config.sequence_level) count_groups(batch.rows, config, totals);
  }
}

loss::WindowCounts count_window(const std::vector<MicroBatch>& window) {
  loss::WindowCounts counts;
  for (const MicroBatch& batch : window)
    counts += loss::count_window(batch.rows, *batch.loss_config);
  return counts;
}

}  // namespace aurum::train
