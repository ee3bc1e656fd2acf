// SPDX-License-Identifier: Apache-2.0
//
// Nearly every value is a scalar, so otlp_any_check reads those in one flat loop. Arrays and key-value lists go to
// check_nested, which walks any depth with a stack of message ends instead of recursion:
//
//   AnyValue ── array_value ──> ArrayValue ── values ──> AnyValue …
//           └── kvlist_value ─> KeyValueList ── values ─> KeyValue ── value ──> AnyValue …
//
// At most three messages are open per nesting level, and levels are limited, so the stack has a fixed size.
#include "proto/otlp_any.h"

#include <assert.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const any_fields[] = {
    [1] = "string_value", [2] = "bool_value",   [3] = "int_value",   [4] = "double_value",
    [5] = "array_value",  [6] = "kvlist_value", [7] = "bytes_value", [8] = "string_value_strindex"};
static const char *const list_fields[] = {[1] = "values"};
static const char *const key_value_fields[] = {[1] = "key", [2] = "value", [3] = "key_strindex"};
static const struct otlp_message any_message = {any_fields, COUNT(any_fields)};
static const struct otlp_message list_message = {list_fields, COUNT(list_fields)};
static const struct otlp_message key_value_message = {key_value_fields, COUNT(key_value_fields)};

void otlp_any_fault(struct otlp_scan *scan, enum status status, const char *reason, const uint8_t *at) {
  if (scan->fault.status != STATUS_OK) return;
  scan->fault = (struct otlp_fault){
      .status = status, .reason = reason, .offset = scan->payload.ptr ? (uint64_t)(at - scan->payload.ptr) : 0};
}

bool otlp_any_within(struct otlp_scan *scan, const char *field) {
  if (scan->fault.path_count < COUNT(scan->fault.path)) scan->fault.path[scan->fault.path_count++] = field;
  return false;
}

static const char *field_name(const struct otlp_message *message, uint32_t tag) {
  return tag >> 3 < message->count ? message->fields[tag >> 3] : NULL;
}

static bool is_group(uint32_t tag) {
  return (tag & 7) == 3 || (tag & 7) == 4;
}

bool otlp_any_fail(struct otlp_scan *scan, const struct otlp_message *message, uint32_t tag, const uint8_t *at) {
  const char *name = field_name(message, tag);
  const char *reason = "a field that is cut short or malformed";
  if (tag == 0) reason = "a malformed tag";
  if (is_group(tag)) reason = "a group, which OTLP does not have";
  otlp_any_fault(scan, STATUS_INVALID, reason, at);
  if (name) otlp_any_within(scan, name);
  return false;
}

const uint8_t *otlp_any_unknown(struct otlp_scan *scan, const struct otlp_message *message, uint32_t tag,
                                const uint8_t *at, const uint8_t *end) {
  if (!field_name(message, tag) || is_group(tag)) return wire_skip(at, end, tag);
  otlp_any_fault(scan, STATUS_INVALID, "wrong wire type", at);
  return NULL;
}

enum status otlp_any_report(const struct otlp_fault *fault, struct error *error) {
  if (fault->status == STATUS_END) return STATUS_END;
  char path[160];
  size_t len = 0;
  for (uint32_t i = fault->path_count; i > 0; i--) {
    size_t name_len = strlen(fault->path[i - 1]);
    if (len + name_len + 2 > sizeof path) break;
    if (len > 0) path[len++] = '.';
    memcpy(path + len, fault->path[i - 1], name_len);
    len += name_len;
  }
  return error_set(error, fault->status, "%.*s%s%s at byte %llu", (int)len, path, len ? ": " : "", fault->reason,
                   (unsigned long long)fault->offset);
}

// Arrays and key-value lists can be wide without a limit on attributes being met, so their members count as attributes.
static bool count_attribute(struct otlp_scan *scan, const uint8_t *at) {
  if (scan->attributes_left > 0) {
    scan->attributes_left--;
    return true;
  }
  otlp_any_fault(scan, STATUS_TOO_LARGE, "more attributes than the limit", at);
  return false;
}

