// SPDX-License-Identifier: Apache-2.0
//
// How it works: records of one kind are gathered into a batch by concatenating their bodies: protobuf merges repeated
// fields of concatenated messages, so that is a valid request (protobuf encoding, "Last One Wins": repeated fields are
// appended).
//
//      read → batch → send ─ done ──────────────────────────→ advance the cursor
//                      ↑   ├ retry: wait (RetryInfo, else full jitter) ┐
//                      └───┴───────────────────────────────────────────┘
//                          ├ refused, several records: send them one by one
//                          ├ refused, one record: dead letter, advance
//                          └ misconfigured: dead letter; the third time in a row: wait, state "paused", try again
//
// The cursor is saved once a second and at the end.
//
// Dead letters are a journal with a cursor of its own, "<name>-resent": what lies behind it has been sent again, or was
// never asked for. A resend goes from there to the end as it was when somebody asked, one letter before each batch of
// new records. A letter that has to wait lets the new records go on.
#include "exporter/delivery.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "store/cursor_file.h"

#define BATCH_BYTES_DEFAULT        (UINT64_C(1) << 20)
#define BACKOFF_MIN_DEFAULT        NS_PER_S
#define BACKOFF_MAX_DEFAULT        (60 * NS_PER_S)
#define BODY_BYTES_MAX             (UINT64_C(256) << 20)
#define SAVE_INTERVAL_NS           NS_PER_S
#define IDLE_WAIT_NS               NS_PER_S
#define SYNC_WAIT_NS               (20 * NS_PER_MS)
#define DEAD_LETTER_BYTES_MAX      (UINT64_C(1) << 30)
#define RETRY_AFTER_MAX_NS         (600 * NS_PER_S) // a server may ask for patience, not for years
#define MISCONFIGURED_BEFORE_PAUSE 3

struct delivery {
  struct delivery_options options;
  struct thread thread;
  struct atomic_bool_box stop;
  struct journal_reader *reader;
  struct journal *dead_letters;
  struct cursor_file *cursor, *resent_cursor;
  struct buffer body, batch;

  // The batch in hand: records first … last of one kind.
  enum journal_kind kind;
  uint64_t first, last;
  uint32_t items, records;
  uint64_t single_until; // up to here each record goes alone: their batch was refused as a whole
  bool record_held;      // `record` was read and belongs to the next batch
  struct journal_record record;

  uint64_t backoff_ns, saved_ns, saved_sequence;
  uint32_t misconfigured;
  struct atomic_u64 floor;
  struct atomic_u64 resent, resend_until; // sequences of dead letters
  struct journal_reader *resend_reader;   // NULL while none is sent again
  uint64_t resend_due_ns;                 // of clock_system: not before; 0: at once
  uint64_t resend_backoff_ns;

  struct mutex lock; // of `status` and `wake`
  struct condition wake;
  struct delivery_status status;
  struct metrics_value *sent, *retried, *dead, *rejected, *requests, *resent_items;
};

const char *delivery_state_name(enum delivery_state state) {
  switch (state) {
  case DELIVERY_IDLE: return "idle";
  case DELIVERY_SENDING: return "sending";
  case DELIVERY_RETRYING: return "retrying";
  case DELIVERY_PAUSED: return "paused";
  }
  return "idle";
}

// Nothing waits, so nothing fails: what was refused is told by the dead letters.
static void set_idle(struct delivery *delivery) {
  mutex_lock(&delivery->lock);
  delivery->status.state = DELIVERY_IDLE;
  delivery->status.oldest_wall_ns = delivery->status.failing_since_ns = 0;
  mutex_unlock(&delivery->lock);
}

static void set_state(struct delivery *delivery, enum delivery_state state, uint64_t oldest_wall_ns) {
  mutex_lock(&delivery->lock);
  delivery->status.state = state;
  delivery->status.oldest_wall_ns = oldest_wall_ns;
  mutex_unlock(&delivery->lock);
}

// --- batches --------------------------------------------------------------------------------------------------------

static void advance(struct delivery *delivery, uint64_t sequence) {
  mutex_lock(&delivery->lock);
  delivery->status.sequence = sequence;
  mutex_unlock(&delivery->lock);
}

