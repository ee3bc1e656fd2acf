// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/sentry_event.h"

struct fixture {
  struct json_parser *parser;
  struct arena arena;
  struct sentry_event event;
  struct buffer out;
};

static int setup(void **state) {
  struct fixture *fixture = calloc(1, sizeof(*fixture));
  fixture->parser = json_parser_create(16u << 20);
  arena_init(&fixture->arena, 16u << 20);
  buffer_init(&fixture->out, 16u << 20);
  *state = fixture;
  return 0;
}

static int teardown(void **state) {
  struct fixture *fixture = *state;
  json_parser_destroy(fixture->parser);
  arena_finish(&fixture->arena);
  buffer_finish(&fixture->out);
  free(fixture);
  return 0;
}

static const struct sentry_event *parse(struct fixture *fixture, const char *text) {
  struct json_value root;
  struct error error = {0};
  assert_int_equal(json_parse(fixture->parser, slice_from_cstr(text), &root, &error), STATUS_OK);
  assert_int_equal(sentry_event_parse(root, &fixture->arena, &fixture->event, &error), STATUS_OK);
  return &fixture->event;
}

static const char *text_of(struct fixture *fixture, struct slice text) {
  return (const char *)arena_copy(&fixture->arena, text).ptr;
}

#define assert_text(text, expected) assert_string_equal(text_of(fixture, (text)), (expected))

static const char *written(struct fixture *fixture) {
  buffer_clear(&fixture->out);
  sentry_event_write(&fixture->event, &fixture->out);
  assert_false(fixture->out.failed);
  buffer_append_byte(&fixture->out, 0);
  return (const char *)fixture->out.ptr;
}

static void reads_scalars(void **state) {
  struct fixture *fixture = *state;
  const struct sentry_event *event = parse(
      fixture, "{\"event_id\":\"FC6D8C0C-43FC-4630-AD85-0EE518F1B9D0\",\"timestamp\":\"2026-11-21T09:30:00.5+02:00\","
               "\"platform\":\"python\",\"level\":\"warn\",\"release\":\" app@1.0\\n\",\"server_name\":17,"
               "\"logger\":{\"bad\":1},\"checksum\":\"abc\"}");
  assert_string_equal(event->event_id, "fc6d8c0c43fc4630ad850ee518f1b9d0");
  assert_int_equal(event->timestamp_ns, UINT64_C(1795246200500000000));
  assert_text(event->level, "warning");
  assert_text(event->release, "app@1.0");
  assert_text(event->server_name, "17");
  assert_int_equal(event->logger.len, 0);
  assert_text(event->errors_json, "[{\"type\":\"invalid_data\",\"name\":\"logger\",\"reason\":\"expected text\"}]");
}

static void reads_times(void **state) {
  struct fixture *fixture = *state;
  static const struct {
    const char *json;
    uint64_t ns;
  } rows[] = {
      {"\"1970-01-01T00:00:00Z\"", 0},
      {"\"2000-02-29T12:34:56.123456789Z\"", UINT64_C(951827696123456789)},
      {"\"2024-02-29 12:34:56\"", UINT64_C(1709210096000000000)},
      {"\"2024-12-31T23:59:60Z\"", UINT64_C(1735689600000000000)},
      {"\"2024-06-01T00:00:00-0330\"", UINT64_C(1717212600000000000)},
      {"1717212600", UINT64_C(1717212600000000000)},
      {"1717212600.25", UINT64_C(1717212600250000000)},
      {"\"1717212600.123456789\"", UINT64_C(1717212600123456789)},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char text[128];
    snprintf(text, sizeof(text), "{\"timestamp\":%s}", rows[i].json);
    const struct sentry_event *event = parse(fixture, text);
    assert_int_equal(event->timestamp_ns, rows[i].ns);
    assert_int_equal(event->errors_json.len, 0);
  }
  static const char *const bad[] = {
      "\"yesterday\"",           "\"2024-13-01T00:00:00Z\"", "-5", "[]", "1e300", "\"2024-01-01T00:00:00 Mars\"",
      "\"99999999999999999999\""};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    char text[128];
    snprintf(text, sizeof(text), "{\"timestamp\":%s}", bad[i]);
    const struct sentry_event *event = parse(fixture, text);
    assert_int_equal(event->timestamp_ns, 0);
    assert_true(event->errors_json.len > 0);
  }
}

