// SPDX-License-Identifier: Apache-2.0
//
// How it works: the document is parsed once, here or where it came in. Scrubbing changes values of the parsed document
// where they stand, so that all that reads it from then on, the facts first, sees no secret; reading makes a
// sentry_event of it; grouping and the rest are collector/inbox_event.
#include "collector/event_digest.h"

#include <stdlib.h>

#include "base/thread.h"
#include "collector/inbox_event.h"
#include "processor/event_facts.h"
#include "store/event_summary.h"
#include "store/record_facts.h"

#define POOL_MAX          16
#define EVENT_BYTES_MAX   ((size_t)64 << 20)
#define TEXT_BYTES_MAX    ((size_t)128 << 20)
#define SECTION_BYTES_MAX ((size_t)1 << 20)
#define ARENA_BYTES_MAX   ((size_t)128 << 20)
#define KEPT_BYTES_MAX    ((size_t)1 << 20) // of a buffer between events
#define MEMORY_BYTES_MAX  ((size_t)4 << 20) // of stack traces that were seen before

struct event_digest {
  struct inbox_grouping *grouping;
  struct json_parser *parser, *inner; // inner: JSON in texts of the event
  struct arena arena;
  struct buffer meta, section, text, scratch;
  struct inbox_event made;
};

struct event_digest_pool {
  struct inbox_grouping_options grouping;
  struct mutex mutex; // guards what follows
  struct event_digest *idle[POOL_MAX];
  uint32_t idle_count;
};

static struct event_digest *create(const struct inbox_grouping_options *grouping) {
  struct event_digest *digest = calloc(1, sizeof *digest);
  ASSERT(digest != NULL);
  digest->grouping = inbox_grouping_create(grouping);
  digest->parser = json_parser_create(EVENT_BYTES_MAX);
  digest->inner = json_parser_create(EVENT_BYTES_MAX);
  arena_init(&digest->arena, ARENA_BYTES_MAX);
  buffer_init(&digest->meta, TEXT_BYTES_MAX);
  buffer_init(&digest->section, SECTION_BYTES_MAX);
  buffer_init(&digest->text, TEXT_BYTES_MAX);
  buffer_init(&digest->scratch, SENTRY_EVENT_SCRATCH_BYTES_MAX);
  return digest;
}

static void destroy(struct event_digest *digest) {
  if (!digest) return;
  inbox_grouping_destroy(digest->grouping);
  json_parser_destroy(digest->parser);
  json_parser_destroy(digest->inner);
  arena_finish(&digest->arena);
  buffer_finish(&digest->meta);
  buffer_finish(&digest->section);
  buffer_finish(&digest->text);
  buffer_finish(&digest->scratch);
  free(digest);
}

struct event_digest_pool *event_digest_pool_create(const struct inbox_grouping_options *grouping) {
  struct event_digest_pool *pool = calloc(1, sizeof *pool);
  ASSERT(pool != NULL);
  pool->grouping = *grouping;
  pool->grouping.memory_bytes_max = MEMORY_BYTES_MAX;
  mutex_init(&pool->mutex);
  return pool;
}

void event_digest_pool_destroy(struct event_digest_pool *pool) {
  if (!pool) return;
  for (uint32_t i = 0; i < pool->idle_count; i++) destroy(pool->idle[i]);
  mutex_finish(&pool->mutex);
  free(pool);
}

struct event_digest *event_digest_take(struct event_digest_pool *pool) {
  struct event_digest *digest = NULL;
  mutex_lock(&pool->mutex);
  if (pool->idle_count > 0) digest = pool->idle[--pool->idle_count];
  mutex_unlock(&pool->mutex);
  return digest ? digest : create(&pool->grouping);
}