static void save_cursor(struct delivery *delivery, bool at_once) {
  uint64_t now_ns = clock_monotonic_ns(delivery->options.clock);
  uint64_t sequence = delivery->status.sequence; // written by this thread only
  if (sequence == delivery->saved_sequence) return;
  if (!at_once && now_ns - delivery->saved_ns < SAVE_INTERVAL_NS) return;
  delivery->saved_ns = now_ns;
  if (cursor_file_save(delivery->cursor, sequence) != STATUS_OK) {
    log_write(LOG_ERROR, "delivery", "cursor not saved", LOG_FIELDS(log_text("exporter", delivery->options.name)));
    return;
  }
  delivery->saved_sequence = sequence;
  atomic_u64_set(&delivery->floor, sequence + 1);
}

static bool wanted(const struct delivery *delivery, enum journal_kind kind) {
  return (delivery->options.kinds >> kind & 1) != 0;
}

// `record` is not sent: done at once, or with the batch it lies behind.
static void pass_over(struct delivery *delivery) {
  if (delivery->records == 0) {
    advance(delivery, delivery->record.sequence);
  } else {
    delivery->last = delivery->record.sequence;
  }
}

// Not before it is synced: after a power failure the cursor must not be ahead of the journal.
static uint64_t sendable_sequence(const struct delivery *delivery) {
  struct journal *journal = delivery->options.journal;
  return delivery->options.send_unsynced ? journal_durable_sequence(journal) : journal_synced_sequence(journal);
}

// Adds `record` to the batch; false when it belongs to the next one.
static bool add_record(struct delivery *delivery) {
  struct journal_record *record = &delivery->record;
  struct slice body;
  if (delivery->records > 0) {
    bool fits = record->kind == delivery->kind &&
                delivery->batch.len + record->body_raw_bytes <= delivery->options.batch_bytes_max;
    if (!fits || delivery->first <= delivery->single_until) return false;
  }
  enum status status = journal_record_body(record, &delivery->body, &body);
  if (!status) status = buffer_append_slice(&delivery->batch, body);
  if (status) {
    journal_quarantine(delivery->options.journal, record, "delivery: the body does not decode");
    pass_over(delivery);
    return true;
  }
  if (delivery->records == 0) {
    delivery->kind = record->kind;
    delivery->first = record->sequence;
  }
  delivery->last = record->sequence;
  delivery->items += record->item_count;
  delivery->records++;
  return true;
}

// Gathers what is there. False when there is nothing to send; what is passed over moves the cursor.
static bool gather(struct delivery *delivery) {
  buffer_clear(&delivery->batch);
  delivery->records = delivery->items = 0;
  for (;;) {
    if (!delivery->record_held) {
      if (journal_reader_position(delivery->reader) > sendable_sequence(delivery)) break;
      if (journal_reader_next(delivery->reader, &delivery->record) != STATUS_OK) break;
    }
    delivery->record_held = false;
    if (!wanted(delivery, delivery->record.kind)) {
      pass_over(delivery);
      continue;
    }
    if (!add_record(delivery)) {
      delivery->record_held = true;
      break;
    }
    if (delivery->records == 1) set_state(delivery, DELIVERY_SENDING, delivery->record.received_ns);
    if (delivery->batch.len >= delivery->options.batch_bytes_max) break;
  }
  return delivery->records > 0;
}

// --- outcomes -------------------------------------------------------------------------------------------------------

static void succeeded(struct delivery *delivery, const struct delivery_result *result) {
  uint64_t accepted = delivery->items > result->rejected ? delivery->items - result->rejected : 0;
  metrics_add(delivery->sent, accepted);
  metrics_add(delivery->rejected, result->rejected);
  delivery->backoff_ns = delivery->options.backoff_min_ns;
  delivery->misconfigured = 0;
  mutex_lock(&delivery->lock);
  delivery->status.sent_items += accepted;
  delivery->status.rejected_items += result->rejected;
  delivery->status.sequence = delivery->last;
  delivery->status.failing_since_ns = 0;
  if (result->rejected == 0) delivery->status.last_error[0] = 0;
  mutex_unlock(&delivery->lock);
  if (result->rejected > 0) {
    log_write(LOG_WARN, "delivery", "backend rejected items",
              LOG_FIELDS(log_text("exporter", delivery->options.name), log_u64("items", result->rejected),
                         log_text("reason", result->reason)));
  }
}