// An AnyValue member that is not a container.
static inline const uint8_t *check_scalar(struct otlp_scan *scan, uint32_t tag, const uint8_t *at, const uint8_t *end) {
  struct slice content;
  uint64_t number;
  switch (tag) {
  case WIRE_TAG(1, WIRE_BYTES): return otlp_any_string(scan, at, end, &content);
  case WIRE_TAG(2, WIRE_VARINT):
  case WIRE_TAG(3, WIRE_VARINT):
  case WIRE_TAG(8, WIRE_VARINT): return wire_varint(at, end, &number);
  case WIRE_TAG(4, WIRE_FIXED64): return wire_fixed64(at, end, &number);
  case WIRE_TAG(7, WIRE_BYTES): return wire_bytes(at, end, &content);
  default: return otlp_any_unknown(scan, &any_message, tag, at, end);
  }
}

// One bit per (length, first byte, last byte).
static uint32_t key_bit(struct slice key) {
  uint32_t first = key.len ? key.ptr[0] : 0, last = key.len ? key.ptr[key.len - 1] : 0;
  uint32_t mixed =
      (uint32_t)key.len * UINT32_C(0x9e3779b1) ^ first * UINT32_C(0x85ebca6b) ^ last * UINT32_C(0xc2b2ae35);
  return mixed >> 22;
}

