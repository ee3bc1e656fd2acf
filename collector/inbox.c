// SPDX-License-Identifier: Apache-2.0
//
// How it works: the thread reads records and stages their events in an issue_batch. A batch is written when it is full,
// or when its time has come (collector/inbox_pace).
// A record may hold more errors than a batch: then the full batch is written with the cursor still on the record, and a
// crash before the rest makes the record be read again, where the events already taken are known by their ids. Without
// errors the cursor alone is written once a second.
//
// Failures. A write that fails is tried again with growing pauses, the batch untouched; readers and intake go on
// meanwhile. What the database refuses for reasons of its content (never seen, but a loop of crashes is not an answer)
// is found by going back to the cursor and writing record by record: the one that fails alone goes to quarantine. The
// same careful way is taken after a crash inside a write (collector/inbox_attempt).
#include "collector/inbox.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/thread.h"
#include "collector/inbox_attempt.h"
#include "collector/inbox_pace.h"
#include "collector/inbox_record.h"
#include "store/cursor_store.h"

#define CURSOR_NAME       "inbox"
#define CURSOR_EVERY_NS   NS_PER_S
#define WAIT_NS           (500 * NS_PER_MS)
#define PAUSE_MIN_NS      (50 * NS_PER_MS)
#define PAUSE_MAX_NS      (5 * NS_PER_S)
#define REFUSALS_MAX      5
#define RETAIN_EVERY_NS   (60 * NS_PER_S)
#define RETAIN_MORE_NS    (200 * NS_PER_MS)
#define RETAIN_EVENTS_MAX 500
#define CLOCK_STEP_MAX_NS (3600 * NS_PER_S)
#define IDLE_NS           (2 * NS_PER_S)

// What becomes of the record in hand.
enum fate {
  FATE_READ,  // all is well
  FATE_AGAIN, // the batch was refused: reading goes on at the cursor, record by record
  FATE_ASIDE, // the record alone was refused
  FATE_STOP,  // stopping while the database refuses
};

struct inbox_metrics {
  struct metrics_value *events, *duplicates, *resent, *issues, *regressed, *overflowed, *quarantined, *failures,
      *expired, *lag, *attachments, *attachments_orphaned, *attachments_evicted, *feedback;
  struct metrics_histogram *commit;
};

struct inbox {
  struct inbox_options options;
  struct inbox_attempt *attempt;
  struct inbox_record *record_reader;
  struct journal_reader *reader;
  struct issue_batch batch;
  struct thread thread;
  struct mutex mutex;
  struct condition wake;
  bool stopping; // under the mutex
  // The thread's own.
  struct journal_record record; // the one in hand
  bool in_hand;                 // `record` is valid
  enum fate fate;
  uint64_t batch_first, batch_last; // records with events in the batch
  struct inbox_pace pace;
  uint64_t written_ns, retain_ns; // monotonic: last write, next retention
  uint64_t careful_until;
  uint64_t wall_offset_ns; // wall minus monotonic at the start
  bool tidy;               // the log was emptied since the last write
  // Read by others.
  struct atomic_u64 cursor, retention_ns;
  struct atomic_bool_box failing;
  struct inbox_metrics metrics;
};

