#pragma once

#include <cstddef>

namespace aurum::model {

inline constexpr std::size_t kKeptTensorMemory = std::size_t{256} << 20;

// Keeps the memory of freed large CPU tensors, in large pages, for the next ones of about their
// size: as long as all of it is at most `limit` bytes more than tensors ever needed at once. The C
// library gives blocks of more than 32 MiB back to the system each time, and gets them as zeroed
// pages again: a tenth of a large model's pass. For the whole process; call it before the first
// tensor. A second call changes nothing.
void keep_tensor_memory(std::size_t limit = kKeptTensorMemory);

// Gives all that is kept back to the system, and what the C library keeps of freed blocks (of up to
// 32 MiB), before something else needs much memory.
void release_tensor_memory();

}  // namespace aurum::model
