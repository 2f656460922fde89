#include "rollout/local_rollout_source.h"

#include <algorithm>
#include <utility>

#include "model/tensor_memory.h"
#include "rollout/decoder_model.h"
#include "rollout/request_limits.h"
#include "rollout/sequence_runner.h"
#include "rollout/sequence_scheduler.h"

namespace aurum::rollout {

LocalRolloutSource::LocalRolloutSource(model::CausalLm& model,
                                       std::vector<std::int32_t> end_of_turn_ids,
                                       std::int64_t vocab_size, LocalRolloutOptions options)
    : make_model_([&model] { return make_decoder_model(model); }),
      end_of_turn_ids_(std::move(end_of_turn_ids)),
      vocab_size_(vocab_size),
      kv_memory_(options.kv_memory),
      guides_(std::move(options.tokenizer), end_of_turn_ids_) {}

LocalRolloutSource::LocalRolloutSource(std::function<DecoderModel()> make_model,
                                       std::vector<std::int32_t> end_of_turn_ids,
                                       std::int64_t vocab_size, LocalRolloutOptions options)
    : make_model_(std::move(make_model)),
      end_of_turn_ids_(std::move(end_of_turn_ids)),
      vocab_size_(vocab_size),
      kv_memory_(options.kv_memory),
      guides_(std::move(options.tokenizer), end_of_turn_ids_) {
  decoder();
}

LocalRolloutSource::~LocalRolloutSource() { drop_decoder(); }

Decoder& LocalRolloutSource::decoder() {
  if (!decoder_) {
    model::release_tensor_memory();  // the packed weights may need as much
    DecoderModel model = make_model_();
    kv_bytes_per_position_ = kv_bytes_per_position(model.config, model.is_bfloat16);
    decoder_ = std::make_unique<Decoder>(std::move(model));
  }
  return *decoder_;
}

void LocalRolloutSource::drop_decoder() {
  if (!decoder_) return;
  decoder_.reset();
  model::release_tensor_memory();  // a layer's packed weights are small enough for the C library
}

std::vector<Rollout> LocalRolloutSource::generate(std::span<const RolloutRequest> requests,
                                                  const TokenCallback& on_token) {
  guides_.trim();
  for (const RolloutRequest& request : requests) check(request);
  const SequenceRunner runner(decoder(), vocab_size_);
  SequenceScheduler scheduler(requests, decoder(), guides_, kv_memory_, kv_bytes_per_position_);
  std::vector<Rollout> rollouts(requests.size());
  bool is_stopped = false;
  const auto deliver = [&](const Sequence& sequence) {  // true when that was its last token
    if (is_stopped) return false;
    const std::int32_t id = sequence.ids.back();
    Rollout& rollout = rollouts[sequence.request_index];
    rollout.completion_ids.push_back(id);
    is_stopped = on_token && !on_token(sequence.request_index, id);
    if (!is_end_of_turn(id)) return sequence.num_new() >= sequence.max_new_tokens;
    rollout.finish_reason = FinishReason::kEndOfTurn;
    return true;
  };
  while (!is_stopped && !scheduler.is_done()) {
    scheduler.make_room();
    const std::size_t num_running = scheduler.active().size();
    scheduler.admit();
    runner.start(scheduler.active(), num_running);
    runner.advance(scheduler.active().first(num_running));
    scheduler.remove_if(deliver);
  }
  peak_kv_bytes_ = scheduler.peak_positions() * kv_bytes_per_position_;
  return rollouts;
}

std::vector<float> LocalRolloutSource::next_token_logits(std::span<const std::int32_t> ids) {
  RolloutRequest request;
  request.prompt_ids.assign(ids.begin(), ids.end());
  request.sampling.max_new_tokens = 1;
  check(request);
  Sequence sequence =
      make_sequence(request, 0, decoder(), longest_length(request, decoder()), nullptr);
  Sequence* const only = &sequence;
  SequenceRunner(decoder(), vocab_size_).run_from_start({&only, 1});
  return *sequence.first_logits;
}

void LocalRolloutSource::check(const RolloutRequest& request) {
  const Decoder& model = decoder();  // before its bytes per position are asked for
  check_request(request, model, kv_memory_, kv_bytes_per_position_);
  guides_.find(request.sampling.regex);
}

bool LocalRolloutSource::is_end_of_turn(std::int32_t id) const {
  return std::find(end_of_turn_ids_.begin(), end_of_turn_ids_.end(), id) != end_of_turn_ids_.end();
}

}  // namespace aurum::rollout
