#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace aurum {

// A counter-based random stream (Philox4x32-10; Salmon et al. 2011, "Parallel Random Numbers: As
// Easy as 1, 2, 3"). Streams with different (seed, purpose, index) are independent, so a request
// or a data source can own one and batching, threads or resuming never change what it draws.
// A value type: copying copies the position. The whole state is the key and `position()`.
class RandomStream {
 public:
  // `purpose` names what the stream is for ("rollout", "shuffle"), `index` which one of those.
  RandomStream(std::uint64_t seed, std::string_view purpose, std::uint64_t index = 0);

  std::uint32_t next_u32();
  std::uint64_t next_u64();
  double uniform();                                  // [0, 1) with 53 bits
  std::uint64_t uniform_below(std::uint64_t bound);  // [0, bound), unbiased; bound > 0
  double normal();                                   // mean 0, variance 1

  // How many 32-bit words were drawn. seek() continues from such a position in O(1).
  std::uint64_t position() const { return position_; }
  void seek(std::uint64_t position) { position_ = position; }

 private:
  std::array<std::uint32_t, 2> key_;
  std::uint64_t high_counter_;
  std::uint64_t position_ = 0;
  std::uint64_t cached_block_ = ~std::uint64_t{0};
  std::array<std::uint32_t, 4> block_{};
};

}  // namespace aurum
