// SPDX-License-Identifier: Apache-2.0
//
// Valid OTLP requests at random, the same ones for the same seed: every field, in any order, some of them twice,
// unknown fields in between, empty messages, non-ASCII text. For tests that compare.
#ifndef TESTS_OTLP_GENERATOR_H
#define TESTS_OTLP_GENERATOR_H

#include <stdio.h>

#include "base/buffer.h"
#include "proto/otlp_scan.h"
#include "proto/wire.h"

struct generator {
  uint64_t state;
  bool unknown_fields;
};

// splitmix64
static inline uint64_t generator_next(struct generator *generator) {
  uint64_t z = generator->state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
  return z ^ (z >> 31);
}

static inline uint32_t generator_below(struct generator *generator, uint32_t bound) {
  return (uint32_t)(generator_next(generator) % bound);
}

static inline struct slice generator_text(struct generator *generator) {
  static const char *const texts[] = {"",
                                      "a",
                                      "http.request.method",
                                      "exception",
                                      "exception.type",
                                      "exception.message",
                                      "service.name",
                                      "GET /api/carts/{id}",
                                      "SELECT * FROM orders WHERE id = ? AND owner = ? ORDER BY created LIMIT 10",
                                      "gr\xc3\xbc\xc3\x9f",
                                      "\xe6\xbc\xa2\xe5\xad\x97",
                                      "\xf0\x9f\xa6\x80 crab",
                                      "ot=th:8;rv:0123456789abcd",
                                      "31 bytes of ASCII, not 32 bytes",
                                      "32 bytes of ASCII and not 33 byt",
                                      "33 bytes and the last is not: \xc3\xa9 "};
  return slice_from_cstr(texts[generator_below(generator, sizeof texts / sizeof texts[0])]);
}

static inline void generate_random_bytes(struct generator *generator, struct buffer *out, uint32_t field,
                                         uint32_t len) {
  uint8_t bytes[32];
  for (uint32_t i = 0; i < len; i++) bytes[i] = (uint8_t)generator_next(generator);
  wire_put_bytes_field(out, field, slice_make(bytes, len));
}

static inline void generate_unknown(struct generator *generator, struct buffer *out) {
  if (!generator->unknown_fields || generator_below(generator, 4) != 0) return;
  uint32_t field = generator_below(generator, 3) == 0 ? 1000 : 100 + generator_below(generator, 100000);
  switch (generator_below(generator, 4)) {
  case 0: wire_put_varint_field(out, field, generator_next(generator)); break;
  case 1: wire_put_fixed64_field(out, field, generator_next(generator)); break;
  case 2: generate_random_bytes(generator, out, field, generator_below(generator, 30)); break;
  default: wire_put_fixed32_field(out, field, (uint32_t)generator_next(generator)); break;
  }
}

static inline void generate_nested(struct buffer *out, uint32_t field, struct buffer *inner) {
  ASSERT(!inner->failed);
  wire_put_bytes_field(out, field, buffer_slice(inner));
  buffer_finish(inner);
}

static inline void generate_key_value(struct generator *generator, struct buffer *out, uint32_t field, uint32_t depth);

static inline void generate_any(struct generator *generator, struct buffer *out, uint32_t field, uint32_t depth) {
  struct buffer any, list;
  buffer_init(&any, 1 << 20);
  generate_unknown(generator, &any);
  uint32_t kinds = depth > 0 ? 9 : 7;
  switch (generator_below(generator, kinds)) {
  case 0: wire_put_bytes_field(&any, 1, generator_text(generator)); break;
  case 1: wire_put_varint_field(&any, 2, generator_below(generator, 2)); break;
  case 2: wire_put_varint_field(&any, 3, generator_next(generator) >> generator_below(generator, 64)); break;
  case 3: wire_put_fixed64_field(&any, 4, generator_next(generator)); break;
  case 4: generate_random_bytes(generator, &any, 7, generator_below(generator, 20)); break;
  case 5: wire_put_varint_field(&any, 8, generator_below(generator, 100)); break;
  case 6: break; // no value
  case 7:
    buffer_init(&list, 1 << 20);
    for (uint32_t n = generator_below(generator, 4); n > 0; n--) generate_any(generator, &list, 1, depth - 1);
    generate_nested(&any, 5, &list);
    break;
  default:
    buffer_init(&list, 1 << 20);
    for (uint32_t n = generator_below(generator, 4); n > 0; n--) generate_key_value(generator, &list, 1, depth - 1);
    generate_nested(&any, 6, &list);
    break;
  }
  generate_unknown(generator, &any);
  generate_nested(out, field, &any);
}

