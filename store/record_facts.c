// SPDX-License-Identifier: Apache-2.0
//
// How it works: a section is a head, then three arrays, the first two of fixed-size elements so that they are read in
// place. Numbers are little-endian. Decoding checks the whole shape once; the accessors then need no checks.
//
//   head, 24 bytes
//      0  u64 fingerprint
//      8  u32 trace_count
//     12  u32 item_count
//     16  u32 request_count
//     20  u8  version, 1
//     21  u8  1: other bytes follow behind the requests; else 0
//     22  2 bytes, zero
//   traces, 64 bytes each
//      0  16  trace id
//     16  u64 start_ns
//     24  u64 end_ns
//     32  u64 randomness
//     40  u64 threshold
//     48  u32 span_count
//     52  u32 matches
//     56  u8 flags, u8 policy, u8 policy_index, u8 late
//     60  u32 probability_ppm
//   items, 4 bytes each
//      0  u24 trace, u8 flags
//   requests, 17 bytes and the text
//      0  u64 key
//      8  u32 trace
//     12  u32 item
//     16  u8  length of the text, then the text
//
// Indexes are checked against their arrays: an item's trace and a request's trace exist or are RECORD_NO_TRACE; a
// request without a trace names an item that exists.
#include "store/record_facts.h"

#include "store/little_endian.h"

enum { HEAD_BYTES = 24, TRACE_BYTES = 64, ITEM_BYTES = 4, REQUEST_BYTES = 17, VERSION = 1, MORE_AT = 21 };

static struct record_item item_at(const uint8_t *items, uint32_t index) {
  uint32_t word = little_endian_get_u32(items + (size_t)index * ITEM_BYTES);
  return (struct record_item){.trace = word & UINT32_C(0xffffff), .flags = (uint8_t)(word >> 24)};
}

static bool items_are_sound(struct record_facts *facts) {
  for (uint32_t i = 0; i < facts->item_count; i++) {
    struct record_item item = item_at(facts->items, i);
    if (item.trace >= facts->trace_count && item.trace != RECORD_NO_TRACE) return false;
    if (item.flags & RECORD_ITEM_ERROR) facts->has_errors = true;
  }
  return true;
}

static bool requests_are_sound(struct record_facts *facts, bool has_more) {
  const uint8_t *cursor = facts->requests;
  for (uint32_t i = 0; i < facts->request_count; i++) {
    if (facts->end - cursor < REQUEST_BYTES) return false;
    uint32_t trace = little_endian_get_u32(cursor + 8), item = little_endian_get_u32(cursor + 12);
    if (trace != RECORD_NO_TRACE ? trace >= facts->trace_count : item >= facts->item_count) return false;
    uint8_t len = cursor[16];
    cursor += REQUEST_BYTES;
    if (len > RECORD_REQUEST_ID_BYTES_MAX || facts->end - cursor < len) return false;
    cursor += len;
  }
  if (has_more) facts->more = slice_make(cursor, (size_t)(facts->end - cursor));
  bool sound = has_more || cursor == facts->end;
  facts->end = cursor;
  return sound;
}

enum status record_facts_decode(struct slice section, struct record_facts *out_facts) {
  if (section.len < HEAD_BYTES || section.ptr[20] != VERSION) return STATUS_CORRUPT;
  if (section.ptr[MORE_AT] > 1 || section.ptr[22] || section.ptr[23]) return STATUS_CORRUPT;
  struct record_facts facts = {
      .fingerprint = little_endian_get_u64(section.ptr),
      .trace_count = little_endian_get_u32(section.ptr + 8),
      .item_count = little_endian_get_u32(section.ptr + 12),
      .request_count = little_endian_get_u32(section.ptr + 16),
      .traces = section.ptr + HEAD_BYTES,
      .end = section.ptr + section.len,
  };
  if (facts.trace_count > RECORD_TRACES_MAX) return STATUS_CORRUPT;
  size_t left = section.len - HEAD_BYTES;
  if (facts.trace_count > left / TRACE_BYTES) return STATUS_CORRUPT;
  facts.items = facts.traces + (size_t)facts.trace_count * TRACE_BYTES;
  left -= (size_t)facts.trace_count * TRACE_BYTES;
  if (facts.item_count > left / ITEM_BYTES) return STATUS_CORRUPT;
  facts.requests = facts.items + (size_t)facts.item_count * ITEM_BYTES;
  if (!items_are_sound(&facts) || !requests_are_sound(&facts, section.ptr[MORE_AT])) return STATUS_CORRUPT;
  *out_facts = facts;
  return STATUS_OK;
}