static struct inbox_metrics make_metrics(struct metrics *metrics) {
  return (struct inbox_metrics){
      .events =
          metrics_series(metrics, METRICS_COUNTER, "culprit_inbox_events_total", "", "Errors counted in an issue."),
      .duplicates = metrics_series(metrics, METRICS_COUNTER, "culprit_inbox_duplicates_total", "",
                                   "Errors that were the other side (span event, log) of one counted before."),
      .resent = metrics_series(metrics, METRICS_COUNTER, "culprit_inbox_resent_total", "",
                               "Errors whose event id was taken before."),
      .issues = metrics_series(metrics, METRICS_COUNTER, "culprit_inbox_issues_total", "", "Issues made."),
      .regressed = metrics_series(metrics, METRICS_COUNTER, "culprit_inbox_regressions_total", "",
                                  "Resolved issues that had a new event."),
      .overflowed = metrics_series(metrics, METRICS_COUNTER, "culprit_inbox_overflowed_total", "",
                                   "Errors counted in an overflow issue: over the daily limit of new issues."),
      .quarantined = metrics_series(metrics, METRICS_COUNTER, "culprit_inbox_quarantined_total", "",
                                    "Records put aside because their errors could not be taken."),
      .failures = metrics_series(metrics, METRICS_COUNTER, "culprit_inbox_write_failures_total", "",
                                 "Transactions that failed and were tried again."),
      .attachments = metrics_series(metrics, METRICS_COUNTER, "culprit_inbox_attachments_total", "outcome=\"stored\"",
                                    "Attachments of events by what became of them."),
      .attachments_orphaned =
          metrics_series(metrics, METRICS_COUNTER, "culprit_inbox_attachments_total", "outcome=\"event_gone\"", ""),
      .attachments_evicted =
          metrics_series(metrics, METRICS_COUNTER, "culprit_inbox_attachments_total", "outcome=\"evicted\"", ""),
      .feedback = metrics_series(metrics, METRICS_COUNTER, "culprit_inbox_feedback_total", "", "Feedback stored."),
      .expired = metrics_series(metrics, METRICS_COUNTER, "culprit_inbox_expired_events_total", "",
                                "Events deleted by retention.events."),
      .lag = metrics_series(metrics, METRICS_GAUGE, "culprit_inbox_lag_records", "",
                            "Records of the intake journal not yet looked at."),
      .commit = metrics_histogram(metrics, "culprit_inbox_commit_seconds", "", "Time to write one batch."),
  };
}

static uint64_t now_ns(const struct inbox *inbox) {
  return clock_monotonic_ns(inbox->options.clock);
}

static bool is_stopping(struct inbox *inbox) {
  mutex_lock(&inbox->mutex);
  bool stopping = inbox->stopping;
  mutex_unlock(&inbox->mutex);
  return stopping;
}

// Sleeps; false when it is time to stop.
static bool pause_for(struct inbox *inbox, uint64_t ns) {
  mutex_lock(&inbox->mutex);
  if (!inbox->stopping) condition_wait_for(&inbox->wake, &inbox->mutex, ns);
  bool stopping = inbox->stopping;
  mutex_unlock(&inbox->mutex);
  return !stopping;
}

static bool is_transient(enum status status) {
  return status_is_retryable(status) || status == STATUS_IO || status == STATUS_NO_MEMORY || status == STATUS_CORRUPT;
}

static void retain(struct inbox *inbox);

static void count(struct inbox *inbox, const struct issue_store_outcome *outcome) {
  metrics_add(inbox->metrics.events, outcome->events);
  metrics_add(inbox->metrics.duplicates, outcome->duplicates);
  metrics_add(inbox->metrics.resent, outcome->resent);
  metrics_add(inbox->metrics.issues, outcome->issues);
  metrics_add(inbox->metrics.regressed, outcome->regressed);
  metrics_add(inbox->metrics.overflowed, outcome->overflowed);
  metrics_add(inbox->metrics.attachments, outcome->items.attachments);
  metrics_add(inbox->metrics.attachments_orphaned, outcome->items.orphaned);
  metrics_add(inbox->metrics.attachments_evicted, outcome->items.evicted);
  metrics_add(inbox->metrics.feedback, outcome->items.feedback);
}

// --- writing ---------------------------------------------------------------------------------------------------------

