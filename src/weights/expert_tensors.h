#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "weights/checkpoint.h"

namespace aurum::weights {

// gpt_oss keeps all experts of a layer in one tensor, transposed, gate and up rows interleaved, and
// often as MXFP4 (`*_blocks` and `*_scales`). These functions give each expert the names and the
// layout that other families use. GGUF stacks each matrix of the experts by itself.
//   mlp.gate.{weight,bias}                            from mlp.router.*
//   mlp.experts.E.{gate,up,down}_proj.{weight,bias}   from mlp.experts.{gate_up,down}_proj*, or
//                                                     mlp.experts.{gate,up,down}_proj.{weight,bias}
using FindTensorView = std::function<const TensorView*(std::string_view name)>;

// True if `name` is one of these and its source is there.
bool has_expert_tensor(std::string_view name, const FindTensorView& find);
// A part of the stack where that is possible, else in memory of its own: float32 when it came from
// `*_blocks`, else in its stored type.
// nullopt if has_expert_tensor() is false. Throws FormatError for an impossible shape.
std::optional<TensorView> find_expert_tensor(std::string_view name, const FindTensorView& find);

// The names of all experts in a stack called "…mlp.experts.up_proj.weight".
void append_expert_names(std::string_view stack, std::int64_t num_experts,
                         std::vector<std::string>& names);

}  // namespace aurum::weights
