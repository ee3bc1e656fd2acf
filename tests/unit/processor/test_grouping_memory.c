// SPDX-License-Identifier: Apache-2.0
//
// What grouping remembers must not show: whatever was computed before with the same memory, an event's result, its
// components as text and its frames are those of an event that is computed alone.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grouping_events.h"
#include "processor/grouping_internal.h"

struct memory_run {
  struct grouping_memory *memory;
  struct json_parser *parser;
  struct arena arena;
  struct buffer alone, remembered;
  bool recalled; // the last result came out of the memory, at least in part
};

static int setup(void **state) {
  struct memory_run *run = calloc(1, sizeof *run);
  run->memory = grouping_memory_create((size_t)1 << 20);
  run->parser = json_parser_create(1 << 20);
  arena_init(&run->arena, 64u << 20);
  buffer_init(&run->alone, 1 << 24);
  buffer_init(&run->remembered, 1 << 24);
  *state = run;
  return 0;
}

static int teardown(void **state) {
  struct memory_run *run = *state;
  grouping_memory_destroy(run->memory);
  json_parser_destroy(run->parser);
  arena_finish(&run->arena);
  buffer_finish(&run->alone);
  buffer_finish(&run->remembered);
  free(run);
  return 0;
}

static struct grouping_config *config_of(const char *enhancements) {
  struct grouping_config *config = NULL;
  struct error error = {""};
  const struct grouping_config_options options = {.enhancements = slice_from_cstr(enhancements)};
  if (grouping_config_create(&options, &config, &error) != STATUS_OK) fail_msg("%s", error.text);
  return config;
}

// Everything there is to see of a result, and the event behind it.
static void describe(const struct grouping_result *result, const struct sentry_event *event, struct buffer *out) {
  buffer_clear(out);
  struct json_writer json;
  json_writer_init(&json, out);
  grouping_write_variants(result, &json);
  const struct slice texts[] = {result->title, result->culprit, result->location, result->type, result->value};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    buffer_append_byte(out, '\n');
    buffer_append_slice(out, texts[i]);
  }
  buffer_append_byte(out, '\n');
  sentry_event_write(event, out);
  assert_false(out->failed);
}

static bool is_recalled(const struct grouping_component *component) {
  bool recalled = component->told != NULL;
  for (uint32_t i = 0; i < component->child_count; i++) recalled |= is_recalled(&component->children[i]);
  return recalled;
}

// Computes an event alone and with the memory.
static void compare(struct memory_run *run, const struct grouping_config *config, const char *json) {
  struct error error = {""};
  for (int pass = 0; pass < 2; pass++) {
    struct json_value root;
    struct sentry_event event;
    struct grouping_result result;
    arena_reset(&run->arena);
    if (json_parse(run->parser, slice_from_cstr(json), &root, &error)) fail_msg("%s: %s", error.text, json);
    assert_int_equal(sentry_event_parse(root, &run->arena, &event, &error), STATUS_OK);
    if (pass == 0) {
      assert_int_equal(grouping_compute(config, &event, &run->arena, &result), STATUS_OK);
    } else {
      assert_int_equal(grouping_compute_remembering(config, &event, &run->arena, run->memory, &result), STATUS_OK);
    }
    describe(&result, &event, pass == 0 ? &run->alone : &run->remembered);
    run->recalled = false;
    for (uint32_t i = 0; i < result.variant_count; i++) {
      run->recalled |= result.variants[i].root != NULL && is_recalled(result.variants[i].root);
    }
  }
  buffer_append_byte(&run->alone, 0);
  buffer_append_byte(&run->remembered, 0);
  assert_string_equal((char *)run->remembered.ptr, (char *)run->alone.ptr);
}

// The third time at the latest, what was found out is remembered.
static void compare_until_known(struct memory_run *run, const struct grouping_config *config, const char *json) {
  for (int i = 0; i < 3; i++) compare(run, config, json);
  if (!run->recalled) fail_msg("not remembered: %s", json);
}

#define FRAMES                                                                                                         \
  "{\"frames\":[{\"function\":\"void std::f<int>(int)\",\"filename\":\"a.c\",\"package\":\"/usr/lib/l.so\","           \
  "\"platform\":\"native\"},{\"function\":\"?\",\"filename\":\"b.py\",\"in_app\":true},{\"function\":\"g\","           \
  "\"module\":\"m\",\"abs_path\":\"/x/site-packages/y.py\",\"context_line\":\"  z \",\"lineno\":3}]}"

