// SPDX-License-Identifier: Apache-2.0
//
// What the tests of delivery share: a real journal, and a scripted transport. Each call takes the next answer of the
// script (the last one stays), and what was sent is noted.
#ifndef TESTS_UNIT_EXPORTER_DELIVERY_FIXTURE_H
#define TESTS_UNIT_EXPORTER_DELIVERY_FIXTURE_H

#include "exporter/delivery.h"

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

static inline struct delivery_result answer_of(struct fixture *fixture, struct slice payload) {
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

static inline void scripted_send(void *context, enum journal_kind kind, struct slice payload,
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

static inline void scripted_destroy(void *context) {
  ((struct fixture *)context)->destroyed++;
}

static const struct delivery_transport scripted = {scripted_send, scripted_destroy};

// --- fixture --------------------------------------------------------------------------------------------------------

static inline void open_journal(struct fixture *fixture) {
  struct journal_options options = {.name = "kept",
                                    .directory = fixture->journal_directory,
                                    .quarantine_directory = fixture->quarantine,
                                    .sync = JOURNAL_SYNC_ALWAYS,
                                    .clock = clock_system()};
  assert_int_equal(journal_open(&options, &fixture->journal, NULL), STATUS_OK);
}

static inline int setup(void **state) {
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

static inline int teardown(void **state) {
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

static inline void append(struct fixture *fixture, enum journal_kind kind, const char *body, uint32_t items) {
  struct journal_entry entry = {.kind = kind, .item_count = items, .received_ns = 12345, .body = slice_from_cstr(body)};
  struct error error = {""};
  enum status status = journal_append(fixture->journal, &entry, NULL, NULL, &error);
  if (status) fail_msg("%s", error.text);
}

static inline void append_numbered(struct fixture *fixture, uint32_t from, uint32_t to) {
  for (uint32_t i = from; i <= to; i++) {
    char body[16];
    snprintf(body, sizeof(body), "<%03u>", i);
    append(fixture, JOURNAL_TRACES, body, 2);
  }
}

static inline void start(struct fixture *fixture) {
  assert_int_equal(journal_flush(fixture->journal), STATUS_OK);
  struct error error = {""};
  enum status status = delivery_start(&fixture->options, &fixture->delivery, &error);
  if (status) fail_msg("%s", error.text);
}

static inline void stop(struct fixture *fixture) {
  delivery_stop(fixture->delivery);
  fixture->delivery = NULL;
}

static inline void script(struct fixture *fixture, const struct delivery_result *results, uint32_t count) {
  mutex_lock(&fixture->lock);
  memcpy(fixture->script, results, count * sizeof(*results));
  fixture->script_count = count;
  mutex_unlock(&fixture->lock);
}

static inline void wait_calls(struct fixture *fixture, uint32_t count) {
  uint64_t end = clock_monotonic_ns(clock_system()) + DEADLINE;
  mutex_lock(&fixture->lock);
  while (fixture->call_count < count) {
    uint64_t now = clock_monotonic_ns(clock_system());
    assert_true(now < end);
    condition_wait_for(&fixture->changed, &fixture->lock, end - now);
  }
  mutex_unlock(&fixture->lock);
}

static inline struct delivery_status status_of(struct fixture *fixture) {
  struct delivery_status status;
  delivery_get_status(fixture->delivery, &status);
  return status;
}

static inline void pause_briefly(struct fixture *fixture) { // between two looks at a condition
  mutex_lock(&fixture->lock);
  condition_wait_for(&fixture->changed, &fixture->lock, NS_PER_MS);
  mutex_unlock(&fixture->lock);
}

static inline void wait_sequence(struct fixture *fixture, uint64_t sequence) {
  uint64_t end = clock_monotonic_ns(clock_system()) + DEADLINE;
  while (status_of(fixture).sequence < sequence) {
    assert_true(clock_monotonic_ns(clock_system()) < end);
    pause_briefly(fixture);
  }
  assert_int_equal(status_of(fixture).sequence, sequence);
}

static inline void wait_state(struct fixture *fixture, enum delivery_state state) {
  uint64_t end = clock_monotonic_ns(clock_system()) + DEADLINE;
  while (status_of(fixture).state != state) {
    assert_true(clock_monotonic_ns(clock_system()) < end);
    pause_briefly(fixture);
  }
}

#define assert_sent(fixture, index, text) assert_string_equal((fixture)->calls[index].payload, (text))

#endif
