// SPDX-License-Identifier: Apache-2.0
//
// Delivery from a real journal into a scripted transport: each call takes the next answer of the script (the last one
// stays), and what was sent is noted.
#include "exporter/delivery.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/cursor_file.h"
#include "tests/unit/store/temporary.h"

#define DEADLINE  (30 * NS_PER_S)
#define CALLS_MAX 4096

struct call {
  enum journal_kind kind;
  char payload[128];
  size_t len;
};

struct fixture {
  struct temporary *temporary;
  char journal_directory[300], dead_directory[300], quarantine[300];
  struct journal *journal;
  struct metrics *metrics;
  struct delivery *delivery;
  struct delivery_options options;

  struct mutex lock; // of the rest
  struct condition changed;
  struct delivery_result script[16];
  uint32_t script_count;
  char poison[8]; // a payload that holds it is refused
  char heavy[8];  // a payload that holds it is to be tried again later
  struct call calls[CALLS_MAX];
  uint32_t call_count, destroyed;
};

static struct delivery_result answer_of(struct fixture *fixture, struct slice payload) {
  if (fixture->poison[0] && slice_find(payload, slice_from_cstr(fixture->poison)) < payload.len)
    return (struct delivery_result){.outcome = DELIVERY_REFUSED, .reason = "INVALID_ARGUMENT: poison"};
  if (fixture->heavy[0] && slice_find(payload, slice_from_cstr(fixture->heavy)) < payload.len)
    return (struct delivery_result){.outcome = DELIVERY_RETRY, .reason = "UNAVAILABLE: heavy"};
  if (fixture->script_count == 0) return (struct delivery_result){.outcome = DELIVERY_DONE};
  struct delivery_result result = fixture->script[0];
  if (fixture->script_count > 1) {
    fixture->script_count--;
    memmove(fixture->script, fixture->script + 1, fixture->script_count * sizeof(result));
  }
  return result;
}

static void scripted_send(void *context, enum journal_kind kind, struct slice payload,
                          const struct atomic_bool_box *cancel, struct delivery_result *out_result) {
  (void)cancel;
  struct fixture *fixture = context;
  mutex_lock(&fixture->lock);
  ASSERT(fixture->call_count < CALLS_MAX);
  struct call *call = &fixture->calls[fixture->call_count++];
  call->kind = kind;
  call->len = payload.len;
  snprintf(call->payload, sizeof(call->payload), "%.*s", SLICE_PRINTF(slice_sub(payload, 0, 120)));
  *out_result = answer_of(fixture, payload);
  condition_broadcast(&fixture->changed);
  mutex_unlock(&fixture->lock);
}

static void scripted_destroy(void *context) {
  ((struct fixture *)context)->destroyed++;
}

static const struct delivery_transport scripted = {scripted_send, scripted_destroy};

// --- fixture --------------------------------------------------------------------------------------------------------

static void open_journal(struct fixture *fixture) {
  struct journal_options options = {.name = "kept",
                                    .directory = fixture->journal_directory,
                                    .quarantine_directory = fixture->quarantine,
                                    .sync = JOURNAL_SYNC_ALWAYS,
                                    .clock = clock_system()};
  assert_int_equal(journal_open(&options, &fixture->journal, NULL), STATUS_OK);
}

static int setup(void **state) {
  struct fixture *fixture = calloc(1, sizeof(*fixture));
  void *temporary = NULL;
  if (temporary_setup(&temporary)) return -1;
  fixture->temporary = temporary;
  snprintf(fixture->journal_directory, 300, "%s/kept", fixture->temporary->directory);
  snprintf(fixture->dead_directory, 300, "%s/dead", fixture->temporary->directory);
  snprintf(fixture->quarantine, 300, "%s/quarantine", fixture->temporary->directory);
  mutex_init(&fixture->lock);
  condition_init(&fixture->changed);
  fixture->metrics = metrics_create();
  open_journal(fixture);
  fixture->options = (struct delivery_options){
      .name = "otlp",
      .journal = fixture->journal,
      .cursor_directory = fixture->temporary->directory,
      .dead_letter_directory = fixture->dead_directory,
      .kinds = 1u << JOURNAL_TRACES | 1u << JOURNAL_LOGS,
      .backoff_min_ns = NS_PER_MS,
      .backoff_max_ns = 2 * NS_PER_MS,
      .transport = &scripted,
      .transport_context = fixture,
      .clock = clock_system(),
      .metrics = fixture->metrics,
  };
  *state = fixture;
  return 0;
}

