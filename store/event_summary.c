// SPDX-License-Identifier: Apache-2.0
//
// How it works: a head of fixed size, then texts, each as its length and its bytes. Numbers are little-endian.
//
//   head, 72 bytes
//      0  u8  version, 1
//      1  u8  source
//      2  u8  hash_count, 1 … ISSUE_EVENT_HASHES_MAX
//      3  u8  tag_count
//      4  u8  past_hash_count, 0 … ISSUE_PAST_HASHES_MAX
//      5  u8  has_outline
//      6  2 bytes, zero
//      8  16  event id
//     24  u64 timestamp_ns
//     32  u64 duplicate_key
//     40  16  outline
//     56  16  outline of the other side
//   texts: u16 length, bytes: trace id, span id, request id, title, type, value, culprit, level, platform, service,
//      environment, release
//   hashes, then past hashes: 16 bytes, algorithm and variant as texts whose last byte is NUL
//   tags: key and value as texts
#include "store/event_summary.h"

#include "store/little_endian.h"

enum { HEAD_BYTES = 72, LENGTH_BYTES = 2, VERSION = 1, TEXTS = 12 };

// The texts in their order, with the lengths they are stored in.
static const struct text {
  size_t offset; // in struct issue_event
  size_t bytes_max;
} texts[TEXTS] = {
    {offsetof(struct issue_event, trace_id), 16},
    {offsetof(struct issue_event, span_id), 8},
    {offsetof(struct issue_event, request_id), ISSUE_WORD_BYTES_MAX},
    {offsetof(struct issue_event, title), ISSUE_TITLE_BYTES_MAX},
    {offsetof(struct issue_event, type), ISSUE_WORD_BYTES_MAX},
    {offsetof(struct issue_event, value), ISSUE_TEXT_BYTES_MAX},
    {offsetof(struct issue_event, culprit), ISSUE_TEXT_BYTES_MAX},
    {offsetof(struct issue_event, level), ISSUE_WORD_BYTES_MAX},
    {offsetof(struct issue_event, platform), ISSUE_WORD_BYTES_MAX},
    {offsetof(struct issue_event, service), ISSUE_WORD_BYTES_MAX},
    {offsetof(struct issue_event, environment), ISSUE_WORD_BYTES_MAX},
    {offsetof(struct issue_event, release), ISSUE_WORD_BYTES_MAX},
};

static void put_text(struct buffer *out, struct slice text) {
  uint8_t length[LENGTH_BYTES];
  little_endian_put_u16(length, (uint16_t)text.len);
  buffer_append(out, length, sizeof length);
  buffer_append_slice(out, text);
}

// With its NUL.
static void put_name(struct buffer *out, const char *name) {
  struct slice text = slice_from_cstr(name);
  put_text(out, slice_make(text.ptr, text.len + 1));
}

static void put_hashes(struct buffer *out, const struct issue_hash *hashes, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    buffer_append(out, hashes[i].bytes, ISSUE_HASH_BYTES);
    put_name(out, hashes[i].algorithm);
    put_name(out, hashes[i].variant);
  }
}

enum status event_summary_encode(const struct issue_event *event, struct buffer *out) {
  ASSERT(event->hash_count >= 1 && event->hash_count <= ISSUE_EVENT_HASHES_MAX);
  ASSERT(event->past_hash_count <= ISSUE_PAST_HASHES_MAX);
  uint32_t tags = event->tag_count < EVENT_SUMMARY_TAGS_MAX ? event->tag_count : EVENT_SUMMARY_TAGS_MAX;
  uint8_t head[HEAD_BYTES] = {VERSION,       (uint8_t)event->source,          (uint8_t)event->hash_count,
                              (uint8_t)tags, (uint8_t)event->past_hash_count, event->has_outline};
  memcpy(head + 8, event->event_id, ISSUE_EVENT_ID_BYTES);
  little_endian_put_u64(head + 24, event->timestamp_ns);
  little_endian_put_u64(head + 32, event->duplicate_key);
  memcpy(head + 40, event->outline, ISSUE_HASH_BYTES);
  memcpy(head + 56, event->outline_of_other_side, ISSUE_HASH_BYTES);
  buffer_append(out, head, sizeof head);
  for (size_t i = 0; i < TEXTS; i++) {
    struct slice text;
    memcpy(&text, (const char *)event + texts[i].offset, sizeof text);
    put_text(out, issue_cut(text, texts[i].bytes_max));
  }
  put_hashes(out, event->hashes, event->hash_count);
  put_hashes(out, event->past_hashes, event->past_hash_count);
  for (uint32_t i = 0; i < tags; i++) {
    put_text(out, issue_cut(event->tags[i].key, ISSUE_WORD_BYTES_MAX));
    put_text(out, issue_cut(event->tags[i].value, ISSUE_WORD_BYTES_MAX));
  }
  return out->failed ? STATUS_TOO_LARGE : STATUS_OK;
}