void record_facts_trace(const struct record_facts *facts, uint32_t index, struct record_trace *out_trace) {
  ASSERT(index < facts->trace_count);
  const uint8_t *from = facts->traces + (size_t)index * TRACE_BYTES;
  memcpy(out_trace->trace_id, from, sizeof(out_trace->trace_id));
  out_trace->start_ns = little_endian_get_u64(from + 16);
  out_trace->end_ns = little_endian_get_u64(from + 24);
  out_trace->randomness = little_endian_get_u64(from + 32);
  out_trace->threshold = little_endian_get_u64(from + 40);
  out_trace->span_count = little_endian_get_u32(from + 48);
  out_trace->matches = little_endian_get_u32(from + 52);
  out_trace->flags = from[56];
  out_trace->policy = from[57];
  out_trace->policy_index = from[58];
  out_trace->late = from[59];
  out_trace->probability_ppm = little_endian_get_u32(from + 60);
}

const uint8_t *record_facts_trace_id(const struct record_facts *facts, uint32_t index) {
  ASSERT(index < facts->trace_count);
  return facts->traces + (size_t)index * TRACE_BYTES;
}

struct record_item record_facts_item(const struct record_facts *facts, uint32_t index) {
  ASSERT(index < facts->item_count);
  return item_at(facts->items, index);
}

bool record_facts_next_request(const struct record_facts *facts, const uint8_t **cursor,
                               struct record_request *out_request) {
  const uint8_t *from = *cursor;
  if (from == facts->end) return false;
  *out_request = (struct record_request){
      .key = little_endian_get_u64(from),
      .trace = little_endian_get_u32(from + 8),
      .item = little_endian_get_u32(from + 12),
      .id = slice_make(from + REQUEST_BYTES, from[16]),
  };
  *cursor = from + REQUEST_BYTES + from[16];
  return true;
}

static void put_trace(uint8_t *to, const struct record_trace *trace) {
  memcpy(to, trace->trace_id, sizeof(trace->trace_id));
  little_endian_put_u64(to + 16, trace->start_ns);
  little_endian_put_u64(to + 24, trace->end_ns);
  little_endian_put_u64(to + 32, trace->randomness);
  little_endian_put_u64(to + 40, trace->threshold);
  little_endian_put_u32(to + 48, trace->span_count);
  little_endian_put_u32(to + 52, trace->matches);
  to[56] = trace->flags;
  to[57] = trace->policy;
  to[58] = trace->policy_index;
  to[59] = trace->late;
  little_endian_put_u32(to + 60, trace->probability_ppm);
}

static uint8_t *put_request(uint8_t *to, const struct record_request *request) {
  little_endian_put_u64(to, request->key);
  little_endian_put_u32(to + 8, request->trace);
  little_endian_put_u32(to + 12, request->item);
  to[16] = (uint8_t)request->id.len;
  if (request->id.len > 0) memcpy(to + REQUEST_BYTES, request->id.ptr, request->id.len);
  return to + REQUEST_BYTES + request->id.len;
}

enum status record_facts_encode(uint64_t fingerprint, const struct record_trace *traces, uint32_t trace_count,
                                const struct record_item *items, uint32_t item_count,
                                const struct record_request *requests, uint32_t request_count, struct buffer *out) {
  ASSERT(trace_count <= RECORD_TRACES_MAX);
  size_t bytes = HEAD_BYTES + (size_t)trace_count * TRACE_BYTES + (size_t)item_count * ITEM_BYTES;
  for (uint32_t i = 0; i < request_count; i++) {
    ASSERT(requests[i].id.len <= RECORD_REQUEST_ID_BYTES_MAX);
    bytes += REQUEST_BYTES + requests[i].id.len;
  }
  uint8_t *to = buffer_reserve(out, bytes);
  if (!to) return STATUS_TOO_LARGE;
  memset(to, 0, HEAD_BYTES);
  little_endian_put_u64(to, fingerprint);
  little_endian_put_u32(to + 8, trace_count);
  little_endian_put_u32(to + 12, item_count);
  little_endian_put_u32(to + 16, request_count);
  to[20] = VERSION;
  to += HEAD_BYTES;
  for (uint32_t i = 0; i < trace_count; i++, to += TRACE_BYTES) put_trace(to, &traces[i]);
  for (uint32_t i = 0; i < item_count; i++, to += ITEM_BYTES) {
    ASSERT(items[i].trace < trace_count || items[i].trace == RECORD_NO_TRACE);
    little_endian_put_u32(to, items[i].trace | (uint32_t)items[i].flags << 24);
  }
  for (uint32_t i = 0; i < request_count; i++) to = put_request(to, &requests[i]);
  out->len += bytes;
  return STATUS_OK;
}

void record_facts_announce_more(uint8_t *section) {
  section[MORE_AT] = 1;
}
