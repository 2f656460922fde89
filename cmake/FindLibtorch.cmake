# Finds the part of libtorch that computes on the CPU, and makes the target aurum::torch of it.
#
# TorchConfig.cmake is not run, only looked for: that of a CUDA build (what PyPI has for x86-64) asks
# for a whole CUDA toolkit. Its CPU part needs no more than the two small libraries that
# tools/setup.sh installs beside it. The CUDA part is loaded when a device is asked for
# (src/model/device.cpp).

file(GLOB libtorch_environments "$ENV{VIRTUAL_ENV}/lib/python*/site-packages/torch"
     "${CMAKE_SOURCE_DIR}/.venv/lib/python*/site-packages/torch")
find_path(Torch_DIR TorchConfig.cmake HINTS ${libtorch_environments}
          PATH_SUFFIXES share/cmake/Torch Torch DOC "Folder of TorchConfig.cmake")

if(Torch_DIR)
  get_filename_component(Libtorch_ROOT_DIR "${Torch_DIR}/../../.." ABSOLUTE)
  find_path(libtorch_include ATen/ATen.h HINTS ${Libtorch_ROOT_DIR}/include NO_CACHE)
  find_library(libtorch_cpu torch_cpu HINTS ${Libtorch_ROOT_DIR}/lib NO_CACHE)
  find_library(libtorch_c10 c10 HINTS ${Libtorch_ROOT_DIR}/lib NO_CACHE)
  include(${Torch_DIR}/TorchConfigVersion.cmake OPTIONAL)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(
  Libtorch REQUIRED_VARS libtorch_cpu libtorch_c10 libtorch_include VERSION_VAR PACKAGE_VERSION
  REASON_FAILURE_MESSAGE "Run `make setup`, or point CMake at one with -DCMAKE_PREFIX_PATH=/path/to/libtorch.")

if(Libtorch_FOUND AND NOT TARGET aurum::torch)
  add_library(aurum_torch INTERFACE)
  add_library(aurum::torch ALIAS aurum_torch)
  # SYSTEM, so that its headers never raise our warnings.
  target_include_directories(aurum_torch SYSTEM INTERFACE ${libtorch_include}
                             ${libtorch_include}/torch/csrc/api/include)
  target_link_libraries(aurum_torch INTERFACE ${libtorch_cpu} ${libtorch_c10})
  # GCC 13 and later raise this falsely inside the std::vector<bool> of torch::autograd::Function.
  target_compile_options(
    aurum_torch INTERFACE
    "$<$<AND:$<CXX_COMPILER_ID:GNU>,$<VERSION_GREATER_EQUAL:$<CXX_COMPILER_VERSION>,13>>:-Wno-array-bounds>")
  # libtorch brings its own, newer fmt headers, which shadow the system's and match no library.
  target_compile_definitions(aurum_torch INTERFACE FMT_HEADER_ONLY=1)
endif()