void otlp_key_filter_add(struct otlp_key_filter *filter, struct slice key) {
  uint32_t bit = key_bit(key);
  filter->bits[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static inline bool key_filter_has(const struct otlp_key_filter *filter, struct slice key) {
  if (!filter) return false;
  uint32_t bit = key_bit(key);
  return (filter->bits[bit / 64] >> (bit % 64)) & 1;
}

void otlp_key_memory_begin(struct otlp_key_memory *memory, otlp_key_is_plain_fn is_plain, const void *context,
                           uint64_t number) {
  if (memory->number != number || memory->is_plain != is_plain) memset(memory, 0, sizeof(*memory));
  memory->is_plain = is_plain;
  memory->context = context;
  memory->number = number;
  memory->met = false;
}

static uint64_t load64(const uint8_t *from) {
  uint64_t word;
  memcpy(&word, from, sizeof word);
  return word;
}

static uint64_t load32(const uint8_t *from) {
  uint32_t word;
  memcpy(&word, from, sizeof word);
  return word;
}

// Equal keys of up to 32 bytes, nearly all, are told by two or four overlapping words.
static inline bool key_equal(const uint8_t *a, const uint8_t *b, size_t len) {
  if (len >= 8 && len <= 32) {
    uint64_t differ = (load64(a) ^ load64(b)) | (load64(a + len - 8) ^ load64(b + len - 8));
    if (len > 16) differ |= (load64(a + 8) ^ load64(b + 8)) | (load64(a + len - 16) ^ load64(b + len - 16));
    return differ == 0;
  }
  return memcmp(a, b, len) == 0;
}

// The slot: keys share prefixes (http.request.header.), so the end of a key counts.
static inline uint32_t key_slot(struct slice key) {
  uint64_t mixed = key.len;
  if (key.len >= 8) {
    mixed += load64(key.ptr + key.len - 8) * UINT64_C(0x9e3779b97f4a7c15) + load64(key.ptr);
  } else if (key.len >= 4) {
    mixed += load32(key.ptr) << 32 | load32(key.ptr + key.len - 4);
  } else if (key.len > 0) {
    mixed += (uint64_t)key.ptr[0] << 16 | (uint64_t)key.ptr[key.len / 2] << 8 | key.ptr[key.len - 1];
  }
  return (uint32_t)((mixed * UINT64_C(0xd6e8feb86659fd93)) >> 56);
}
static_assert(OTLP_KEY_MEMORY_SLOTS == 256, "key_slot makes 8 bits");

#define HEAD_BYTES 3 // of a remembered head that are not the key: tag and length before it, a tag behind

static inline bool is_known(const struct otlp_known_key *known, struct slice key) {
  return known->head_len == key.len + HEAD_BYTES && key.len > 0 && key_equal(known->head + 2, key.ptr, key.len);
}

// Two places for each key, so that two that are used side by side do not push each other out. NULL: not known.
static inline const struct otlp_known_key *find_key(const struct otlp_key_memory *memory, struct slice key) {
  const uint32_t slot = key_slot(key);
  if (is_known(&memory->known[slot], key)) return &memory->known[slot];
  return is_known(&memory->known[slot ^ 1], key) ? &memory->known[slot ^ 1] : NULL;
}

// A key, valid UTF-8, that is not known.
__attribute__((noinline)) static void judge_unknown(const struct otlp_scan *scan, struct slice key) {
  struct otlp_key_memory *memory = scan->keys;
  if (key.len == 0) return; // no key is no secret
  if (!memory->is_plain(memory->context, key)) {
    memory->met = true;
  } else if (key.len <= OTLP_KEY_MEMORY_KEY_BYTES) {
    uint32_t slot = key_slot(key);
    if (memory->known[slot].head_len > 0) slot ^= 1;
    struct otlp_known_key *known = &memory->known[slot];
    known->head_len = (uint8_t)(key.len + HEAD_BYTES);
    known->next = (uint8_t)slot;
    known->wanted = key_filter_has(scan->filter, key);
    known->head[0] = WIRE_TAG(1, WIRE_BYTES);
    known->head[1] = (uint8_t)key.len;
    memcpy(known->head + 2, key.ptr, key.len);
    known->head[2 + key.len] = WIRE_TAG(2, WIRE_BYTES);
  }
}

static inline void judge_key(const struct otlp_scan *scan, struct slice key) {
  if (!find_key(scan->keys, key)) judge_unknown(scan, key);
}

// The same, trying first what came next the last time.
static inline const struct otlp_known_key *guess_key(struct otlp_key_memory *memory, struct slice key) {
  struct otlp_known_key *last = &memory->known[memory->last];
  const struct otlp_known_key *known = &memory->known[last->next];
  if (!is_known(known, key)) {
    known = find_key(memory, key);
    if (!known) return NULL;
    last->next = (uint8_t)(known - memory->known);
  }
  memory->last = last->next;
  return known;
}

enum open_kind { OPEN_ANY, OPEN_ARRAY, OPEN_KVLIST, OPEN_KEY_VALUE };

struct open_message {
  const uint8_t *end;
  enum open_kind kind;
};

struct nesting {
  struct open_message open[3 * OTLP_DEPTH_CEILING + 1];
  uint32_t count;
  uint32_t depth; // AnyValue messages open, the outermost one included
};

static const struct otlp_message *const open_messages[] = {
    [OPEN_ANY] = &any_message,
    [OPEN_ARRAY] = &list_message,
    [OPEN_KVLIST] = &list_message,
    [OPEN_KEY_VALUE] = &key_value_message,
};

// Reads the payload of one field of the innermost open message: a member message is opened (the position is then its
// first byte), anything else is stepped over. NULL when it is malformed.
static const uint8_t *nested_field(struct otlp_scan *scan, struct nesting *nesting, uint32_t tag, const uint8_t *at) {
  const struct open_message *top = &nesting->open[nesting->count - 1];
  struct slice content;
  uint64_t number;
  enum open_kind kind;
  if (top->kind == OPEN_ANY) {
    if (tag != WIRE_TAG(5, WIRE_BYTES) && tag != WIRE_TAG(6, WIRE_BYTES)) return check_scalar(scan, tag, at, top->end);
    kind = tag == WIRE_TAG(5, WIRE_BYTES) ? OPEN_ARRAY : OPEN_KVLIST;
  } else if (top->kind == OPEN_KEY_VALUE && tag == WIRE_TAG(1, WIRE_BYTES)) {
    at = otlp_any_string(scan, at, top->end, &content);
    if (at && scan->keys) judge_key(scan, content);
    return at;
  } else if (top->kind == OPEN_KEY_VALUE && tag == WIRE_TAG(3, WIRE_VARINT)) {
    return wire_varint(at, top->end, &number);
  } else if (tag == (top->kind == OPEN_KEY_VALUE ? WIRE_TAG(2, WIRE_BYTES) : WIRE_TAG(1, WIRE_BYTES))) {
    kind = top->kind == OPEN_KVLIST ? OPEN_KEY_VALUE : OPEN_ANY;
    if (top->kind != OPEN_KEY_VALUE && !count_attribute(scan, at)) return NULL;
  } else {
    return otlp_any_unknown(scan, open_messages[top->kind], tag, at, top->end);
  }
  if (!wire_bytes(at, top->end, &content)) return NULL;
  if (kind == OPEN_ANY && nesting->depth++ >= scan->limits->depth_max) {
    otlp_any_fault(scan, STATUS_INVALID, "values nested deeper than the limit", at);
    return NULL;
  }
  nesting->open[nesting->count++] = (struct open_message){wire_end(content), kind};
  return content.ptr;
}

// Validates the content of an array_value (or a kvlist_value) and everything in it.
__attribute__((noinline)) static bool check_nested(struct otlp_scan *scan, struct slice content, enum open_kind kind) {
  struct nesting nesting;
  nesting.open[0] = (struct open_message){wire_end(content), kind};
  nesting.count = 1;
  nesting.depth = 1;
  const uint8_t *at = content.ptr;
  while (nesting.count > 0) {
    const struct open_message *top = &nesting.open[nesting.count - 1];
    if (at == top->end) {
      if (top->kind == OPEN_ANY) nesting.depth--;
      nesting.count--;
      continue;
    }
    const struct otlp_message *message = open_messages[top->kind];
    const uint8_t *field = at;
    uint32_t tag = 0;
    at = wire_tag(at, top->end, &tag);
    if (at) at = nested_field(scan, &nesting, tag, at);
    if (!at) return otlp_any_fail(scan, message, tag, field);
  }
  return true;
}

bool otlp_any_check(struct otlp_scan *scan, struct slice message) {
  const uint8_t *at = message.ptr, *end = wire_end(message);
  while (at != end) {
    const uint8_t *field = at;
    uint32_t tag = 0;
    at = wire_tag(at, end, &tag);
    if (at && (tag == WIRE_TAG(5, WIRE_BYTES) || tag == WIRE_TAG(6, WIRE_BYTES))) {
      struct slice content;
      at = wire_bytes(at, end, &content);
      if (at && !check_nested(scan, content, tag == WIRE_TAG(5, WIRE_BYTES) ? OPEN_ARRAY : OPEN_KVLIST)) at = NULL;
    } else if (at) {
      at = check_scalar(scan, tag, at, end);
    }
    if (!at) return otlp_any_fail(scan, &any_message, tag, field);
  }
  return true;
}

// What nearly every attribute is: a known key and then a value, both with a length of one byte, and nothing else.
//
//   0A n key… 12 m value…
//
// The known key, or NULL where any of it is otherwise.
static inline const struct otlp_known_key *split_common(struct otlp_key_memory *memory, struct slice message,
                                                        struct slice *out_key, struct slice *out_value) {
  const uint8_t *at = message.ptr;
  if (message.len < 4 || at[0] != WIRE_TAG(1, WIRE_BYTES)) return NULL;
  const size_t key_len = at[1];
  if (key_len + 4 > message.len) return NULL;
  const uint8_t *value = at + 2 + key_len;
  const size_t value_len = value[1];
  if (((key_len | value_len) & 0x80) || value[0] != WIRE_TAG(2, WIRE_BYTES)) return NULL;
  if (key_len + 4 + value_len != message.len) return NULL;
  *out_key = slice_make(at + 2, key_len);
  *out_value = slice_make(value + 2, value_len);
  return guess_key(memory, *out_key);
}

// A string and nothing else, shorter than 128 bytes and ASCII.
static inline bool is_short_ascii(struct slice value) {
  return value.len >= 2 && value.ptr[0] == WIRE_TAG(1, WIRE_BYTES) && value.ptr[1] == value.len - 2 &&
         value.len < 130 && wire_is_ascii(slice_make(value.ptr + 2, value.len - 2));
}

// Whatever else is allowed in a KeyValue.
__attribute__((noinline)) static bool check_any_key_value(struct otlp_scan *scan, struct slice message,
                                                          struct slice *out_key, bool *out_wanted) {
  const uint8_t *at = message.ptr, *end = wire_end(message);
  struct slice key = {NULL, 0}, value;
  uint64_t number;
  while (at != end) {
    const uint8_t *field = at;
    uint32_t tag = 0;
    at = wire_tag(at, end, &tag);
    if (!at) return otlp_any_fail(scan, &key_value_message, tag, field);
    switch (tag) {
    case WIRE_TAG(1, WIRE_BYTES): at = otlp_any_string(scan, at, end, &key); break;
    case WIRE_TAG(2, WIRE_BYTES):
      at = wire_bytes(at, end, &value);
      if (at && !otlp_any_check(scan, value)) at = NULL;
      break;
    case WIRE_TAG(3, WIRE_VARINT): at = wire_varint(at, end, &number); break;
    default: at = otlp_any_unknown(scan, &key_value_message, tag, at, end);
    }
    if (!at) return otlp_any_fail(scan, &key_value_message, tag, field);
  }
  if (scan->keys) judge_key(scan, key);
  *out_key = key;
  *out_wanted = key_filter_has(scan->filter, key);
  return true;
}

bool otlp_any_check_key_value(struct otlp_scan *scan, struct slice message, struct slice *out_key, bool *out_wanted) {
  if (!count_attribute(scan, message.ptr)) return false;
  struct slice value;
  const struct otlp_known_key *known = scan->keys ? split_common(scan->keys, message, out_key, &value) : NULL;
  if (!known) return check_any_key_value(scan, message, out_key, out_wanted);
  *out_wanted = known->wanted;
  if (is_short_ascii(value) || otlp_any_check(scan, value)) return true;
  return otlp_any_fail(scan, &key_value_message, WIRE_TAG(2, WIRE_BYTES), value.ptr - 2);
}

static void set_any(struct otlp_any *any, enum otlp_any_kind kind) {
  *any = (struct otlp_any){.kind = kind};
}

// Reads on into *any, so that a value in several pieces is merged.
static void merge_any(struct slice message, struct otlp_any *any) {
  static const enum otlp_any_kind kinds[] = {
      [1] = OTLP_ANY_STRING, [5] = OTLP_ANY_ARRAY, [6] = OTLP_ANY_KVLIST, [7] = OTLP_ANY_BYTES};
  const uint8_t *at = message.ptr, *end = wire_end(message);
  while (at != end) {
    uint32_t tag;
    uint64_t number;
    struct slice content;
    const uint8_t *payload = wire_tag(at, end, &tag);
    at = payload ? wire_skip(payload, end, tag) : NULL;
    if (!at) return;
    switch (tag) {
    case WIRE_TAG(1, WIRE_BYTES):
    case WIRE_TAG(5, WIRE_BYTES):
    case WIRE_TAG(6, WIRE_BYTES):
    case WIRE_TAG(7, WIRE_BYTES):
      wire_bytes(payload, end, &content);
      set_any(any, kinds[tag >> 3]);
      any->bytes = content;
      break;
    case WIRE_TAG(2, WIRE_VARINT):
      wire_varint(payload, end, &number);
      set_any(any, OTLP_ANY_BOOL);
      any->boolean = number != 0;
      break;
    case WIRE_TAG(3, WIRE_VARINT):
      wire_varint(payload, end, &number);
      set_any(any, OTLP_ANY_I64);
      any->i64 = (int64_t)number;
      break;
    case WIRE_TAG(4, WIRE_FIXED64):
      wire_fixed64(payload, end, &number);
      set_any(any, OTLP_ANY_DOUBLE);
      memcpy(&any->f64, &number, sizeof number);
      break;
    case WIRE_TAG(8, WIRE_VARINT): set_any(any, OTLP_ANY_EMPTY); break;
    default: break;
    }
  }
}

struct otlp_any otlp_any_decode(struct slice message) {
  struct otlp_any any = {.kind = OTLP_ANY_EMPTY};
  merge_any(message, &any);
  return any;
}

struct otlp_attribute otlp_any_decode_key_value(struct slice message) {
  struct otlp_attribute attribute = {.value = {.kind = OTLP_ANY_EMPTY}};
  const uint8_t *at = message.ptr, *end = wire_end(message);
  while (at != end) {
    uint32_t tag;
    struct slice value;
    const uint8_t *payload = wire_tag(at, end, &tag);
    at = payload ? wire_skip(payload, end, tag) : NULL;
    if (!at) break;
    if (tag == WIRE_TAG(1, WIRE_BYTES)) {
      wire_bytes(payload, end, &attribute.key);
    } else if (tag == WIRE_TAG(2, WIRE_BYTES)) {
      wire_bytes(payload, end, &value);
      merge_any(value, &attribute.value);
    }
  }
  return attribute;
}

// Is a value of fewer than 128 bytes an ASCII string or a number, and nothing else?
static inline bool is_simple(const uint8_t *value, size_t len) {
  if (len < 2) return false;
  if (value[0] == WIRE_TAG(1, WIRE_BYTES)) return value[1] == len - 2 && wire_block_is_ascii(value + 2, len - 2);
  if (value[0] == WIRE_TAG(4, WIRE_FIXED64)) return len == 9;
  if ((value[0] != WIRE_TAG(2, WIRE_VARINT) && value[0] != WIRE_TAG(3, WIRE_VARINT)) || len > 8) return false;
  // All bytes of a varint but the last have the high bit; the tag has not.
  const uint64_t mask = UINT64_C(0x8080808080808080) >> (8 * (8 - len));
  return (le64toh(load64(value)) & mask) == ((mask >> 8) & ~UINT64_C(0x80));
}

// Nearly all the bytes of a request are read here, so this loop holds what it needs in registers:
//
//   4A len 0A n key… 12 m value…
//          └── head ────┘
const uint8_t *otlp_any_quick(struct otlp_scan *scan, const uint8_t *at, const uint8_t *end, uint32_t *count) {
  struct otlp_key_memory *memory = scan->keys;
  const uint8_t *stop = end < scan->quick_end ? end : scan->quick_end;
  if (!memory || at >= stop || scan->attributes_left < (size_t)(end - at)) return at;
  const struct otlp_known_key *last = &memory->known[memory->last];
  if (memory->known[last->next].head_len == 0) return at; // none is known yet; what follows a known key is known
  uint32_t taken = 0;
  while (at < stop && *at == WIRE_TAG(OTLP_SPAN_ATTRIBUTES, WIRE_BYTES)) {
    const size_t len = at[1];
    const uint8_t *head = at + 2;
    const struct otlp_known_key *known = &memory->known[last->next];
    const size_t head_len = known->head_len, value_len = head[head_len];
    if (head_len + 1 + value_len != len || len >= 0x80 || len > (size_t)(end - head)) break;
    if (!wire_block_equal(head, known->head, head_len) || !is_simple(head + head_len + 1, value_len)) break;
    last = known;
    taken++;
    at = head + len;
    if (!known->wanted) continue;
    struct otlp_attribute attribute = otlp_any_decode_key_value(slice_make(head, len));
    scan->on_attribute(scan->context, OTLP_OWNER_SPAN, &attribute);
  }
  memory->last = (uint8_t)(last - memory->known);
  scan->attributes_left -= taken;
  *count += taken;
  return at;
}