static inline void generate_key_value(struct generator *generator, struct buffer *out, uint32_t field, uint32_t depth) {
  struct buffer pair;
  buffer_init(&pair, 1 << 20);
  bool value_first = generator_below(generator, 8) == 0;
  if (value_first) generate_any(generator, &pair, 2, depth);
  generate_unknown(generator, &pair);
  wire_put_bytes_field(&pair, 1, generator_text(generator));
  if (!value_first && generator_below(generator, 16) != 0) generate_any(generator, &pair, 2, depth);
  if (generator_below(generator, 32) == 0) wire_put_varint_field(&pair, 3, 1);
  generate_nested(out, field, &pair);
}

static inline void generate_ids(struct generator *generator, struct buffer *out, uint32_t trace_field,
                                uint32_t span_field) {
  uint32_t odd = generator_below(generator, 16);
  generate_random_bytes(generator, out, trace_field, odd == 0 ? generator_below(generator, 20) : 16);
  generate_random_bytes(generator, out, span_field, odd == 1 ? generator_below(generator, 20) : 8);
}

static inline void generate_event_or_link(struct generator *generator, struct buffer *out, uint32_t field) {
  struct buffer inner;
  buffer_init(&inner, 1 << 20);
  bool is_event = field == OTLP_SPAN_EVENTS;
  if (is_event) {
    wire_put_fixed64_field(&inner, 1, generator_next(generator));
    wire_put_bytes_field(&inner, 2, generator_text(generator));
  } else {
    generate_ids(generator, &inner, 1, 2);
    wire_put_bytes_field(&inner, 3, generator_text(generator));
    wire_put_fixed32_field(&inner, 6, (uint32_t)generator_next(generator));
  }
  generate_unknown(generator, &inner);
  uint32_t attributes = is_event ? OTLP_EVENT_ATTRIBUTES : OTLP_LINK_ATTRIBUTES;
  for (uint32_t n = generator_below(generator, 3); n > 0; n--) generate_key_value(generator, &inner, attributes, 1);
  if (generator_below(generator, 4) == 0) wire_put_varint_field(&inner, is_event ? 4 : 5, 3);
  generate_nested(out, field, &inner);
}

static inline void generate_span_field(struct generator *generator, struct buffer *out, uint32_t field) {
  struct buffer status;
  switch (field) {
  case 1:
  case 2: generate_ids(generator, out, 1, 2); break;
  case 3:
  case 5: wire_put_bytes_field(out, field, generator_text(generator)); break;
  case 4: generate_random_bytes(generator, out, field, generator_below(generator, 2) * 8); break;
  case 6: wire_put_varint_field(out, field, generator_below(generator, 7)); break;
  case 7:
  case 8: wire_put_fixed64_field(out, field, generator_next(generator)); break;
  case 9: generate_key_value(generator, out, field, 4); break;
  case OTLP_SPAN_EVENTS:
  case OTLP_SPAN_LINKS: generate_event_or_link(generator, out, field); break;
  case 15:
    buffer_init(&status, 1 << 20);
    if (generator_below(generator, 2)) wire_put_bytes_field(&status, 2, generator_text(generator));
    generate_unknown(generator, &status);
    wire_put_varint_field(&status, 3, generator_below(generator, 3));
    generate_nested(out, field, &status);
    break;
  case 16: wire_put_fixed32_field(out, field, (uint32_t)generator_next(generator)); break;
  default: wire_put_varint_field(out, field, generator_next(generator)); break; // dropped counts
  }
}

