// SPDX-License-Identifier: Apache-2.0
//
// How it works: a table of sets of WAYS, and beside it the hashes of traces that were met once. What is met again is
// kept: traces that never come back cost a hash. When the budget is used up a hand goes round the table and drops what
// was not used since it came by; nothing of the event under way is dropped.
//
//   key    config id | platform, mechanism, type, value: length, bytes | frame …
//   frame  struct frame_head | function, raw_function, module, …: bytes
//   memo   struct, key, struct memo_frame …, names          texts: fed and written of system, app and outline
#include "processor/grouping_memory.h"

#include <stdlib.h>

#include "processor/grouping_internal.h"

#define WAYS          4
#define SLOTS         4096
#define SEEN          4096
#define KEY_BYTES_MAX ((size_t)1 << 16)
#define SHARE         8 // of the budget is the most for one trace
#define TEXTS         9

enum { SYSTEM, APP, OUTLINE, TRACES };

// The texts of a frame that grouping reads, in their order. The first two are what trimming changes.
static const size_t text_offsets[TEXTS] = {
    offsetof(struct sentry_frame, function), offsetof(struct sentry_frame, raw_function),
    offsetof(struct sentry_frame, module),   offsetof(struct sentry_frame, package),
    offsetof(struct sentry_frame, filename), offsetof(struct sentry_frame, abs_path),
    offsetof(struct sentry_frame, platform), offsetof(struct sentry_frame, context_line),
    offsetof(struct sentry_frame, category)};

struct frame_head {
  uint32_t lens[TEXTS];
  uint32_t line, column;
  uint8_t in_app, sourcemap, zero[2];
};

struct memo_frame {
  struct slice function, raw_function; // when renamed
  bool renamed;
  enum sentry_in_app in_app;
};

struct grouping_memo {
  uint64_t hash;
  uint64_t used; // the event that used it last
  bool recent;   // used since the hand came by
  bool complete, has_outline;
  bool too_large; // to be completed
  size_t bytes;
  struct slice key;
  struct memo_frame *frames;
  uint32_t frame_count;
  uint8_t *texts;
  struct grouping_memo_trace traces[TRACES];
  struct grouping_ended ended[TRACES];
};

struct grouping_memory {
  size_t bytes_max, bytes;
  uint64_t now; // the event under way
  uint64_t seed;
  uint32_t hand;
  struct buffer key, scratch;
  uint64_t hash; // of the key
  bool has_key;
  struct grouping_memo *slots[SLOTS];
  uint64_t seen[SEEN]; // sets of WAYS, the latest first
};

struct grouping_memory *grouping_memory_create(size_t bytes_max) {
  struct grouping_memory *memory = calloc(1, sizeof *memory);
  ASSERT(memory != NULL);
  memory->bytes_max = bytes_max;
  memory->seed = random_u64();
  buffer_init(&memory->key, KEY_BYTES_MAX);
  buffer_init(&memory->scratch, bytes_max);
  return memory;
}

static void drop(struct grouping_memory *memory, struct grouping_memo **slot) {
  memory->bytes -= (*slot)->bytes;
  free((*slot)->texts);
  free(*slot);
  *slot = NULL;
}

void grouping_memory_destroy(struct grouping_memory *memory) {
  if (memory == NULL) return;
  for (uint32_t i = 0; i < SLOTS; i++) {
    if (memory->slots[i] != NULL) drop(memory, &memory->slots[i]);
  }
  buffer_finish(&memory->key);
  buffer_finish(&memory->scratch);
  free(memory);
}

size_t grouping_memory_bytes(const struct grouping_memory *memory) {
  return memory->bytes;
}

void grouping_memory_begin(struct grouping_memory *memory) {
  memory->now++;
}

// ---- keys

static void add_text(struct buffer *key, struct slice text) {
  uint64_t len = text.len;
  buffer_append(key, &len, sizeof len);
  buffer_append_slice(key, text);
}

static struct slice text_of(const struct sentry_frame *frame, size_t i) {
  struct slice text;
  memcpy(&text, (const char *)frame + text_offsets[i], sizeof text);
  return text;
}

static void add_frame(struct buffer *key, const struct sentry_frame *frame) {
  struct frame_head head = {
      .line = frame->line, .column = frame->column, .in_app = (uint8_t)frame->in_app, .sourcemap = frame->sourcemap};
  size_t len = sizeof head;
  struct slice texts[TEXTS];
  for (size_t i = 0; i < TEXTS; i++) {
    texts[i] = text_of(frame, i);
    head.lens[i] = (uint32_t)texts[i].len;
    len += texts[i].len;
  }
  uint8_t *to = buffer_reserve(key, len);
  if (to == NULL) return;
  memcpy(to, &head, sizeof head);
  size_t at = sizeof head;
  for (size_t i = 0; i < TEXTS; i++) {
    if (texts[i].len > 0) memcpy(to + at, texts[i].ptr, texts[i].len);
    at += texts[i].len;
  }
  key->len += len;
}

