#pragma once

#include <functional>

#include <ATen/core/Tensor.h>

namespace aurum::model {

// Runs `segment` without keeping its activations; the backward pass runs it again (Chen et al.
// 2016, "Training Deep Nets with Sublinear Memory Cost"). `segment` must give the same result both
// times; parameters that it uses receive their gradients as usual.
at::Tensor run_checkpointed(const at::Tensor& x,
                            std::function<at::Tensor(const at::Tensor&)> segment);

}  // namespace aurum::model