static enum status write_once(struct inbox *inbox, uint64_t sequence, struct error *error) {
  struct issue_store_outcome outcome = {0};
  uint64_t started_ns = now_ns(inbox);
  bool empty = issue_batch_is_empty(&inbox->batch);
  if (!empty) inbox_attempt_begin(inbox->attempt, inbox->batch_first, inbox->batch_last);
  enum status status = issue_store_write(inbox->options.issues, &inbox->batch, CURSOR_NAME, sequence, &outcome, error);
  inbox_attempt_end(inbox->attempt);
  if (status != STATUS_OK) return status;
  inbox->written_ns = now_ns(inbox);
  inbox->tidy = false;
  if (!empty) inbox_pace_wrote(&inbox->pace, started_ns, inbox->written_ns);
  if (!empty) metrics_observe_ns(inbox->metrics.commit, inbox->written_ns - started_ns);
  count(inbox, &outcome);
  issue_batch_clear(&inbox->batch);
  atomic_u64_set(&inbox->cursor, sequence);
  inbox_attempt_passed(inbox->attempt, sequence);
  return STATUS_OK;
}

static void log_failure(enum status status, const struct error *error) {
  log_write(LOG_ERROR, "inbox", "the inbox cannot be written; trying again",
            LOG_FIELDS(log_text("status", status_name(status)), log_text("reason", error->text)));
}

// Writes the batch and the cursor, however long it takes. False when it was given up (fate says why): stopping, or the
// batch is refused for what is in it.
static bool write_batch(struct inbox *inbox, uint64_t sequence) {
  uint64_t pause_ns = PAUSE_MIN_NS;
  struct error error = {0};
  enum status status;
  for (uint32_t tries = 1; (status = write_once(inbox, sequence, &error)) != STATUS_OK; tries++) {
    bool known = atomic_bool_get(&inbox->failing);
    atomic_bool_set(&inbox->failing, true);
    metrics_add(inbox->metrics.failures, 1); // after the state it counts: who sees the count sees the state
    if (!known || tries == REFUSALS_MAX) log_failure(status, &error);
    if (!is_transient(status) && tries >= REFUSALS_MAX && !issue_batch_is_empty(&inbox->batch)) {
      bool alone = inbox->in_hand && inbox->batch_first == inbox->record.sequence;
      inbox->fate = alone ? FATE_ASIDE : FATE_AGAIN;
      return false;
    }
    if (!pause_for(inbox, pause_ns)) {
      inbox->fate = FATE_STOP;
      return false;
    }
    pause_ns = pause_ns * 2 < PAUSE_MAX_NS ? pause_ns * 2 : PAUSE_MAX_NS;
    retain(inbox); // a full file has room again when old events go
  }
  if (atomic_bool_get(&inbox->failing)) log_write(LOG_INFO, "inbox", "the inbox is written again", NULL);
  atomic_bool_set(&inbox->failing, false);
  return true;
}

// Drops the batch and goes back to where it began.
static void go_back(struct inbox *inbox) {
  issue_batch_clear(&inbox->batch);
  if (inbox->batch_last > inbox->careful_until) inbox->careful_until = inbox->batch_last;
  journal_reader_seek(inbox->reader, atomic_u64_get(&inbox->cursor));
}

static void put_aside(struct inbox *inbox, const char *reason) {
  journal_quarantine(inbox->options.journal, &inbox->record, reason);
  metrics_add(inbox->metrics.quarantined, 1);
}

// --- reading ---------------------------------------------------------------------------------------------------------

// Room for one more of the record in hand; false when the batch cannot be written.
static bool make_room(struct inbox *inbox) {
  uint64_t sequence = inbox->record.sequence;
  if (issue_batch_is_full(&inbox->batch)) {
    if (!write_batch(inbox, sequence)) return false; // the cursor stays on this record
    inbox_attempt_begin(inbox->attempt, sequence, sequence);
  }
  if (issue_batch_is_empty(&inbox->batch)) {
    inbox->batch_first = sequence;
    inbox_pace_begin(&inbox->pace, now_ns(inbox));
  }
  inbox->batch_last = sequence;
  return true;
}

