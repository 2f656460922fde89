#pragma once

#include <cstddef>

namespace aurum::text {

// Counts what operator new hands out in the whole test program.
class HeapPeak {
 public:
  HeapPeak();  // from here on
  // The most bytes that were alive at once beyond those at the beginning.
  std::size_t bytes() const;

 private:
  std::size_t at_start_;
};

}  // namespace aurum::text
