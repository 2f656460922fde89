#pragma once

#include <cstddef>

namespace aurum::model {

inline constexpr std::size_t kKeptTensorMemory = std::size_t{256} << 20;

// Keeps up to `limit` bytes of freed large CPU tensors for the next ones of about their size, in
// large pages. The C library gives blocks of more than 32 MiB back to the system each time, and
// gets them as zeroed pages again: a tenth of a large model's pass. For the whole process; call it
// before the first tensor. A second call changes nothing.
void keep_tensor_memory(std::size_t limit = kKeptTensorMemory);

}  // namespace aurum::model
