// SPDX-License-Identifier: Apache-2.0
//
// How it works: submit runs on the receiver's thread up to the append: scanning, splicing and compressing there is what
// makes the doors scale with cores. What is left for later, the answer, is a `struct waiting`, of which the journal
// takes a copy along with the record; its writer calls `acknowledge` when that is durable.
#include "collector/intake.h"

#include <stdlib.h>

#include "collector/event_digest.h"
#include "collector/intake_items.h"
#include "processor/scrub.h"
#include "proto/otlp_splice.h"

#define BUILDERS_MAX 16
#define ROOM_SHARE   64 // of the journal's budget must be free, else nothing is taken
// What scrubbing may add: "[Filtered]" in the place of shorter secrets, and what it notes of them.
#define SCRUBBED_BYTES_MAX(len) (4 * (len) + (UINT64_C(1) << 20))

struct intake {
  struct intake_options options; // options.facts.sampling changes, under the lock
  struct atomic_bool_box draining;
  struct mutex lock;
  struct payload_facts *idle[BUILDERS_MAX]; // builders not in use, all for options.facts.sampling
  uint32_t idle_count;
  struct event_digest_pool *digests;
  struct atomic_u64 received, stored, refused, rejected;
  struct metrics_value *refused_metric, *stored_metric, *scrubbed_metric;
};

struct waiting {
  struct intake *intake;
  const struct scrub *scrub; // for the submitting thread: gone when the acknowledgement comes
  sink_done_fn done;
  void *context;
  struct sink_outcome outcome; // without the reason
  char reason[160];            // "": none
};

struct intake *intake_create(const struct intake_options *options) {
  struct intake *intake = calloc(1, sizeof(*intake));
  ASSERT(intake);
  intake->options = *options;
  sampling_share(options->facts.sampling);
  mutex_init(&intake->lock);
  intake->digests = event_digest_pool_create(&options->grouping);
  intake->stored_metric = metrics_series(options->metrics, METRICS_COUNTER, "culprit_intake_stored_items_total", "",
                                         "Spans, log records and events that are durable in the intake journal.");
  intake->refused_metric = metrics_series(options->metrics, METRICS_COUNTER, "culprit_intake_refused_items_total", "",
                                          "Items of valid requests that were refused with a retry hint.");
  intake->scrubbed_metric = metrics_series(options->metrics, METRICS_COUNTER, "culprit_intake_scrubbed_payloads_total",
                                           "", "Requests that secrets were taken out of before they were written.");
  return intake;
}

void intake_destroy(struct intake *intake) {
  if (!intake) return;
  for (uint32_t i = 0; i < intake->idle_count; i++) payload_facts_destroy(intake->idle[i]);
  event_digest_pool_destroy(intake->digests);
  sampling_release(intake->options.facts.sampling);
  mutex_finish(&intake->lock);
  free(intake);
}

void intake_drain(struct intake *intake) {
  atomic_bool_set(&intake->draining, true);
}

struct intake_balance intake_balance(const struct intake *intake) {
  return (struct intake_balance){
      .received = atomic_u64_get(&intake->received),
      .stored = atomic_u64_get(&intake->stored),
      .refused = atomic_u64_get(&intake->refused),
      .rejected = atomic_u64_get(&intake->rejected),
  };
}

// A builder per running submit; a few are kept for reuse.
static struct payload_facts *take_builder(struct intake *intake, const struct scrub *scrub) {
  struct payload_facts *builder = NULL;
  mutex_lock(&intake->lock);
  struct payload_facts_options options = intake->options.facts;
  sampling_share(options.sampling);
  if (intake->idle_count > 0) {
    // One that has judged keys for this scrub before, if there is one.
    uint32_t last = intake->idle_count - 1, at = last;
    while (at > 0 && payload_facts_scrub(intake->idle[at]) != scrub) at--;
    if (payload_facts_scrub(intake->idle[at]) != scrub) at = last;
    builder = intake->idle[at];
    intake->idle[at] = intake->idle[last];
    intake->idle_count = last;
  }
  mutex_unlock(&intake->lock);
  if (!builder) builder = payload_facts_create(&options);
  sampling_release(options.sampling);
  payload_facts_set_scrub(builder, scrub);
  return builder;
}