static bool take(void *context, const struct issue_event *event) {
  struct inbox *inbox = context;
  if (!make_room(inbox)) return false;
  if (issue_batch_add(&inbox->batch, event) != STATUS_OK) put_aside(inbox, "an event is too large for the inbox");
  inbox_pace_event(&inbox->pace, event->project);
  return true;
}

static bool take_item(void *context, const struct issue_item *item) {
  struct inbox *inbox = context;
  if (!make_room(inbox)) return false;
  if (issue_batch_add_item(&inbox->batch, item) != STATUS_OK) put_aside(inbox, "an item is too large for the inbox");
  return true;
}

static void read_record(struct inbox *inbox, bool careful) {
  uint64_t sequence = inbox->record.sequence;
  if (inbox_attempt_is_poison(inbox->attempt, sequence)) {
    put_aside(inbox, "the process died on it twice");
    return;
  }
  struct error error = {0};
  inbox_attempt_begin(inbox->attempt, sequence, sequence);
  enum status status = inbox_record_read(inbox->record_reader, &inbox->record, &error);
  inbox_attempt_end(inbox->attempt);
  if (inbox->fate != FATE_READ) return;
  if (status != STATUS_OK) put_aside(inbox, error.text);
  if (careful) write_batch(inbox, sequence + 1);
}

// What SDKs threw away is counted, and nothing tells a count that is read again: a record of them must go into one
// batch whole. The door keeps such records far below a batch; here they do not share one that is nearly full.
static bool fits_in_batch(const struct inbox *inbox) {
  const struct journal_record *record = &inbox->record;
  if (record->kind != JOURNAL_ITEMS) return true;
  return record->item_count <= ISSUE_BATCH_ITEMS_MAX - inbox->batch.item_count &&
         record->body_raw_bytes + inbox->batch.arena.used_bytes <= ISSUE_BATCH_BYTES_MAX;
}

static void take_record(struct inbox *inbox) {
  uint64_t sequence = inbox->record.sequence;
  if (!inbox_record_has_errors(&inbox->record)) return;
  bool careful = sequence <= inbox->careful_until || inbox_attempt_is_careful(inbox->attempt, sequence);
  bool apart = careful || !fits_in_batch(inbox);
  if (!apart || issue_batch_is_empty(&inbox->batch) || write_batch(inbox, sequence)) {
    inbox->in_hand = true;
    read_record(inbox, careful);
  }
  if (inbox->fate == FATE_ASIDE) {
    put_aside(inbox, "the database refuses its events");
    issue_batch_clear(&inbox->batch);
    inbox->fate = FATE_READ;
    write_batch(inbox, sequence + 1); // the cursor steps over it
  }
  inbox->in_hand = false;
}

static void write_when_due(struct inbox *inbox, bool at_end) {
  uint64_t now = now_ns(inbox), position = journal_reader_position(inbox->reader);
  if (!issue_batch_is_empty(&inbox->batch)) {
    if (issue_batch_is_full(&inbox->batch) || now >= inbox_pace_due(&inbox->pace, at_end)) write_batch(inbox, position);
  } else if (position > atomic_u64_get(&inbox->cursor) && now - inbox->written_ns >= CURSOR_EVERY_NS) {
    write_batch(inbox, position);
  }
}

// --- beside reading --------------------------------------------------------------------------------------------------

// Wall clocks step. Events are not deleted on the word of a clock that differs from the monotonic one by over an hour
// since the start.
static bool clock_is_sane(const struct inbox *inbox) {
  uint64_t offset_ns = clock_wall_ns(inbox->options.clock) - now_ns(inbox);
  uint64_t apart_ns =
      offset_ns > inbox->wall_offset_ns ? offset_ns - inbox->wall_offset_ns : inbox->wall_offset_ns - offset_ns;
  return apart_ns <= CLOCK_STEP_MAX_NS;
}

