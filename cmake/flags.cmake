# SPDX-License-Identifier: Apache-2.0
# Warnings, hardening and sanitizers for our own code; one interface target that every folder links.
add_library(culprit_flags INTERFACE)
target_compile_definitions(culprit_flags INTERFACE _GNU_SOURCE CULPRIT_VERSION="${PROJECT_VERSION}")
target_include_directories(culprit_flags INTERFACE ${CMAKE_SOURCE_DIR} ${CMAKE_BINARY_DIR}/generated)
target_compile_options(culprit_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wformat=2 -Wvla
  $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>
  $<$<BOOL:${CULPRIT_WERROR}>:-Werror>
  -fno-strict-aliasing -fno-common)
if(CULPRIT_SANITIZE)
  target_compile_options(culprit_flags INTERFACE -O1 -fno-omit-frame-pointer -fsanitize=${CULPRIT_SANITIZE}
    -fno-sanitize-recover=all)
  target_link_options(culprit_flags INTERFACE -fsanitize=${CULPRIT_SANITIZE})
else()
  target_compile_options(culprit_flags INTERFACE -fstack-protector-strong -fstack-clash-protection -fcf-protection
    $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE> $<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=2>)
  target_link_options(culprit_flags INTERFACE -Wl,-z,relro -Wl,-z,now)
endif()
if(CULPRIT_FUZZ)
  target_compile_options(culprit_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g")

# A hundred test programs are linked for each preset: lld takes a fifth of ld's time. What users run is linked by ld.
find_program(LLD ld.lld)
if(LLD AND CMAKE_C_COMPILER_ID STREQUAL "Clang")
  add_link_options(-fuse-ld=lld)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()