// False when the trace is too large to be kept.
static bool make_key(struct grouping_memory *memory, const struct grouping_config *config,
                     const struct grouping_subject *subject, const struct sentry_stacktrace *trace) {
  struct buffer *key = &memory->key;
  buffer_clear(key);
  buffer_append(key, &config->id, sizeof config->id);
  add_text(key, subject->platform);
  static const struct sentry_exception none;
  const struct sentry_exception *exception = subject->exception != NULL ? subject->exception : &none;
  add_text(key, config->asks_mechanism ? exception->mechanism_type : none.type);
  add_text(key, config->asks_type ? exception->type : none.type);
  add_text(key, config->asks_value ? exception->value : none.type);
  for (uint32_t i = 0; i < trace->frame_count && !key->failed; i++) add_frame(key, &trace->frames[i]);
  memory->hash = hash_xxh3_seeded(buffer_slice(key), memory->seed);
  return !key->failed;
}

static struct grouping_memo **set_of(struct grouping_memory *memory) {
  return &memory->slots[memory->hash % (SLOTS / WAYS) * WAYS];
}

static struct grouping_memo *find(struct grouping_memory *memory) {
  struct grouping_memo **set = set_of(memory);
  for (int i = 0; i < WAYS; i++) {
    if (set[i] == NULL || set[i]->hash != memory->hash) continue;
    if (slice_equal(set[i]->key, buffer_slice(&memory->key))) return set[i];
  }
  return NULL;
}

const struct grouping_memo *grouping_memory_look(struct grouping_memory *memory, const struct grouping_config *config,
                                                 const struct grouping_subject *subject,
                                                 struct sentry_stacktrace *trace, bool complete) {
  memory->has_key = trace->frame_count > 0 && make_key(memory, config, subject, trace);
  struct grouping_memo *memo = memory->has_key ? find(memory) : NULL;
  if (memo == NULL || (complete && !memo->complete)) return NULL;
  memo->used = memory->now;
  memo->recent = true;
  for (uint32_t i = 0; i < memo->frame_count; i++) {
    struct sentry_frame *frame = &trace->frames[i];
    frame->in_app = memo->frames[i].in_app;
    if (!memo->frames[i].renamed) continue;
    frame->function = memo->frames[i].function;
    frame->raw_function = memo->frames[i].raw_function;
  }
  return memo;
}

// ---- keeping

// Makes room for `bytes`; false when what is there is all of the event under way, or it would be too much.
static bool make_room(struct grouping_memory *memory, size_t bytes) {
  if (bytes > memory->bytes_max / SHARE) return false;
  for (uint32_t steps = 0; memory->bytes + bytes > memory->bytes_max; steps++) {
    if (steps == 2 * SLOTS) return false;
    struct grouping_memo **slot = &memory->slots[memory->hand++ % SLOTS];
    if (*slot == NULL || (*slot)->used == memory->now) continue;
    if (!(*slot)->recent) drop(memory, slot);
    if (*slot != NULL) (*slot)->recent = false;
  }
  return true;
}

// A place for a new one in its set.
static struct grouping_memo **free_slot(struct grouping_memory *memory) {
  struct grouping_memo **set = set_of(memory), **oldest = NULL;
  for (int i = 0; i < WAYS; i++) {
    if (set[i] == NULL) return &set[i];
    if (set[i]->used != memory->now && (oldest == NULL || set[i]->used < (*oldest)->used)) oldest = &set[i];
  }
  if (oldest != NULL) drop(memory, oldest);
  return oldest;
}

// What a frame of the key was called.
static void names_in_key(struct slice key, size_t at, struct frame_head *out_head, struct slice out_names[2]) {
  memcpy(out_head, key.ptr + at, sizeof *out_head);
  out_names[0] = slice_sub(key, at + sizeof *out_head, out_head->lens[0]);
  out_names[1] = slice_sub(key, at + sizeof *out_head + out_head->lens[0], out_head->lens[1]);
}

// Where the first frame of a key is.
static size_t first_frame(struct slice key) {
  size_t at = sizeof(uint64_t);
  for (int i = 0; i < 4; i++) {
    uint64_t len;
    memcpy(&len, key.ptr + at, sizeof len);
    at += sizeof len + (size_t)len;
  }
  return at;
}

static struct slice copy_to(uint8_t **to, struct slice text) {
  struct slice copy = slice_make(*to, text.len);
  if (text.len > 0) memcpy(*to, text.ptr, text.len);
  *to += text.len;
  return copy;
}

static void fill(struct grouping_memo *memo, const struct sentry_stacktrace *trace, uint8_t *names) {
  size_t at = first_frame(memo->key);
  for (uint32_t i = 0; i < trace->frame_count; i++) {
    const struct sentry_frame *frame = &trace->frames[i];
    struct frame_head head;
    struct slice before[2];
    names_in_key(memo->key, at, &head, before);
    at += sizeof head;
    for (size_t t = 0; t < TEXTS; t++) at += head.lens[t];
    struct memo_frame *kept = &memo->frames[i];
    kept->in_app = frame->in_app;
    kept->renamed = !slice_equal(frame->function, before[0]) || !slice_equal(frame->raw_function, before[1]);
    if (!kept->renamed) continue;
    kept->function = copy_to(&names, frame->function);
    kept->raw_function = copy_to(&names, frame->raw_function);
  }
}

