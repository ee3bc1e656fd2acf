// SPDX-License-Identifier: Apache-2.0
//
// How it works: hashes that contribute become the issue's; when grouping had no memory or found nothing, type and value
// decide. When none of them has an issue, the setups that were in force before are asked too. Tags are the event's and
// a few of its fields.
#include "collector/inbox_event.h"

#include <assert.h>

#include "base/hash.h"
#include "store/issue_tags.h"

static_assert(ISSUE_TAGS_COLLECTED_MAX <= EVENT_SUMMARY_TAGS_MAX, "what is collected is kept");

static struct slice raw_id(struct arena *arena, struct slice hex, size_t bytes) {
  uint8_t *raw = arena_alloc(arena, bytes);
  return raw && slice_from_hex(hex, raw, bytes) ? slice_make(raw, bytes) : (struct slice){0};
}

// Adds the hashes that contribute, each once; returns how many there are then.
static uint32_t add_hashes(const struct grouping_result *result, const char *algorithm, struct issue_hash *hashes,
                           uint32_t count, uint32_t max) {
  for (uint32_t i = 0; i < result->variant_count && count < max; i++) {
    const struct grouping_variant *variant = &result->variants[i];
    struct issue_hash hash = {.algorithm = algorithm, .variant = variant->name};
    if (strcmp(variant->name, GROUPING_OUTLINE) == 0) continue;
    if (!variant->contributes || !slice_from_hex(slice_from_cstr(variant->hash), hash.bytes, ISSUE_HASH_BYTES))
      continue;
    bool known = false;
    for (uint32_t k = 0; k < count && !known; k++) known = memcmp(hashes[k].bytes, hash.bytes, ISSUE_HASH_BYTES) == 0;
    if (!known) hashes[count++] = hash;
  }
  return count;
}

// When grouping had no memory or found nothing, type and value decide.
static uint32_t collect_hashes(const struct grouping_result *result, const char *algorithm,
                               const struct sentry_event *event, struct issue_hash out_hashes[ISSUE_EVENT_HASHES_MAX]) {
  uint32_t count = add_hashes(result, algorithm, out_hashes, 0, ISSUE_EVENT_HASHES_MAX);
  if (count > 0) return count;
  struct hash_md5 md5;
  char hex[33];
  hash_md5_init(&md5);
  if (event->exception_count > 0) {
    hash_md5_update(&md5, event->exceptions[event->exception_count - 1].type);
    hash_md5_update(&md5, event->exceptions[event->exception_count - 1].value);
  }
  hash_md5_update(&md5, event->message);
  hash_md5_finish(&md5, hex);
  out_hashes[0] = (struct issue_hash){.algorithm = "culprit-fallback", .variant = "fallback"};
  bool good = slice_from_hex(slice_make(hex, 32), out_hashes[0].bytes, ISSUE_HASH_BYTES);
  ASSERT(good);
  return 1;
}

static void copy_frames(struct sentry_stacktrace *stack, struct arena *arena) {
  struct sentry_frame *frames = arena_alloc_array(arena, stack->frame_count, sizeof *frames);
  if (frames && stack->frame_count > 0) memcpy(frames, stack->frames, stack->frame_count * sizeof *frames);
  stack->frames = frames;
}

// The event with stacks of its own, since grouping marks them and a past algorithm must see them as they came. Whether
// the arena had room for it is the arena's to say.
static struct sentry_event copy_stacks(const struct sentry_event *event, struct arena *arena) {
  struct sentry_event copy = *event;
  copy.exceptions = arena_alloc_array(arena, event->exception_count, sizeof *copy.exceptions);
  copy.threads = arena_alloc_array(arena, event->thread_count, sizeof *copy.threads);
  if (!copy.exceptions || !copy.threads) return copy;
  for (uint32_t i = 0; i < event->exception_count; i++) {
    copy.exceptions[i] = event->exceptions[i];
    copy_frames(&copy.exceptions[i].stacktrace, arena);
  }
  for (uint32_t i = 0; i < event->thread_count; i++) {
    copy.threads[i] = event->threads[i];
    copy_frames(&copy.threads[i].stacktrace, arena);
  }
  if (event->stacktrace.frames) copy_frames(&copy.stacktrace, arena);
  return copy;
}

// Hashes by the setups that were in force before, latest first.
static uint32_t collect_past(struct arena *arena, const struct sentry_event *as_it_came,
                             const struct inbox_setup *setups, uint32_t setup_count,
                             struct issue_hash out_hashes[ISSUE_PAST_HASHES_MAX]) {
  uint32_t count = 0;
  for (uint32_t i = 1; i < setup_count; i++) {
    struct sentry_event event = copy_stacks(as_it_came, arena);
    struct grouping_result result = {0};
    if (arena_exhausted(arena)) break; // the event is taken all the same
    if (grouping_compute(setups[i].config, &event, arena, &result) != STATUS_OK) break;
    count = add_hashes(&result, setups[i].id, out_hashes, count, ISSUE_PAST_HASHES_MAX);
  }
  return count;
}

