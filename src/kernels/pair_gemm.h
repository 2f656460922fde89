#pragma once

#include <cstdint>

#include "kernels/pair_packing.h"

namespace aurum::kernels {

// True where pair_gemm runs: AVX-512 BF16.
bool has_pair_gemm();
// True where it is also the fastest product of many rows: not beside AMX.
bool prefers_pair_gemm();

// C [rows, columns] = A [rows, depth] B [depth, columns] + bias: bfloat16 factors, float32 sums, by
// the pair product of AVX-512 BF16 (VDPBF16PS); the work horse of scoring, training and generation.
//
// Each output starts at 0 and adds its pairs in order, whatever the sizes, the blocks and the
// number of threads: a row of a batch has the bits of the row alone.
//
// Six rows of A meet 64 columns of B in 24 registers. A panel of 64 columns is packed into the
// second cache (or comes packed), then all rows of A run along it.
struct PairGemm {
  std::int64_t rows, columns, depth;
  PairRows a;
  const Pair* packed = nullptr;  // all panels one after another, each [pairs_of(depth), 64];
  PanelSource panels;            // if null, they are packed on the way from here
  const float* bias = nullptr;   // [columns] or null
  bool adds_to_out = false;      // instead of a bias; not to `rounded_out`
  float* out = nullptr;          // one of the two; rows `out_stride` apart
  BFloat16* rounded_out = nullptr;
  std::int64_t out_stride = 0;
};
void pair_gemm(const PairGemm& gemm);

}  // namespace aurum::kernels