static int teardown(void **state) {
  struct fixture *fixture = *state;
  delivery_stop(fixture->delivery);
  journal_close(fixture->journal);
  metrics_destroy(fixture->metrics);
  condition_finish(&fixture->changed);
  mutex_finish(&fixture->lock);
  void *temporary = fixture->temporary;
  int result = temporary_teardown(&temporary);
  free(fixture);
  return result;
}

static void append(struct fixture *fixture, enum journal_kind kind, const char *body, uint32_t items) {
  struct journal_entry entry = {.kind = kind, .item_count = items, .received_ns = 12345, .body = slice_from_cstr(body)};
  struct error error = {""};
  enum status status = journal_append(fixture->journal, &entry, NULL, NULL, &error);
  if (status) fail_msg("%s", error.text);
}

static void append_numbered(struct fixture *fixture, uint32_t from, uint32_t to) {
  for (uint32_t i = from; i <= to; i++) {
    char body[16];
    snprintf(body, sizeof(body), "<%03u>", i);
    append(fixture, JOURNAL_TRACES, body, 2);
  }
}

static void start(struct fixture *fixture) {
  assert_int_equal(journal_flush(fixture->journal), STATUS_OK);
  struct error error = {""};
  enum status status = delivery_start(&fixture->options, &fixture->delivery, &error);
  if (status) fail_msg("%s", error.text);
}

static void stop(struct fixture *fixture) {
  delivery_stop(fixture->delivery);
  fixture->delivery = NULL;
}

static void script(struct fixture *fixture, const struct delivery_result *results, uint32_t count) {
  mutex_lock(&fixture->lock);
  memcpy(fixture->script, results, count * sizeof(*results));
  fixture->script_count = count;
  mutex_unlock(&fixture->lock);
}

static void wait_calls(struct fixture *fixture, uint32_t count) {
  uint64_t end = clock_monotonic_ns(clock_system()) + DEADLINE;
  mutex_lock(&fixture->lock);
  while (fixture->call_count < count) {
    uint64_t now = clock_monotonic_ns(clock_system());
    assert_true(now < end);
    condition_wait_for(&fixture->changed, &fixture->lock, end - now);
  }
  mutex_unlock(&fixture->lock);
}

static struct delivery_status status_of(struct fixture *fixture) {
  struct delivery_status status;
  delivery_get_status(fixture->delivery, &status);
  return status;
}

static void pause_briefly(struct fixture *fixture) { // between two looks at a condition
  mutex_lock(&fixture->lock);
  condition_wait_for(&fixture->changed, &fixture->lock, NS_PER_MS);
  mutex_unlock(&fixture->lock);
}

static void wait_sequence(struct fixture *fixture, uint64_t sequence) {
  uint64_t end = clock_monotonic_ns(clock_system()) + DEADLINE;
  while (status_of(fixture).sequence < sequence) {
    assert_true(clock_monotonic_ns(clock_system()) < end);
    pause_briefly(fixture);
  }
  assert_int_equal(status_of(fixture).sequence, sequence);
}

static void wait_state(struct fixture *fixture, enum delivery_state state) {
  uint64_t end = clock_monotonic_ns(clock_system()) + DEADLINE;
  while (status_of(fixture).state != state) {
    assert_true(clock_monotonic_ns(clock_system()) < end);
    pause_briefly(fixture);
  }
}

#define assert_sent(fixture, index, text) assert_string_equal((fixture)->calls[index].payload, (text))

// --- order and batches ----------------------------------------------------------------------------------------------

