#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/field.h"
#include "config/values.h"

namespace aurum::config {

inline constexpr const char* kNoFsdp = "it only matters with fsdp.enable_fsdp: true";
inline constexpr const char* kNoDeepspeed = "it only matters with deepspeed.enable_deepspeed: true";
inline constexpr const char* kOneProcess = "set it to false: one process holds the whole model";

// fsdp: known, so that Oumi's files read.
struct FsdpParams {
  bool enable_fsdp = false;
  std::string sharding_strategy = "FULL_SHARD";
  bool cpu_offload = false;
  std::optional<std::string> mixed_precision;
  std::string backward_prefetch = "BACKWARD_PRE";
  bool forward_prefetch = false;
  std::optional<bool> use_orig_params;
  std::string state_dict_type = "FULL_STATE_DICT";
  std::string auto_wrap_policy = "NO_WRAP";
  std::int64_t min_num_params = 100000;
  std::optional<std::string> transformer_layer_cls;
  bool sync_module_states = true;

  static void fields(auto& self, auto&& visit) {
    const auto fsdp = [](const char* help) { return ignored(help, kNoFsdp); };
    visit("enable_fsdp", self.enable_fsdp,
          refused("Shards the student over devices with torch's FSDP.", kOneProcess));
    visit("sharding_strategy", self.sharding_strategy,
          fsdp("What is sharded.")
              .one_of({{"FULL_SHARD"},
                       {"SHARD_GRAD_OP"},
                       {"HYBRID_SHARD"},
                       {"NO_SHARD"},
                       {"HYBRID_SHARD_ZERO2"}}));
    visit("cpu_offload", self.cpu_offload, fsdp("Keeps shards in main memory."));
    visit("mixed_precision", self.mixed_precision, fsdp("Number format of the arithmetic."));
    visit("backward_prefetch", self.backward_prefetch,
          fsdp("When the next shard is fetched in the backward pass.")
              .one_of({{"BACKWARD_PRE"}, {"BACKWARD_POST"}, {"NO_PREFETCH"}}));
    visit("forward_prefetch", self.forward_prefetch,
          fsdp("Fetches the next shard ahead in the forward pass."));
    visit("use_orig_params", self.use_orig_params, fsdp("Keeps the original parameters visible."));
    visit("state_dict_type", self.state_dict_type,
          fsdp("Form of checkpoints.")
              .one_of({{"FULL_STATE_DICT"}, {"SHARDED_STATE_DICT"}, {"LOCAL_STATE_DICT"}}));
    visit("auto_wrap_policy", self.auto_wrap_policy,
          fsdp("How layers are grouped into shards.")
              .one_of({{"SIZE_BASED_WRAP"}, {"TRANSFORMER_BASED_WRAP"}, {"NO_WRAP"}}));
    visit("min_num_params", self.min_num_params, fsdp("Smallest group of SIZE_BASED_WRAP."));
    visit("transformer_layer_cls", self.transformer_layer_cls,
          fsdp("Layer class of TRANSFORMER_BASED_WRAP."));
    visit("sync_module_states", self.sync_module_states,
          fsdp("Sends the first rank's weights to all others at the start."));
  }
};

struct DeepspeedOffloadParams {
  std::string device = "CPU";
  bool pin_memory = true;
  std::int64_t buffer_count = 4;
  std::int64_t buffer_count_nvme = 2;
  std::int64_t block_size = 1048576;
  std::int64_t queue_depth = 8;
  bool single_submit = false;
  bool overlap_events = true;
  std::int64_t thread_count = 1;

  static void fields(auto& self, auto&& visit) {
    const auto offload = [](const char* help) { return ignored(help, kNoDeepspeed); };
    visit("device", self.device, offload("Where to.").one_of({{"CPU"}, {"NVME"}}));
    visit("pin_memory", self.pin_memory, offload("Uses pinned memory."));
    visit("buffer_count", self.buffer_count, offload("Buffers in main memory."));
    visit("buffer_count_nvme", self.buffer_count_nvme, offload("Buffers for NVMe."));
    visit("block_size", self.block_size, offload("Block of asynchronous I/O.").in("bytes"));
    visit("queue_depth", self.queue_depth, offload("Depth of the I/O queue."));
    visit("single_submit", self.single_submit, offload("Submits requests one by one."));
    visit("overlap_events", self.overlap_events, offload("Overlaps submission and completion."));
    visit("thread_count", self.thread_count, offload("Threads of I/O."));
  }
};

// deepspeed: known, so that Oumi's files read.
struct DeepspeedParams {
  bool enable_deepspeed = false;
  std::optional<std::string> deepspeed_config_path;
  std::string zero_stage = "ZERO_0";
  std::optional<DeepspeedOffloadParams> offload_optimizer;
  std::optional<DeepspeedOffloadParams> offload_param;
  std::optional<std::string> precision;
  bool overlap_comm = false;
  bool contiguous_gradients = true;
  CountOrWord reduce_bucket_size{500000000};
  std::int64_t allgather_bucket_size = 500000000;
  bool allgather_partitions = true;
  bool reduce_scatter = true;
  bool round_robin_gradients = false;
  CountOrWord stage3_prefetch_bucket_size{50000000};
  CountOrWord stage3_param_persistence_threshold{100000};
  std::int64_t stage3_max_live_parameters = 1000000000;
  std::int64_t stage3_max_reuse_distance = 1000000000;
  bool stage3_gather_16bit_weights_on_model_save = false;
  std::int64_t sub_group_size = 1000000000;
  CountOrWord train_batch_size{"auto"};
  CountOrWord train_micro_batch_size_per_gpu{"auto"};
  CountOrWord gradient_accumulation_steps{"auto"};
  CountOrWord gradient_clipping{"auto"};
  bool zero_allow_untested_optimizer = true;
  bool zero_force_ds_cpu_optimizer = true;
  Mapping activation_checkpointing;
  bool memory_efficient_linear = false;
  std::int64_t steps_per_print = 10;
  bool wall_clock_breakdown = false;

