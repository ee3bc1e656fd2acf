// SPDX-License-Identifier: Apache-2.0
//
// From a payload to the acknowledgement, with a real journal.
#include "collector/intake.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "processor/scrub.h"
#include "proto/sentry_item.h"
#include "store/event_summary.h"
#include "tests/unit/processor/facts_fixture.h"
#include "tests/unit/store/temporary.h"

#define THREADS       4
#define EACH          200
#define SEGMENT_BYTES (UINT64_C(1) << 20)

struct answers {
  struct mutex lock;
  uint32_t count;
  enum status status; // of the last one
  uint64_t accepted, rejected;
  char reason[200], words[ERROR_TEXT_MAX];
};

struct fixture {
  uint8_t section[4096]; // of the record that `records` gave last
  struct temporary *temporary;
  struct facts_fixture facts;
  struct journal *journal;
  struct scrub *scrub;
  struct grouping_config *grouping;
  struct database *database;
  struct intake *intake;
  struct sink sink;
  struct answers answers;
  struct journal_io io;
  struct atomic_bool_box disk_full;
};

static ssize_t full_pwritev(void *context, int fd, const struct iovec *iov, int count, off_t offset) {
  struct fixture *fixture = context;
  if (atomic_bool_get(&fixture->disk_full)) return -ENOSPC;
  return journal_io_system()->pwritev(NULL, fd, iov, count, offset);
}

static int setup(void **state) {
  struct fixture *fixture = calloc(1, sizeof(*fixture));
  void *temporary = NULL;
  if (temporary_setup(&temporary)) return -1;
  fixture->temporary = temporary;
  mutex_init(&fixture->answers.lock);
  const struct sampling_policy policies[] = {{.kind = SAMPLING_ERRORS}};
  facts_fixture_init(&fixture->facts, policies, 1);
  fixture->io = *journal_io_system();
  fixture->io.context = fixture;
  fixture->io.pwritev = full_pwritev;
  struct journal_options options = {.name = "intake",
                                    .directory = temporary_path(temporary, "intake"),
                                    .quarantine_directory = temporary_path(temporary, "quarantine"),
                                    .segment_bytes_max = SEGMENT_BYTES,
                                    .io = &fixture->io,
                                    .clock = clock_system()};
  if (journal_open(&options, &fixture->journal, NULL)) return -1;
  struct scrub_options scrub = {.enabled = true, .defaults = true};
  fixture->scrub = scrub_create(&scrub);
  if (grouping_config_create(&(struct grouping_config_options){0}, &fixture->grouping, NULL)) return -1;
  struct database_options database = {.path = temporary_path(temporary, "culprit.db")};
  if (database_open(&database, &fixture->database, NULL)) return -1;
  fixture->intake = intake_create(&(struct intake_options){
      .journal = fixture->journal,
      .facts = facts_fixture_options(&fixture->facts),
      .scrub = fixture->scrub,
      .grouping = {.database = fixture->database, .clock = clock_system(), .program = fixture->grouping},
      .clock = clock_system(),
      .metrics = fixture->facts.metrics});
  fixture->sink = intake_sink(fixture->intake);
  *state = fixture;
  return 0;
}

static int teardown(void **state) {
  struct fixture *fixture = *state;
  journal_close(fixture->journal);
  intake_destroy(fixture->intake);
  scrub_destroy(fixture->scrub);
  grouping_config_destroy(fixture->grouping);
  database_close(fixture->database);
  facts_fixture_finish(&fixture->facts);
  mutex_finish(&fixture->answers.lock);
  void *temporary = fixture->temporary;
  int result = temporary_teardown(&temporary);
  free(fixture);
  return result;
}

static void on_done(void *context, enum status status, const struct sink_outcome *outcome, const struct error *error) {
  struct answers *answers = context;
  mutex_lock(&answers->lock);
  answers->count++;
  answers->status = status;
  if (status == STATUS_OK) {
    answers->accepted += outcome->accepted;
    answers->rejected += outcome->rejected;
    snprintf(answers->reason, sizeof(answers->reason), "%s", outcome->reason ? outcome->reason : "");
  }
  snprintf(answers->words, sizeof(answers->words), "%s", error->text);
  mutex_unlock(&answers->lock);
}