// Takes `len` bytes off the front.
static bool take(struct slice *rest, size_t len, struct slice *out) {
  if (rest->len < len) return false;
  *out = slice_sub(*rest, 0, len);
  *rest = slice_skip(*rest, len);
  return true;
}

static bool take_text(struct slice *rest, struct slice *out_text) {
  struct slice length;
  return take(rest, LENGTH_BYTES, &length) && take(rest, little_endian_get_u16(length.ptr), out_text);
}

static bool take_name(struct slice *rest, const char **out_name) {
  struct slice text;
  if (!take_text(rest, &text) || text.len == 0 || slice_find_byte(text, 0) != text.len - 1) return false;
  *out_name = (const char *)text.ptr;
  return true;
}

static bool take_hashes(struct slice *rest, struct issue_hash *out_hashes, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) {
    struct slice bytes;
    if (!take(rest, ISSUE_HASH_BYTES, &bytes) || !take_name(rest, &out_hashes[i].algorithm) ||
        !take_name(rest, &out_hashes[i].variant)) {
      return false;
    }
    memcpy(out_hashes[i].bytes, bytes.ptr, ISSUE_HASH_BYTES);
  }
  return true;
}

enum status event_summary_decode(struct slice bytes, struct event_summary *out_summary) {
  struct slice head;
  if (!take(&bytes, HEAD_BYTES, &head) || head.ptr[0] != VERSION) return STATUS_CORRUPT;
  struct issue_event *event = &out_summary->event;
  *event = (struct issue_event){
      .source = (enum issue_source)head.ptr[1],
      .hash_count = head.ptr[2],
      .tag_count = head.ptr[3],
      .past_hash_count = head.ptr[4],
      .has_outline = head.ptr[5] != 0,
      .past_hashes = out_summary->past_hashes,
      .timestamp_ns = little_endian_get_u64(head.ptr + 24),
      .duplicate_key = little_endian_get_u64(head.ptr + 32),
      .hashes = out_summary->hashes,
      .tags = out_summary->tags,
  };
  memcpy(event->event_id, head.ptr + 8, ISSUE_EVENT_ID_BYTES);
  memcpy(event->outline, head.ptr + 40, ISSUE_HASH_BYTES);
  memcpy(event->outline_of_other_side, head.ptr + 56, ISSUE_HASH_BYTES);
  bool sound = event->source >= ISSUE_SOURCE_SPAN && event->source <= ISSUE_SOURCE_SDK && event->hash_count >= 1 &&
               event->hash_count <= ISSUE_EVENT_HASHES_MAX && event->past_hash_count <= ISSUE_PAST_HASHES_MAX &&
               event->tag_count <= EVENT_SUMMARY_TAGS_MAX;
  for (size_t i = 0; sound && i < TEXTS; i++) {
    struct slice text;
    sound = take_text(&bytes, &text);
    if (sound) memcpy((char *)event + texts[i].offset, &text, sizeof text);
  }
  sound = sound && take_hashes(&bytes, out_summary->hashes, event->hash_count) &&
          take_hashes(&bytes, out_summary->past_hashes, event->past_hash_count);
  for (uint32_t i = 0; sound && i < event->tag_count; i++) {
    sound = take_text(&bytes, &out_summary->tags[i].key) && take_text(&bytes, &out_summary->tags[i].value);
  }
  return sound && bytes.len == 0 ? STATUS_OK : STATUS_CORRUPT;
}
