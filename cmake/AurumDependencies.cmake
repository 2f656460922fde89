# Finds what the project stands on. libtorch is looked for in this order: Torch_DIR or
# CMAKE_PREFIX_PATH, the active or the project's own virtual environment, the system.

find_package(Libtorch 2.6 REQUIRED)
find_package(fmt REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(icu REQUIRED IMPORTED_TARGET icu-uc)
pkg_check_modules(simdjson REQUIRED IMPORTED_TARGET simdjson)
find_package(OpenSSL REQUIRED)
pkg_check_modules(httplib REQUIRED IMPORTED_TARGET cpp-httplib)
pkg_check_modules(zlib REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(hwy REQUIRED IMPORTED_TARGET libhwy)
pkg_check_modules(hwy_contrib REQUIRED IMPORTED_TARGET libhwy-contrib)
if(AURUM_BUILD_TESTS)
  find_package(GTest REQUIRED)
endif()
if(AURUM_BUILD_BENCHMARKS)
  find_package(benchmark REQUIRED)
endif()

# Without the package's own flags: they ask for zlib and brotli headers, which nobody needs here.
add_library(aurum_httplib INTERFACE)
add_library(aurum::httplib ALIAS aurum_httplib)
target_compile_definitions(aurum_httplib INTERFACE CPPHTTPLIB_OPENSSL_SUPPORT)
target_link_libraries(aurum_httplib INTERFACE ${httplib_LINK_LIBRARIES} OpenSSL::SSL OpenSSL::Crypto)

# Our parallel loops and libtorch's must share one OpenMP runtime: two thread pools on the same
# cores would spin against each other. The wheel bundles its own libgomp; others use the system's.
file(GLOB aurum_libgomp "${Libtorch_ROOT_DIR}/lib/libgomp*.so*"
     "${Libtorch_ROOT_DIR}/../torch.libs/libgomp*.so*")
add_library(aurum_openmp INTERFACE)
add_library(aurum::openmp ALIAS aurum_openmp)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # clang's own OpenMP would be a second runtime. With libgomp it leaves our loops serial, which is
  # all that the fuzzers need.
  execute_process(COMMAND g++ -print-file-name=include OUTPUT_VARIABLE aurum_gcc_headers
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  # GCC's omp.h gives an attribute arguments that clang does not know.
  target_compile_options(aurum_openmp INTERFACE -fopenmp=libgomp -idirafter ${aurum_gcc_headers}
                         "-D__malloc__(...)=__malloc__")
else()
  target_compile_options(aurum_openmp INTERFACE -fopenmp)
endif()
if(aurum_libgomp)
  list(GET aurum_libgomp 0 aurum_libgomp)
  target_link_libraries(aurum_openmp INTERFACE ${aurum_libgomp})
else()
  find_package(OpenMP REQUIRED)
  target_link_libraries(aurum_openmp INTERFACE OpenMP::OpenMP_CXX)
endif()