static enum status submit(struct fixture *fixture, enum journal_kind kind, struct slice body) {
  struct error error = {""};
  enum status status = fixture->sink.submit(fixture->sink.context, kind, 7, body, on_done, &fixture->answers, &error);
  assert_int_equal(status != STATUS_OK, error.text[0] != 0);
  journal_flush(fixture->journal);
  return status;
}

static void check_balance(struct fixture *fixture, uint64_t stored, uint64_t refused, uint64_t rejected) {
  struct intake_balance balance = intake_balance(fixture->intake);
  assert_int_equal(balance.stored, stored);
  assert_int_equal(balance.refused, refused);
  assert_int_equal(balance.rejected, rejected);
  assert_int_equal(balance.received, stored + refused + rejected);
}

static uint32_t records(struct fixture *fixture, struct journal_record *out_last, struct buffer *body) {
  struct journal_reader *reader;
  struct journal_record record;
  uint32_t count = 0;
  assert_int_equal(journal_reader_open(fixture->journal, 1, &reader), STATUS_OK);
  while (journal_reader_next(reader, &record) == STATUS_OK) {
    struct slice plain;
    assert_int_equal(journal_record_body(&record, body, &plain), STATUS_OK);
    if (!record.body_compressed) {
      buffer_clear(body);
      buffer_append_slice(body, plain);
    }
    struct record_facts facts;
    if (record.kind != JOURNAL_METRICS && record.kind != JOURNAL_ITEMS) {
      assert_int_equal(record_facts_decode(record.section, &facts), STATUS_OK);
      assert_int_equal(facts.item_count, record.item_count);
    }
    assert_true(record.section.len <= sizeof(fixture->section));
    if (record.section.len) memcpy(fixture->section, record.section.ptr, record.section.len);
    *out_last = record;
    out_last->section.ptr = fixture->section; // the reader's own ends with it
    count++;
  }
  journal_reader_close(reader);
  return count;
}

static struct slice good_span(void) {
  return span_of(trace_id_of(1), 1, 2, nothing());
}
static struct slice bad_span(void) {
  return span_of(SLICE_LITERAL("short"), 1, 2, nothing());
}

static void test_what_is_accepted_is_stored_as_it_came(void **state) {
  struct fixture *fixture = *state;
  struct buffer body;
  struct journal_record record;
  buffer_init(&body, 1 << 20);
  struct slice request = request_of(JOIN(good_span(), good_span()));
  assert_int_equal(submit(fixture, JOURNAL_TRACES, request), STATUS_OK);
  assert_int_equal(fixture->answers.count, 1);
  assert_int_equal(fixture->answers.accepted, 2);
  assert_string_equal(fixture->answers.reason, "");
  assert_int_equal(records(fixture, &record, &body), 1);
  assert_true(slice_equal(buffer_slice(&body), request));
  assert_int_equal(record.kind, JOURNAL_TRACES);
  assert_int_equal(record.project, 7);
  assert_int_equal(record.item_count, 2);
  assert_true(record.received_ns > 0);
  check_balance(fixture, 2, 0, 0);

  assert_int_equal(submit(fixture, JOURNAL_LOGS, request_of(log_of(nothing(), 9, nothing()))), STATUS_OK);
  // One gauge with two points.
  struct slice metric = FIELD(2, text(1, "m"), FIELD(5, FIELD(1, fixed64(3, 1)), FIELD(1, fixed64(3, 2))));
  struct slice metrics = FIELD(1, FIELD(2, metric));
  assert_int_equal(submit(fixture, JOURNAL_METRICS, metrics), STATUS_OK);
  assert_int_equal(records(fixture, &record, &body), 3);
  assert_int_equal(record.item_count, 2);
  assert_true(slice_equal(buffer_slice(&body), metrics));
  check_balance(fixture, 5, 0, 0);
  buffer_finish(&body);
}

