// SPDX-License-Identifier: Apache-2.0
//
// otlp_scan against protobuf-c: random valid requests and regular ones, as SDKs send them; the same ones damaged, and
// cut at every byte.
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

// One attribute as SDKs write them: a string of any length around the ones that are read in one way or another, ASCII
// but for a few, or a number.
static void put_regular_attribute(struct generator *generator, struct buffer *span, const char *key) {
  static const char text[] =
      "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdefghij"
      "klmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz";
  struct wire_open_field pair, value;
  wire_open(span, OTLP_SPAN_ATTRIBUTES, 60, &pair);
  wire_put_bytes_field(span, 1, slice_from_cstr(key));
  wire_open(span, 2, 60, &value);
  switch (generator_below(generator, 8)) {
  case 0: wire_put_varint_field(span, 3, generator_next(generator) >> generator_below(generator, 64)); break;
  case 1: wire_put_varint_field(span, 2, generator_below(generator, 2)); break;
  case 2: wire_put_fixed64_field(span, 4, generator_next(generator)); break;
  case 3: wire_put_bytes_field(span, 1, SLICE_LITERAL("/gr\xc3\xbc\xc3\x9f")); break;
  default:
    wire_put_bytes_field(span, 1,
                         slice_make(text, generator_below(generator, 10) ? 9 + generator_below(generator, 40)
                                                                         : generator_below(generator, sizeof text)));
  }
  wire_close(span, &value);
  wire_close(span, &pair);
}

// What comes from one place in a program again and again: the same fields and the same keys in the same order.
static void generate_regular(uint64_t seed, struct buffer *out) {
  static const char *const keys[] = {"http.request.method",
                                     "http.route",
                                     "url.path",
                                     "user.name.gr\xc3\xbc\xc3\x9f",
                                     "k",
                                     "http.request.header.x-forwarded-for",
                                     "thread.id"};
  struct generator generator = {.state = seed};
  struct wire_open_field resource_level, scope_level, span, status;
  buffer_clear(out);
  wire_open(out, 1, 4096, &resource_level);
  wire_open(out, 2, 4096, &scope_level);
  for (uint32_t i = 0; i < 6; i++) {
    wire_open(out, 2, 400, &span);
    generate_random_bytes(&generator, out, 1, OTLP_TRACE_ID_BYTES);
    generate_random_bytes(&generator, out, 2, OTLP_SPAN_ID_BYTES);
    if (i > 0) generate_random_bytes(&generator, out, 4, OTLP_SPAN_ID_BYTES);
    wire_put_bytes_field(out, 5, generator_text(&generator));
    wire_put_varint_field(out, 6, 1 + i % 5);
    wire_put_fixed64_field(out, 7, generator_next(&generator));
    wire_put_fixed64_field(out, 8, generator_next(&generator));
    for (size_t k = 0; k < sizeof keys / sizeof keys[0]; k++) put_regular_attribute(&generator, out, keys[k]);
    wire_open(out, 15, 2, &status);
    wire_close(out, &status);
    wire_close(out, &span);
  }
  wire_close(out, &scope_level);
  wire_close(out, &resource_level);
}

static void damage(struct generator *generator, struct buffer *payload) {
  static const uint8_t telling[] = {0, 1, 2, 3, 0x08, 0x0a, 0x10, 0x12, 0x18, 0x21, 0x2a, 0x32, 0x3a, 0x40, 0x4a, 0x80};
  for (uint32_t n = 1 + generator_below(generator, 3); n > 0 && payload->len > 1; n--) {
    uint32_t at = generator_below(generator, (uint32_t)payload->len);
    switch (generator_below(generator, 6)) {
    case 4:
    case 5: payload->ptr[at] = telling[generator_below(generator, sizeof telling)]; break; // a tag or a length
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

static void regular_requests_are_read_as_any_other(void **state) {
  (void)state;
  struct buffer payload;
  uint32_t accepted = 0, refused = 0;
  buffer_init(&payload, 1 << 20);
  for (uint64_t seed = 0; seed < 20000; seed++) {
    struct generator generator = {.state = seed ^ UINT64_C(0xabcdef)};
    generate_regular(seed, &payload);
    if (seed % 16 == 0) assert_true(accepts_exact(OTLP_TRACES, buffer_slice(&payload)));
    damage(&generator, &payload);
    if (accepts_exact(OTLP_TRACES, buffer_slice(&payload))) {
      accepted++;
    } else {
      refused++;
    }
  }
  assert_true(accepted > 2000 && refused > 2000);
  buffer_finish(&payload);
}

// The message around a span is sound, so the scan gets as far as the cut; what stands behind it looks like more of the
// span, which it is not.
static void spans_end_where_their_length_says(void **state) {
  (void)state;
  struct buffer request, cut_request;
  buffer_init(&request, 1 << 16);
  buffer_init(&cut_request, 1 << 16);
  generate_regular(7, &request);
  struct otlp_field_iter resources = otlp_fields(buffer_slice(&request), 1), scopes, spans;
  struct slice resource, scope, span;
  assert_true(otlp_field_next(&resources, &resource));
  scopes = otlp_fields(resource, 2);
  assert_true(otlp_field_next(&scopes, &scope));
  spans = otlp_fields(scope, 2);
  for (int i = 0; i < 2; i++) assert_true(otlp_field_next(&spans, &span));
  uint32_t accepted = 0;
  for (size_t cut = 0; cut <= span.len; cut++) {
    struct wire_open_field resource_level, scope_level;
    buffer_clear(&cut_request);
    wire_open(&cut_request, 1, 1024, &resource_level);
    wire_open(&cut_request, 2, 1024, &scope_level);
    wire_put_bytes_field(&cut_request, 2, slice_sub(span, 0, cut));
    wire_put_bytes_field(&cut_request, 100, span);
    wire_close(&cut_request, &scope_level);
    wire_close(&cut_request, &resource_level);
    accepted += accepts_exact(OTLP_TRACES, buffer_slice(&cut_request));
  }
  assert_int_equal(accepted, 16); // between its fields
  buffer_finish(&request);
  buffer_finish(&cut_request);
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
      cmocka_unit_test(regular_requests_are_read_as_any_other),
      cmocka_unit_test(spans_end_where_their_length_says),
      cmocka_unit_test(requests_cut_anywhere_are_refused),
  };
  return cmocka_run_group_tests_name("otlp_scan against protobuf-c", tests, NULL, NULL);
}
