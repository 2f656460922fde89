#pragma once

#include <string_view>

namespace aurum::kernels {

// Which vector instructions a kernel may use, from least to most.
enum class InstructionSet { kPlain, kAvx2, kAvx512, kAvx512BFloat16 };

// The most that this processor can do; asked once.
InstructionSet best_instruction_set();
// True with AMX tiles for bfloat16, which libtorch's products use.
bool has_matrix_tiles();
std::string_view instruction_set_name(InstructionSet set);

}  // namespace aurum::kernels

// The same C++ body is compiled once per instruction set: it is forced inline into one function
// for each, and the function carries the target.
#if defined(__x86_64__) && defined(__GNUC__)
#define AURUM_X86 1
#define AURUM_TARGET_AVX2 __attribute__((target("avx2,fma")))
#define AURUM_TARGET_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx2,fma")))
#define AURUM_TARGET_AVX512_BFLOAT16 \
  __attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16,avx2,fma")))
#else
#define AURUM_X86 0
#define AURUM_TARGET_AVX2
#define AURUM_TARGET_AVX512
#define AURUM_TARGET_AVX512_BFLOAT16
#endif
#define AURUM_FORCE_INLINE __attribute__((always_inline)) inline