static void test_batches_are_of_one_kind_and_in_order(void **state) {
  struct fixture *fixture = *state;
  append(fixture, JOURNAL_TRACES, "a", 1);
  append(fixture, JOURNAL_TRACES, "b", 2);
  append(fixture, JOURNAL_METRICS, "not wanted", 9);
  append(fixture, JOURNAL_TRACES, "c", 3);
  append(fixture, JOURNAL_LOGS, "l", 4);
  append(fixture, JOURNAL_LOGS, "m", 5);
  append(fixture, JOURNAL_TRACES, "d", 6);
  append(fixture, JOURNAL_METRICS, "not wanted either", 9);
  start(fixture);
  wait_sequence(fixture, 8); // what is passed over moves the cursor, too
  assert_int_equal(fixture->call_count, 3);
  assert_sent(fixture, 0, "abc");
  assert_sent(fixture, 1, "lm");
  assert_sent(fixture, 2, "d");
  assert_int_equal(fixture->calls[0].kind, JOURNAL_TRACES);
  assert_int_equal(fixture->calls[1].kind, JOURNAL_LOGS);
  wait_state(fixture, DELIVERY_IDLE);
  assert_int_equal(status_of(fixture).sent_items, 21);
  assert_int_equal(status_of(fixture).oldest_wall_ns, 0);
  append(fixture, JOURNAL_TRACES, "live", 1); // wakes it
  wait_sequence(fixture, 9);
  assert_sent(fixture, 3, "live");
}

static void test_a_batch_has_a_size(void **state) {
  struct fixture *fixture = *state;
  fixture->options.batch_bytes_max = 10;
  append_numbered(fixture, 1, 5); // five bytes each
  append(fixture, JOURNAL_TRACES, "longer than a batch may be", 1);
  append_numbered(fixture, 7, 7);
  start(fixture);
  wait_sequence(fixture, 7);
  const char *const expected[] = {"<001><002>", "<003><004>", "<005>", "longer than a batch may be", "<007>"};
  assert_int_equal(fixture->call_count, 5);
  for (uint32_t i = 0; i < 5; i++) assert_sent(fixture, i, expected[i]);
}

static void test_compressed_bodies_are_sent_plain(void **state) {
  struct fixture *fixture = *state;
  char body[5000];
  memset(body, 'x', sizeof(body) - 1);
  body[sizeof(body) - 1] = 0;
  append(fixture, JOURNAL_TRACES, body, 1);
  append(fixture, JOURNAL_TRACES, body, 1);
  start(fixture);
  wait_sequence(fixture, 2);
  assert_int_equal(fixture->calls[0].len, 2 * strlen(body));
}

// --- failures -------------------------------------------------------------------------------------------------------

static void test_the_same_is_tried_again(void **state) {
  struct fixture *fixture = *state;
  const struct delivery_result results[] = {{.outcome = DELIVERY_RETRY, .reason = "UNAVAILABLE: away"},
                                            {.outcome = DELIVERY_RETRY, .retry_after_ns = 1, .reason = "busy"},
                                            {.outcome = DELIVERY_RETRY, .reason = "busy"},
                                            {.outcome = DELIVERY_DONE, .rejected = 3, .reason = "three are bad"},
                                            {.outcome = DELIVERY_DONE}};
  script(fixture, results, 5);
  append_numbered(fixture, 1, 2);
  start(fixture);
  wait_sequence(fixture, 2);
  assert_int_equal(fixture->call_count, 4);
  for (uint32_t i = 0; i < 4; i++) assert_sent(fixture, i, "<001><002>");
  struct delivery_status status = status_of(fixture);
  assert_int_equal(status.retried_requests, 3);
  assert_int_equal(status.sent_items, 1);
  assert_int_equal(status.rejected_items, 3);
  assert_int_equal(status.dead_items, 0);
  assert_int_equal(status.failing_since_ns, 0);
  append_numbered(fixture, 3, 3);
  wait_sequence(fixture, 3);
  assert_string_equal(status_of(fixture).last_error, "");
}

// The backend asks for ten minutes, the back-off could be an hour: stop does not wait for either. Nothing is skipped.
static void test_stop_ends_the_back_off(void **state) {
  struct fixture *fixture = *state;
  fixture->options.backoff_min_ns = fixture->options.backoff_max_ns = 3600 * NS_PER_S;
  for (uint64_t after = 0; after < 2; after++) {
    const struct delivery_result result = {
        .outcome = DELIVERY_RETRY, .retry_after_ns = after * 3600 * NS_PER_S, .reason = "away"};
    script(fixture, &result, 1);
    if (after == 0) append_numbered(fixture, 1, 1);
    start(fixture);
    wait_state(fixture, DELIVERY_RETRYING);
    assert_string_equal(status_of(fixture).last_error, "away");
    assert_true(status_of(fixture).failing_since_ns > 0);
    assert_int_equal(status_of(fixture).oldest_wall_ns, 12345);
    assert_int_equal(delivery_floor(fixture->delivery), 1);
    stop(fixture); // would run into the test's time limit
    assert_int_equal(fixture->call_count, after + 1);
    assert_int_equal(fixture->destroyed, after + 1);
  }
  script(fixture, &(struct delivery_result){.outcome = DELIVERY_DONE}, 1);
  start(fixture);
  wait_sequence(fixture, 1);
}

