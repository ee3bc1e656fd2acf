// SPDX-License-Identifier: Apache-2.0
//
// The system clock, the fake one, and RFC 3339. Dates are computed from days since the epoch with 400-year eras that
// start on 1 March, so that the leap day is the last of its year and no table of month lengths is needed.
#include "base/clock.h"

#include <time.h>

#include "base/status.h"

static uint64_t read_clock(clockid_t id) {
  struct timespec now;
  ASSERT(clock_gettime(id, &now) == 0);
  return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static uint64_t system_wall_ns(const struct clock *clock) {
  (void)clock;
  return read_clock(CLOCK_REALTIME);
}

static uint64_t system_monotonic_ns(const struct clock *clock) {
  (void)clock;
  return read_clock(CLOCK_MONOTONIC);
}

const struct clock *clock_system(void) {
  static const struct clock system_clock = {.wall_ns = system_wall_ns, .monotonic_ns = system_monotonic_ns};
  return &system_clock;
}

static uint64_t fake_wall_ns(const struct clock *clock) {
  return __atomic_load_n(&((const struct clock_fake *)clock)->wall, __ATOMIC_SEQ_CST);
}

static uint64_t fake_monotonic_ns(const struct clock *clock) {
  return __atomic_load_n(&((const struct clock_fake *)clock)->monotonic, __ATOMIC_SEQ_CST);
}

void clock_fake_init(struct clock_fake *fake, uint64_t wall_ns) {
  fake->clock = (struct clock){.wall_ns = fake_wall_ns, .monotonic_ns = fake_monotonic_ns};
  __atomic_store_n(&fake->wall, wall_ns, __ATOMIC_SEQ_CST);
  __atomic_store_n(&fake->monotonic, NS_PER_S, __ATOMIC_SEQ_CST);
}

void clock_fake_add(struct clock_fake *fake, uint64_t ns) {
  __atomic_fetch_add(&fake->wall, ns, __ATOMIC_SEQ_CST);
  __atomic_fetch_add(&fake->monotonic, ns, __ATOMIC_SEQ_CST);
}

// Writes `digits` decimal digits and returns the place behind them.
static char *put_digits(char *to, uint64_t number, int digits) {
  for (int i = digits; i-- > 0; number /= 10) to[i] = (char)('0' + number % 10);
  return to + digits;
}

void clock_format_rfc3339(uint64_t wall_ns, char out[CLOCK_RFC3339_BYTES]) {
  uint64_t seconds = wall_ns / NS_PER_S;
  uint64_t days = seconds / 86400 + 719468; // since 0000-03-01
  uint64_t era = days / 146097;
  uint64_t day_of_era = days % 146097;
  uint64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  uint64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  uint64_t march_month = (5 * day_of_year + 2) / 153; // 0 is March
  uint64_t day = day_of_year - (153 * march_month + 2) / 5 + 1;
  uint64_t month = march_month < 10 ? march_month + 3 : march_month - 9;
  uint64_t year = era * 400 + year_of_era + (month <= 2);
  char *at = put_digits(out, year, 4);
  *at++ = '-';
  at = put_digits(at, month, 2);
  *at++ = '-';
  at = put_digits(at, day, 2);
  *at++ = 'T';
  at = put_digits(at, seconds / 3600 % 24, 2);
  *at++ = ':';
  at = put_digits(at, seconds / 60 % 60, 2);
  *at++ = ':';
  at = put_digits(at, seconds % 60, 2);
  *at++ = '.';
  at = put_digits(at, wall_ns % NS_PER_S, 9);
  *at++ = 'Z';
  *at++ = '\0';
  ASSERT(at == out + CLOCK_RFC3339_BYTES);
}
