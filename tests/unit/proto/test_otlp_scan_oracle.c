// SPDX-License-Identifier: Apache-2.0
//
// otlp_scan against protobuf-c: random valid requests, the same ones damaged, and cut at every byte.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/proto/otlp_generator.h"
#include "tests/unit/proto/otlp_oracle.h"

static void generate(uint64_t seed, enum otlp_signal signal, struct buffer *out) {
  struct generator generator = {.state = seed, .unknown_fields = seed % 2 == 0};
  buffer_clear(out);
  generate_request(&generator, signal, out);
}

// The bytes in memory of exactly their size, so that AddressSanitizer sees a read beyond the end.
static bool accepts_exact(enum otlp_signal signal, struct slice payload) {
  uint8_t *copy = malloc(payload.len ? payload.len : 1);
  assert_non_null(copy);
  if (payload.len > 0) memcpy(copy, payload.ptr, payload.len);
  bool accepted = otlp_oracle_accepts(signal, slice_make(copy, payload.len), NULL, NULL);
  free(copy);
  return accepted;
}

static void valid_requests_are_read_as_protobuf_c_reads_them(void **state) {
  (void)state;
  struct buffer payload;
  uint64_t items_seen = 0;
  buffer_init(&payload, 1 << 24);
  for (uint64_t seed = 0; seed < 4000; seed++) {
    enum otlp_signal signal = seed % 4 < 2 ? OTLP_TRACES : OTLP_LOGS;
    struct error error = {""};
    uint32_t items = 0;
    generate(seed, signal, &payload);
    if (!otlp_oracle_accepts(signal, buffer_slice(&payload), &items, &error)) {
      fail_msg("seed %u: %s", (unsigned)seed, error.text);
    }
    items_seen += items;
  }
  assert_true(items_seen > 10000); // the generator does generate
  buffer_finish(&payload);
}

static void damage(struct generator *generator, struct buffer *payload) {
  for (uint32_t n = 1 + generator_below(generator, 3); n > 0 && payload->len > 1; n--) {
    uint32_t at = generator_below(generator, (uint32_t)payload->len);
    switch (generator_below(generator, 4)) {
    case 0: payload->ptr[at] = (uint8_t)generator_next(generator); break;
    case 1: payload->ptr[at] ^= (uint8_t)(1U << generator_below(generator, 8)); break;
    case 2: payload->len = at; break;
    default: // one byte less in the middle
      memmove(payload->ptr + at, payload->ptr + at + 1, payload->len - at - 1);
      payload->len--;
      break;
    }
  }
}

static void what_the_scan_accepts_protobuf_c_accepts(void **state) {
  (void)state;
  struct buffer payload;
  uint32_t accepted = 0, refused = 0;
  buffer_init(&payload, 1 << 24);
  for (uint64_t seed = 0; seed < 12000; seed++) {
    enum otlp_signal signal = seed % 4 < 2 ? OTLP_TRACES : OTLP_LOGS;
    struct generator generator = {.state = seed ^ UINT64_C(0xabcdef)};
    generate(seed, signal, &payload);
    damage(&generator, &payload);
    if (accepts_exact(signal, buffer_slice(&payload))) {
      accepted++;
    } else {
      refused++;
    }
  }
  assert_true(accepted > 500 && refused > 5000);
  buffer_finish(&payload);
}

// Where a request can be cut so that it is still one: between its own fields.
static bool is_field_boundary(struct slice payload, size_t cut) {
  const uint8_t *at = payload.ptr, *end = payload.ptr + payload.len;
  while (at != end && (size_t)(at - payload.ptr) < cut) {
    uint32_t tag;
    at = wire_tag(at, end, &tag);
    at = wire_skip(at, end, tag);
  }
  return (size_t)(at - payload.ptr) == cut;
}

static void requests_cut_anywhere_are_refused(void **state) {
  (void)state;
  struct buffer payload;
  size_t cuts = 0;
  buffer_init(&payload, 1 << 24);
  for (uint64_t seed = 100; cuts < 60000; seed++) {
    enum otlp_signal signal = seed % 4 < 2 ? OTLP_TRACES : OTLP_LOGS;
    generate(seed, signal, &payload);
    if (payload.len < 500 || payload.len > 8000) continue;
    struct slice whole = buffer_slice(&payload);
    for (size_t cut = 0; cut < whole.len; cut++, cuts++) {
      bool accepted = accepts_exact(signal, slice_sub(whole, 0, cut));
      if (accepted != is_field_boundary(whole, cut)) fail_msg("seed %u cut at %zu", (unsigned)seed, cut);
    }
  }
  buffer_finish(&payload);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(valid_requests_are_read_as_protobuf_c_reads_them),
      cmocka_unit_test(what_the_scan_accepts_protobuf_c_accepts),
      cmocka_unit_test(requests_cut_anywhere_are_refused),
  };
  return cmocka_run_group_tests_name("otlp_scan against protobuf-c", tests, NULL, NULL);
}