static uint32_t read_dead_letters(struct fixture *fixture, char reasons[8][64], char bodies[8][64]) {
  struct journal_options options = {.name = "dead",
                                    .directory = fixture->dead_directory,
                                    .quarantine_directory = fixture->quarantine,
                                    .clock = clock_system()};
  struct journal *journal;
  struct journal_reader *reader;
  struct journal_record record;
  struct buffer scratch;
  buffer_init(&scratch, 1 << 20);
  assert_int_equal(journal_open(&options, &journal, NULL), STATUS_OK);
  assert_int_equal(journal_reader_open(journal, 1, &reader), STATUS_OK);
  uint32_t count = 0;
  while (journal_reader_next(reader, &record) == STATUS_OK) {
    struct slice body;
    assert_true(count < 8);
    assert_int_equal(journal_record_body(&record, &scratch, &body), STATUS_OK);
    snprintf(reasons[count], 64, "%.*s", SLICE_PRINTF(record.section));
    snprintf(bodies[count], 64, "%.*s", SLICE_PRINTF(body));
    assert_int_equal(record.item_count, 2);
    assert_true(record.origin_sequence > 0);
    count++;
  }
  journal_reader_close(reader);
  journal_close(journal);
  buffer_finish(&scratch);
  return count;
}

// One bad record is found by sending its batch one by one; its neighbours arrive, each once, in order.
static void test_a_refused_batch_is_split(void **state) {
  struct fixture *fixture = *state;
  char reasons[8][64], bodies[8][64];
  snprintf(fixture->poison, sizeof(fixture->poison), "<003>");
  fixture->options.batch_bytes_max = 20;
  append_numbered(fixture, 1, 6);
  start(fixture);
  wait_sequence(fixture, 6);
  const char *const expected[] = {"<001><002><003><004>", "<001>", "<002>", "<003>", "<004>", "<005><006>"};
  assert_int_equal(fixture->call_count, 6);
  for (uint32_t i = 0; i < 6; i++) assert_sent(fixture, i, expected[i]);
  assert_int_equal(status_of(fixture).dead_items, 2);
  assert_int_equal(status_of(fixture).sent_items, 10);
  stop(fixture);
  assert_int_equal(read_dead_letters(fixture, reasons, bodies), 1);
  assert_string_equal(reasons[0], "INVALID_ARGUMENT: poison");
  assert_string_equal(bodies[0], "<003>");
}

static void wait_dead_letters(struct fixture *fixture, uint64_t count) {
  uint64_t end = clock_monotonic_ns(clock_system()) + DEADLINE;
  while (status_of(fixture).dead_letters != count) {
    assert_true(clock_monotonic_ns(clock_system()) < end);
    pause_briefly(fixture);
  }
}