static void keeps_errors_that_are_objects(void **state) {
  struct fixture *fixture = *state;
  const struct sentry_event *event = parse(fixture, "{\"errors\":[null,5,\"x\",[{}],{\"type\":\"js\"}]}");
  assert_string_equal(text_of(fixture, event->errors_json), "[{\"type\":\"js\"}]");
  assert_int_equal(parse(fixture, "{\"errors\":[null]}")->errors_json.len, 0);
}

static void reads_exceptions_in_all_forms(void **state) {
  struct fixture *fixture = *state;
  static const char *const forms[] = {
      "{\"exception\":{\"values\":[null,{\"type\":\"A\",\"value\":\"x\"}]}}",
      "{\"exception\":[{\"type\":\"A\",\"value\":\"x\"},7]}",
      "{\"exception\":{\"type\":\"A\",\"value\":\"x\"}}",
      "{\"sentry.interfaces.Exception\":{\"values\":[{\"type\":\"A\",\"value\":\"x\"}]}}",
      "{\"exception\":{\"values\":[{\"value\":\"A: x\"}]}}",
  };
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
    const struct sentry_event *event = parse(fixture, forms[i]);
    assert_int_equal(event->exception_count, 1);
    assert_text(event->exceptions[0].type, "A");
    assert_text(event->exceptions[0].value, "x");
  }
  const struct sentry_event *event =
      parse(fixture, "{\"exception\":[{\"value\":{\"a\":1}},{\"value\":\"my app: no\"}]}");
  assert_text(event->exceptions[0].value, "{\"a\":1}");
  assert_int_equal(event->exceptions[1].type.len, 0);
  assert_text(event->exceptions[1].value, "my app: no");
}

static void reads_mechanism(void **state) {
  struct fixture *fixture = *state;
  const struct sentry_event *event =
      parse(fixture,
            "{\"exception\":[{\"type\":\"E\",\"mechanism\":{\"type\":\"chained\",\"handled\":false,\"synthetic\":true,"
            "\"exception_id\":2,\"parent_id\":0,\"is_exception_group\":true,\"data\":{\"k\":1},"
            "\"meta\":{\"ns_error\":{\"domain\":\"D\",\"code\":42}}}}],\"main_exception_id\":2}");
  const struct sentry_exception *exception = &event->exceptions[0];
  assert_true(exception->has_mechanism && exception->has_handled && !exception->handled && exception->synthetic);
  assert_true(exception->is_exception_group && exception->has_exception_id && exception->has_parent_id);
  assert_int_equal(exception->exception_id, 2);
  assert_int_equal(exception->parent_id, 0);
  assert_text(exception->ns_error_domain, "D");
  assert_text(exception->ns_error_code, "42");
  assert_int_equal(event->main_exception, 1);
  assert_non_null(strstr(written(fixture), "\"data\":{\"k\":1}"));
}

