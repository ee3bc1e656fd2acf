# SPDX-License-Identifier: Apache-2.0
# culprit_folder(NAME SOURCES … DEPENDS folder… LIBRARIES target…): one OBJECT library per folder, culprit_<NAME>.
set_property(GLOBAL PROPERTY CULPRIT_FOLDERS "")
function(culprit_folder name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  add_library(culprit_${name} OBJECT ${ARG_SOURCES})
  target_link_libraries(culprit_${name} PUBLIC culprit_flags Threads::Threads ${ARG_LIBRARIES})
  foreach(folder IN LISTS ARG_DEPENDS)
    target_link_libraries(culprit_${name} PUBLIC culprit_${folder})
  endforeach()
  set_property(GLOBAL APPEND PROPERTY CULPRIT_FOLDERS culprit_${name})
endfunction()