// The last bit of an outline says which side it is of: an SDK's event, or one made of text.
static void read_outline(const struct grouping_result *result, struct issue_event *event) {
  const struct grouping_variant *last = result->variant_count > 0 ? &result->variants[result->variant_count - 1] : NULL;
  if (last == NULL || strcmp(last->name, GROUPING_OUTLINE) != 0) return;
  if (!slice_from_hex(slice_from_cstr(last->hash), event->outline, ISSUE_HASH_BYTES)) return;
  uint8_t *side = &event->outline[ISSUE_HASH_BYTES - 1];
  *side = (uint8_t)((*side & 0xfeu) | (event->source == ISSUE_SOURCE_SDK));
  memcpy(event->outline_of_other_side, event->outline, ISSUE_HASH_BYTES);
  event->outline_of_other_side[ISSUE_HASH_BYTES - 1] ^= 1;
  event->has_outline = true;
}

struct slice inbox_event_first_of(struct slice preferred, struct slice otherwise) {
  return preferred.len > 0 ? preferred : otherwise;
}

static void describe(struct inbox_event *out, const struct inbox_event_origin *origin, const struct sentry_event *event,
                     struct arena *arena) {
  out->event = (struct issue_event){
      .project = origin->project,
      .source = origin->source,
      .timestamp_ns = event->timestamp_ns,
      .received_ns = origin->received_ns,
      .duplicate_key = origin->duplicate_key,
      .trace_id = raw_id(arena, event->trace_id, 16),
      .span_id = raw_id(arena, event->span_id, 8),
      .request_id = event->request_id,
      .title = event->title,
      .type = out->result.type,
      .value = out->result.value,
      .culprit = event->culprit,
      .level = event->level,
      .platform = event->platform,
      .service = event->service,
      .environment = event->environment,
      .release = event->release,
      .hashes = out->hashes,
      .hash_count = collect_hashes(&out->result, out->algorithm, event, out->hashes),
      .tags = out->tags,
      .tag_count = issue_tags_collect(event, out->tags),
  };
  read_outline(&out->result, &out->event);
}

void inbox_event_make(struct inbox_event *out, const struct inbox_event_origin *origin, struct inbox_grouping *grouping,
                      struct sentry_event *event, struct arena *arena) {
  if (event->timestamp_ns == 0) event->timestamp_ns = origin->received_ns;
  event->received_ns = origin->received_ns;
  event->level = inbox_event_first_of(event->level, SLICE_LITERAL("error"));
  struct inbox_setup setups[1 + GROUPING_HISTORY_PAST_MAX];
  uint32_t setup_count = inbox_grouping_find(grouping, origin->project, origin->received_ns, setups);
  struct sentry_event as_it_came = setup_count > 1 ? copy_stacks(event, arena) : *event;
  if (arena_exhausted(arena)) setup_count = 1;
  out->algorithm = setups[0].id;
  out->result = (struct grouping_result){0};
  struct grouping_memory *memory = inbox_grouping_memory(grouping);
  enum status status = memory ? grouping_compute_remembering(setups[0].config, event, arena, memory, &out->result)
                              : grouping_compute(setups[0].config, event, arena, &out->result);
  if (status != STATUS_OK) out->result = (struct grouping_result){0};
  event->title = inbox_event_first_of(event->title, out->result.title);
  event->culprit = inbox_event_first_of(event->culprit, out->result.culprit);
  describe(out, origin, event, arena);
  if (setup_count == 1 || inbox_grouping_is_known(grouping, origin->project, out->hashes, out->event.hash_count))
    return;
  out->event.past_hashes = out->past_hashes;
  out->event.past_hash_count = collect_past(arena, &as_it_came, setups, setup_count, out->past_hashes);
}

void inbox_event_write(const struct inbox_event *made, const struct sentry_event *event, struct buffer *out) {
  struct json_writer json;
  json_writer_init(&json, out);
  json_begin_object(&json);
  json_key_plain(&json, SLICE_LITERAL("algorithm"));
  json_write_cstr(&json, made->algorithm);
  json_key_plain(&json, SLICE_LITERAL("variants"));
  grouping_write_variants(&made->result, &json);
  json_end_object(&json);
  buffer_append_byte(out, '\n');
  sentry_event_write(event, out);
}

void inbox_event_split(struct slice text, struct issue_event *event) {
  size_t end = slice_find_byte(text, '\n');
  event->grouping = slice_sub(text, 0, end);
  event->document = slice_skip(text, end + 1);
}
