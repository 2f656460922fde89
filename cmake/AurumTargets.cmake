# Helpers that let every CMakeLists.txt read like a table.

function(aurum_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Woverloaded-virtual
                                           -Wno-missing-field-initializers)
  # GCC 12 raises these falsely inside inlined std::string and std::optional.
  target_compile_options(${target} PRIVATE -Wno-restrict -Wno-maybe-uninitialized
                                           -Wno-stringop-overflow)
  if(AURUM_WARNINGS_AS_ERRORS)
    target_compile_options(${target} PRIVATE -Werror)
  endif()
  if(AURUM_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=${AURUM_SANITIZE} -fno-omit-frame-pointer)
    target_link_options(${target} PUBLIC -fsanitize=${AURUM_SANITIZE})
  endif()
endfunction()

# aurum_library(NAME SOURCES ... HEADERS ... DEPS ... [TORCH])
# Makes aurum_NAME with the alias aurum::NAME. TORCH: links libtorch and shares the ATen
# precompiled header.
function(aurum_library name)
  cmake_parse_arguments(ARG "TORCH" "" "SOURCES;HEADERS;DEPS;PRIVATE_DEPS" ${ARGN})
  add_library(aurum_${name} STATIC ${ARG_SOURCES})
  add_library(aurum::${name} ALIAS aurum_${name})
  target_sources(aurum_${name} PUBLIC FILE_SET HEADERS BASE_DIRS ${PROJECT_SOURCE_DIR}/src
                                      FILES ${ARG_HEADERS})
  set_target_properties(aurum_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  target_link_libraries(aurum_${name} PUBLIC ${ARG_DEPS} PRIVATE ${ARG_PRIVATE_DEPS})
  aurum_compile_options(aurum_${name})
  if(ARG_TORCH)
    target_link_libraries(aurum_${name} PUBLIC aurum::torch)
    aurum_share_precompiled_header(aurum_${name})
  endif()
endfunction()

# The ATen headers take 8 s per file to parse; one shared precompiled header brings that to 3.
function(aurum_share_precompiled_header target)
  if(NOT AURUM_PRECOMPILED_HEADER)
    return()
  endif()
  if(NOT TARGET aurum_pch)
    file(WRITE ${CMAKE_BINARY_DIR}/aurum_pch.cpp "// Carries the shared precompiled header.\n")
    add_library(aurum_pch STATIC ${CMAKE_BINARY_DIR}/aurum_pch.cpp)
    target_link_libraries(aurum_pch PRIVATE aurum::torch)
    aurum_compile_options(aurum_pch)
    target_precompile_headers(aurum_pch PRIVATE <ATen/ATen.h> <algorithm> <functional> <map> <memory>
                              <optional> <span> <string> <string_view> <utility> <vector>)
  endif()
  target_precompile_headers(${target} REUSE_FROM aurum_pch)
endfunction()

# aurum_test(FOLDER SOURCES ... DEPS ... [TORCH] [LABELS ...])
# Makes the test program FOLDER_tests, one ctest entry per TEST().
function(aurum_test name)
  cmake_parse_arguments(ARG "TORCH" "LABEL" "SOURCES;DEPS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  add_executable(${name}_tests ${ARG_SOURCES})
  target_include_directories(${name}_tests PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(${name}_tests PRIVATE ${ARG_DEPS} GTest::gmock GTest::gtest_main)
  target_compile_definitions(${name}_tests PRIVATE AURUM_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
                                                   AURUM_PROGRAM="${CMAKE_BINARY_DIR}/aurum")
  aurum_compile_options(${name}_tests)
  if(ARG_TORCH)
    target_link_libraries(${name}_tests PRIVATE aurum::torch)
    aurum_share_precompiled_header(${name}_tests)
  endif()
  include(GoogleTest)
  gtest_discover_tests(${name}_tests PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 600
                       DISCOVERY_MODE PRE_TEST)
endfunction()
