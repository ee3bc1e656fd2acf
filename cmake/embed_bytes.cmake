# SPDX-License-Identifier: Apache-2.0
# Writes OUT: each of FILES as an array of bytes under the symbol of NAMES at the same place, its length as <name>_len.
string(REPLACE " " ";" FILES "${FILES}")
string(REPLACE " " ";" NAMES "${NAMES}")
set(text "#include \"${HEADER}\"\n")
foreach(file name IN ZIP_LISTS FILES NAMES)
  file(READ ${file} hex HEX)
  string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
  string(APPEND text "const unsigned char ${name}[] = {${bytes}0};\n")
  string(APPEND text "const size_t ${name}_len = sizeof(${name}) - 1;\n")
endforeach()
file(WRITE ${OUT} "${text}")
