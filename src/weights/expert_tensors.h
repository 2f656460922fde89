#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "weights/checkpoint.h"

namespace aurum::weights {

// gpt_oss keeps all experts of a layer in one tensor, transposed, gate and up rows interleaved, and
// often as MXFP4 (`*_blocks` and `*_scales`). These functions give each expert the names and the
// layout that other families use:
//   mlp.gate.{weight,bias}                            from mlp.router.*
//   mlp.experts.E.{gate,up,down}_proj.{weight,bias}   from mlp.experts.{gate_up,down}_proj*
using FindTensorView = std::function<const TensorView*(std::string_view name)>;

// True if `name` is one of these and its source is there.
bool has_expert_tensor(std::string_view name, const FindTensorView& find);
// The tensor in memory of its own: float32 when it came from MXFP4, else in its stored type.
// nullopt if has_expert_tensor() is false. Throws FormatError for an impossible shape.
std::optional<TensorView> find_expert_tensor(std::string_view name, const FindTensorView& find);

}  // namespace aurum::weights