static void test_dead_letters_go_again_when_asked(void **state) {
  struct fixture *fixture = *state;
  snprintf(fixture->poison, sizeof(fixture->poison), "<00");
  fixture->options.batch_bytes_max = 1; // each record alone
  append_numbered(fixture, 1, 3);
  start(fixture);
  wait_sequence(fixture, 3);
  wait_dead_letters(fixture, 3);
  // Still refused: a dead letter again, once.
  assert_int_equal(delivery_resend(fixture->delivery), 3);
  wait_calls(fixture, 6);
  uint64_t end = clock_monotonic_ns(clock_system()) + DEADLINE;
  while (status_of(fixture).dead_items < 12 || status_of(fixture).dead_letters != 3) {
    assert_true(clock_monotonic_ns(clock_system()) < end);
    pause_briefly(fixture);
  }
  // The first is taken after a retry; for the second the backend wants other credentials: it waits to be asked again.
  mutex_lock(&fixture->lock);
  fixture->poison[0] = 0;
  mutex_unlock(&fixture->lock);
  const struct delivery_result answers[] = {{.outcome = DELIVERY_RETRY, .reason = "UNAVAILABLE"},
                                            {.outcome = DELIVERY_DONE},
                                            {.outcome = DELIVERY_MISCONFIGURED, .reason = "UNAUTHENTICATED"},
                                            {.outcome = DELIVERY_DONE}};
  script(fixture, answers, 4);
  assert_int_equal(delivery_resend(fixture->delivery), 3);
  wait_calls(fixture, 9);
  wait_dead_letters(fixture, 2);
  append_numbered(fixture, 4, 4);
  wait_sequence(fixture, 4); // new records go on
  stop(fixture);
  start(fixture);
  assert_int_equal(status_of(fixture).dead_letters, 2);
  assert_int_equal(delivery_resend(fixture->delivery), 2);
  wait_dead_letters(fixture, 0);
  assert_int_equal(delivery_resend(fixture->delivery), 0);
  const char *const sent[] = {"<001>", "<001>", "<002>", "<004>", "<002>", "<003>"};
  for (uint32_t i = 0; i < 6; i++) assert_sent(fixture, 6 + i, sent[i]);
  assert_int_equal(fixture->call_count, 12);
  assert_int_equal(status_of(fixture).sequence, 4);
  assert_int_equal(metrics_get(metrics_series(fixture->metrics, METRICS_COUNTER, "culprit_exporter_resent_items_total",
                                              "exporter=\"otlp\"", "")),
                   6);
}

// Records 1 … count become dead letters; the backend takes them from now on, but for `heavy`.
static void make_dead_letters(struct fixture *fixture, uint32_t count, const char *heavy) {
  snprintf(fixture->poison, sizeof(fixture->poison), "<00");
  fixture->options.batch_bytes_max = 1; // each record alone
  append_numbered(fixture, 1, count);
  start(fixture);
  wait_dead_letters(fixture, count);
  mutex_lock(&fixture->lock);
  fixture->poison[0] = 0;
  snprintf(fixture->heavy, sizeof(fixture->heavy), "%s", heavy);
  mutex_unlock(&fixture->lock);
}

static void test_a_dead_letter_that_waits_holds_no_new_records(void **state) {
  struct fixture *fixture = *state;
  make_dead_letters(fixture, 3, "<002>");
  assert_int_equal(delivery_resend(fixture->delivery), 3);
  wait_calls(fixture, 6); // 1, and 2 at least twice
  wait_dead_letters(fixture, 2);
  append_numbered(fixture, 4, 6);
  wait_sequence(fixture, 6);
  assert_int_equal(status_of(fixture).dead_letters, 2); // the third keeps its place
  mutex_lock(&fixture->lock);
  fixture->heavy[0] = 0;
  mutex_unlock(&fixture->lock);
  wait_dead_letters(fixture, 0);
  wait_state(fixture, DELIVERY_IDLE);
  stop(fixture);
  assert_sent(fixture, fixture->call_count - 2, "<002>");
  assert_sent(fixture, fixture->call_count - 1, "<003>");
}

// Nobody is to be woken for a letter that was only asked for: nothing waits, so nothing fails.
static void test_a_misconfigured_resend_is_no_lasting_failure(void **state) {
  struct fixture *fixture = *state;
  make_dead_letters(fixture, 1, "");
  script(fixture, &(struct delivery_result){.outcome = DELIVERY_MISCONFIGURED, .reason = "UNAUTHENTICATED"}, 1);
  assert_int_equal(delivery_resend(fixture->delivery), 1);
  uint64_t end = clock_monotonic_ns(clock_system()) + DEADLINE;
  while (status_of(fixture).retried_requests < 1 || status_of(fixture).failing_since_ns > 0) {
    assert_true(clock_monotonic_ns(clock_system()) < end);
    pause_briefly(fixture);
  }
  wait_state(fixture, DELIVERY_IDLE);
  assert_string_equal(status_of(fixture).last_error, "UNAUTHENTICATED");
  assert_int_equal(status_of(fixture).dead_letters, 1);
}

