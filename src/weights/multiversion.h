#pragma once

// Marks a function whose loops the compiler vectorises for each of these instruction sets; one is
// picked at run time. Only for functions whose results do not depend on the width of vectors.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define AURUM_MULTIVERSION \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), flatten))
#else
#define AURUM_MULTIVERSION
#endif