static void give_builder(struct intake *intake, struct payload_facts *builder) {
  mutex_lock(&intake->lock);
  bool is_current = payload_facts_sampling(builder) == intake->options.facts.sampling;
  if (is_current && intake->idle_count < BUILDERS_MAX) {
    intake->idle[intake->idle_count++] = builder;
    builder = NULL;
  }
  mutex_unlock(&intake->lock);
  payload_facts_destroy(builder);
}

void intake_set_sampling(struct intake *intake, struct sampling *sampling) {
  struct payload_facts *idle[BUILDERS_MAX];
  mutex_lock(&intake->lock);
  struct sampling *before = intake->options.facts.sampling;
  intake->options.facts.sampling = sampling_share(sampling);
  uint32_t count = intake->idle_count;
  memcpy(idle, intake->idle, count * sizeof(idle[0]));
  intake->idle_count = 0;
  mutex_unlock(&intake->lock);
  for (uint32_t i = 0; i < count; i++) payload_facts_destroy(idle[i]);
  sampling_release(before);
}

static void answer(const struct waiting *waiting, enum status status, const struct error *error) {
  struct sink_outcome outcome = waiting->outcome;
  if (waiting->reason[0]) outcome.reason = waiting->reason;
  waiting->done(waiting->context, status, &outcome, error);
}

static void acknowledge(void *context, enum status status, uint64_t sequence, struct journal_location location) {
  (void)sequence;
  (void)location;
  const struct waiting *waiting = context;
  struct intake *intake = waiting->intake;
  struct error error = {""};
  uint64_t items = waiting->outcome.accepted;
  if (status) {
    atomic_u64_add_relaxed(&intake->refused, items + waiting->outcome.rejected);
    metrics_add(intake->refused_metric, items);
    error_set(&error, status, "the journal could not be written");
  } else {
    atomic_u64_add_relaxed(&intake->stored, items);
    atomic_u64_add_relaxed(&intake->rejected, waiting->outcome.rejected);
    metrics_add(intake->stored_metric, items);
  }
  answer(waiting, status, &error);
}

static enum otlp_splice_action keep_accepted(void *context, uint32_t index, struct otlp_splice_item *item,
                                             struct slice *out_trace_state) {
  (void)item;
  (void)out_trace_state;
  return payload_facts_is_rejected(context, index) ? OTLP_SPLICE_DROP : OTLP_SPLICE_KEEP;
}

static enum status append(struct intake *intake, struct journal_entry *entry, struct waiting *waiting,
                          struct error *error) {
  // Counted before the append: the acknowledgement may come before it returns.
  uint64_t items = waiting->outcome.accepted + waiting->outcome.rejected;
  atomic_u64_add_relaxed(&intake->received, items);
  entry->context_bytes = sizeof(*waiting);
  enum status status = journal_append(intake->options.journal, entry, acknowledge, waiting, error);
  entry->expected = false;
  if (status) {
    atomic_u64_add_relaxed(&intake->refused, items);
    metrics_add(intake->refused_metric, items);
  }
  return status;
}

