# SPDX-License-Identifier: Apache-2.0
# The web UI as a C file, build/<preset>/generated/web_assets_files.c: npm ci, tsc, esbuild. Sets web_assets_c.
#
# All of it happens in build/<preset>/web, which holds its own node_modules beside links to the sources: two presets can
# build at once and the source tree stays clean. Packages come from the lock file, once; only npm ci uses the network.
find_program(NODE NAMES node nodejs)
find_program(NPM npm)
if(NOT NODE OR NOT NPM)
  message(FATAL_ERROR "The web UI is built with Node.js (18 or newer) and npm, and one of them was not found.\n"
    "On Debian 12: apt-get install nodejs npm")
endif()
execute_process(COMMAND ${NODE} --version OUTPUT_VARIABLE node_version OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REGEX REPLACE "^v" "" node_version "${node_version}")
if(node_version VERSION_LESS 18)
  message(FATAL_ERROR "The web UI is built with Node.js 18 or newer; ${NODE} is ${node_version}.")
endif()

set(web_source ${CMAKE_CURRENT_LIST_DIR})
set(web_build ${CMAKE_BINARY_DIR}/web)
set(web_assets_c ${CMAKE_BINARY_DIR}/generated/web_assets_files.c)
file(GLOB_RECURSE web_sources CONFIGURE_DEPENDS ${web_source}/src/*)
file(GLOB_RECURSE web_tests CONFIGURE_DEPENDS ${web_source}/test/*.ts)

file(MAKE_DIRECTORY ${web_build})
foreach(link src test build.mjs tsconfig.json)
  file(CREATE_LINK ${web_source}/${link} ${web_build}/${link} SYMBOLIC)
endforeach()

add_custom_command(
  OUTPUT ${web_build}/packages.stamp
  COMMAND ${CMAKE_COMMAND} -E copy ${web_source}/package.json ${web_source}/package-lock.json ${web_build}
  COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --prefer-offline --loglevel=error
  COMMAND ${CMAKE_COMMAND} -E touch ${web_build}/packages.stamp
  DEPENDS ${web_source}/package.json ${web_source}/package-lock.json
  WORKING_DIRECTORY ${web_build}
  COMMENT "Web UI: installing packages"
  VERBATIM)
add_custom_command(
  OUTPUT ${web_build}/types.stamp
  COMMAND ${NODE} node_modules/typescript/bin/tsc --noEmit
  COMMAND ${CMAKE_COMMAND} -E touch ${web_build}/types.stamp
  DEPENDS ${web_build}/packages.stamp ${web_sources} ${web_tests} ${web_source}/tsconfig.json
  WORKING_DIRECTORY ${web_build}
  COMMENT "Web UI: checking types"
  VERBATIM)
add_custom_command(
  OUTPUT ${web_assets_c}
  COMMAND ${NODE} build.mjs ${web_assets_c}
  DEPENDS ${web_build}/packages.stamp ${web_build}/types.stamp ${web_sources} ${web_source}/build.mjs
  WORKING_DIRECTORY ${web_build}
  COMMENT "Web UI: bundling"
  VERBATIM)