static void test_partial_rejection_stores_the_rest(void **state) {
  struct fixture *fixture = *state;
  struct buffer body;
  struct journal_record record;
  buffer_init(&body, 1 << 20);
  assert_int_equal(submit(fixture, JOURNAL_TRACES, request_of(JOIN(good_span(), bad_span(), good_span()))), STATUS_OK);
  assert_int_equal(fixture->answers.accepted, 2);
  assert_int_equal(fixture->answers.rejected, 1);
  assert_string_equal(fixture->answers.reason, "span 1: trace_id must be 16 bytes and not all zero");
  assert_int_equal(records(fixture, &record, &body), 1);
  assert_int_equal(record.item_count, 2);
  assert_true(slice_equal(buffer_slice(&body), request_of(JOIN(good_span(), good_span()))));
  check_balance(fixture, 2, 0, 1);
  // Nothing is left: answered at once, nothing stored. The same for nothing sent.
  assert_int_equal(submit(fixture, JOURNAL_TRACES, request_of(JOIN(bad_span(), bad_span()))), STATUS_OK);
  assert_int_equal(fixture->answers.count, 2);
  assert_int_equal(fixture->answers.rejected, 3);
  assert_int_equal(submit(fixture, JOURNAL_LOGS, nothing()), STATUS_OK);
  assert_int_equal(fixture->answers.count, 3);
  assert_int_equal(records(fixture, &record, &body), 1);
  check_balance(fixture, 2, 0, 3);
  buffer_finish(&body);
}

static void test_an_event_is_stored_with_its_trace_and_request(void **state) {
  struct fixture *fixture = *state;
  struct buffer body;
  struct journal_record record;
  struct record_facts facts;
  struct record_trace trace;
  struct record_request request;
  buffer_init(&body, 1 << 20);
  struct slice event =
      SLICE_LITERAL("{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\",\"tags\":{\"request_id\":\"r-1\"},\"contexts\":"
                    "{\"trace\":{\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"span_id\":\"00f067aa0ba902b7\"}},"
                    "\"exception\":{\"values\":[{\"type\":\"KeyError\",\"value\":\"x\",\"stacktrace\":{\"frames\":[{"
                    "\"function\":\"f\","
                    "\"vars\":{\"password\":\"hunter2\"}}]}}]}}");
  assert_int_equal(submit(fixture, JOURNAL_EVENTS, event), STATUS_OK);
  assert_int_equal(fixture->answers.accepted, 1);
  assert_int_equal(records(fixture, &record, &body), 1);
  // The body is what will be stored: how it was grouped, and the document.
  size_t line = slice_find_byte(buffer_slice(&body), '\n');
  assert_true(slice_starts_with(buffer_slice(&body), SLICE_LITERAL("{\"algorithm\":")));
  struct slice document = slice_skip(buffer_slice(&body), line + 1);
  assert_true(slice_starts_with(document, SLICE_LITERAL("{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\"")));
  assert_true(slice_find(document, SLICE_LITERAL("hunter2")) > document.len);
  assert_in_range(slice_find(document, SLICE_LITERAL("\"vars\":{\"password\":\"[Filtered]\"}")), 0, document.len - 1);
  assert_in_range(slice_find(document, SLICE_LITERAL("\"_meta\":{\"exception\":{\"values\":{\"0\":{\"stacktrace\"")), 0,
                  document.len - 1);
  assert_int_equal(record.kind, JOURNAL_EVENTS);
  assert_int_equal(record.project, 7);
  assert_int_equal(record_facts_decode(record.section, &facts), STATUS_OK);
  assert_int_equal(facts.trace_count, 1);
  record_facts_trace(&facts, 0, &trace);
  assert_int_equal(trace.flags, RECORD_TRACE_EXCEPTION);
  const uint8_t *cursor = facts.requests;
  assert_true(record_facts_next_request(&facts, &cursor, &request));
  assert_true(slice_equal_cstr(request.id, "r-1"));
  // Behind the facts stands all that the inbox counts by.
  struct event_summary summary;
  assert_int_equal(event_summary_decode(facts.more, &summary), STATUS_OK);
  assert_int_equal(summary.event.source, ISSUE_SOURCE_SDK);
  assert_int_equal(summary.event.event_id[0], 0x9e);
  assert_int_equal(summary.event.hash_count, 1);
  assert_true(slice_equal_cstr(summary.event.request_id, "r-1"));
  assert_true(slice_equal_cstr(summary.event.level, "error"));
  check_balance(fixture, 1, 0, 0);
  buffer_finish(&body);
}

