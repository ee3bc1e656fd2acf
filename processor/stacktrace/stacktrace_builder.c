// SPDX-License-Identifier: Apache-2.0
//
// frames:  [ first half, as it came | ring of the latest half ]   total counts all that came
//
// The ring is turned to its natural order once, at the end. Arrays double up to the limit; an exception that falls out
// of a chain too long leaves its array behind for the next, so that any text needs a bounded amount of memory.
#include "processor/stacktrace/stacktrace_builder.h"

#include <assert.h>

#define HALF                (SENTRY_EVENT_FRAMES_MAX / 2)
#define FRAMES_CAPACITY_MIN 16
#define EXCEPTION_TO_DROP   (SENTRY_EVENT_EXCEPTIONS_MAX / 2)

static_assert(HALF * 2 == SENTRY_EVENT_FRAMES_MAX, "the halves must be equal");

void stacktrace_builder_init(struct stacktrace_builder *builder, struct arena *arena) {
  builder->arena = arena;
  builder->count = 0;
  builder->lines_matched = 0;
  builder->keep_first = false;
  builder->no_memory = false;
  builder->spare = (struct stacktrace_builder_trace){0};
  builder->discarded_trace = (struct stacktrace_builder_trace){0};
}

static void drop_exception(struct stacktrace_builder *builder, uint32_t index) {
  if (builder->traces[index].capacity > builder->spare.capacity) builder->spare = builder->traces[index];
  size_t behind = builder->count - index - 1;
  memmove(&builder->exceptions[index], &builder->exceptions[index + 1], behind * sizeof(builder->exceptions[0]));
  memmove(&builder->traces[index], &builder->traces[index + 1], behind * sizeof(builder->traces[0]));
  builder->count--;
}

// In keep_first mode frames behind the limit go nowhere; the open exception is then not in the list.
static bool is_open(const struct stacktrace_builder *builder) {
  return builder->count > 0 && !(builder->keep_first && builder->discarded_trace.total > 0);
}

struct sentry_exception *stacktrace_builder_exception(struct stacktrace_builder *builder) {
  if (builder->count == SENTRY_EVENT_EXCEPTIONS_MAX) {
    if (builder->keep_first) {
      builder->discarded_trace.total = 1;
      builder->discarded_exception = (struct sentry_exception){0};
      return &builder->discarded_exception;
    }
    drop_exception(builder, EXCEPTION_TO_DROP);
  }
  uint32_t index = builder->count++;
  builder->exceptions[index] = (struct sentry_exception){0};
  builder->traces[index] = builder->spare;
  builder->traces[index].total = 0;
  builder->spare = (struct stacktrace_builder_trace){0};
  return &builder->exceptions[index];
}

struct sentry_exception *stacktrace_builder_current(struct stacktrace_builder *builder) {
  if (builder->count == 0) return stacktrace_builder_exception(builder);
  return is_open(builder) ? &builder->exceptions[builder->count - 1] : &builder->discarded_exception;
}

static bool grow(struct stacktrace_builder *builder, struct stacktrace_builder_trace *trace) {
  uint32_t capacity = trace->capacity == 0 ? FRAMES_CAPACITY_MIN : trace->capacity * 2;
  struct sentry_frame *frames = arena_alloc_array(builder->arena, capacity, sizeof(*frames));
  if (frames == NULL) {
    builder->no_memory = true;
    return false;
  }
  if (trace->capacity > 0) memcpy(frames, trace->frames, trace->capacity * sizeof(*frames));
  trace->frames = frames;
  trace->capacity = capacity;
  return true;
}

// Where the frame that came as number `place` is kept (if it still is).
static uint32_t slot_of(uint64_t place) {
  return place < HALF ? (uint32_t)place : HALF + (uint32_t)((place - HALF) % HALF);
}

struct sentry_frame *stacktrace_builder_frame(struct stacktrace_builder *builder) {
  stacktrace_builder_current(builder);
  builder->discarded_frame = (struct sentry_frame){0};
  if (!is_open(builder)) return &builder->discarded_frame;
  struct stacktrace_builder_trace *trace = &builder->traces[builder->count - 1];
  uint32_t slot = slot_of(trace->total);
  if (slot >= trace->capacity && !grow(builder, trace)) return &builder->discarded_frame;
  trace->total++;
  trace->frames[slot] = (struct sentry_frame){0};
  return &trace->frames[slot];
}

struct sentry_frame *stacktrace_builder_last_frame(struct stacktrace_builder *builder) {
  if (stacktrace_builder_frame_count(builder) == 0) return NULL;
  struct stacktrace_builder_trace *trace = &builder->traces[builder->count - 1];
  return &trace->frames[slot_of(trace->total - 1)];
}

