#include "base/random_stream.h"

#include <cmath>
#include <numbers>

namespace aurum {

namespace {

using Block = std::array<std::uint32_t, 4>;

Block philox4x32(Block counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9;
    key[1] += 0xBB67AE85;
  }
  return counter;
}

std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 0xcbf29ce484222325;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

std::uint64_t mix(std::uint64_t x) {  // The finalizer of SplitMix64.
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

}  // namespace

RandomStream::RandomStream(std::uint64_t seed, std::string_view purpose, std::uint64_t index) {
  const std::uint64_t key = mix(seed ^ mix(fnv1a(purpose)));
  key_ = {static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32)};
  high_counter_ = index;
}

std::uint32_t RandomStream::next_u32() {
  const std::uint64_t wanted = position_ / 4;
  if (wanted != cached_block_) {
    block_ =
        philox4x32({static_cast<std::uint32_t>(wanted), static_cast<std::uint32_t>(wanted >> 32),
                    static_cast<std::uint32_t>(high_counter_),
                    static_cast<std::uint32_t>(high_counter_ >> 32)},
                   key_);
    cached_block_ = wanted;
  }
  return block_[position_++ % 4];
}

std::uint64_t RandomStream::next_u64() {
  const std::uint64_t low = next_u32();
  return low | std::uint64_t{next_u32()} << 32;
}

double RandomStream::uniform() { return static_cast<double>(next_u64() >> 11) * 0x1.0p-53; }

std::uint64_t RandomStream::uniform_below(std::uint64_t bound) {
  const std::uint64_t rejected = (~bound + 1) % bound;  // 2^64 mod bound
  for (;;) {
    const std::uint64_t value = next_u64();
    if (value >= rejected) return value % bound;
  }
}

double RandomStream::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

}  // namespace aurum