static void note_failure(struct delivery *delivery, enum delivery_state state, const struct delivery_result *result) {
  bool first;
  mutex_lock(&delivery->lock);
  first = delivery->status.failing_since_ns == 0;
  if (first) delivery->status.failing_since_ns = clock_monotonic_ns(delivery->options.clock);
  delivery->status.state = state;
  delivery->status.retried_requests++;
  snprintf(delivery->status.last_error, sizeof(delivery->status.last_error), "%s", result->reason);
  mutex_unlock(&delivery->lock);
  metrics_add(delivery->retried, 1);
  if (first) {
    log_write(LOG_WARN, "delivery", "sending fails, retrying",
              LOG_FIELDS(log_text("exporter", delivery->options.name), log_text("reason", result->reason)));
  }
}

// Waits, unless it is time to stop.
static void wait_ns(struct delivery *delivery, uint64_t ns) {
  uint64_t end = clock_monotonic_ns(clock_system()) + ns;
  mutex_lock(&delivery->lock);
  while (!atomic_bool_get(&delivery->stop)) {
    uint64_t now = clock_monotonic_ns(clock_system());
    if (now >= end) break;
    condition_wait_for(&delivery->wake, &delivery->lock, end - now);
  }
  mutex_unlock(&delivery->lock);
}

static uint64_t next_wait_ns(const struct delivery *delivery, const struct delivery_result *result,
                             uint64_t *backoff_ns) {
  uint64_t ns = result->retry_after_ns;
  if (ns > 0) return ns < RETRY_AFTER_MAX_NS ? ns : RETRY_AFTER_MAX_NS;
  ns = *backoff_ns / 20 + random_u64() % (*backoff_ns - *backoff_ns / 20 + 1); // full jitter, but no busy loop
  *backoff_ns *= 2;
  if (*backoff_ns > delivery->options.backoff_max_ns) *backoff_ns = delivery->options.backoff_max_ns;
  return ns;
}

static void back_off(struct delivery *delivery, const struct delivery_result *result) {
  wait_ns(delivery, next_wait_ns(delivery, result, &delivery->backoff_ns));
}

static void dead_letter(struct delivery *delivery, const struct delivery_result *result) {
  struct journal_entry entry = {
      .kind = delivery->kind,
      .item_count = delivery->items,
      .received_ns = clock_wall_ns(delivery->options.clock),
      .origin_sequence = delivery->first,
      .section = slice_from_cstr(result->reason),
      .body = buffer_slice(&delivery->batch),
  };
  struct error error = {""};
  enum status status = journal_append(delivery->dead_letters, &entry, NULL, NULL, &error);
  if (!status) status = journal_flush(delivery->dead_letters);
  if (status == STATUS_UNAVAILABLE && journal_bytes(delivery->dead_letters) >= DEAD_LETTER_BYTES_MAX / 2) {
    // The oldest dead letters make room for new ones: that is their retention rule.
    struct journal_segment oldest;
    if (journal_segments(delivery->dead_letters, &oldest, 1) > 1) {
      journal_delete_before(delivery->dead_letters, oldest.last_sequence + 1);
      status = journal_append(delivery->dead_letters, &entry, NULL, NULL, &error);
      if (!status) status = journal_flush(delivery->dead_letters);
    }
  }
  log_write(LOG_ERROR, "delivery",
            status ? "refused for good, dead letter not written" : "refused for good, dead letter",
            LOG_FIELDS(log_text("exporter", delivery->options.name), log_u64("items", delivery->items),
                       log_u64("sequence", delivery->first), log_text("reason", result->reason)));
  metrics_add(delivery->dead, delivery->items);
  mutex_lock(&delivery->lock);
  delivery->status.dead_items += delivery->items;
  delivery->status.sequence = delivery->last;
  snprintf(delivery->status.last_error, sizeof(delivery->status.last_error), "%s", result->reason);
  mutex_unlock(&delivery->lock);
}

// A refused batch of several records goes again one by one, so that one bad record does not take its neighbours along.
static void refused(struct delivery *delivery, const struct delivery_result *result) {
  if (delivery->records == 1) {
    dead_letter(delivery, result);
    return;
  }
  delivery->single_until = delivery->last;
  delivery->record_held = false;
  journal_reader_seek(delivery->reader, delivery->first);
}

