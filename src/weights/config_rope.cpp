#include "weights/config_rope.h"

#include <cmath>

namespace aurum::weights {
namespace {

using Json = nlohmann::ordered_json;

RopeKind rope_kind(const ConfigKeys& keys, const std::string& model_type) {
  const auto type = keys.string("rope_type");
  const std::string name = type ? *type : keys.string("type").value_or("default");
  if (name == "longrope" || (model_type == "phi3" && (name == "su" || name == "yarn"))) {
    return RopeKind::kLongRope;
  }
  if (name == "default" || name == "none") return RopeKind::kDefault;
  if (name == "linear") return RopeKind::kLinear;
  if (name == "dynamic") return RopeKind::kDynamic;
  if (name == "llama3") return RopeKind::kLlama3;
  if (name == "yarn") return RopeKind::kYarn;
  keys.fail(
      type ? "rope_type" : "type",
      fmt::format("is {}; supported: default, linear, dynamic, llama3, yarn, longrope", name));
}

void check_rope(const RopeConfig& rope, const ConfigKeys& keys) {
  const auto positive = [](double value) { return std::isfinite(value) && value > 0.0; };
  if (!positive(rope.theta)) keys.fail("rope_theta", "must be positive");
  if (!positive(rope.factor)) keys.fail("factor", "must be positive");
  if (rope.partial_rotary_factor <= 0.0 || rope.partial_rotary_factor > 1.0) {
    keys.fail("partial_rotary_factor", "must be in (0, 1]");
  }
  if (rope.kind == RopeKind::kLlama3 && !(rope.low_freq_factor < rope.high_freq_factor)) {
    keys.fail("high_freq_factor", "must be larger than low_freq_factor");
  }
}

void read_long_rope(const ConfigKeys& top, const ConfigKeys& keys, const ModelConfig& config,
                    RopeConfig& rope) {
  rope.short_factor = keys.list<double>("short_factor").value_or(std::vector<double>{});
  rope.long_factor = keys.list<double>("long_factor").value_or(std::vector<double>{});
  const auto pairs = static_cast<std::size_t>(static_cast<double>(config.head_dim) *
                                              rope.partial_rotary_factor / 2);
  if (rope.short_factor.size() != pairs) {
    keys.fail("short_factor", fmt::format("must have {} elements", pairs));
  }
  if (rope.long_factor.size() != pairs) {
    keys.fail("long_factor", fmt::format("must have {} elements", pairs));
  }
  if (!keys.find("factor")) {
    rope.factor = static_cast<double>(top.size("max_position_embeddings", 4096)) /
                  static_cast<double>(rope.original_max_position_embeddings);
  }
}

// `keys` is rope_parameters, one of its entries, or rope_scaling.
RopeConfig read_rope(const ConfigKeys& top, const ConfigKeys& keys, const ModelConfig& config,
                     double theta) {
  RopeConfig rope;
  rope.kind = rope_kind(keys, config.model_type);
  rope.theta = keys.number("rope_theta").value_or(theta);
  rope.factor = keys.number("factor").value_or(1.0);
  rope.low_freq_factor = keys.number("low_freq_factor").value_or(1.0);
  rope.high_freq_factor = keys.number("high_freq_factor").value_or(4.0);
  rope.beta_fast = keys.number("beta_fast").value_or(32.0);
  rope.beta_slow = keys.number("beta_slow").value_or(1.0);
  rope.truncate = keys.boolean("truncate", true);
  rope.attention_factor = keys.number("attention_factor");
  rope.mscale = keys.number("mscale");
  rope.mscale_all_dim = keys.number("mscale_all_dim");
  rope.original_max_position_embeddings =
      top.size("original_max_position_embeddings",
               keys.size("original_max_position_embeddings", config.max_position_embeddings));
  const auto partial = keys.number("partial_rotary_factor");
  rope.partial_rotary_factor =
      partial ? *partial : top.number("partial_rotary_factor").value_or(1.0);
  check_rope(rope, keys);
  if (rope.kind == RopeKind::kLongRope) read_long_rope(top, keys, config, rope);
  return rope;
}

// What transformers takes when a gpt_oss file says nothing.
RopeConfig gpt_oss_rope() {
  return {.kind = RopeKind::kYarn,
          .theta = 150000.0,
          .factor = 32.0,
          .truncate = false,
          .original_max_position_embeddings = 4096};
}

}  // namespace

void read_ropes(const ConfigKeys& top, ModelConfig& config, double default_theta) {
  const bool gemma3 = config.model_type == "gemma3_text";
  const double theta = top.number("rope_theta").value_or(default_theta);
  const double local_theta = top.number("rope_local_base_freq").value_or(1e4);
  const Json empty = Json::object();
  const std::string source = "config.json";
  const ConfigKeys none(empty, source);
  const auto parameters = top.object("rope_parameters");
  if (parameters && parameters->find("full_attention")) {
    config.rope = read_rope(top, *parameters->object("full_attention"), config, theta);
    if (const auto sliding = parameters->object("sliding_attention")) {
      config.sliding_rope = read_rope(top, *sliding, config, local_theta);
    }
    return;
  }
  const auto scaling = parameters ? parameters : top.object("rope_scaling");
  if (!scaling && config.model_type == "gpt_oss") {
    config.rope = gpt_oss_rope();
    return;
  }
  config.rope = read_rope(top, scaling ? *scaling : none, config, theta);
  if (gemma3) {
    config.sliding_rope = read_rope(top, none, config, local_theta);
  }
}

}  // namespace aurum::weights