// Validates traces or logs and notes their facts. Where there may be secrets they are taken out, into `scrubbed`, which
// is the body from then on; the facts are then made anew, so that none of them holds what was taken out.
static enum status build(struct intake *intake, struct journal_entry *entry, struct payload_facts *builder,
                         struct buffer *scrubbed, struct payload_facts_counts *out_counts, struct error *error) {
  enum otlp_signal signal = entry->kind == JOURNAL_TRACES ? OTLP_TRACES : OTLP_LOGS;
  enum status status = payload_facts_build(builder, signal, entry->body, &entry->section, out_counts, error);
  if (status || !payload_facts_needs_scrub(builder)) return status;
  bool changed;
  status = scrub_otlp(payload_facts_scrub(builder), signal, entry->body, scrubbed, &changed);
  if (status) return error_set(error, status, "the request could not be scrubbed");
  if (!changed) return STATUS_OK;
  entry->body = buffer_slice(scrubbed);
  metrics_add(intake->scrubbed_metric, 1);
  return payload_facts_build(builder, signal, entry->body, &entry->section, out_counts, error);
}

// Nothing of the request is left when all of it was rejected.
static enum status submit_built(struct intake *intake, struct journal_entry *entry, struct waiting *waiting,
                                struct payload_facts *builder, const struct payload_facts_counts *counts,
                                struct error *error) {
  waiting->outcome.accepted = entry->item_count = counts->items;
  waiting->outcome.rejected = counts->rejected;
  if (counts->rejected > 0) memcpy(waiting->reason, counts->reject_reason, sizeof(waiting->reason));
  if (counts->items == 0) {
    atomic_u64_add_relaxed(&intake->received, counts->rejected);
    atomic_u64_add_relaxed(&intake->rejected, counts->rejected);
    answer(waiting, STATUS_OK, &(struct error){""});
    return STATUS_OK;
  }
  if (counts->rejected == 0) return append(intake, entry, waiting, error);
  struct buffer rest;
  buffer_init(&rest, entry->body.len + 1);
  enum otlp_signal signal = entry->kind == JOURNAL_TRACES ? OTLP_TRACES : OTLP_LOGS;
  enum status status = otlp_splice(signal, entry->body, keep_accepted, builder, &rest, NULL);
  ASSERT(status == STATUS_OK); // taking items out never makes a request longer
  entry->body = buffer_slice(&rest);
  status = append(intake, entry, waiting, error);
  buffer_finish(&rest);
  return status;
}

static enum status submit_scanned(struct intake *intake, struct journal_entry *entry, struct waiting *waiting,
                                  struct payload_facts *builder, struct error *error) {
  struct payload_facts_counts counts;
  struct buffer scrubbed;
  buffer_init(&scrubbed, SCRUBBED_BYTES_MAX(entry->body.len));
  enum status status = build(intake, entry, builder, &scrubbed, &counts, error);
  if (status == STATUS_OK) status = submit_built(intake, entry, waiting, builder, &counts, error);
  buffer_finish(&scrubbed);
  return status;
}

// One event of a Sentry SDK: a document, or parsed already.
static enum status submit_event(struct intake *intake, struct journal_entry *entry, const struct sink_event *event,
                                struct waiting *waiting, struct error *error) {
  const struct event_digest_options options = {
      .scrub = waiting->scrub, .project = entry->project, .received_ns = entry->received_ns};
  struct event_digest *digest = event_digest_take(intake->digests);
  struct event_digest_record record;
  enum status status = event ? event_digest_make_parsed(digest, &options, event->root, event->event_id, &record, error)
                             : event_digest_make(digest, &options, entry->body, &record, error);
  if (status == STATUS_OK) {
    if (record.scrubbed) metrics_add(intake->scrubbed_metric, 1);
    waiting->outcome.accepted = entry->item_count = 1;
    entry->section = record.section;
    entry->body = record.body;
    status = append(intake, entry, waiting, error);
  }
  event_digest_give(intake->digests, digest);
  return status;
}

// What comes beside an event.
static enum status submit_items(struct intake *intake, struct journal_entry *entry, struct waiting *waiting,
                                struct error *error) {
  struct buffer scrubbed;
  buffer_init(&scrubbed, SCRUBBED_BYTES_MAX(entry->body.len));
  struct slice before = entry->body;
  enum status status = intake_items_scrub(waiting->scrub, before, &scrubbed, &entry->body, &entry->item_count, error);
  if (status == STATUS_OK) {
    if (entry->body.ptr != before.ptr) metrics_add(intake->scrubbed_metric, 1);
    waiting->outcome.accepted = entry->item_count;
    status = append(intake, entry, waiting, error);
  }
  buffer_finish(&scrubbed);
  return status;
}