// Parsed at the door or here: the record is the same, and what the event says of its id and receipt does not count.
static void test_an_event_may_come_parsed(void **state) {
  struct fixture *fixture = *state;
  struct buffer bodies[2];
  struct journal_record records_of[2];
  static const char members[] =
      "\"tags\":{\"request_id\":\"r-1\"},\"timestamp\":1795253399.5,\"exception\":{\"values\":[{\"type\":\"KeyError\","
      "\"value\":\"mail me@people.example\",\"stacktrace\":{\"frames\":[{\"function\":\"f\",\"vars\":{\"password\":"
      "\"hunter2\"}}]}}]}}";
  char document[1000], event[1000];
  snprintf(document, sizeof document,
           "{\"event_id\":\"9ec79c33ec9942ab8353589fcb2e04dc\",\"project\":7,\"received\":"
           "\"2026-11-21T09:30:00.000000000Z\",\"event_id\":[1],\"received\":\"never\",%s",
           members);
  snprintf(event, sizeof event, "{\"event_id\":[1],\"received\":\"never\",%s", members);
  struct json_parser *parser = json_parser_create(1 << 20);
  struct sink_event parsed = {.event_id = "9ec79c33ec9942ab8353589fcb2e04dc"};
  struct error error = {""};
  for (int i = 0; i < 2; i++) buffer_init(&bodies[i], 1 << 20);
  assert_int_equal(submit(fixture, JOURNAL_EVENTS, slice_from_cstr(document)), STATUS_OK);
  assert_int_equal(records(fixture, &records_of[0], &bodies[0]), 1);
  assert_int_equal(json_parse(parser, slice_from_cstr(event), &parsed.root, &error), STATUS_OK);
  assert_int_equal(fixture->sink.submit_event(fixture->sink.context, 7, &parsed, on_done, &fixture->answers, &error),
                   STATUS_OK);
  journal_flush(fixture->journal);
  assert_int_equal(records(fixture, &records_of[1], &bodies[1]), 2);
  assert_int_equal(records_of[1].kind, JOURNAL_EVENTS);
  assert_int_equal(records_of[1].project, 7);
  assert_int_equal(records_of[1].item_count, 1);
  struct slice texts[2];
  for (int i = 0; i < 2; i++) { // but for the time of receipt
    struct slice text = buffer_slice(&bodies[i]);
    size_t at = slice_find(text, SLICE_LITERAL("\"received\":\""));
    assert_true(at < text.len);
    memset(bodies[i].ptr + at + 12, '0', 30);
    assert_true(slice_find(text, SLICE_LITERAL("hunter2")) > text.len);
    assert_true(slice_find(text, SLICE_LITERAL("expected a UUID")) > text.len);
    texts[i] = text;
  }
  assert_true(slice_equal(texts[0], texts[1]));
  check_balance(fixture, 2, 0, 0);
  json_parser_destroy(parser);
  for (int i = 0; i < 2; i++) buffer_finish(&bodies[i]);
}

static void write_items(struct buffer *out, const char *message, const char *filename, struct slice data) {
  const char *id = "9ec79c33ec9942ab8353589fcb2e04dc";
  struct sentry_item attachment = {.kind = SENTRY_ITEM_ATTACHMENT,
                                   .attachment = {.filename = slice_from_cstr(filename),
                                                  .bytes = data.len,
                                                  .data = data,
                                                  .content_type = SLICE_LITERAL("image/png")}};
  struct sentry_item feedback = {.kind = SENTRY_ITEM_FEEDBACK,
                                 .feedback = {.name = SLICE_LITERAL("Al"),
                                              .email = SLICE_LITERAL("al@people.example"),
                                              .message = slice_from_cstr(message),
                                              .url = SLICE_LITERAL("http://x.example/a?b=1")}};
  memcpy(attachment.attachment.event_id, id, 33);
  memcpy(feedback.feedback.id, id, 33);
  sentry_item_write(out, &attachment);
  sentry_item_write(out, &feedback);
}