void stacktrace_builder_repeat(struct stacktrace_builder *builder, uint64_t times) {
  if (builder->count == 0 || !is_open(builder)) return;
  struct stacktrace_builder_trace *trace = &builder->traces[builder->count - 1];
  if (trace->total == 0) return;
  struct sentry_frame frame = trace->frames[slot_of(trace->total - 1)];
  uint64_t copies = times;
  if (times > SENTRY_EVENT_FRAMES_MAX) copies = SENTRY_EVENT_FRAMES_MAX + (times - SENTRY_EVENT_FRAMES_MAX) % HALF;
  for (uint64_t i = 0; i < copies; i++) *stacktrace_builder_frame(builder) = frame;
  // The ring is full of this frame by now: whole rounds of it are only counted.
  if (!builder->no_memory && times < UINT32_MAX) trace->total += times - copies;
}

void stacktrace_builder_copy_tail(struct stacktrace_builder *builder, uint32_t from_exception, uint64_t n) {
  if (from_exception + 1 >= builder->count || !is_open(builder)) return;
  const struct stacktrace_builder_trace *from = &builder->traces[from_exception];
  uint64_t available = from->total <= SENTRY_EVENT_FRAMES_MAX ? from->total : HALF; // what the ring still has
  if (n > available) n = available;
  for (uint64_t place = from->total - n; place < from->total; place++) {
    struct sentry_frame frame = from->frames[slot_of(place)];
    *stacktrace_builder_frame(builder) = frame;
  }
}

uint64_t stacktrace_builder_frame_count(const struct stacktrace_builder *builder) {
  return builder->count > 0 && is_open(builder) ? builder->traces[builder->count - 1].total : 0;
}

void stacktrace_builder_drop_frames(struct stacktrace_builder *builder) {
  if (builder->count > 0 && is_open(builder)) builder->traces[builder->count - 1].total = 0;
}

void stacktrace_builder_chain(struct stacktrace_builder *builder, uint32_t index, uint32_t parent, const char *type) {
  if (index >= builder->count) return;
  struct sentry_exception *exception = &builder->exceptions[index];
  exception->has_mechanism = true;
  exception->mechanism_type = slice_from_cstr(type);
  exception->has_exception_id = true;
  exception->exception_id = index;
  exception->has_parent_id = parent != STACKTRACE_BUILDER_NO_PARENT;
  exception->parent_id = exception->has_parent_id ? parent : 0;
}

static void reverse_frames(struct sentry_frame *frames, uint32_t count) {
  for (uint32_t i = 0; i < count / 2; i++) {
    struct sentry_frame frame = frames[i];
    frames[i] = frames[count - 1 - i];
    frames[count - 1 - i] = frame;
  }
}

static void finish_trace(const struct stacktrace_builder_trace *trace, enum stacktrace_builder_order order,
                         struct sentry_stacktrace *out_trace) {
  uint32_t count = trace->total < SENTRY_EVENT_FRAMES_MAX ? (uint32_t)trace->total : SENTRY_EVENT_FRAMES_MAX;
  uint64_t omitted = trace->total - count;
  uint32_t turn = (uint32_t)(omitted % HALF); // the ring's oldest frame is there: three reversals turn it to the front
  if (turn > 0) {
    reverse_frames(trace->frames + HALF, turn);
    reverse_frames(trace->frames + HALF + turn, HALF - turn);
    reverse_frames(trace->frames + HALF, HALF);
  }
  if (order == STACKTRACE_BUILDER_CRASH_FIRST) reverse_frames(trace->frames, count);
  for (uint32_t i = 0; i < count; i++) {
    struct sentry_frame *frame = &trace->frames[i];
    if (frame->filename.len == 0) frame->filename = frame->abs_path;
    if (frame->abs_path.len == 0) frame->abs_path = frame->filename;
  }
  out_trace->frames = trace->frames;
  out_trace->frame_count = count;
  out_trace->frames_omitted = omitted > UINT32_MAX ? UINT32_MAX : (uint32_t)omitted;
}

enum status stacktrace_builder_finish(struct stacktrace_builder *builder, enum stacktrace_builder_order frames,
                                      enum stacktrace_builder_exceptions exceptions,
                                      struct sentry_exception **out_exceptions, uint32_t *out_count,
                                      uint32_t *out_lines_matched) {
  if (builder->no_memory) return STATUS_NO_MEMORY;
  if (builder->lines_matched == 0 || builder->count == 0) {
    *out_lines_matched = 0;
    return STATUS_OK;
  }
  struct sentry_exception *list = arena_alloc_array(builder->arena, builder->count, sizeof(*list));
  if (list == NULL) return STATUS_NO_MEMORY;
  for (uint32_t i = 0; i < builder->count; i++) {
    uint32_t to = exceptions == STACKTRACE_BUILDER_RAISED_FIRST ? builder->count - 1 - i : i;
    finish_trace(&builder->traces[i], frames, &builder->exceptions[i].stacktrace);
    list[to] = builder->exceptions[i];
  }
  *out_exceptions = list;
  *out_count = builder->count;
  *out_lines_matched = builder->lines_matched;
  return STATUS_OK;
}