#define PAGE_FRAMES "{\"frames\":[{\"filename\":\"http://x.example/a.js\",\"function\":\"a.b.c\",\"in_app\":true}]}"

static const char *const events[] = {
    "{\"platform\":\"python\",\"exception\":{\"type\":\"E\",\"value\":\"7 of 8\",\"stacktrace\":" FRAMES "}}",
    "{\"platform\":\"python\",\"exception\":[{\"type\":\"A\",\"stacktrace\":" FRAMES
    "},{\"type\":\"B\",\"value\":\"v\",\"stacktrace\":" FRAMES "}]}",
    "{\"platform\":\"native\",\"stacktrace\":" FRAMES "}",
    "{\"platform\":\"cocoa\",\"threads\":[{\"id\":1,\"crashed\":true,\"stacktrace\":" FRAMES
    "},{\"id\":2,\"stacktrace\":" FRAMES "}]}",
    "{\"platform\":\"python\",\"fingerprint\":[\"{{ default }}\",\"{{ function }}\"],\"exception\":{\"type\":\"E\","
    "\"stacktrace\":" FRAMES "}}",
    "{\"platform\":\"javascript\",\"exception\":{\"type\":\"E\",\"value\":\"v\",\"stacktrace\":" PAGE_FRAMES "}}",
};
#define EVENTS (sizeof events / sizeof events[0])

static void known_places(void **state) {
  struct memory_run *run = *state;
  struct grouping_config *config = config_of("");
  for (size_t i = 0; i < EVENTS; i++) compare_until_known(run, config, events[i]);
  for (size_t i = 0; i < EVENTS; i++) compare(run, config, events[i]);
  grouping_config_destroy(config);
}

// The same place, and errors that differ in what is no part of it.
static void other_values(void **state) {
  struct memory_run *run = *state;
  struct grouping_config *config = config_of("");
  for (int i = 0; i < 20; i++) {
    char json[2000];
    snprintf(json, sizeof json,
             "{\"platform\":\"python\",\"level\":\"%s\",\"exception\":{\"type\":\"E%d\",\"value\":\"value %c\","
             "\"mechanism\":{\"type\":\"m\",\"synthetic\":%s},\"stacktrace\":%s}}",
             i % 2 ? "error" : "info", i % 3, 'a' + i, i % 5 ? "false" : "true", FRAMES);
    compare(run, config, json);
    assert_true(run->recalled == (i >= 2));
  }
  grouping_config_destroy(config);
}

// Rules may change under the memory, and a configuration may lie where another one was.
static void other_rules(void **state) {
  struct memory_run *run = *state;
  static const char *const rules[] = {"",
                                      "function:g -app -group",
                                      "function:g +app\nfamily:native -group",
                                      "path:**/b.py ^-group\nmodule:m max-frames=1",
                                      "type:A -group",
                                      "value:v -group",
                                      "value:*7* +app",
                                      "mechanism:m category=x\ncategory:x -app",
                                      ""};
  for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
    struct grouping_config *config = config_of(rules[i]);
    for (size_t k = 0; k < EVENTS; k++) compare_until_known(run, config, events[k]);
    grouping_config_destroy(config);
  }
}

// One stack trace and several types, in turn and each twice: the hash that was remembered for one is no other's.
static void other_types(void **state) {
  struct memory_run *run = *state;
  char long_type[200];
  memset(long_type, 'T', sizeof long_type - 1);
  long_type[sizeof long_type - 1] = 0;
  const char *const types[] = {"A", "A", "B", "", "A", "AB", "AB", "A", long_type, long_type, "B"};
  struct grouping_config *config = config_of("");
  for (int round = 0; round < 4; round++) {
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
      char json[2048];
      snprintf(json, sizeof json,
               "{\"platform\":\"python\",\"exception\":{\"type\":\"%s\",\"value\":\"v\",\"stacktrace\":" FRAMES "}}",
               types[i]);
      compare(run, config, json);
    }
  }
  assert_true(run->recalled);
  grouping_config_destroy(config);
}

// What comes behind the first stack trace is longer than what is gathered for one call of the hash, and differs at its
// end only.
static void long_chains(void **state) {
  struct memory_run *run = *state;
  struct grouping_config *config = config_of("");
  for (int round = 0; round < 6; round++) {
    for (int tail = 0; tail < 3; tail++) {
      char json[16384];
      int len =
          snprintf(json, sizeof json,
                   "{\"platform\":\"python\",\"exception\":{\"values\":[{\"type\":\"A\",\"stacktrace\":" FRAMES "}");
      for (int i = 0; i < 12; i++) {
        len += snprintf(json + len, sizeof json - (size_t)len,
                        ",{\"type\":\"%0200d\",\"stacktrace\":{\"frames\":[{\"function\":\"f%d\",\"module\":\"m\","
                        "\"in_app\":true}]}}",
                        i == 11 ? tail : i, i);
      }
      snprintf(json + len, sizeof json - (size_t)len, "]}}");
      compare(run, config, json);
    }
  }
  assert_true(run->recalled);
  grouping_config_destroy(config);
}

