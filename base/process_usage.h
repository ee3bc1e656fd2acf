// SPDX-License-Identifier: Apache-2.0
//
// What the operating system says this process uses, for the process_* metrics. Any thread may call; reads /proc/self, a
// few dozen microseconds. What cannot be read is 0.
#ifndef BASE_PROCESS_USAGE_H
#define BASE_PROCESS_USAGE_H

#include <stdint.h>

struct process_usage {
  uint64_t cpu_ns; // user and system
  uint64_t resident_bytes;
  uint64_t virtual_bytes;
  uint64_t open_fds;
  uint64_t max_fds;
  uint64_t threads;
  uint64_t start_ns; // since the Unix epoch
};

void process_usage_read(struct process_usage *out_usage);

#endif
