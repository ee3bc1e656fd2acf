// SPDX-License-Identifier: Apache-2.0
//
// The program's entry.
#include <stdio.h>

int main(void) {
  puts("culprit " CULPRIT_VERSION);
  return 0;
}