static void remove_files(const char *path) {
  DIR *directory = opendir(path);
  assert_non_null(directory);
  for (struct dirent *entry; (entry = readdir(directory));) {
    char file[600];
    snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
    if (entry->d_name[0] != '.') assert_int_equal(unlink(file), 0);
  }
  closedir(directory);
}

static void test_dead_letters_begin_anew_when_they_were_removed(void **state) {
  struct fixture *fixture = *state;
  make_dead_letters(fixture, 3, "");
  assert_int_equal(delivery_resend(fixture->delivery), 3);
  wait_dead_letters(fixture, 0);
  stop(fixture);
  remove_files(fixture->dead_directory);
  snprintf(fixture->poison, sizeof(fixture->poison), "<004>");
  append_numbered(fixture, 4, 4);
  start(fixture);
  wait_dead_letters(fixture, 1);
  mutex_lock(&fixture->lock);
  fixture->poison[0] = 0;
  mutex_unlock(&fixture->lock);
  assert_int_equal(delivery_resend(fixture->delivery), 1);
  wait_dead_letters(fixture, 0);
  stop(fixture);
  assert_sent(fixture, fixture->call_count - 1, "<004>");
}

// From the first failure on.
static void test_the_longest_back_off_bounds_the_shortest(void **state) {
  struct fixture *fixture = *state;
  fixture->options.backoff_min_ns = 3600 * NS_PER_S;
  fixture->options.backoff_max_ns = NS_PER_MS;
  const struct delivery_result results[] = {{.outcome = DELIVERY_RETRY, .reason = "away"}, {.outcome = DELIVERY_DONE}};
  script(fixture, results, 2);
  append_numbered(fixture, 1, 1);
  start(fixture);
  wait_sequence(fixture, 1);
}

static void test_the_last_of_a_split_batch_goes_alone(void **state) {
  struct fixture *fixture = *state;
  snprintf(fixture->poison, sizeof(fixture->poison), "<002>");
  fixture->options.batch_bytes_max = 10;
  append_numbered(fixture, 1, 4);
  start(fixture);
  wait_sequence(fixture, 4);
  const char *const expected[] = {"<001><002>", "<001>", "<002>", "<003><004>"};
  assert_int_equal(fixture->call_count, 4);
  for (uint32_t i = 0; i < 4; i++) assert_sent(fixture, i, expected[i]);
}

static void test_too_large_is_split_and_then_dead(void **state) {
  struct fixture *fixture = *state;
  char reasons[8][64], bodies[8][64];
  const struct delivery_result results[] = {{.outcome = DELIVERY_TOO_LARGE, .reason = "too much"},
                                            {.outcome = DELIVERY_TOO_LARGE, .reason = "still too much"},
                                            {.outcome = DELIVERY_DONE}};
  script(fixture, results, 3);
  append_numbered(fixture, 1, 2);
  start(fixture);
  wait_sequence(fixture, 2);
  assert_int_equal(fixture->call_count, 3);
  assert_sent(fixture, 2, "<002>");
  stop(fixture);
  assert_int_equal(read_dead_letters(fixture, reasons, bodies), 1);
  assert_string_equal(reasons[0], "still too much");
}

// Two are put aside; then it holds what it has until someone mends the configuration.
static void test_misconfiguration_pauses(void **state) {
  struct fixture *fixture = *state;
  char reasons[8][64], bodies[8][64];
  fixture->options.batch_bytes_max = 5;
  const struct delivery_result wrong = {.outcome = DELIVERY_MISCONFIGURED, .reason = "UNAUTHENTICATED: no"};
  script(fixture, &wrong, 1);
  append_numbered(fixture, 1, 5);
  start(fixture);
  wait_calls(fixture, 6);
  wait_state(fixture, DELIVERY_PAUSED);
  assert_int_equal(status_of(fixture).sequence, 2);
  assert_int_equal(status_of(fixture).dead_items, 4);
  for (uint32_t i = 2; i < 6; i++) assert_sent(fixture, i, "<003>");
  script(fixture, &(struct delivery_result){.outcome = DELIVERY_DONE}, 1);
  wait_sequence(fixture, 5);
  wait_state(fixture, DELIVERY_IDLE);
  assert_int_equal(status_of(fixture).sent_items, 6);
  // Mended means mended: the next fault is a first one again.
  const struct delivery_result once[] = {wrong, {.outcome = DELIVERY_DONE}};
  script(fixture, once, 2);
  append_numbered(fixture, 6, 7);
  wait_sequence(fixture, 7);
  assert_int_equal(status_of(fixture).dead_items - 4 + (status_of(fixture).sent_items - 6), 4);
  stop(fixture);
  assert_true(read_dead_letters(fixture, reasons, bodies) >= 3);
  assert_string_equal(reasons[0], wrong.reason);
  assert_string_equal(bodies[0], "<001>");
  assert_string_equal(bodies[1], "<002>");
}