static enum status submit_metrics(struct intake *intake, struct journal_entry *entry, struct waiting *waiting,
                                  struct error *error) {
  uint64_t points = 0;
  enum status status = otlp_scan_metrics(entry->body, &points, error);
  if (status) return status;
  waiting->outcome.accepted = points;
  entry->item_count = points > UINT32_MAX ? UINT32_MAX : (uint32_t)points;
  return append(intake, entry, waiting, error);
}

// event: of kind JOURNAL_EVENTS, in the place of a body; NULL: the body is one.
static enum status submit_kind(struct intake *intake, struct journal_entry *entry, const struct sink_event *event,
                               struct waiting *waiting, struct error *error) {
  if (entry->kind == JOURNAL_METRICS) return submit_metrics(intake, entry, waiting, error);
  if (entry->kind == JOURNAL_EVENTS) return submit_event(intake, entry, event, waiting, error);
  if (entry->kind == JOURNAL_ITEMS) return submit_items(intake, entry, waiting, error);
  struct payload_facts *builder = take_builder(intake, waiting->scrub);
  enum status status = submit_scanned(intake, entry, waiting, builder, error);
  give_builder(intake, builder);
  return status;
}

// entry: kind, project and body.
static enum status submit(struct intake *intake, struct journal_entry *entry, const struct sink_event *event,
                          sink_done_fn done, void *done_context, struct error *error) {
  if (atomic_bool_get(&intake->draining)) return error_set(error, STATUS_UNAVAILABLE, "shutting down");
  struct project_directory *projects = intake->options.projects;
  struct project_loan loan = {.scrub = intake->options.scrub};
  if (projects) loan = project_directory_borrow(projects, entry->project);
  struct waiting waiting = {.intake = intake, .scrub = loan.scrub, .done = done, .context = done_context};
  entry->received_ns = clock_wall_ns(intake->options.clock);
  entry->expected = true;
  journal_expect(intake->options.journal);
  enum status status = submit_kind(intake, entry, event, &waiting, error);
  if (entry->expected) journal_expect_end(intake->options.journal); // nothing was appended
  if (projects) project_directory_give_back(projects, loan);
  return status;
}

static enum status intake_submit(void *context, enum journal_kind kind, uint32_t project, struct slice body,
                                 sink_done_fn done, void *done_context, struct error *error) {
  struct journal_entry entry = {.kind = kind, .project = project, .body = body};
  return submit(context, &entry, NULL, done, done_context, error);
}

static enum status intake_submit_event(void *context, uint32_t project, const struct sink_event *event,
                                       sink_done_fn done, void *done_context, struct error *error) {
  struct journal_entry entry = {.kind = JOURNAL_EVENTS, .project = project};
  return submit(context, &entry, event, done, done_context, error);
}

static enum status intake_ready(void *context, struct error *error) {
  struct intake *intake = context;
  if (atomic_bool_get(&intake->draining)) return error_set(error, STATUS_UNAVAILABLE, "shutting down");
  // A little before the journal refuses, so that the answer comes before a body is read.
  uint64_t max = journal_bytes_max(intake->options.journal);
  if (journal_bytes(intake->options.journal) >= max - max / ROOM_SHARE) {
    return error_set(error, STATUS_UNAVAILABLE, "the intake journal is at journal.intake_max_bytes");
  }
  return intake->options.disk ? disk_guard_check(intake->options.disk, error) : STATUS_OK;
}

struct sink intake_sink(struct intake *intake) {
  return (struct sink){
      .context = intake, .submit = intake_submit, .submit_event = intake_submit_event, .ready = intake_ready};
}
