// SPDX-License-Identifier: Apache-2.0
//
// How it works: one loop. Watch takes what is new, at most a batch; settle takes what is due, at most a batch;
// housekeeping once a second, and before every new try while the kept journal is full; then it waits for the journal.
//
//      intake   … ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ ■ → appended
//                     ↑ settle          ↑ newest checkpoint        ↑ watch
//                                         older than decision_wait
//
// "Due" is measured with the monotonic clock, not by the records' wall times: watch leaves checkpoints (time,
// sequence), and settle may pass a record when a checkpoint at or behind it is decision_wait old. So every trace had
// that long to show its facts, also while records are replayed after a restart and whatever the wall clock does. When
// the table of waiting traces is full, settle goes ahead of time until there is room; that is counted.
//
// Other policies are taken between two records. When they judge other attributes than before, the facts of what waits
// cannot be told from what was merged: watch goes back to where settle is and reads it again, as after a restart, and
// settle stands still until it has.
//
// What settle passes on carries the intake sequence it came from. After a crash it resumes behind the last one that
// reached the kept journal; an intake segment is deleted only when the kept journal is synced beyond it.
#include "collector/pipeline.h"

#include <stdlib.h>

#include "base/log.h"
#include "collector/settle.h"

#define BATCH_RECORDS       64
#define CHECKPOINTS         256
#define HOUSEKEEPING_NS     NS_PER_S
#define RETRY_NS            (50 * NS_PER_MS)
#define RECENT_SEGMENTS_MAX 4
#define BODY_BYTES_MAX      (UINT64_C(256) << 20)

struct checkpoint {
  uint64_t time_ns, sequence;
};

struct pipeline {
  struct pipeline_options options;
  struct thread thread;
  struct atomic_bool_box stop, settling_waits;
  struct journal_reader *watch_reader, *settle_reader;
  struct payload_facts *watch_builder, *settle_builder; // for sections of another configuration
  struct buffer body;                                   // decompressed, for the rebuild
  struct settle *settle;

  struct journal_record watch_record;
  struct record_facts watch_facts;
  bool watch_held;       // watch_record waits for room in the table
  bool watch_unreadable; // no descriptor or memory for the reader at the moment
  struct journal_record settle_record;
  bool settle_held; // settle_record's kept entry waits for room in the kept journal
  bool settle_peeked;

  struct checkpoint checkpoints[CHECKPOINTS];
  uint32_t checkpoint_first, checkpoint_count;
  uint64_t due_sequence; // settle may go up to here
  uint64_t again_until;  // but not before watch has been here again
  uint64_t housekept_ns;

  struct atomic_u64 watched, settled, policy_changes;
  struct atomic_u64 decision_wait_ns, retention_requests_ns;
  struct metrics_value *early;

  struct mutex lock; // guards the next line
  struct sampling *fresh;
  struct atomic_bool_box has_fresh;
};

// The facts of a record: its section when it was made under this configuration, else made again from the body.
static bool record_facts_of(struct pipeline *pipeline, struct payload_facts *builder,
                            const struct journal_record *record, struct record_facts *facts) {
  if (record->kind == JOURNAL_METRICS || record->kind == JOURNAL_ITEMS) {
    *facts = (struct record_facts){0};
    return true;
  }
  enum status status = record_facts_decode(record->section, facts);
  bool rebuild = record->kind != JOURNAL_EVENTS && (status || facts->fingerprint != payload_facts_fingerprint(builder));
  if (!rebuild) return status == STATUS_OK;
  struct slice body, section;
  struct payload_facts_counts counts;
  status = journal_record_body(record, &pipeline->body, &body);
  if (!status) {
    enum otlp_signal signal = record->kind == JOURNAL_TRACES ? OTLP_TRACES : OTLP_LOGS;
    status = payload_facts_build(builder, signal, body, &section, &counts, NULL);
  }
  // What the intake stored holds no rejected items: with one, items and facts would not agree.
  return status == STATUS_OK && counts.rejected == 0 && record_facts_decode(section, facts) == STATUS_OK;
}

static void set_aside(struct pipeline *pipeline, const struct journal_record *record, const char *reason) {
  journal_quarantine(pipeline->options.intake, record, reason);
}