static void deliver(struct delivery *delivery) {
  while (!atomic_bool_get(&delivery->stop)) {
    struct delivery_result result = {.outcome = DELIVERY_RETRY};
    metrics_add(delivery->requests, 1);
    delivery->options.transport->send(delivery->options.transport_context, delivery->kind,
                                      buffer_slice(&delivery->batch), &delivery->stop, &result);
    if (atomic_bool_get(&delivery->stop) && result.outcome != DELIVERY_DONE) return;
    switch (result.outcome) {
    case DELIVERY_DONE: succeeded(delivery, &result); return;
    case DELIVERY_REFUSED:
    case DELIVERY_TOO_LARGE: refused(delivery, &result); return;
    case DELIVERY_RETRY:
      note_failure(delivery, DELIVERY_RETRYING, &result);
      back_off(delivery, &result);
      break;
    case DELIVERY_MISCONFIGURED:
      // Not to be sent again; but when all of it is refused so, wait for someone to mend the configuration instead of
      // draining the journal into dead letters.
      if (++delivery->misconfigured < MISCONFIGURED_BEFORE_PAUSE) {
        dead_letter(delivery, &result);
        return;
      }
      delivery->backoff_ns = delivery->options.backoff_max_ns;
      note_failure(delivery, DELIVERY_PAUSED, &result);
      back_off(delivery, &result);
      break;
    }
    save_cursor(delivery, false);
  }
}

// --- dead letters again ---------------------------------------------------------------------------------------------

static bool resend_is_wanted(const struct delivery *delivery) {
  return atomic_u64_get(&delivery->resent) < atomic_u64_get(&delivery->resend_until);
}

static void resend_after(struct delivery *delivery, uint64_t ns) {
  delivery->resend_due_ns = clock_monotonic_ns(clock_system()) + ns;
}

// DELIVERY_RETRY: it is to be sent again when resend_due_ns has come.
static enum delivery_outcome resend_record(struct delivery *delivery, const struct journal_record *record) {
  struct slice body;
  buffer_clear(&delivery->batch);
  enum status status = journal_record_body(record, &delivery->body, &body);
  if (!status) status = buffer_append_slice(&delivery->batch, body);
  if (status) {
    journal_quarantine(delivery->dead_letters, record, "delivery: the dead letter does not decode");
    return DELIVERY_DONE;
  }
  delivery->kind = record->kind;
  delivery->items = record->item_count;
  delivery->first = record->origin_sequence;
  delivery->last = delivery->status.sequence; // where new records are does not change
  struct delivery_result result = {.outcome = DELIVERY_RETRY};
  metrics_add(delivery->requests, 1);
  delivery->options.transport->send(delivery->options.transport_context, delivery->kind, buffer_slice(&delivery->batch),
                                    &delivery->stop, &result);
  if (atomic_bool_get(&delivery->stop) && result.outcome != DELIVERY_DONE) return DELIVERY_RETRY;
  switch (result.outcome) {
  case DELIVERY_DONE:
    succeeded(delivery, &result);
    metrics_add(delivery->resent_items, delivery->items);
    break;
  case DELIVERY_REFUSED:
  case DELIVERY_TOO_LARGE: dead_letter(delivery, &result); break;
  case DELIVERY_MISCONFIGURED: note_failure(delivery, DELIVERY_PAUSED, &result); break;
  case DELIVERY_RETRY:
    note_failure(delivery, DELIVERY_RETRYING, &result);
    resend_after(delivery, next_wait_ns(delivery, &result, &delivery->resend_backoff_ns));
    return DELIVERY_RETRY;
  }
  delivery->resend_due_ns = 0;
  delivery->resend_backoff_ns = delivery->options.backoff_min_ns;
  return result.outcome;
}

static void note_resent(struct delivery *delivery, uint64_t sequence) {
  atomic_u64_set(&delivery->resent, sequence);
  if (cursor_file_save(delivery->resent_cursor, sequence) != STATUS_OK)
    log_write(LOG_ERROR, "delivery", "cursor not saved", LOG_FIELDS(log_text("exporter", delivery->options.name)));
}

static void end_resend(struct delivery *delivery) {
  journal_reader_close(delivery->resend_reader);
  delivery->resend_reader = NULL;
  journal_delete_before(delivery->dead_letters, atomic_u64_get(&delivery->resent) + 1);
}

