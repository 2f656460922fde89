# Project-wide choices. Everything a user may set starts with AURUM_.

option(AURUM_BUILD_TESTS "Build the tests" ON)
option(AURUM_BUILD_BENCHMARKS "Build the benchmarks" OFF)
option(AURUM_BUILD_FUZZERS "Build the libFuzzer programs (clang only)" OFF)
option(AURUM_WARNINGS_AS_ERRORS "Treat warnings in our own code as errors" ON)
option(AURUM_PRECOMPILED_HEADER "Share one precompiled header between the libraries that use ATen" ON)
set(AURUM_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them: address,undefined or thread")

if(AURUM_BUILD_FUZZERS)
  set(AURUM_SANITIZE "fuzzer-no-link,address,undefined")
endif()

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Build type" FORCE)
endif()

# The program is found at build/aurum, whichever folder its target lives in.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
