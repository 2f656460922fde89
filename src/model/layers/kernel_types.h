#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/bfloat16.h"

// Between tensors and the kernels, which know float and BFloat16 memory only.
namespace aurum::model {

// Calls body(T{}) with the kernel type of a float32 or bfloat16 tensor.
template <typename Body>
void with_kernel_type(const at::Tensor& tensor, const Body& body) {
  if (tensor.scalar_type() == at::kBFloat16) {
    body(kernels::BFloat16{});
  } else {
    body(float{});
  }
}

template <typename T>
const T* kernel_data(const at::Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}
template <typename T>
T* mutable_kernel_data(at::Tensor& tensor) {
  return static_cast<T*>(tensor.mutable_data_ptr());
}

}  // namespace aurum::model