// One letter, when its time has come.
static void resend_next(struct delivery *delivery) {
  uint64_t until = atomic_u64_get(&delivery->resend_until), resent = atomic_u64_get(&delivery->resent);
  if (resent >= until || clock_monotonic_ns(clock_system()) < delivery->resend_due_ns) return;
  struct journal_record record = {0};
  enum status status = STATUS_OK;
  if (!delivery->resend_reader)
    status = journal_reader_open(delivery->dead_letters, resent + 1, &delivery->resend_reader);
  if (!status) status = journal_reader_next(delivery->resend_reader, &record);
  if (status != STATUS_OK && status != STATUS_END) {
    resend_after(delivery, IDLE_WAIT_NS);
    return;
  }
  if (status == STATUS_END || record.sequence > until) {
    note_resent(delivery, until); // the last ones were damaged
    end_resend(delivery);
    return;
  }
  enum delivery_outcome outcome = resend_record(delivery, &record);
  if (outcome == DELIVERY_RETRY) {
    journal_reader_seek(delivery->resend_reader, record.sequence);
    return;
  }
  if (outcome == DELIVERY_MISCONFIGURED) {
    atomic_u64_set(&delivery->resend_until, 0); // somebody has to mend the configuration and ask again
  } else {
    note_resent(delivery, record.sequence);
  }
  if (!resend_is_wanted(delivery)) end_resend(delivery);
}

// Nothing new is there: waits for it, or for the time of a dead letter.
static void wait_for_news(struct delivery *delivery) {
  uint64_t ns = IDLE_WAIT_NS;
  if (resend_is_wanted(delivery)) {
    uint64_t now_ns = clock_monotonic_ns(clock_system());
    if (delivery->resend_due_ns <= now_ns) return;
    if (delivery->resend_due_ns - now_ns < ns) ns = delivery->resend_due_ns - now_ns;
  }
  uint64_t position = journal_reader_position(delivery->reader);
  if (journal_durable_sequence(delivery->options.journal) >= position) {
    wait_ns(delivery, SYNC_WAIT_NS); // written, not synced yet
  } else {
    journal_wait(delivery->options.journal, position - 1, ns);
  }
}

static void run(void *context) {
  struct delivery *delivery = context;
  while (!atomic_bool_get(&delivery->stop)) {
    resend_next(delivery);
    if (gather(delivery)) {
      deliver(delivery);
      save_cursor(delivery, false);
      continue;
    }
    if (resend_is_wanted(delivery)) {
      set_state(delivery, delivery->resend_due_ns ? DELIVERY_RETRYING : DELIVERY_SENDING, 0);
    } else {
      set_idle(delivery);
    }
    save_cursor(delivery, false);
    wait_for_news(delivery);
  }
  save_cursor(delivery, true);
}

// --- start and stop -------------------------------------------------------------------------------------------------

static void destroy(struct delivery *delivery) {
  journal_reader_close(delivery->reader);
  journal_reader_close(delivery->resend_reader);
  journal_close(delivery->dead_letters);
  cursor_file_close(delivery->cursor);
  cursor_file_close(delivery->resent_cursor);
  buffer_finish(&delivery->body);
  buffer_finish(&delivery->batch);
  condition_finish(&delivery->wake);
  mutex_finish(&delivery->lock);
  delivery->options.transport->destroy(delivery->options.transport_context);
  free(delivery);
}

static void make_series(struct delivery *delivery) {
  char labels[64];
  snprintf(labels, sizeof(labels), "exporter=\"%s\"", delivery->options.name);
  struct metrics *metrics = delivery->options.metrics;
  delivery->requests = metrics_series(metrics, METRICS_COUNTER, "culprit_exporter_requests_total", labels,
                                      "Requests sent to the backend, retries included.");
  delivery->sent = metrics_series(metrics, METRICS_COUNTER, "culprit_exporter_sent_items_total", labels,
                                  "Spans, log records and data points the backend accepted.");
  delivery->retried = metrics_series(metrics, METRICS_COUNTER, "culprit_exporter_retried_requests_total", labels,
                                     "Requests that failed and were or will be tried again.");
  delivery->dead = metrics_series(metrics, METRICS_COUNTER, "culprit_exporter_dead_items_total", labels,
                                  "Items the backend refused for good; they are in the dead-letter journal.");
  delivery->resent_items = metrics_series(metrics, METRICS_COUNTER, "culprit_exporter_resent_items_total", labels,
                                          "Items of dead letters that were sent again and accepted.");
  delivery->rejected = metrics_series(metrics, METRICS_COUNTER, "culprit_exporter_rejected_items_total", labels,
                                      "Items rejected in a partial success of the backend.");
}

