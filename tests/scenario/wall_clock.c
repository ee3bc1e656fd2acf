// SPDX-License-Identifier: Apache-2.0
//
// A wall clock that is off by WALL_CLOCK_SHIFT_S seconds, to be preloaded (LD_PRELOAD) into a program of a test: what
// it writes, it writes days ago. Times that only pass (CLOCK_MONOTONIC and its kin) are left alone.
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static time_t shift(void) {
  const char *seconds = getenv("WALL_CLOCK_SHIFT_S");
  return seconds ? strtol(seconds, NULL, 10) : 0;
}

int clock_gettime(clockid_t id, struct timespec *out) {
  long result = syscall(SYS_clock_gettime, id, out);
  if (result == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) out->tv_sec += shift();
  return (int)result;
}

time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (out) *out = now.tv_sec;
  return now.tv_sec;
}