static inline void generate_log_field(struct generator *generator, struct buffer *out, uint32_t field) {
  switch (field) {
  case 1:
  case 11: wire_put_fixed64_field(out, field, generator_next(generator)); break;
  case 2: wire_put_varint_field(out, field, generator_below(generator, 25)); break;
  case 3:
  case 12: wire_put_bytes_field(out, field, generator_text(generator)); break;
  case 5: generate_any(generator, out, field, 4); break;
  case 6: generate_key_value(generator, out, field, 4); break;
  case 8: wire_put_fixed32_field(out, field, (uint32_t)generator_next(generator)); break;
  case 9:
  case 10: generate_ids(generator, out, 9, 10); break;
  default: wire_put_varint_field(out, 7, generator_next(generator)); break;
  }
}

// One Span or LogRecord in `field`.
static inline void generate_item(struct generator *generator, enum otlp_signal signal, struct buffer *out,
                                 uint32_t field) {
  struct buffer item;
  buffer_init(&item, 1 << 20);
  for (uint32_t n = generator_below(generator, 24); n > 0; n--) {
    generate_unknown(generator, &item);
    if (signal == OTLP_TRACES) {
      generate_span_field(generator, &item, 1 + generator_below(generator, 16));
    } else {
      generate_log_field(generator, &item, 1 + generator_below(generator, 12));
    }
  }
  generate_nested(out, field, &item);
}

static inline void generate_head(struct generator *generator, struct buffer *out, uint32_t attributes_field) {
  struct buffer head;
  buffer_init(&head, 1 << 20);
  if (attributes_field == OTLP_SCOPE_ATTRIBUTES) wire_put_bytes_field(&head, 1, generator_text(generator));
  generate_unknown(generator, &head);
  for (uint32_t n = generator_below(generator, 4); n > 0; n--)
    generate_key_value(generator, &head, attributes_field, 3);
  generate_nested(out, 1, &head);
}

static inline void generate_scope_level(struct generator *generator, enum otlp_signal signal, struct buffer *out) {
  struct buffer level;
  buffer_init(&level, 1 << 24);
  bool head_last = generator_below(generator, 4) == 0;
  if (!head_last) generate_head(generator, &level, OTLP_SCOPE_ATTRIBUTES);
  for (uint32_t n = generator_below(generator, 6); n > 0; n--) {
    generate_unknown(generator, &level);
    generate_item(generator, signal, &level, 2);
  }
  if (head_last) generate_head(generator, &level, OTLP_SCOPE_ATTRIBUTES);
  wire_put_bytes_field(&level, 3, generator_text(generator));
  generate_nested(out, 2, &level);
}

// Appends a request to `out`.
static inline void generate_request(struct generator *generator, enum otlp_signal signal, struct buffer *out) {
  for (uint32_t r = generator_below(generator, 4); r > 0; r--) {
    struct buffer level;
    buffer_init(&level, 1 << 24);
    uint32_t heads = generator_below(generator, 8);
    if (heads > 0) generate_head(generator, &level, OTLP_RESOURCE_ATTRIBUTES);
    for (uint32_t s = generator_below(generator, 4); s > 0; s--) {
      generate_unknown(generator, &level);
      generate_scope_level(generator, signal, &level);
    }
    if (heads == 7) generate_head(generator, &level, OTLP_RESOURCE_ATTRIBUTES);
    generate_unknown(generator, out);
    generate_nested(out, 1, &level);
  }
  generate_unknown(generator, out);
  ASSERT(!out->failed);
}

#endif