static void retain(struct inbox *inbox) {
  uint64_t now = now_ns(inbox), keep_ns = atomic_u64_get(&inbox->retention_ns);
  if (keep_ns == 0 || now < inbox->retain_ns) return;
  inbox->retain_ns = now + RETAIN_EVERY_NS;
  if (!clock_is_sane(inbox)) {
    log_write(LOG_WARN, "inbox", "the wall clock was changed by over an hour; old events are not deleted", NULL);
    return;
  }
  struct error error = {0};
  uint32_t deleted = 0;
  enum status status = issue_store_retain(inbox->options.issues, keep_ns, RETAIN_EVENTS_MAX, &deleted, &error);
  if (status != STATUS_OK) {
    log_write(LOG_WARN, "inbox", "old events cannot be deleted", LOG_FIELDS(log_text("reason", error.text)));
    return;
  }
  metrics_add(inbox->metrics.expired, deleted);
  if (deleted == RETAIN_EVENTS_MAX) inbox->retain_ns = now + RETAIN_MORE_NS;
}

static uint64_t lag(const struct inbox *inbox) {
  uint64_t next = journal_durable_sequence(inbox->options.journal) + 1, cursor = atomic_u64_get(&inbox->cursor);
  return next > cursor ? next - cursor : 0;
}

static void wait_for_more(struct inbox *inbox) {
  uint64_t now = now_ns(inbox), wait_ns = WAIT_NS;
  if (!issue_batch_is_empty(&inbox->batch)) {
    uint64_t due = inbox_pace_due(&inbox->pace, true);
    wait_ns = due > now ? due - now : 1;
  } else if (!inbox->tidy && now - inbox->pace.read_ns >= IDLE_NS && now - inbox->written_ns >= IDLE_NS) {
    database_idle(inbox->options.database);
    inbox->tidy = true;
  }
  journal_wait(inbox->options.journal, journal_reader_position(inbox->reader) - 1, wait_ns);
  inbox_pace_looked(&inbox->pace, now_ns(inbox));
}

static void run(void *context) {
  struct inbox *inbox = context;
  while (!is_stopping(inbox) && inbox->fate != FATE_STOP) {
    enum status status = journal_reader_next(inbox->reader, &inbox->record);
    if (status == STATUS_OK) {
      inbox_pace_read(&inbox->pace, now_ns(inbox));
      take_record(inbox);
    }
    if (inbox->fate == FATE_READ) write_when_due(inbox, status != STATUS_OK);
    if (inbox->fate == FATE_AGAIN) {
      go_back(inbox);
      inbox->fate = FATE_READ;
      continue;
    }
    metrics_set(inbox->metrics.lag, lag(inbox));
    retain(inbox);
    if (status != STATUS_OK) wait_for_more(inbox);
  }
  struct error error = {0};
  if (inbox->fate != FATE_STOP) // refused: it is read again after the next start
    write_once(inbox, journal_reader_position(inbox->reader), &error);
}

// --- start and stop --------------------------------------------------------------------------------------------------

// Where to go on: behind the last effects, unless the journal is not the one the cursor was made for.
static enum status find_start(const struct inbox_options *options, uint64_t *out_sequence, struct error *error) {
  uint64_t cursor = 0;
  enum status status = cursor_store_load(options->database, CURSOR_NAME, &cursor, error);
  if (status != STATUS_OK) return status;
  uint64_t first = journal_first_sequence(options->journal), next = journal_durable_sequence(options->journal) + 1;
  if (cursor > next) {
    log_write(LOG_WARN, "inbox", "the intake journal ends before the inbox's cursor; going on at its end",
              LOG_FIELDS(log_u64("cursor", cursor), log_u64("next", next)));
    cursor = next;
  }
  if (cursor != 0 && cursor < first) {
    log_write(LOG_WARN, "inbox", "records of the intake journal are gone before the inbox read them",
              LOG_FIELDS(log_u64("cursor", cursor), log_u64("first", first)));
  }
  *out_sequence = cursor > first ? cursor : first;
  return STATUS_OK;
}

