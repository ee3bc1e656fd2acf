// SPDX-License-Identifier: Apache-2.0
//
// Time as a struct of functions, so that tests replace it. Wall time is data (nanoseconds since the Unix epoch);
// monotonic time is for timeouts, ages and back-off. Any thread may call.
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S  UINT64_C(1000000000)

struct clock {
  uint64_t (*wall_ns)(const struct clock *clock);
  uint64_t (*monotonic_ns)(const struct clock *clock);
};

// CLOCK_REALTIME and CLOCK_MONOTONIC of the operating system.
const struct clock *clock_system(void);

// A clock for tests that moves only when told to. Set and add are atomic.
struct clock_fake {
  struct clock clock; // pass &fake.clock; must stay first
  uint64_t wall;
  uint64_t monotonic;
};
void clock_fake_init(struct clock_fake *fake, uint64_t wall_ns);
void clock_fake_add(struct clock_fake *fake, uint64_t ns);

static inline uint64_t clock_wall_ns(const struct clock *clock) {
  return clock->wall_ns(clock);
}
static inline uint64_t clock_monotonic_ns(const struct clock *clock) {
  return clock->monotonic_ns(clock);
}

#define CLOCK_RFC3339_BYTES 31
// "2026-11-21T09:30:00.123456789Z" and a NUL: always nanoseconds, always UTC.
void clock_format_rfc3339(uint64_t wall_ns, char out[CLOCK_RFC3339_BYTES]);

#endif
