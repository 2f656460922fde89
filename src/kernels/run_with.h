#pragma once

#include "kernels/instruction_set.h"

// Runs a force-inlined body inside a function of the wanted instruction set, so that the same C++
// is compiled once for each.
namespace aurum::kernels {

template <typename Body>
void run_plain(const Body& body) {
  body();
}
template <typename Body>
AURUM_TARGET_AVX2 void run_avx2(const Body& body) {
  body();
}
template <typename Body>
AURUM_TARGET_AVX512 void run_avx512(const Body& body) {
  body();
}

template <typename Body>
void run_with(InstructionSet set, const Body& body) {
  if (set >= InstructionSet::kAvx512) return run_avx512(body);
  if (set == InstructionSet::kAvx2) return run_avx2(body);
  run_plain(body);
}

}  // namespace aurum::kernels