static enum status open_parts(struct inbox *inbox, struct error *error) {
  const struct inbox_options *options = &inbox->options;
  uint64_t start = 0;
  enum status status = find_start(options, &start, error);
  if (status != STATUS_OK) return status;
  atomic_u64_set(&inbox->cursor, start);
  struct error note = {0};
  if (inbox_attempt_open(options->attempt_path, &inbox->attempt, &note) != STATUS_OK) {
    log_write(LOG_WARN, "inbox", "records that kill the process will not be recognised",
              LOG_FIELDS(log_text("reason", note.text)));
  }
  inbox->record_reader = inbox_record_create(&(struct inbox_record_options){.correlation = options->correlation,
                                                                            .grouping = options->grouping,
                                                                            .database = options->database,
                                                                            .clock = options->clock,
                                                                            .take = take,
                                                                            .take_item = take_item,
                                                                            .context = inbox});
  status = issue_batch_init(&inbox->batch);
  if (status == STATUS_OK) status = journal_reader_open(options->journal, start, &inbox->reader);
  if (status == STATUS_OK) status = thread_start(&inbox->thread, "inbox", run, inbox);
  return status == STATUS_OK ? status : error_set(error, status, "the inbox cannot start: %s", status_name(status));
}

enum status inbox_start(const struct inbox_options *options, struct inbox **out_inbox, struct error *error) {
  struct inbox *inbox = calloc(1, sizeof *inbox);
  ASSERT(inbox != NULL);
  inbox->options = *options;
  inbox_set_retention(inbox, options->retention_ns);
  inbox->metrics = make_metrics(options->metrics);
  mutex_init(&inbox->mutex);
  condition_init(&inbox->wake);
  inbox->wall_offset_ns = clock_wall_ns(options->clock) - now_ns(inbox);
  inbox->written_ns = inbox->retain_ns = now_ns(inbox);
  inbox_pace_init(&inbox->pace, now_ns(inbox));
  enum status status = open_parts(inbox, error);
  if (status != STATUS_OK) {
    inbox_stop(inbox);
    return status;
  }
  *out_inbox = inbox;
  return STATUS_OK;
}

void inbox_stop(struct inbox *inbox) {
  if (!inbox) return;
  mutex_lock(&inbox->mutex);
  inbox->stopping = true;
  condition_broadcast(&inbox->wake);
  mutex_unlock(&inbox->mutex);
  journal_wake(inbox->options.journal);
  thread_join(&inbox->thread);
  journal_reader_close(inbox->reader);
  inbox_record_destroy(inbox->record_reader);
  inbox_attempt_close(inbox->attempt);
  issue_batch_finish(&inbox->batch);
  condition_finish(&inbox->wake);
  mutex_finish(&inbox->mutex);
  free(inbox);
}

void inbox_set_retention(struct inbox *inbox, uint64_t ns) {
  atomic_u64_set(&inbox->retention_ns, ns);
}

uint64_t inbox_cursor(const struct inbox *inbox) {
  return atomic_u64_get(&inbox->cursor);
}

struct inbox_counts inbox_counts(const struct inbox *inbox) {
  const struct inbox_metrics *metrics = &inbox->metrics;
  return (struct inbox_counts){.events = metrics_get(metrics->events),
                               .duplicates = metrics_get(metrics->duplicates),
                               .issues = metrics_get(metrics->issues),
                               .resent = metrics_get(metrics->resent),
                               .regressed = metrics_get(metrics->regressed),
                               .overflowed = metrics_get(metrics->overflowed),
                               .quarantined = metrics_get(metrics->quarantined),
                               .failures = metrics_get(metrics->failures),
                               .lag_records = lag(inbox),
                               .failing = atomic_bool_get(&inbox->failing)};
}
