#include "kernels/instruction_set.h"

#if AURUM_X86
#include <cpuid.h>
#endif

namespace aurum::kernels {

namespace {

InstructionSet detect() {
#if AURUM_X86
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl")) {
    return __builtin_cpu_supports("avx512bf16") ? InstructionSet::kAvx512BFloat16
                                                : InstructionSet::kAvx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    return InstructionSet::kAvx2;
  }
#endif
  return InstructionSet::kPlain;
}

bool detect_matrix_tiles() {
#if AURUM_X86
  constexpr unsigned kOsSavesState = 1u << 27, kBFloat16Tiles = 1u << 22, kTiles = 1u << 24;
  constexpr unsigned kTileState = 0x60000;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kOsSavesState) == 0) return false;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  if ((d & kBFloat16Tiles) == 0 || (d & kTiles) == 0) return false;
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & kTileState) == kTileState;
#else
  return false;
#endif
}

}  // namespace

InstructionSet best_instruction_set() {
  static const InstructionSet kBest = detect();
  return kBest;
}

bool has_matrix_tiles() {
  static const bool kHas = detect_matrix_tiles();
  return kHas;
}

std::string_view instruction_set_name(InstructionSet set) {
  switch (set) {
    case InstructionSet::kPlain:
      return "plain";
    case InstructionSet::kAvx2:
      return "avx2";
    case InstructionSet::kAvx512:
      return "avx512";
    case InstructionSet::kAvx512BFloat16:
      return "avx512bf16";
  }
  return "unknown";
}

}  // namespace aurum::kernels