// Was the key met before? From now on it was.
static bool was_seen(struct grouping_memory *memory) {
  uint64_t *set = &memory->seen[memory->hash % (SEEN / WAYS) * WAYS];
  for (int i = 0; i < WAYS; i++) {
    if (set[i] == memory->hash) return true;
  }
  memmove(set + 1, set, (WAYS - 1) * sizeof *set);
  set[0] = memory->hash;
  return false;
}

struct grouping_memo *grouping_memory_keep(struct grouping_memory *memory, const struct sentry_stacktrace *trace) {
  if (!memory->has_key) return NULL;
  memory->has_key = false;
  struct grouping_memo *memo = find(memory);
  if (memo != NULL && (memo->complete || memo->too_large)) return NULL;
  if (memo != NULL) { // the event under way needs it, though nothing was read out of it
    memo->used = memory->now;
    memo->recent = true;
    return memo;
  }
  if (!was_seen(memory)) return NULL;
  size_t names = 0, frames = trace->frame_count * sizeof(struct memo_frame);
  for (uint32_t i = 0; i < trace->frame_count; i++) {
    names += trace->frames[i].function.len + trace->frames[i].raw_function.len;
  }
  struct slice key = buffer_slice(&memory->key);
  size_t bytes = sizeof *memo + frames + key.len + names;
  struct grouping_memo **slot = make_room(memory, bytes) ? free_slot(memory) : NULL;
  memo = slot != NULL ? calloc(1, bytes) : NULL;
  if (memo == NULL) return NULL;
  memo->hash = memory->hash;
  memo->used = memory->now;
  memo->bytes = bytes;
  memo->frames = (struct memo_frame *)(memo + 1);
  memo->frame_count = trace->frame_count;
  uint8_t *behind = (uint8_t *)memo->frames + frames;
  memo->key = copy_to(&behind, key);
  fill(memo, trace, behind);
  memory->bytes += bytes;
  *slot = memo;
  return memo;
}

// Writes what a trace comes to into scratch; the slices are places in it until they are moved.
static void tell(struct buffer *scratch, const struct grouping_component *trace, struct grouping_memo_trace *out) {
  *out = (struct grouping_memo_trace){.hint = trace->hint, .contributes = trace->contributes};
  size_t from = scratch->len;
  grouping_component_gather(trace, scratch);
  out->told.fed = slice_make(NULL, scratch->len - from);
  from = scratch->len;
  grouping_component_write_children(trace, scratch);
  out->told.written = slice_make(NULL, scratch->len - from);
}

void grouping_memory_complete(struct grouping_memory *memory, struct grouping_memo *memo,
                              const struct grouping_component *system, const struct grouping_component *app,
                              const struct grouping_component *outline) {
  if (memo->complete || system == NULL || app == NULL) return;
  struct grouping_memo_trace traces[TRACES] = {0};
  buffer_clear(&memory->scratch);
  tell(&memory->scratch, system, &traces[SYSTEM]);
  tell(&memory->scratch, app, &traces[APP]);
  if (outline != NULL) tell(&memory->scratch, outline, &traces[OUTLINE]);
  struct slice texts = buffer_slice(&memory->scratch);
  memo->too_large = memory->scratch.failed || texts.len > memory->bytes_max / SHARE;
  if (memo->too_large || !make_room(memory, texts.len)) return;
  memo->texts = malloc(texts.len + 1);
  if (memo->texts == NULL) return;
  uint8_t *to = memo->texts;
  copy_to(&to, texts);
  const uint8_t *at = memo->texts;
  for (int i = 0; i < TRACES; i++) {
    struct grouping_told *told = &traces[i].told;
    told->fed.ptr = at;
    told->written.ptr = at + told->fed.len;
    at = told->written.ptr + told->written.len;
    hash_md5_init(&told->begun);
    hash_md5_update(&told->begun, told->fed);
    told->ended = &memo->ended[i];
  }
  memcpy(memo->traces, traces, sizeof traces);
  memo->has_outline = outline != NULL;
  memo->complete = true;
  memo->bytes += texts.len;
  memory->bytes += texts.len;
}

const struct grouping_memo_trace *grouping_memo_system(const struct grouping_memo *memo) {
  return &memo->traces[SYSTEM];
}

const struct grouping_memo_trace *grouping_memo_app(const struct grouping_memo *memo) {
  return &memo->traces[APP];
}

const struct grouping_memo_trace *grouping_memo_outline(const struct grouping_memo *memo) {
  return memo->has_outline ? &memo->traces[OUTLINE] : NULL;
}