static void test_words_of_people_are_scrubbed(void **state) {
  struct fixture *fixture = *state;
  struct buffer clean, dirty, body;
  struct journal_record record;
  buffer_init(&clean, 1 << 20);
  buffer_init(&dirty, 1 << 20);
  buffer_init(&body, 1 << 20);
  const struct slice data = SLICE_LITERAL("mail me@people.example\n{}");
  write_items(&clean, "it is slow", "a.txt", data);
  assert_int_equal(submit(fixture, JOURNAL_ITEMS, buffer_slice(&clean)), STATUS_OK);
  assert_int_equal(records(fixture, &record, &body), 1);
  assert_int_equal(record.kind, JOURNAL_ITEMS);
  assert_int_equal(record.project, 7);
  assert_int_equal(record.item_count, 2);
  assert_true(slice_equal(buffer_slice(&body), buffer_slice(&clean))); // as it came

  write_items(&dirty, "write to me@people.example", "me@people.example.txt", data);
  assert_int_equal(submit(fixture, JOURNAL_ITEMS, buffer_slice(&dirty)), STATUS_OK);
  assert_int_equal(records(fixture, &record, &body), 2);
  buffer_clear(&clean);
  write_items(&clean, "write to [email]", "[email]", data); // the address in its own field stays, and a picture
  assert_true(slice_equal(buffer_slice(&body), buffer_slice(&clean)));
  check_balance(fixture, 4, 0, 0);

  assert_int_equal(submit(fixture, JOURNAL_ITEMS, SLICE_LITERAL("{}\n{\"type\":\"feedback\"}\n\n")), STATUS_INVALID);
  assert_int_equal(submit(fixture, JOURNAL_ITEMS, SLICE_LITERAL("nothing")), STATUS_INVALID);
  assert_int_equal(records(fixture, &record, &body), 2);
  buffer_finish(&clean);
  buffer_finish(&dirty);
  buffer_finish(&body);
}

static void test_malformed_is_refused_at_once(void **state) {
  struct fixture *fixture = *state;
  struct slice broken = SLICE_LITERAL("\x0a\x05xx");
  assert_int_equal(submit(fixture, JOURNAL_TRACES, broken), STATUS_INVALID);
  assert_int_equal(submit(fixture, JOURNAL_LOGS, broken), STATUS_INVALID);
  assert_int_equal(submit(fixture, JOURNAL_METRICS, broken), STATUS_INVALID);
  assert_int_equal(submit(fixture, JOURNAL_EVENTS, SLICE_LITERAL("{")), STATUS_INVALID);
  assert_int_equal(submit(fixture, JOURNAL_EVENTS, SLICE_LITERAL("[{}]")), STATUS_INVALID);
  assert_int_equal(fixture->answers.count, 0);
  check_balance(fixture, 0, 0, 0);
  assert_int_equal(journal_durable_sequence(fixture->journal), 0);
}

static void test_a_failing_journal_is_said(void **state) {
  struct fixture *fixture = *state;
  atomic_bool_set(&fixture->disk_full, true);
  struct slice request = request_of(JOIN(good_span(), bad_span()));
  assert_int_equal(submit(fixture, JOURNAL_TRACES, request), STATUS_OK); // queued; the writer finds out
  assert_int_equal(fixture->answers.count, 1);
  assert_true(status_is_retryable(fixture->answers.status));
  assert_string_equal(fixture->answers.words, "the journal could not be written");
  check_balance(fixture, 0, 2, 0);
  assert_int_equal(submit(fixture, JOURNAL_TRACES, request), STATUS_UNAVAILABLE); // known by now
  assert_int_equal(fixture->answers.count, 1);
  check_balance(fixture, 0, 4, 0);
}

static void test_drain_refuses(void **state) {
  struct fixture *fixture = *state;
  struct error error = {""};
  assert_int_equal(fixture->sink.ready(fixture->sink.context, &error), STATUS_OK);
  intake_drain(fixture->intake);
  assert_int_equal(fixture->sink.ready(fixture->sink.context, &error), STATUS_UNAVAILABLE);
  assert_string_equal(error.text, "shutting down");
  assert_int_equal(submit(fixture, JOURNAL_TRACES, request_of(good_span())), STATUS_UNAVAILABLE);
  assert_int_equal(fixture->answers.count, 0);
  check_balance(fixture, 0, 0, 0);
}