  static void fields(auto& self, auto&& visit) {
    const auto deepspeed = [](const char* help) { return ignored(help, kNoDeepspeed); };
    visit("enable_deepspeed", self.enable_deepspeed,
          refused("Shards the student over devices with DeepSpeed.", kOneProcess));
    visit("deepspeed_config_path", self.deepspeed_config_path,
          deepspeed("DeepSpeed's own configuration file."));
    visit("zero_stage", self.zero_stage,
          deepspeed("What is sharded.")
              .one_of({{"ZERO_0", "0"}, {"ZERO_1", "1"}, {"ZERO_2", "2"}, {"ZERO_3", "3"}}));
    visit("offload_optimizer", self.offload_optimizer);
    visit("offload_param", self.offload_param);
    visit("precision", self.precision,
          deepspeed("Number format of the arithmetic.").one_of({{"FP16"}, {"BF16"}}));
    visit("overlap_comm", self.overlap_comm, deepspeed("Overlaps reduction and backward pass."));
    visit("contiguous_gradients", self.contiguous_gradients,
          deepspeed("Copies gradients into one buffer."));
    visit("reduce_bucket_size", self.reduce_bucket_size, deepspeed("Elements reduced at once."));
    visit("allgather_bucket_size", self.allgather_bucket_size,
          deepspeed("Elements gathered at once."));
    visit("allgather_partitions", self.allgather_partitions,
          deepspeed("Gathers weights in one collective."));
    visit("reduce_scatter", self.reduce_scatter, deepspeed("Scatters reduced gradients."));
    visit("round_robin_gradients", self.round_robin_gradients,
          deepspeed("Spreads gradient copies over ranks."));
    stage3_fields(self, visit);
    batch_fields(self, visit);
  }

 private:
  static void stage3_fields(auto& self, auto&& visit) {
    const auto stage3 = [](const char* help) { return ignored(help, kNoDeepspeed); };
    visit("stage3_prefetch_bucket_size", self.stage3_prefetch_bucket_size,
          stage3("Elements fetched ahead."));
    visit("stage3_param_persistence_threshold", self.stage3_param_persistence_threshold,
          stage3("Smaller parameters stay on every rank."));
    visit("stage3_max_live_parameters", self.stage3_max_live_parameters,
          stage3("Most parameters present on a device."));
    visit("stage3_max_reuse_distance", self.stage3_max_reuse_distance,
          stage3("Parameters used again within this many others stay present."));
    visit("stage3_gather_16bit_weights_on_model_save",
          self.stage3_gather_16bit_weights_on_model_save,
          stage3("Gathers 16-bit weights to save the model."));
    visit("sub_group_size", self.sub_group_size, stage3("Parameters updated at once."));
  }

  static void batch_fields(auto& self, auto&& visit) {
    const auto deepspeed = [](const char* help) { return ignored(help, kNoDeepspeed); };
    visit("train_batch_size", self.train_batch_size, deepspeed("Rows per step on all ranks."));
    visit("train_micro_batch_size_per_gpu", self.train_micro_batch_size_per_gpu,
          deepspeed("Rows per micro-batch."));
    visit("gradient_accumulation_steps", self.gradient_accumulation_steps,
          deepspeed("Micro-batches per step."));
    visit("gradient_clipping", self.gradient_clipping, deepspeed("Largest gradient norm."));
    visit("zero_allow_untested_optimizer", self.zero_allow_untested_optimizer,
          deepspeed("Allows any optimizer with ZeRO."));
    visit("zero_force_ds_cpu_optimizer", self.zero_force_ds_cpu_optimizer,
          deepspeed("Uses DeepSpeed's CPU optimizer when offloading."));
    visit("activation_checkpointing", self.activation_checkpointing,
          deepspeed("Options of activation checkpointing."));
    visit("memory_efficient_linear", self.memory_efficient_linear,
          deepspeed("Uses a linear layer that saves memory."));
    visit("steps_per_print", self.steps_per_print,
          deepspeed("Steps between progress lines.").in("steps"));
    visit("wall_clock_breakdown", self.wall_clock_breakdown, deepspeed("Logs timings."));
  }
};

}  // namespace aurum::config
