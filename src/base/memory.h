#pragma once

#include <cstdint>

namespace aurum {

// Memory that the system can still give without swapping (Linux's MemAvailable); 0
// where it does not tell.
std::uint64_t available_memory_bytes();

}  // namespace aurum