static void test_a_full_journal_is_not_ready(void **state) {
  struct fixture *fixture = *state;
  struct error error = {""};
  char letters[32768]; // that do not compress well
  for (size_t i = 0; i < sizeof(letters); i++) letters[i] = (char)('a' + hash_xxh3(slice_make(&i, sizeof(i))) % 26);
  struct slice noise = FIELD(99, slice_make(letters, sizeof(letters))); // an unknown field
  journal_set_bytes_max(fixture->journal, 1);                           // four segments then
  assert_int_equal(journal_bytes_max(fixture->journal), 4 * SEGMENT_BYTES);
  assert_int_equal(fixture->sink.ready(fixture->sink.context, &error), STATUS_OK);
  while (fixture->sink.ready(fixture->sink.context, &error) == STATUS_OK) {
    assert_true(journal_bytes(fixture->journal) < 4 * SEGMENT_BYTES);
    assert_int_equal(submit(fixture, JOURNAL_TRACES, request_of(JOIN(good_span(), noise))), STATUS_OK);
  }
  assert_non_null(strstr(error.text, "journal.intake_max_bytes"));
  journal_set_bytes_max(fixture->journal, 8 * SEGMENT_BYTES);
  assert_int_equal(fixture->sink.ready(fixture->sink.context, &error), STATUS_OK);
}

struct submitter {
  struct fixture *fixture;
  const struct submitter *first; // of all
  struct slice request;
  struct thread thread;
};

static void submit_many(void *context) {
  struct submitter *submitter = context;
  struct sink sink = submitter->fixture->sink;
  for (int i = 0; i < EACH; i++) {
    ASSERT(sink.submit(sink.context, JOURNAL_TRACES, 1, submitter->request, on_done, &submitter->fixture->answers,
                       NULL) == STATUS_OK);
  }
}

// Every submit is answered once, whoever submits.
static void test_many_threads(void **state) {
  struct fixture *fixture = *state;
  struct submitter submitters[THREADS];
  struct slice request = request_of(JOIN(good_span(), bad_span(), good_span()));
  for (int i = 0; i < THREADS; i++) {
    submitters[i] = (struct submitter){.fixture = fixture, .request = request};
    assert_int_equal(thread_start(&submitters[i].thread, "submitter", submit_many, &submitters[i]), STATUS_OK);
  }
  for (int i = 0; i < THREADS; i++) thread_join(&submitters[i].thread);
  assert_int_equal(journal_flush(fixture->journal), STATUS_OK);
  assert_int_equal(fixture->answers.count, THREADS * EACH);
  check_balance(fixture, THREADS * EACH * 2, 0, THREADS * EACH);
  struct buffer body;
  struct journal_record record;
  buffer_init(&body, 1 << 20);
  assert_int_equal(records(fixture, &record, &body), THREADS * EACH);
  buffer_finish(&body);
}

static uint64_t fingerprint_of(struct fixture *fixture, struct sampling *sampling) {
  struct payload_facts_options options = facts_fixture_options(&fixture->facts);
  options.sampling = sampling;
  struct payload_facts *builder = payload_facts_create(&options);
  uint64_t fingerprint = payload_facts_fingerprint(builder);
  payload_facts_destroy(builder);
  return fingerprint;
}

