#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "kernels/linear.h"
#include "kernels/pair_packing.h"

namespace aurum::kernels {

// Fused parts of `linear`, copied once into the order in which pair_gemm reads them: for products
// that are repeated for each token. Takes the memory of the parts once more, rounded up to 64 rows.
class PackedLinear {
 public:
  // bfloat16 weights on a processor with AVX-512 BF16.
  static bool can_pack(const WeightMatrix& part);

  explicit PackedLinear(std::span<const WeightMatrix> parts);

  // out [batch, sum of rows], dense: what linear() gives, to the bit.
  void operator()(const float* input, std::int64_t batch, float* out) const;

 private:
  void pack_panel(std::span<const WeightMatrix> parts, std::int64_t panel);

  std::int64_t rows_, cols_;
  std::vector<float> bias_;  // [rows] or empty
  AlignedBuffer<Pair> packed_;
};

}  // namespace aurum::kernels