// What a rule asks of the exception is part of the place.
static void questions_about_the_exception(void **state) {
  struct memory_run *run = *state;
  struct grouping_config *config = config_of("type:A -group\nvalue:x* -app\nmechanism:m function:g -group");
  for (int i = 0; i < 60; i++) {
    char json[2000];
    snprintf(json, sizeof json,
             "{\"platform\":\"python\",\"exception\":{\"type\":\"%c\",\"value\":\"%c\",\"mechanism\":{\"type\":\"%c\"},"
             "\"stacktrace\":%s}}",
             i % 2 ? 'A' : 'B', i % 3 ? 'x' : 'y', i % 5 ? 'm' : 'n', FRAMES);
    compare(run, config, json);
  }
  grouping_config_destroy(config);
}

// A frame that differs in one field from one that is known is another frame.
static void every_field_counts(void **state) {
  struct memory_run *run = *state;
  struct grouping_config *config = config_of("function:f category=x\ncategory:y -app\npackage:/p/** +app");
  static const char *const fields[] = {
      "\"function\":\"f\"",
      "\"function\":\"h\"",
      "\"function\":\"f\",\"raw_function\":\"a.b\"",
      "\"function\":\"f\",\"module\":\"m\"",
      "\"function\":\"f\",\"module\":\"n\"",
      "\"function\":\"f\",\"package\":\"/p/q\"",
      "\"function\":\"f\",\"filename\":\"a.py\"",
      "\"function\":\"f\",\"filename\":\"a.py\",\"abs_path\":\"http://x/a.py\"",
      "\"function\":\"f\",\"platform\":\"javascript\"",
      "\"function\":\"f\",\"context_line\":\"x\"",
      "\"function\":\"f\",\"context_line\":\"x\",\"data\":{\"sourcemap\":\"s\"},\"platform\":\"node\"",
      "\"function\":\"f\",\"context_line\":\"x\",\"platform\":\"node\"",
      "\"function\":\"f\",\"data\":{\"category\":\"y\"}",
      "\"function\":\"f\",\"in_app\":true",
      "\"function\":\"f\",\"in_app\":false",
      "\"function\":\"f\",\"lineno\":4",
      "\"function\":\"f\",\"colno\":4",
      "\"function\":\"\",\"module\":\"f\"",
  };
  static const char *const platforms[] = {"python", "csharp", "java", "native"};
  for (int round = 0; round < 3; round++) {
    for (size_t p = 0; p < 4; p++) {
      for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        char json[2000];
        snprintf(json, sizeof json,
                 "{\"platform\":\"%s\",\"exception\":{\"type\":\"E\",\"stacktrace\":{\"frames\":[{\"function\":\"f\"},"
                 "{%s}]}}}",
                 platforms[p], fields[i]);
        compare(run, config, json);
        if (round == 2) assert_true(run->recalled);
      }
    }
  }
  grouping_config_destroy(config);
}

// More places than there is room for.
static void bounded(void **state) {
  struct memory_run *run = *state;
  grouping_memory_destroy(run->memory);
  run->memory = grouping_memory_create(64 << 10);
  struct grouping_config *config = config_of("");
  size_t most = 0;
  for (int i = 0; i < 3000; i++) {
    char json[2000];
    snprintf(json, sizeof json,
             "{\"platform\":\"native\",\"exception\":{\"type\":\"E\",\"stacktrace\":{\"frames\":[{\"function\":"
             "\"void f%d(int)\",\"filename\":\"a.c\"},{\"function\":\"g\"}]}}}",
             i / 5 % 100 + (i > 2000 ? 1000 : 0));
    compare(run, config, json);
    size_t bytes = grouping_memory_bytes(run->memory);
    assert_true(bytes <= 64 << 10);
    if (bytes > most) most = bytes;
  }
  assert_true(most > 32 << 10); // it was used up
  assert_true(run->recalled);
  grouping_config_destroy(config);
}

