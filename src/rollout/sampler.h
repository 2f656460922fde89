#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random_stream.h"
#include "rollout/rollout_source.h"

namespace aurum::rollout {

// Throws InputError when a parameter is out of range.
void check_sampling(const SamplingParams& params);

// Draws one id from `logits` in the order of Hugging Face's warpers: temperature, then top-k (ties
// with the k-th stay), then top-p (the fewest likeliest tokens whose probability reaches top_p).
// Temperature 0 takes the largest logit, the first of equals, and draws nothing; otherwise exactly
// one uniform() is drawn. Expected cost O(vocab): no sort of the vocabulary. `logits` is
// overwritten.
std::int32_t sample_token(std::span<float> logits, const SamplingParams& params,
                          RandomStream& random);

}  // namespace aurum::rollout