static uint64_t least(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

// All before the reader's position has been read.
static uint64_t behind(const struct journal_reader *reader) {
  return journal_reader_position(reader) - 1;
}

// --- watch ----------------------------------------------------------------------------------------------------------

static bool watch_one(struct pipeline *pipeline) {
  struct journal_record *record = &pipeline->watch_record;
  if (!pipeline->watch_held) {
    enum status status = journal_reader_next(pipeline->watch_reader, record);
    pipeline->watch_unreadable = status != STATUS_OK && status != STATUS_END;
    // At the end the position is behind records that were damaged, too: they are nothing to wait for.
    if (status == STATUS_END) atomic_u64_set(&pipeline->watched, behind(pipeline->watch_reader));
    if (status) return false;
    if (!record_facts_of(pipeline, pipeline->watch_builder, record, &pipeline->watch_facts)) {
      set_aside(pipeline, record, "watch: facts do not decode");
      atomic_u64_set(&pipeline->watched, record->sequence);
      return true;
    }
  }
  pipeline->watch_held = !trace_facts_merge(pipeline->options.facts, record->sequence, &pipeline->watch_facts);
  if (pipeline->watch_held) {
    // No room: what was watched so far becomes due at once.
    uint64_t watched = atomic_u64_get(&pipeline->watched);
    if (pipeline->due_sequence < watched) metrics_add(pipeline->early, watched - pipeline->due_sequence);
    pipeline->due_sequence = watched;
    return false;
  }
  atomic_u64_set(&pipeline->watched, record->sequence);
  return true;
}

static uint64_t checkpoint_interval_ns(const struct pipeline *pipeline) {
  uint64_t interval = pipeline_decision_wait(pipeline) / (CHECKPOINTS / 2);
  return interval < NS_PER_MS ? NS_PER_MS : interval;
}

static void update_due(struct pipeline *pipeline, uint64_t now_ns) {
  uint64_t watched = atomic_u64_get(&pipeline->watched), wait_ns = pipeline_decision_wait(pipeline);
  if (wait_ns == 0) {
    pipeline->due_sequence = watched;
    return;
  }
  uint32_t last = (pipeline->checkpoint_first + pipeline->checkpoint_count - 1) % CHECKPOINTS;
  const struct checkpoint *newest = pipeline->checkpoint_count ? &pipeline->checkpoints[last] : NULL;
  bool is_new = !newest || (watched > newest->sequence && now_ns - newest->time_ns >= checkpoint_interval_ns(pipeline));
  if (is_new && pipeline->checkpoint_count < CHECKPOINTS) {
    uint32_t next = (pipeline->checkpoint_first + pipeline->checkpoint_count++) % CHECKPOINTS;
    pipeline->checkpoints[next] = (struct checkpoint){.time_ns = now_ns, .sequence = watched};
  }
  while (pipeline->checkpoint_count > 0) {
    const struct checkpoint *oldest = &pipeline->checkpoints[pipeline->checkpoint_first];
    if (now_ns - oldest->time_ns < wait_ns) break;
    if (oldest->sequence > pipeline->due_sequence) pipeline->due_sequence = oldest->sequence;
    pipeline->checkpoint_first = (pipeline->checkpoint_first + 1) % CHECKPOINTS;
    pipeline->checkpoint_count--;
  }
}

// --- settle ---------------------------------------------------------------------------------------------------------

static void settled(struct pipeline *pipeline, uint64_t sequence) {
  atomic_u64_set(&pipeline->settled, sequence);
  request_store_set_settled(pipeline->options.requests, sequence);
}

// Up to which record settle may go. What watch reads again it must have read whole, unless the table has no room for
// it.
static uint64_t due_until(const struct pipeline *pipeline) {
  uint64_t watched = atomic_u64_get(&pipeline->watched);
  if (watched < pipeline->again_until && !pipeline->watch_held) return 0;
  return least(pipeline->due_sequence, watched);
}

// False when nothing is due, or the kept journal has no room.
static bool settle_one(struct pipeline *pipeline, uint64_t now_ns) {
  struct journal_record *record = &pipeline->settle_record;
  if (!pipeline->settle_held) {
    uint64_t due = due_until(pipeline);
    // The reader stops before a record that is not due; it is read again later.
    if (!pipeline->settle_peeked) {
      if (journal_reader_position(pipeline->settle_reader) > due) return false;
      enum status status = journal_reader_next(pipeline->settle_reader, record);
      if (status == STATUS_END) settled(pipeline, least(due, behind(pipeline->settle_reader)));
      if (status) return false;
      pipeline->settle_peeked = true;
    }
    if (record->sequence > due) return false; // a gap in the sequence was skipped
    struct record_facts facts;
    if (record->kind == JOURNAL_ITEMS || (record->kind == JOURNAL_METRICS && !pipeline->options.keep_metrics)) {
      pipeline->settle_peeked = false;
      settled(pipeline, record->sequence);
      return true;
    }
    if (!record_facts_of(pipeline, pipeline->settle_builder, record, &facts) ||
        settle_record(pipeline->settle, record, &facts, now_ns)) {
      set_aside(pipeline, record, "settle: the record does not decode");
      pipeline->settle_peeked = false;
      settled(pipeline, record->sequence);
      return true;
    }
  }
  struct error error;
  enum status status = settle_append(pipeline->settle, &error);
  if (status && !pipeline->settle_held) {
    log_write(LOG_WARN, "pipeline", "kept journal refuses, settling waits", LOG_FIELDS(log_text("reason", error.text)));
  }
  pipeline->settle_held = status != STATUS_OK;
  atomic_bool_set(&pipeline->settling_waits, pipeline->settle_held);
  if (pipeline->settle_held) return false;
  pipeline->settle_peeked = false;
  settled(pipeline, record->sequence);
  return true;
}

// --- other policies -------------------------------------------------------------------------------------------------

static void make_builders(struct pipeline *pipeline, const struct payload_facts_options *options) {
  payload_facts_destroy(pipeline->watch_builder);
  payload_facts_destroy(pipeline->settle_builder);
  pipeline->watch_builder = payload_facts_create(options);
  pipeline->settle_builder = payload_facts_create(options);
}

static void watch_again(struct pipeline *pipeline) {
  uint64_t watched = atomic_u64_get(&pipeline->watched), settled = atomic_u64_get(&pipeline->settled);
  if (watched > pipeline->again_until) pipeline->again_until = watched;
  trace_facts_start_over(pipeline->options.facts, pipeline->again_until);
  pipeline->watch_held = false;
  journal_reader_seek(pipeline->watch_reader, settled + 1);
  atomic_u64_set(&pipeline->watched, settled);
}

static void take_sampling(struct pipeline *pipeline) {
  mutex_lock(&pipeline->lock);
  struct sampling *fresh = pipeline->fresh;
  pipeline->fresh = NULL;
  atomic_bool_set(&pipeline->has_fresh, false);
  mutex_unlock(&pipeline->lock);
  if (!fresh) return;
  trace_facts_set_sampling(pipeline->options.facts, fresh);
  if (sampling_fingerprint(fresh) != sampling_fingerprint(payload_facts_sampling(pipeline->watch_builder))) {
    struct payload_facts_options rebuild = pipeline->options.rebuild;
    rebuild.sampling = fresh;
    make_builders(pipeline, &rebuild);
    watch_again(pipeline);
  }
  sampling_release(fresh);
  atomic_u64_add(&pipeline->policy_changes, 1);
}

// --- housekeeping ---------------------------------------------------------------------------------------------------

static void housekeep(struct pipeline *pipeline) {
  const struct pipeline_options *options = &pipeline->options;
  request_store_retain(options->requests, atomic_u64_get(&pipeline->retention_requests_ns),
                       options->kept_floor(options->floor_context));
  uint64_t floor = least(atomic_u64_get(&pipeline->settled) + 1, options->intake_floor(options->floor_context));
  struct journal_segment oldest;
  if (journal_segments(options->intake, &oldest, 1) < 2 || oldest.last_sequence >= floor) return;
  if (journal_flush(request_store_journal(options->requests)) == STATUS_OK)
    journal_delete_before(options->intake, floor);
}

static void run(void *context) {
  struct pipeline *pipeline = context;
  const struct clock *clock = pipeline->options.clock;
  while (!atomic_bool_get(&pipeline->stop)) {
    bool progress = false;
    if (atomic_bool_get(&pipeline->has_fresh)) take_sampling(pipeline);
    for (int i = 0; i < BATCH_RECORDS && watch_one(pipeline); i++) progress = true;
    uint64_t now_ns = clock_monotonic_ns(clock);
    update_due(pipeline, now_ns);
    for (int i = 0; i < BATCH_RECORDS && settle_one(pipeline, now_ns); i++) progress = true;
    // While the kept journal is full, room is looked for at every try: an exporter that drains makes some at any time.
    if (pipeline->settle_held || now_ns - pipeline->housekept_ns >= HOUSEKEEPING_NS) {
      pipeline->housekept_ns = now_ns;
      housekeep(pipeline);
    }
    if (progress) continue;
    uint64_t after = journal_reader_position(pipeline->watch_reader) - 1;
    uint64_t timeout_ns = HOUSEKEEPING_NS;
    if (pipeline->settle_held || pipeline->watch_held || pipeline->watch_unreadable) {
      timeout_ns = RETRY_NS;
      after = UINT64_MAX; // new records do not help
    } else if (atomic_u64_get(&pipeline->watched) > atomic_u64_get(&pipeline->settled)) {
      timeout_ns = checkpoint_interval_ns(pipeline);
    }
    journal_wait(pipeline->options.intake, after, timeout_ns);
  }
}

// --- start and stop -------------------------------------------------------------------------------------------------

static void remember_kept(void *context, uint64_t key) {
  trace_facts_remember_kept(context, key);
}

static void destroy(struct pipeline *pipeline) {
  journal_reader_close(pipeline->watch_reader);
  journal_reader_close(pipeline->settle_reader);
  payload_facts_destroy(pipeline->watch_builder);
  payload_facts_destroy(pipeline->settle_builder);
  settle_destroy(pipeline->settle);
  sampling_release(pipeline->fresh);
  mutex_finish(&pipeline->lock);
  buffer_finish(&pipeline->body);
  free(pipeline);
}

enum status pipeline_start(const struct pipeline_options *options, struct pipeline **out_pipeline,
                           struct error *error) {
  struct pipeline *pipeline = calloc(1, sizeof(*pipeline));
  ASSERT(pipeline);
  pipeline->options = *options;
  pipeline_set_decision_wait(pipeline, options->decision_wait_ns);
  pipeline_set_retention(pipeline, options->retention_requests_ns);
  buffer_init(&pipeline->body, BODY_BYTES_MAX);
  mutex_init(&pipeline->lock);
  make_builders(pipeline, &options->rebuild);
  pipeline->settle = settle_create(
      &(struct settle_options){.facts = options->facts, .requests = options->requests, .metrics = options->metrics});
  pipeline->early =
      metrics_series(options->metrics, METRICS_COUNTER, "culprit_settle_early_records_total", "",
                     "Records settled before decision_wait because the table of waiting traces was full.");
  uint64_t start = request_store_settled_sequence(options->requests) + 1;
  if (start < journal_first_sequence(options->intake)) start = journal_first_sequence(options->intake);
  // Without journal.sync: always a power failure may leave the intake shorter than what was settled of it.
  if (start > journal_durable_sequence(options->intake) + 1) start = journal_durable_sequence(options->intake) + 1;
  atomic_u64_set(&pipeline->watched, start - 1);
  settled(pipeline, start - 1);
  pipeline->due_sequence = start - 1;
  request_store_each_recent_key(options->requests, RECENT_SEGMENTS_MAX, remember_kept, options->facts);
  enum status status = journal_reader_open(options->intake, start, &pipeline->watch_reader);
  if (!status) status = journal_reader_open(options->intake, start, &pipeline->settle_reader);
  if (!status) status = thread_start(&pipeline->thread, "pipeline", run, pipeline);
  if (status) {
    destroy(pipeline);
    return error_set(error, status, "the pipeline could not be started");
  }
  *out_pipeline = pipeline;
  return STATUS_OK;
}

void pipeline_stop(struct pipeline *pipeline) {
  if (!pipeline) return;
  atomic_bool_set(&pipeline->stop, true);
  journal_wake(pipeline->options.intake);
  thread_join(&pipeline->thread);
  destroy(pipeline);
}

void pipeline_set_sampling(struct pipeline *pipeline, struct sampling *sampling) {
  mutex_lock(&pipeline->lock);
  struct sampling *before = pipeline->fresh;
  pipeline->fresh = sampling_share(sampling);
  atomic_bool_set(&pipeline->has_fresh, true);
  mutex_unlock(&pipeline->lock);
  sampling_release(before);
  journal_wake(pipeline->options.intake);
}

void pipeline_set_decision_wait(struct pipeline *pipeline, uint64_t ns) {
  atomic_u64_set(&pipeline->decision_wait_ns, ns);
}

void pipeline_set_retention(struct pipeline *pipeline, uint64_t requests_ns) {
  atomic_u64_set(&pipeline->retention_requests_ns, requests_ns);
}

uint64_t pipeline_decision_wait(const struct pipeline *pipeline) {
  return atomic_u64_get(&pipeline->decision_wait_ns);
}

struct pipeline_counts pipeline_counts(const struct pipeline *pipeline) {
  struct pipeline_counts counts = settle_counts(pipeline->settle);
  counts.settling_waits = atomic_bool_get(&pipeline->settling_waits);
  counts.watched_sequence = atomic_u64_get(&pipeline->watched);
  counts.policy_changes = atomic_u64_get(&pipeline->policy_changes);
  counts.settled_sequence = atomic_u64_get(&pipeline->settled);
  return counts;
}