// A trace that would take much of the memory is computed each time.
static void too_large(void **state) {
  struct memory_run *run = *state;
  grouping_memory_destroy(run->memory);
  run->memory = grouping_memory_create(64 << 10);
  struct grouping_config *config = config_of("");
  struct buffer json;
  buffer_init(&json, 1 << 16);
  buffer_append_cstr(&json, "{\"exception\":{\"type\":\"E\",\"stacktrace\":{\"frames\":[{\"function\":\"f\"}");
  for (int i = 0; i < 60; i++) buffer_printf(&json, ",{\"function\":\"f%d\"}", i);
  buffer_append_cstr(&json, "]}}}");
  buffer_append_byte(&json, 0);
  for (int i = 0; i < 4; i++) {
    compare(run, config, (const char *)json.ptr);
    assert_false(run->recalled);
    compare(run, config, events[0]);
    assert_true(run->recalled == (i >= 2));
  }
  buffer_finish(&json);
  grouping_config_destroy(config);
}

// An event with `count` threads, each with a trace of its own, and one trace that is the exception's when it was
// raised, else a thread's.
static void write_threads(struct buffer *json, bool raised, int count) {
  buffer_clear(json);
  buffer_append_cstr(json, "{\"platform\":\"native\"");
  if (raised) buffer_append_cstr(json, ",\"exception\":{\"type\":\"E\",\"stacktrace\":" FRAMES "}");
  buffer_append_cstr(json, ",\"threads\":[{\"id\":0,\"crashed\":true}");
  if (!raised) buffer_append_cstr(json, ",{\"id\":1,\"stacktrace\":" FRAMES "}");
  for (int i = 0; i < count; i++) {
    buffer_printf(json, ",{\"id\":%d,\"stacktrace\":{\"frames\":[", i + 2);
    for (int f = 0; f < 10; f++) buffer_printf(json, "%s{\"function\":\"f%0200d\"}", f > 0 ? "," : "", i);
    buffer_append_cstr(json, "]}}");
  }
  buffer_append(json, "]}", 3); // and its NUL
  assert_false(json->failed);
}

// What is known of a thread's trace is not complete. The event that completes it needs it to its end, however many
// traces it has that want the room.
static void what_is_completed_stays(void **state) {
  struct memory_run *run = *state;
  struct grouping_config *config = config_of("");
  struct buffer json;
  buffer_init(&json, 1 << 20);
  for (int round = 0; round < 5; round++) {
    grouping_memory_destroy(run->memory);
    run->memory = grouping_memory_create(64 << 10);
    for (int i = 0; i < 2; i++) { // the thread's trace is kept
      write_threads(&json, false, 0);
      compare(run, config, (const char *)json.ptr);
    }
    write_threads(&json, false, 10 + 10 * round); // the others are met once, so they will be
    compare(run, config, (const char *)json.ptr);
    for (int i = 0; i < 3; i++) {
      write_threads(&json, true, 10 + 10 * round);
      compare(run, config, (const char *)json.ptr);
    }
    assert_true(run->recalled);
    assert_true(grouping_memory_bytes(run->memory) <= 64 << 10);
  }
  buffer_finish(&json);
  grouping_config_destroy(config);
}

// What could not be computed whole is not remembered.
static void out_of_memory(void **state) {
  struct memory_run *run = *state;
  struct grouping_config *config = config_of("");
  struct arena parsed;
  arena_init(&parsed, 1 << 20);
  struct error error = {""};
  for (size_t bytes = 1; bytes < 60000; bytes += 331) {
    struct json_value root;
    struct sentry_event event;
    struct grouping_result result;
    arena_reset(&parsed);
    assert_int_equal(json_parse(run->parser, slice_from_cstr(events[1]), &root, &error), STATUS_OK);
    assert_int_equal(sentry_event_parse(root, &parsed, &event, &error), STATUS_OK);
    struct arena arena;
    arena_init(&arena, bytes);
    enum status status = grouping_compute_remembering(config, &event, &arena, run->memory, &result);
    assert_true(status == STATUS_NO_MEMORY || status == STATUS_OK);
    arena_finish(&arena);
    if (bytes % 7 == 0) compare(run, config, events[1]);
  }
  compare_until_known(run, config, events[1]);
  arena_finish(&parsed);
  grouping_config_destroy(config);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(known_places),
      TEST(other_values),
      TEST(other_rules),
      TEST(other_types),
      TEST(long_chains),
      TEST(questions_about_the_exception),
      TEST(every_field_counts),
      TEST(bounded),
      TEST(out_of_memory),
      TEST(too_large),
      TEST(what_is_completed_stays),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