void event_digest_give(struct event_digest_pool *pool, struct event_digest *digest) {
  bool is_small = digest->text.capacity <= KEPT_BYTES_MAX && digest->meta.capacity <= KEPT_BYTES_MAX &&
                  digest->scratch.capacity <= KEPT_BYTES_MAX;
  arena_reset(&digest->arena);
  mutex_lock(&pool->mutex);
  if (is_small && pool->idle_count < POOL_MAX) {
    pool->idle[pool->idle_count++] = digest;
    digest = NULL;
  }
  mutex_unlock(&pool->mutex);
  destroy(digest);
}

// Takes the secrets out of the parsed event; its new _meta is in digest->meta then.
static enum status scrub(struct event_digest *digest, const struct event_digest_options *options,
                         struct json_value root, bool *out_scrubbed) {
  *out_scrubbed = false;
  if (!options->scrub || !scrub_is_enabled(options->scrub)) return STATUS_OK;
  return scrub_event(options->scrub, root, digest->inner, &digest->meta, out_scrubbed);
}

// The section: facts, and the summary behind them.
static enum status write_section(struct event_digest *digest, struct json_value root) {
  enum status status = event_facts_build(root, &digest->section);
  if (status != STATUS_OK) return status;
  record_facts_announce_more(digest->section.ptr);
  return event_summary_encode(&digest->made.event, &digest->section);
}

static enum status describe(struct event_digest *digest, const struct event_digest_options *options,
                            struct json_value root, const char *known_id, bool scrubbed, struct error *error) {
  struct sentry_event event;
  enum status status = sentry_event_parse_with(root, known_id, &digest->arena, &digest->scratch, &event, error);
  if (status != STATUS_OK) return status;
  if (scrubbed) event.meta_json = buffer_slice(&digest->meta);
  const struct inbox_event_origin origin = {
      .project = options->project, .source = ISSUE_SOURCE_SDK, .received_ns = options->received_ns};
  struct inbox_event *made = &digest->made;
  inbox_event_make(made, &origin, digest->grouping, &event, &digest->arena);
  if (!slice_from_hex(slice_from_cstr(event.event_id), made->event.event_id, ISSUE_EVENT_ID_BYTES)) {
    return error_set(error, STATUS_INVALID, "event: no event id");
  }
  inbox_event_write(made, &event, &digest->text);
  status = write_section(digest, root);
  if (status != STATUS_OK) return error_set(error, STATUS_INTERNAL, "event: its facts cannot be written");
  return digest->text.failed ? error_set(error, STATUS_TOO_LARGE, "event: too large when written") : STATUS_OK;
}

static enum status make(struct event_digest *digest, const struct event_digest_options *options, struct json_value root,
                        const char *known_id, struct event_digest_record *out_record, struct error *error) {
  arena_reset(&digest->arena);
  buffer_clear(&digest->meta);
  buffer_clear(&digest->section);
  buffer_clear(&digest->text);
  bool scrubbed;
  if (json_type_of(root) != JSON_OBJECT) return error_set(error, STATUS_INVALID, "the event is not a JSON object");
  enum status status = scrub(digest, options, root, &scrubbed);
  if (status != STATUS_OK) return error_set(error, status, "the event could not be scrubbed");
  status = describe(digest, options, root, known_id, scrubbed, error);
  if (status != STATUS_OK) return status;
  *out_record = (struct event_digest_record){
      .section = buffer_slice(&digest->section), .body = buffer_slice(&digest->text), .scrubbed = scrubbed};
  return STATUS_OK;
}

enum status event_digest_make(struct event_digest *digest, const struct event_digest_options *options,
                              struct slice document, struct event_digest_record *out_record, struct error *error) {
  struct json_value root;
  enum status status = json_parse(digest->parser, document, &root, error);
  return status == STATUS_OK ? make(digest, options, root, NULL, out_record, error) : status;
}

enum status event_digest_make_parsed(struct event_digest *digest, const struct event_digest_options *options,
                                     struct json_value root, const char *event_id,
                                     struct event_digest_record *out_record, struct error *error) {
  return make(digest, options, root, event_id, out_record, error);
}
