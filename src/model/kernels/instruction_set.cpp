#include "model/kernels/instruction_set.h"

namespace aurum::model {

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

}  // namespace

InstructionSet best_instruction_set() {
  static const InstructionSet kBest = detect();
  return kBest;
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

}  // namespace aurum::model