// --- the cursor -----------------------------------------------------------------------------------------------------

static void test_a_restart_resumes(void **state) {
  struct fixture *fixture = *state;
  append_numbered(fixture, 1, 3);
  start(fixture);
  wait_sequence(fixture, 3);
  stop(fixture);
  struct cursor_file *cursor;
  uint64_t sequence;
  assert_int_equal(cursor_file_open(fixture->temporary->directory, "otlp", &cursor, &sequence, NULL), STATUS_OK);
  cursor_file_close(cursor);
  assert_int_equal(sequence, 3);
  journal_close(fixture->journal);
  open_journal(fixture);
  fixture->options.journal = fixture->journal;
  append_numbered(fixture, 4, 5);
  start(fixture);
  assert_int_equal(delivery_floor(fixture->delivery), 4);
  wait_sequence(fixture, 5);
  assert_int_equal(fixture->call_count, 2);
  assert_sent(fixture, 1, "<004><005>");
}

// The floor is what a crash cannot take back: it moves with the saved cursor, at most once a second of the clock.
static void test_the_floor_follows_the_saved_cursor(void **state) {
  struct fixture *fixture = *state;
  struct clock_fake clock;
  clock_fake_init(&clock, UINT64_C(1763700000000000000));
  fixture->options.clock = &clock.clock;
  clock_fake_add(&clock, 10 * NS_PER_S);
  append_numbered(fixture, 1, 1);
  start(fixture);
  uint64_t end = clock_monotonic_ns(clock_system()) + DEADLINE;
  while (delivery_floor(fixture->delivery) != 2) {
    assert_true(clock_monotonic_ns(clock_system()) < end);
    pause_briefly(fixture);
  }
  append_numbered(fixture, 2, 2);
  wait_sequence(fixture, 2);
  wait_state(fixture, DELIVERY_IDLE);
  assert_int_equal(delivery_floor(fixture->delivery), 2); // the time stands still
  clock_fake_add(&clock, 2 * NS_PER_S);
  append_numbered(fixture, 3, 3);
  while (delivery_floor(fixture->delivery) != 4) {
    assert_true(clock_monotonic_ns(clock_system()) < end);
    pause_briefly(fixture);
  }
  stop(fixture);
}

static void test_an_unusable_directory(void **state) {
  struct fixture *fixture = *state;
  fixture->options.cursor_directory = "/nonexistent";
  struct error error = {""};
  assert_int_equal(delivery_start(&fixture->options, &fixture->delivery, &error), STATUS_IO);
  assert_int_equal(fixture->destroyed, 1); // the transport is the delivery's, whatever happens
  assert_null(fixture->delivery);
  assert_string_equal(delivery_state_name(DELIVERY_PAUSED), "paused");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_batches_are_of_one_kind_and_in_order),
      TEST(test_a_batch_has_a_size),
      TEST(test_compressed_bodies_are_sent_plain),
      TEST(test_the_same_is_tried_again),
      TEST(test_stop_ends_the_back_off),
      TEST(test_dead_letters_go_again_when_asked),
      TEST(test_a_dead_letter_that_waits_holds_no_new_records),
      TEST(test_a_misconfigured_resend_is_no_lasting_failure),
      TEST(test_dead_letters_begin_anew_when_they_were_removed),
      TEST(test_the_longest_back_off_bounds_the_shortest),
      TEST(test_a_refused_batch_is_split),
      TEST(test_the_last_of_a_split_batch_goes_alone),
      TEST(test_too_large_is_split_and_then_dead),
      TEST(test_misconfiguration_pauses),
      TEST(test_a_restart_resumes),
      TEST(test_the_floor_follows_the_saved_cursor),
      TEST(test_an_unusable_directory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