// Policies change while threads submit: a record's facts are of one set or the other, never of both.
static void test_policies_change_under_load(void **state) {
  struct fixture *fixture = *state;
  const struct sampling_policy gold = {.kind = SAMPLING_ATTRIBUTE, .key = "tier", .value = "gold"},
                               error = {.kind = SAMPLING_ERRORS};
  const struct sampling_policy first[] = {gold, error}, second[] = {error, gold};
  struct sampling *sets[2];
  uint64_t fingerprints[2];
  for (int i = 0; i < 2; i++) {
    const struct sampling_policy *policies = i ? second : first;
    assert_int_equal(sampling_create(policies, 2, fixture->facts.metrics, &sets[i], NULL), STATUS_OK);
    fingerprints[i] = fingerprint_of(fixture, sets[i]);
  }
  intake_set_sampling(fixture->intake, sets[0]);
  struct submitter submitters[THREADS];
  struct slice request = request_of(span_of(trace_id_of(1), 1, 2, attribute(9, "tier", "gold")));
  for (int i = 0; i < THREADS; i++) {
    submitters[i] = (struct submitter){.fixture = fixture, .request = request};
    assert_int_equal(thread_start(&submitters[i].thread, "submitter", submit_many, &submitters[i]), STATUS_OK);
  }
  uint64_t changes = 1;
  for (; intake_balance(fixture->intake).received < THREADS * EACH; changes++) {
    intake_set_sampling(fixture->intake, sets[changes % 2]);
  }
  for (int i = 0; i < THREADS; i++) thread_join(&submitters[i].thread);
  intake_set_sampling(fixture->intake, sets[1]);
  assert_int_equal(submit(fixture, JOURNAL_TRACES, request), STATUS_OK);
  for (int i = 0; i < 2; i++) sampling_release(sets[i]);
  struct journal_reader *reader;
  struct journal_record record;
  struct record_facts facts;
  struct record_trace trace;
  uint32_t seen = 0;
  assert_int_equal(journal_reader_open(fixture->journal, 1, &reader), STATUS_OK);
  for (; journal_reader_next(reader, &record) == STATUS_OK; seen++) {
    assert_int_equal(record_facts_decode(record.section, &facts), STATUS_OK);
    record_facts_trace(&facts, 0, &trace);
    assert_true(facts.fingerprint == fingerprints[trace.matches == 2]);
    assert_true(trace.matches == 1 || trace.matches == 2);
  }
  assert_int_equal(trace.matches, 2); // the last one, after the last change
  assert_int_equal(seen, THREADS * EACH + 1);
  journal_reader_close(reader);
}

static void submit_events(void *context) {
  struct submitter *submitter = context;
  struct sink sink = submitter->fixture->sink;
  for (int i = 0; i < EACH; i++) {
    char event[300];
    snprintf(event, sizeof(event),
             "{\"event_id\":\"%016x%016x\",\"exception\":[{\"type\":\"E%d\",\"value\":\"v\"}],\"extra\":{\"secret\":\"%"
             "d\"}}",
             (unsigned)(submitter - submitter->first), (unsigned)i, i % 3, i);
    ASSERT(sink.submit(sink.context, JOURNAL_EVENTS, 1 + (uint32_t)(i % 2), slice_from_cstr(event), on_done,
                       &submitter->fixture->answers, NULL) == STATUS_OK);
  }
}

static void test_events_of_many_threads(void **state) {
  struct fixture *fixture = *state;
  struct submitter submitters[THREADS];
  for (int i = 0; i < THREADS; i++) {
    submitters[i] = (struct submitter){.fixture = fixture, .first = submitters};
    assert_int_equal(thread_start(&submitters[i].thread, "submitter", submit_events, &submitters[i]), STATUS_OK);
  }
  for (int i = 0; i < THREADS; i++) thread_join(&submitters[i].thread);
  assert_int_equal(journal_flush(fixture->journal), STATUS_OK);
  assert_int_equal(fixture->answers.count, THREADS * EACH);
  check_balance(fixture, THREADS * EACH, 0, 0);
  struct journal_reader *reader;
  struct journal_record record;
  struct record_facts facts;
  static struct event_summary summary;
  uint32_t seen = 0;
  assert_int_equal(journal_reader_open(fixture->journal, 1, &reader), STATUS_OK);
  for (; journal_reader_next(reader, &record) == STATUS_OK; seen++) {
    assert_int_equal(record_facts_decode(record.section, &facts), STATUS_OK);
    assert_int_equal(event_summary_decode(facts.more, &summary), STATUS_OK);
    char wanted[3] = {'E', (char)('0' + summary.event.event_id[ISSUE_EVENT_ID_BYTES - 1] % 3), 0};
    assert_true(slice_equal_cstr(summary.event.type, wanted)); // each its own
  }
  assert_int_equal(seen, THREADS * EACH);
  journal_reader_close(reader);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_what_is_accepted_is_stored_as_it_came),
      TEST(test_partial_rejection_stores_the_rest),
      TEST(test_an_event_is_stored_with_its_trace_and_request),
      TEST(test_an_event_may_come_parsed),
      TEST(test_words_of_people_are_scrubbed),
      TEST(test_malformed_is_refused_at_once),
      TEST(test_a_failing_journal_is_said),
      TEST(test_drain_refuses),
      TEST(test_a_full_journal_is_not_ready),
      TEST(test_many_threads),
      TEST(test_policies_change_under_load),
      TEST(test_events_of_many_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