static enum status open_parts(struct delivery *delivery, struct error *error) {
  const struct delivery_options *options = &delivery->options;
  uint64_t sequence;
  enum status status = cursor_file_open(options->cursor_directory, options->name, &delivery->cursor, &sequence, error);
  if (status) return status;
  // Without syncs a power failure may have left the journal shorter than what was sent of it; its numbers come again.
  uint64_t newest = journal_durable_sequence(options->journal);
  if (sequence > newest && newest + 1 >= journal_first_sequence(options->journal)) sequence = newest;
  delivery->status.sequence = delivery->saved_sequence = sequence;
  atomic_u64_set(&delivery->floor, sequence + 1);
  struct journal_options dead = {
      .name = "dead-letter",
      .directory = options->dead_letter_directory,
      .quarantine_directory = options->dead_letter_directory,
      .sync = JOURNAL_SYNC_ALWAYS,
      .bytes_max = DEAD_LETTER_BYTES_MAX,
      .clock = options->clock,
  };
  char name[64];
  uint64_t resent;
  snprintf(name, sizeof(name), "%.50s-resent", options->name);
  status = cursor_file_open(options->cursor_directory, name, &delivery->resent_cursor, &resent, error);
  if (status) return status;
  status = journal_open(&dead, &delivery->dead_letters, error);
  if (status) return status;
  // Where somebody removed the dead letters, their numbers come again.
  newest = journal_durable_sequence(delivery->dead_letters);
  atomic_u64_set(&delivery->resent, resent < newest ? resent : newest);
  return journal_reader_open(options->journal, sequence + 1, &delivery->reader);
}

enum status delivery_start(const struct delivery_options *options, struct delivery **out_delivery,
                           struct error *error) {
  struct delivery *delivery = calloc(1, sizeof(*delivery));
  ASSERT(delivery);
  delivery->options = *options;
  if (!delivery->options.batch_bytes_max) delivery->options.batch_bytes_max = BATCH_BYTES_DEFAULT;
  if (!delivery->options.backoff_min_ns) delivery->options.backoff_min_ns = BACKOFF_MIN_DEFAULT;
  if (!delivery->options.backoff_max_ns) delivery->options.backoff_max_ns = BACKOFF_MAX_DEFAULT;
  if (delivery->options.backoff_min_ns > delivery->options.backoff_max_ns)
    delivery->options.backoff_min_ns = delivery->options.backoff_max_ns;
  delivery->backoff_ns = delivery->resend_backoff_ns = delivery->options.backoff_min_ns;
  mutex_init(&delivery->lock);
  condition_init(&delivery->wake);
  buffer_init(&delivery->body, BODY_BYTES_MAX);
  buffer_init(&delivery->batch, BODY_BYTES_MAX);
  make_series(delivery);
  enum status status = open_parts(delivery, error);
  if (!status) {
    status = thread_start(&delivery->thread, delivery->options.name, run, delivery);
    if (status) error_set(error, status, "no thread for exporter %s", options->name);
  }
  if (status) {
    destroy(delivery);
    return status;
  }
  *out_delivery = delivery;
  return STATUS_OK;
}

void delivery_stop(struct delivery *delivery) {
  if (!delivery) return;
  mutex_lock(&delivery->lock);
  atomic_bool_set(&delivery->stop, true);
  condition_broadcast(&delivery->wake);
  mutex_unlock(&delivery->lock);
  journal_wake(delivery->options.journal);
  thread_join(&delivery->thread);
  destroy(delivery);
}

static uint64_t dead_letters_waiting(struct delivery *delivery) {
  uint64_t newest = journal_durable_sequence(delivery->dead_letters), resent = atomic_u64_get(&delivery->resent);
  uint64_t first = journal_first_sequence(delivery->dead_letters);
  if (first > 0 && resent < first - 1) resent = first - 1; // older ones made room
  return newest > resent ? newest - resent : 0;
}

void delivery_get_status(struct delivery *delivery, struct delivery_status *out_status) {
  mutex_lock(&delivery->lock);
  *out_status = delivery->status;
  mutex_unlock(&delivery->lock);
  out_status->dead_letters = dead_letters_waiting(delivery);
}

uint64_t delivery_resend(struct delivery *delivery) {
  uint64_t waiting = dead_letters_waiting(delivery);
  atomic_u64_set(&delivery->resend_until, journal_durable_sequence(delivery->dead_letters));
  mutex_lock(&delivery->lock);
  condition_broadcast(&delivery->wake);
  mutex_unlock(&delivery->lock);
  journal_wake(delivery->options.journal);
  return waiting;
}

uint64_t delivery_floor(struct delivery *delivery) {
  return atomic_u64_get(&delivery->floor);
}