static void normalises_frames(void **state) {
  struct fixture *fixture = *state;
  static const struct {
    const char *json, *filename, *abs_path;
  } rows[] = {
      {"\"filename\":\"app.py\"", "app.py", "app.py"},
      {"\"filename\":\"app.py\",\"abs_path\":\"\"", "app.py", "app.py"},
      {"\"abs_path\":\"/srv/app.py\"", "/srv/app.py", "/srv/app.py"},
      {"\"abs_path\":\"https://x.test/js/app.js?v=1\"", "/js/app.js", "https://x.test/js/app.js?v=1"},
      {"\"abs_path\":\"https://x.test/\"", "https://x.test/", "https://x.test/"},
      {"\"abs_path\":\"webpack:///./a.js\"", "webpack:///./a.js", "webpack:///./a.js"},
      {"\"filename\":\"a.py\",\"abs_path\":\"/srv/a.py\"", "a.py", "/srv/a.py"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char text[256];
    snprintf(text, sizeof(text),
             "{\"stacktrace\":{\"frames\":[null,{%s,\"lineno\":\"12\",\"colno\":-1,\"in_app\":true}]}}", rows[i].json);
    const struct sentry_event *event = parse(fixture, text);
    assert_int_equal(event->stacktrace.frame_count, 1);
    const struct sentry_frame *frame = &event->stacktrace.frames[0];
    assert_text(frame->filename, rows[i].filename);
    assert_text(frame->abs_path, rows[i].abs_path);
    assert_int_equal(frame->line, 12);
    assert_int_equal(frame->column, 0);
    assert_int_equal(frame->in_app, SENTRY_IN_APP_YES);
  }
}

static void moves_the_stacktrace_of_a_single_exception(void **state) {
  struct fixture *fixture = *state;
  const struct sentry_event *event =
      parse(fixture,
            "{\"exception\":[{\"type\":\"E\"}],\"sentry.interfaces.Stacktrace\":{\"frames\":[{\"function\":\"f\"}]}}");
  assert_int_equal(event->stacktrace.frame_count, 0);
  assert_text(event->exceptions[0].stacktrace.frames[0].function, "f");
  event = parse(fixture, "{\"exception\":[{\"type\":\"E\",\"stacktrace\":{\"frames\":[{\"function\":\"own\"}]}}],"
                         "\"stacktrace\":{\"frames\":[{\"function\":\"f\"}]}}");
  assert_text(event->exceptions[0].stacktrace.frames[0].function, "f"); // as Relay has it
  event =
      parse(fixture,
            "{\"exception\":[{\"type\":\"E\"},{\"type\":\"F\"}],\"stacktrace\":{\"frames\":[{\"function\":\"f\"}]}}");
  assert_int_equal(event->stacktrace.frame_count, 1);
}

static void cuts_frames_in_the_middle(void **state) {
  struct fixture *fixture = *state;
  struct buffer text;
  buffer_init(&text, 1u << 20);
  buffer_append_cstr(&text, "{\"stacktrace\":{\"frames\":[");
  for (int i = 0; i < 1000; i++) buffer_printf(&text, "%s{\"lineno\":%d}", i ? "," : "", i + 1);
  buffer_append_cstr(&text, "]}}");
  buffer_append_byte(&text, 0);
  const struct sentry_event *event = parse(fixture, (const char *)text.ptr);
  assert_int_equal(event->stacktrace.frame_count, SENTRY_EVENT_FRAMES_MAX);
  assert_int_equal(event->stacktrace.frames_omitted, 1000 - SENTRY_EVENT_FRAMES_MAX);
  assert_int_equal(event->stacktrace.frames[0].line, 1);
  assert_int_equal(event->stacktrace.frames[SENTRY_EVENT_FRAMES_MAX / 2 - 1].line, 256);
  assert_int_equal(event->stacktrace.frames[SENTRY_EVENT_FRAMES_MAX / 2].line, 745);
  assert_int_equal(event->stacktrace.frames[SENTRY_EVENT_FRAMES_MAX - 1].line, 1000);
  buffer_finish(&text);
}

static void reads_messages(void **state) {
  struct fixture *fixture = *state;
  static const struct {
    const char *json, *message, *formatted;
  } rows[] = {
      {"\"message\":\"hello\"", "", "hello"},
      {"\"message\":{\"message\":\"hello\"}", "", "hello"},
      {"\"message\":false", "", ""},
      {"\"message\":[5,\"a\",{\"b\":true}]", "", "[5,\"a\",{\"b\":true}]"},
      {"\"logentry\":{\"formatted\":\"hello\"}", "", "hello"},
      {"\"sentry.interfaces.Message\":{\"message\":\"hello\"}", "", "hello"},
      {"\"logentry\":{\"message\":\"a %s b %d%%\",\"params\":[\"x\",5]}", "a %s b %d%%", "a x b 5%"},
      {"\"logentry\":{\"message\":\"%(who)s is here\",\"params\":{\"who\":\"Ann\"}}", "%(who)s is here", "Ann is here"},
      {"\"logentry\":{\"message\":\"{} {1} {name}\",\"params\":[\"x\",\"y\"]}", "{} {1} {name}", "x y {name}"},
      {"\"logentry\":{\"message\":\"{name:>8}!\",\"params\":{\"name\":\"z\"}}", "{name:>8}!", "z!"},
      {"\"logentry\":{\"message\":\"100% of %s\",\"params\":[\"x\"]}", "100% of %s", "100% of x"},
      {"\"logentry\":{\"message\":\"t %s\",\"formatted\":\"t 1\",\"params\":[1]}", "t %s", "t 1"},
      {"\"logentry\":{\"message\":\"ends %\",\"params\":[1]}", "", "ends %"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char text[256];
    snprintf(text, sizeof(text), "{%s}", rows[i].json);
    const struct sentry_event *event = parse(fixture, text);
    assert_text(event->message, rows[i].message);
    assert_text(event->message_formatted, rows[i].formatted);
  }
}

static void reads_tags_in_all_forms(void **state) {
  struct fixture *fixture = *state;
  static const char *const forms[] = {
      "{\"tags\":{\"a\":\"1\",\"b\":true,\"c\":2,\"d\":null,\"e\":\" x\\ny\"}}",
      "{\"tags\":[[\"a\",\"1\"],[\"b\",true],[\"c\",2],[\"d\",null],[\"e\",\"x\\ny\"],[\"a\",\"again\"],7,[]]}",
      ("{\"tags\":[{\"key\":\"a\",\"value\":1},{\"key\":\"b\",\"value\":true},{\"key\":\"c\",\"value\":\"2\"},"
       "{\"key\":\"e\",\"value\":\"x\"}]}"),
  };
  for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
    const struct sentry_event *event = parse(fixture, forms[i]);
    assert_int_equal(event->tag_count, 4);
    assert_text(sentry_event_tag(event, "a"), "1");
    assert_text(sentry_event_tag(event, "b"), "True");
    assert_text(sentry_event_tag(event, "c"), "2");
    assert_text(sentry_event_tag(event, "e"), "x");
    assert_int_equal(sentry_event_tag(event, "d").len, 0);
  }
}

static void adds_many_tags(void **state) {
  struct fixture *fixture = *state;
  fixture->event = (struct sentry_event){0};
  for (int i = 0; i < 100; i++) {
    char key[16];
    snprintf(key, sizeof(key), "k%d", i);
    assert_int_equal(sentry_event_add_tag(&fixture->event, &fixture->arena, slice_from_cstr(key), slice_from_cstr(key)),
                     STATUS_OK);
  }
  assert_int_equal(fixture->event.tag_count, 100);
  assert_text(sentry_event_tag(&fixture->event, "k0"), "k0");
  assert_text(sentry_event_tag(&fixture->event, "k99"), "k99");
}

static void reads_correlation(void **state) {
  struct fixture *fixture = *state;
  const struct sentry_event *event = parse(
      fixture, "{\"contexts\":{\"trace\":{\"trace_id\":\"4BF92F35-77B34DA6A3CE929D0E0E4736\",\"span_id\":"
               "\"00f067aa0ba902b7\"},\"otel\":{\"resource\":{\"service.name\":\"shop\"}}},"
               "\"request\":{\"headers\":[[\"X-Request-ID\",\"r-1\"]]},\"user\":{\"id\":null,\"email\":\"a@b.c\"}}");
  assert_text(event->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  assert_text(event->span_id, "00f067aa0ba902b7");
  assert_text(event->service, "shop");
  assert_text(event->request_id, "r-1");
  assert_text(event->user_id, "a@b.c");
  event = parse(fixture, "{\"request\":{\"headers\":{\"x-request-id\":[\"r-2\"]}},\"user\":{\"id\":5},"
                         "\"contexts\":{\"trace\":{\"trace_id\":\"00000000000000000000000000000000\"}}}");
  assert_text(event->request_id, "r-2");
  assert_text(event->user_id, "5");
  assert_int_equal(event->trace_id.len, 0);
  event = parse(fixture, "{\"tags\":{\"request_id\":\"r-3\"},\"extra\":{\"request_id\":\"r-4\"}}");
  assert_text(event->request_id, "r-3");
  assert_int_equal(event->service.len, 0);
  event = parse(fixture, "{\"tags\":{\"service\":77},\"release\":\"shop@1.2\"}");
  assert_text(event->service, "77");
  event = parse(fixture, "{\"tags\":{\"service.name\":\"worker\"},\"release\":\"shop@1.2\"}");
  assert_text(event->service, "worker");
  event = parse(fixture, "{\"release\":\"shop@1.2\"}");
  assert_text(event->service, "shop");
}

static void reads_fingerprints(void **state) {
  struct fixture *fixture = *state;
  const struct sentry_event *event =
      parse(fixture, "{\"fingerprint\":[\"{{ default }}\",7,1.9,true,null,{\"a\":1},\"\"]}");
  assert_int_equal(event->fingerprint_count, 5);
  assert_text(event->fingerprint[0], "{{ default }}");
  assert_text(event->fingerprint[1], "7");
  assert_text(event->fingerprint[2], "1");
  assert_text(event->fingerprint[3], "True");
  assert_text(event->fingerprint[4], "");
}

static void cuts_long_text_at_characters(void **state) {
  struct fixture *fixture = *state;
  struct buffer text;
  buffer_init(&text, 1u << 20);
  buffer_append_cstr(&text, "{\"exception\":[{\"type\":\"T\",\"value\":\"");
  for (int i = 0; i < 9000; i++) buffer_append_cstr(&text, "\xc3\xa9");
  buffer_append_cstr(&text, "\"}]}");
  buffer_append_byte(&text, 0);
  const struct sentry_event *event = parse(fixture, (const char *)text.ptr);
  struct slice value = event->exceptions[0].value;
  assert_int_equal(value.len, (8192 - 3) * 2 + 3);
  assert_true(slice_ends_with(value, SLICE_LITERAL("\xc3\xa9...")));
  assert_true(slice_is_utf8(value));
  buffer_finish(&text);
}

static void survives_wrong_types(void **state) {
  struct fixture *fixture = *state;
  static const char *const names[] = {"event_id", "timestamp",   "level",   "exception", "threads", "stacktrace",
                                      "message",  "logentry",    "tags",    "user",      "request", "sdk",
                                      "contexts", "breadcrumbs", "errors",  "_meta",     "extra",   "fingerprint",
                                      "platform", "debug_meta",  "modules", "template",  "csp",     "release"};
  static const char *const values[] = {"null",
                                       "true",
                                       "5",
                                       "\"x\"",
                                       "[]",
                                       "{}",
                                       "[[]]",
                                       "[null,5,\"x\",{}]",
                                       "{\"values\":5}",
                                       "{\"values\":[5]}",
                                       "{\"frames\":{}}",
                                       "{\"frames\":[5]}"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
      char text[256];
      snprintf(text, sizeof(text), "{\"%s\":%s}", names[i], values[j]);
      parse(fixture, text);
      struct json_value root;
      assert_int_equal(json_parse(fixture->parser, slice_from_cstr(written(fixture)), &root, NULL), STATUS_OK);
    }
  }
}

static void written_form_reads_back_the_same(void **state) {
  struct fixture *fixture = *state;
  parse(
      fixture,
      "{\"event_id\":\"fc6d8c0c43fc4630ad850ee518f1b9d0\",\"timestamp\":1717212600.25,\"platform\":\"python\","
      "\"level\":\"error\",\"logger\":\"l\",\"transaction\":\"t\",\"release\":\"r\",\"environment\":\"e\","
      "\"logentry\":{\"message\":\"m %s\",\"params\":[1]},\"fingerprint\":[\"a\"],\"tags\":{\"k\":\"v\"},"
      "\"exception\":[{\"type\":\"T\",\"value\":\"v\",\"module\":\"m\",\"thread_id\":7,\"mechanism\":{\"type\":\"x\","
      "\"exception_id\":0},\"stacktrace\":{\"frames\":[{\"function\":\"f\",\"module\":\"m\",\"filename\":\"a.py\","
      "\"abs_path\":\"/a.py\",\"lineno\":3,\"colno\":4,\"context_line\":\"x()\",\"pre_context\":[\"a\"],"
      "\"vars\":{\"x\":\"1\"},\"in_app\":false}]}}],\"main_exception_id\":0,"
      "\"threads\":[{\"id\":1,\"name\":\"main\",\"crashed\":true,\"stacktrace\":{\"frames\":[{\"function\":\"g\"}]}}],"
      "\"contexts\":{\"os\":{\"name\":\"Linux\",\"x\":\"\\\"trace\\\":\"}},\"request\":{\"url\":\"http://x/\"},"
      "\"breadcrumbs\":[{\"message\":\"b\"}],\"user\":{\"id\":5},\"extra\":{\"q\":[1,2]},\"modules\":{\"m\":\"1\"},"
      "\"sdk\":{\"name\":\"s\",\"version\":\"1\"},\"errors\":[{\"type\":\"js\"}],\"_meta\":{\"a\":{}}}");
  fixture->event.service = SLICE_LITERAL("shop");
  fixture->event.request_id = SLICE_LITERAL("r-1");
  fixture->event.trace_id = SLICE_LITERAL("4bf92f3577b34da6a3ce929d0e0e4736");
  fixture->event.span_id = SLICE_LITERAL("00f067aa0ba902b7");
  char *first = strdup(written(fixture));
  const struct sentry_event *event = parse(fixture, first);
  assert_string_equal(written(fixture), first);
  assert_text(event->service, "shop");
  assert_text(event->request_id, "r-1");
  assert_text(event->trace_id, "4bf92f3577b34da6a3ce929d0e0e4736");
  assert_non_null(strstr(first, "\"breadcrumbs\":{\"values\":[{\"message\":\"b\"}]}"));
  assert_non_null(strstr(first, "\"contexts\":{\"trace\":{\"trace_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\","
                                "\"span_id\":\"00f067aa0ba902b7\"},\"os\":"));
  assert_non_null(strstr(first, "\"timestamp\":\"2024-06-01T03:30:00.250000000Z\""));
  free(first);
}

// What is parsed into an arena alone needs its document no more.
static void outlives_its_document(void **state) {
  struct fixture *fixture = *state;
  static const char text[] =
      "{\"event_id\":\"0123456789abcdef0123456789abcdef\",\"release\":\"shop@1\",\"platform\":\"python\","
      "\"tags\":{\"a\":\"b\",\"service\":\"web\"},\"user\":{\"id\":\"7\"},\"logentry\":{\"message\":\"m\"},"
      "\"fingerprint\":[\"x\"],\"request\":{\"headers\":{\"X-Request-Id\":\"r-1\"}},"
      "\"exception\":{\"type\":\"E\",\"value\":\"v\",\"stacktrace\":{\"frames\":[{\"function\":\"f\"}]}}}";
  char other[sizeof text];
  parse(fixture, text);
  struct slice before = arena_copy(&fixture->arena, slice_from_cstr(written(fixture)));
  for (size_t i = 0; i < sizeof text; i++) { // the same document of other letters
    bool is_letter = (text[i] | 0x20) >= 'a' && (text[i] | 0x20) <= 'z';
    other[i] = is_letter ? '#' : text[i];
  }
  struct json_value root;
  assert_int_equal(json_parse(fixture->parser, slice_from_cstr(other), &root, NULL), STATUS_OK);
  assert_string_equal(written(fixture), (const char *)before.ptr);
}

// With memory of the caller's the same event comes out, and its texts are those of the document.
static void reads_with_memory_of_its_own(void **state) {
  struct fixture *fixture = *state;
  static const char text[] = "{\"event_id\":\"0123456789abcdef0123456789abcdef\",\"release\":\" shop@1 "
                             "\",\"platform\":\"python\",\"tags\":{\" a \":"
                             "\"b\",\"n\":5},\"extra\":{\"k\":[1,\"\\n\"]},\"contexts\":{\"trace\":{\"trace_id\":"
                             "\"0123456789ABCDEF0123456789abcdef\"}},"
                             "\"exception\":{\"type\":\"E\",\"value\":\"v\",\"stacktrace\":{\"frames\":[{\"function\":"
                             "\"f\",\"vars\":{\"x\":\"1\"},"
                             "\"lineno\":\"7\",\"filename\":{}}]}},\"level\":\"nothing\"}";
  parse(fixture, text);
  struct slice expected = arena_copy(&fixture->arena, slice_from_cstr(written(fixture)));
  struct json_value root;
  assert_int_equal(json_parse(fixture->parser, slice_from_cstr(text), &root, NULL), STATUS_OK);
  struct buffer scratch;
  struct arena arena;
  arena_init(&arena, 1 << 20);
  buffer_init(&scratch, SENTRY_EVENT_SCRATCH_BYTES_MAX);
  for (int round = 0; round < 3; round++) { // what was left of the last one's memory is used
    arena_reset(&arena);
    assert_int_equal(sentry_event_parse_with(root, NULL, &arena, &scratch, &fixture->event, NULL), STATUS_OK);
    assert_string_equal(written(fixture), (const char *)expected.ptr);
    assert_ptr_equal(fixture->event.platform.ptr, json_string(json_get(root, "platform")).ptr);
    const char *id = "ffffffffffffffffffffffffffffffff";
    assert_int_equal(sentry_event_parse_with(root, id, &arena, &scratch, &fixture->event, NULL), STATUS_OK);
    assert_string_equal(fixture->event.event_id, id);
  }
  buffer_finish(&scratch);
  arena_finish(&arena);
}

static void refuses_other_roots_and_full_arenas(void **state) {
  struct fixture *fixture = *state;
  struct json_value root;
  struct sentry_event untouched = {.tag_count = 77};
  struct error error = {0};
  assert_int_equal(json_parse(fixture->parser, SLICE_LITERAL("[1]"), &root, NULL), STATUS_OK);
  assert_int_equal(sentry_event_parse(root, &fixture->arena, &untouched, &error), STATUS_INVALID);
  assert_string_equal(error.text, "event: not a JSON object");
  struct arena small;
  arena_init(&small, 64);
  assert_int_equal(json_parse(fixture->parser,
                              SLICE_LITERAL("{\"extra\":{\"a\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,"
                                            "17,18,19,20,21,22,23,24,25,26,27,28,29,30]}}"),
                              &root, NULL),
                   STATUS_OK);
  assert_int_equal(sentry_event_parse(root, &small, &untouched, &error), STATUS_NO_MEMORY);
  assert_int_equal(untouched.tag_count, 77);
  arena_finish(&small);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(reads_scalars, setup, teardown),
      cmocka_unit_test_setup_teardown(reads_times, setup, teardown),
      cmocka_unit_test_setup_teardown(reads_exceptions_in_all_forms, setup, teardown),
      cmocka_unit_test_setup_teardown(reads_mechanism, setup, teardown),
      cmocka_unit_test_setup_teardown(normalises_frames, setup, teardown),
      cmocka_unit_test_setup_teardown(moves_the_stacktrace_of_a_single_exception, setup, teardown),
      cmocka_unit_test_setup_teardown(cuts_frames_in_the_middle, setup, teardown),
      cmocka_unit_test_setup_teardown(keeps_errors_that_are_objects, setup, teardown),
      cmocka_unit_test_setup_teardown(reads_messages, setup, teardown),
      cmocka_unit_test_setup_teardown(reads_tags_in_all_forms, setup, teardown),
      cmocka_unit_test_setup_teardown(adds_many_tags, setup, teardown),
      cmocka_unit_test_setup_teardown(reads_correlation, setup, teardown),
      cmocka_unit_test_setup_teardown(reads_fingerprints, setup, teardown),
      cmocka_unit_test_setup_teardown(cuts_long_text_at_characters, setup, teardown),
      cmocka_unit_test_setup_teardown(survives_wrong_types, setup, teardown),
      cmocka_unit_test_setup_teardown(written_form_reads_back_the_same, setup, teardown),
      cmocka_unit_test_setup_teardown(outlives_its_document, setup, teardown),
      cmocka_unit_test_setup_teardown(reads_with_memory_of_its_own, setup, teardown),
      cmocka_unit_test_setup_teardown(refuses_other_roots_and_full_arenas, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
