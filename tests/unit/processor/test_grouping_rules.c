// SPDX-License-Identifier: Apache-2.0
//
// Stack-trace rules and fingerprint rules: their syntax, what is said about mistakes, and what they do to events.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grouping_events.h"
#include "processor/grouping_rules.h"

static int setup(void **state) {
  struct grouping_run *run = calloc(1, sizeof(*run));
  grouping_run_start(run);
  *state = run;
  return 0;
}

static int teardown(void **state) {
  grouping_run_finish(*state);
  free(*state);
  return 0;
}

static void check_rules(struct grouping_run *run, const char *rules, const char *json, const char *variant,
                        const char *expected) {
  struct grouping_config_options options = {
      .enhancements = slice_from_cstr(rules), .without_builtin = true, .published_fallback = true};
  grouping_run_with(run, json, options);
  grouping_run_check(run, variant, expected);
}

// Frames a, b, c, d of one Python stack, b in app.
#define FRAMES                                                                                                         \
  "{\"platform\":\"python\",\"exception\":{\"type\":\"T\",\"value\":\"v\",\"stacktrace\":{\"frames\":["                \
  "{\"function\":\"a\",\"module\":\"m.a\",\"abs_path\":\"/x/lib/a.py\"},"                                              \
  "{\"function\":\"b\",\"module\":\"m.b\",\"abs_path\":\"/x/App/b.py\",\"in_app\":true},"                              \
  "{\"function\":\"c\",\"module\":\"n.c\",\"abs_path\":\"c\\\\lib\\\\C.PY\",\"package\":\"P.DLL\"},"                   \
  "{\"function\":\"d\",\"module\":\"n.d\",\"data\":{\"category\":\"own\"}}]}}}"
#define ALL_FRAMES "m.aam.bbn.ccn.ddT"

static void matchers(void **state) {
  static const char *const rows[][2] = {
      {"", ALL_FRAMES},
      {"function:a -group", "m.bbn.ccn.ddT"},
      {"stack.function:a -group", "m.bbn.ccn.ddT"},
      {"module:m.* -group", "n.ccn.ddT"},
      {"!module:m.* -group", "m.aam.bbT"},
      {"path:/x/*/b.py -group", "m.aan.ccn.ddT"}, // without regard to case
      {"path:/x/*.py -group", ALL_FRAMES},        // one part only
      {"path:/x/**/*.py -group", "n.ccn.ddT"},
      {"stack.abs_path:**/lib/** -group", "m.bbn.ddT"}, // backslashes are slashes
      {"path:/c/lib/c.py -group", "m.aam.bbn.ddT"},     // also tried with a slash in front
      {"package:p.dll -group", "m.aam.bbn.ddT"},
      {"app:yes -group", "m.aan.ccn.ddT"},
      {"app:no -group", "m.bbT"},
      {"app:perhaps -group", ALL_FRAMES},
      {"!app:perhaps -group", "Tv"},
      {"category:own -group", "m.aam.bbn.ccT"},
      {"category:o* -group", "m.aam.bbn.ccT"},
      {"!category:own -group", "n.ddT"},
      {"family:other function:a -group", "m.bbn.ccn.ddT"},
      {"family:native function:a -group", ALL_FRAMES},
      {"family:native,other function:a -group", "m.bbn.ccn.ddT"},
      {"family:all function:a -group", "m.bbn.ccn.ddT"},
      {"!family:native function:a -group", "m.bbn.ccn.ddT"},
      {"type:T function:a -group", "m.bbn.ccn.ddT"},
      {"error.type:X function:a -group", ALL_FRAMES},
      {"function:a error.value:v -group", "m.bbn.ccn.ddT"},
      {"error.mechanism:x function:a -group", ALL_FRAMES},
      {"error.mechanism:<unknown> function:a -group", "m.bbn.ccn.ddT"},
      {"function:a module:m.b -group", ALL_FRAMES},
      {"function:\"a\" -group", "m.bbn.ccn.ddT"},
      {"\"function\":a -group", "m.bbn.ccn.ddT"},
      {"function:[ab] -group", "n.ccn.ddT"},
      {"function:{a,d} -group", "m.bbn.ccT"},
      {"[ function:a ] | function:b -group", "m.aan.ccn.ddT"},
      {"[ function:a ] | function:c -group", ALL_FRAMES},
      {"function:b | [ function:c ] -group", "m.aan.ccn.ddT"},
      {"[ function:a ] | function:b | [ function:c ] -group", "m.aan.ccn.ddT"},
      {"function:* | [ function:* ] -group", "n.ddT"}, // the last has no callee
      {"[ function:* ] | function:* -group", "m.aaT"}, // the first no caller
      {"function:* | [ !function:c ] -group", "m.bbn.ddT"},
      {"# nothing\n\n  function:a   -group  ", "m.bbn.ccn.ddT"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    check_rules(*state, rows[i][0], FRAMES, "system", rows[i][1]);
  }
}

static void actions(void **state) {
  static const char *const rows[][3] = {
      {"function:b ^-group", "system", "m.aam.bbT"},
      {"function:b v-group", "system", "m.bbn.ccn.ddT"},
      {"function:b ^-group -group", "system", "m.aaT"},
      {"function:* -group\nfunction:c +group", "system", "n.ccT"}, // rules in order
      {"function:b -app", "app", ""},
      {"function:b -app\nfunction:c +app", "app", "n.ccT"},
      {"function:a ^+app", "app", "m.bbn.ccn.ddT"},
      {"function:d v+app", "app", "m.aam.bbn.ccT"},
      {"function:a +group", "app", "m.aam.bbT"}, // brings back what is not the application's
      {"function:a category=x\ncategory:x -group", "system", "m.bbn.ccn.ddT"},
      {"category:x -group\nfunction:a category=x", "system", "m.bbn.ccn.ddT"}, // marks first, then groups
      {"function:a category=x\ncategory:x category=y\ncategory:x -group", "system", ALL_FRAMES},
      {"function:* max-frames=2", "system", "n.ccn.ddT"},
      {"function:* max-frames=1", "app", "m.bbT"},
      {"function:* min-frames=4", "system", ALL_FRAMES},
      {"function:* min-frames=5", "system", "Tv"},
      {"function:* min-frames=2", "app", ""}, // one frame of its own: its trace is muted, and system has one
      {"function:* invert-stacktrace=1", "system", ALL_FRAMES},
      {"function:* invert-stacktrace=yes", "system", ALL_FRAMES},
      {"function:a +prefix +sentinel", "system", ALL_FRAMES},
      {"function:b category=z +app ^-group", "system", "m.aam.bbT"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    check_rules(*state, rows[i][0], FRAMES, rows[i][1], rows[i][2]);
  }
}

// A rule's matches are found before any is applied.
static void matches_first(void **state) {
  check_rules(
      *state, "[ category:x ] | category:x category=y\ncategory:y -group",
      "{\"platform\":\"go\",\"stacktrace\":{\"frames\":[{\"function\":\"a\",\"data\":{\"category\":\"x\"}},"
      "{\"function\":\"b\",\"data\":{\"category\":\"x\"}},{\"function\":\"c\",\"data\":{\"category\":\"x\"}}]}}",
      "system", "a");
}

static void in_app_is_written_back(void **state) {
  struct grouping_run *run = *state;
  check_rules(run, "function:a +app\nfunction:b -app", FRAMES, "app", "m.aaT");
  const struct sentry_frame *frames = run->event.exceptions[0].stacktrace.frames;
  assert_int_equal(frames[0].in_app, SENTRY_IN_APP_YES);
  assert_int_equal(frames[1].in_app, SENTRY_IN_APP_NO);
  assert_int_equal(frames[2].in_app, SENTRY_IN_APP_NO);
}

// More frames than a word of a set has bits.
static void long_stacks(void **state) {
  char json[16384] = "{\"platform\":\"go\",\"stacktrace\":{\"frames\":[", expected[2048] = "";
  for (int i = 0; i < 150; i++) {
    snprintf(json + strlen(json), sizeof(json) - strlen(json), "%s{\"function\":\"f%d\",\"lineno\":%d}", i ? "," : "",
             i, i);
    if (i != 63 && i != 64 && i < 128) snprintf(expected + strlen(expected), 64, "f%d", i);
  }
  snprintf(json + strlen(json), sizeof(json) - strlen(json), "]}}");
  check_rules(*state,
              "[ function:f62 ] | function:f63 -group\n[ function:f63 ] | function:f64 -group\n"
              "function:f127 | [ function:f128 ] ^-group",
              json, "system", expected);
}

static void builtin(void **state) {
  struct grouping_run *run = *state;
  static const struct {
    const char *platform, *frame;
    enum sentry_in_app expected;
  } rows[] = {
      {"python", "\"abs_path\":\"/venv/lib/python3/site-packages/x.py\",\"in_app\":true", SENTRY_IN_APP_NO},
      {"node", "\"filename\":\"node_modules/x/y.js\",\"in_app\":true", SENTRY_IN_APP_NO},
      {"java", "\"module\":\"org.springframework.web.X\",\"in_app\":true", SENTRY_IN_APP_NO},
      {"java", "\"module\":\"com.example.X\",\"in_app\":true", SENTRY_IN_APP_YES},
      {"native", "\"package\":\"/usr/lib/libc.so\",\"in_app\":true", SENTRY_IN_APP_NO},
      {"native", "\"function\":\"std::vector<int>::push_back(int)\",\"in_app\":true", SENTRY_IN_APP_NO},
      {"go", "\"abs_path\":\"/home/x/go/pkg/mod/y/z.go\",\"in_app\":true", SENTRY_IN_APP_NO},
      {"cocoa", "\"package\":\"/private/var/containers/Bundle/Application/1/A.app/A\"", SENTRY_IN_APP_YES},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char json[512];
    snprintf(json, sizeof(json), "{\"platform\":\"%s\",\"stacktrace\":{\"frames\":[{%s}]}}", rows[i].platform,
             rows[i].frame);
    grouping_run_with(run, json, (struct grouping_config_options){0});
    assert_int_equal(run->event.stacktrace.frames[0].in_app, rows[i].expected);
  }
}

static void mistakes(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"function:a", "1, column 11: a rule needs an action; known are +app, -app, +group, -group, category=, "
                     "max-frames=, min-frames=, invert-stacktrace="},
      {"-group", "1, column 1: a rule needs a matcher; known are function, module, package, path, category, family, "
                 "type, value, mechanism, app"},
      {"\n\n \tfunktion:a -group", "3, column 3: unknown matcher 'funktion'; known are function, module, package, "
                                   "path, category, family, type, value, mechanism, app"},
      {"function:a !funktion:a -group", "1, column 12: unknown matcher 'funktion'; known are function, module, "
                                        "package, path, category, family, type, value, mechanism, app"},
      {"function:\"a -group", "1, column 10: a quote is never closed"},
      {"function: -group", "1, column 10: 'function:' needs a pattern"},
      {"function:\xc3\xa9 function:[a -group", "1, column 21: '[' is never closed in the pattern"},
      {"function:a +app -grup", "1, column 17: unknown action 'grup'; known are +app, -app, +group, -group, "
                                "category=, max-frames=, min-frames=, invert-stacktrace="},
      {"function:a max-frames=x", "1, column 23: 'max-frames=' needs a number"},
      {"function:a colour=red", "1, column 12: unknown action 'colour'; known are +app, -app, +group, -group, "
                                "category=, max-frames=, min-frames=, invert-stacktrace="},
      {"[ function:a function:b -group", "1, column 14: expected ']'"},
      {"[ function:a ] function:b -group", "1, column 16: expected '|'"},
      {"function:b | function:a -group", "1, column 14: expected '['"},
      {"function -group", "1, column 9: expected ':' behind 'function'"},
      {"function:a & -group", "1, column 12: expected a matcher like 'function:main' or an action like '-group'"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct grouping_config_options options = {.enhancements = slice_from_cstr(rows[i][0])};
    struct grouping_config *config = NULL;
    struct error error = {{0}};
    assert_int_equal(grouping_config_create(&options, &config, &error), STATUS_INVALID);
    assert_memory_equal(error.text, "stack trace rules: line ", 24);
    assert_string_equal(error.text + 24, rows[i][1]);
    assert_null(config);
    assert_int_equal(grouping_config_create(&options, &config, NULL), STATUS_INVALID);
  }
}

static void fingerprint_mistakes(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"type:T", "1, column 7: expected '->'"},
      {"-> a", "1, column 1: a rule needs a matcher; known are message, type, value, function, module, path, package, "
               "app, logger, level, tags.NAME, sdk, family, release"},
      {"type:T ->", "1, column 10: expected a fingerprint behind '->'"},
      {"type:T -> title=\"x\"", "1, column 20: expected a fingerprint behind '->'"},
      {"# ok\n type:T tipe:T -> a", "2, column 9: unknown matcher 'tipe'; known are message, type, value, function, "
                                    "module, path, package, app, logger, level, tags.NAME, sdk, family, release"},
      {"type:T -> {{ level", "1, column 11: '{{' is never closed"},
      {"type:T -> a, \"a", "1, column 14: a quote is never closed"},
      {"type:T -> }", "1, column 11: expected a value"},
      {"type:T -> a titel=\"b\"", "1, column 13: unknown attribute; known is title=\"…\""},
      {"type:[ -> a", "1, column 6: '[' is never closed in the pattern"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct grouping_config_options options = {.fingerprinting = slice_from_cstr(rows[i][0])};
    struct grouping_config *config;
    struct error error = {{0}};
    assert_int_equal(grouping_config_create(&options, &config, &error), STATUS_INVALID);
    assert_memory_equal(error.text, "fingerprint rules: line ", 24);
    assert_string_equal(error.text + 24, rows[i][1]);
  }
}

static void limits(void **state) {
  (void)state;
  size_t bytes = GROUPING_RULES_BYTES_MAX + 1;
  char *text = malloc(bytes);
  memset(text, '\n', bytes);
  struct grouping_config *config;
  struct grouping_config_options options = {.enhancements = slice_make(text, bytes)};
  assert_int_equal(grouping_config_create(&options, &config, NULL), STATUS_TOO_LARGE);
  size_t len = 0;
  for (int i = 0; i < GROUPING_RULES_MAX + 1; i++) len += (size_t)snprintf(text + len, bytes - len, "app:1 -app\n");
  options.enhancements = slice_make(text, len);
  assert_int_equal(grouping_config_create(&options, &config, NULL), STATUS_TOO_LARGE);
  len = 0;
  for (int i = 0; i < GROUPING_RULES_MATCHERS_MAX + 1; i++) len += (size_t)snprintf(text + len, bytes - len, "app:1 ");
  len += (size_t)snprintf(text + len, bytes - len, "-app");
  options.enhancements = slice_make(text, len);
  assert_int_equal(grouping_config_create(&options, &config, NULL), STATUS_TOO_LARGE);
  free(text);
  grouping_config_destroy(NULL);
}

#define EVENT                                                                                                          \
  "{\"platform\":\"python\",\"level\":\"error\",\"logger\":\"a.b\",\"release\":\"1.2\",\"transaction\":\"/t\","        \
  "\"sdk\":{\"name\":\"sentry.python.django\",\"version\":\"1\"},\"tags\":{\"k\":\"v\"},"                              \
  "\"logentry\":{\"formatted\":\"Log\"},\"exception\":{\"values\":[{\"type\":\"C\",\"value\":\"cause\"},"              \
  "{\"type\":\"T\",\"value\":\"Bad thing\",\"stacktrace\":{\"frames\":["                                               \
  "{\"function\":\"a\",\"module\":\"m\",\"abs_path\":\"/x/a.py\",\"filename\":\"a.py\",\"package\":\"/p/Q.so\","       \
  "\"in_app\":true},{\"function\":\"b\",\"module\":\"n\"}]}}]}}"

#define THREAD(member, function) "{" member ",\"stacktrace\":{\"frames\":[{\"function\":\"" function "\"}]}}"

static void check_fingerprint(struct grouping_run *run, const char *rule, const char *expected) {
  struct grouping_config_options options = {.fingerprinting = slice_from_cstr(rule), .without_builtin = true};
  grouping_run_with(run, EVENT, options);
  bool matched = grouping_run_variant(run, "custom-fingerprint") != NULL;
  if (matched != (expected != NULL)) fail_msg("%s: matched %d", rule, matched);
  if (expected != NULL) grouping_run_check(run, "custom-fingerprint", expected);
}

static void fingerprint_matchers(void **state) {
  static const struct {
    const char *matchers;
    bool matches;
  } rows[] = {
      {"type:T", true},
      {"type:C value:cause", true},
      {"type:T value:cause", false}, // one exception must have both
      {"type:T !value:cause", true},
      {"!type:?", false},
      {"error.value:\"bad *\"", true}, // without regard to case
      {"message:LOG", true},
      {"message:cause", true}, // values are messages too
      {"message:other", false},
      {"function:a module:m", true},
      {"function:a module:n", false}, // one frame must have both
      {"function:a app:yes", true},
      {"function:b app:no", true},
      {"function:b app:yes", false},
      {"path:**/A.py", true},
      {"stack.abs_path:a.py", true}, // the file name is tried too
      {"package:**/q.so", true},
      {"level:ERROR logger:a.*", true},
      {"logger:A.*", false},
      {"tags.k:v", true},
      {"tags.k:w", false},
      {"tags.other:*", false},
      {"!tags.other:*", true},
      {"sdk:sentry.python", true},
      {"sdk:sentry.python.django", false},
      {"family:other", true},
      {"family:native,javascript", false},
      {"release:1.*", true},
      {"\"type\":\"T\"", true},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char rule[256];
    snprintf(rule, sizeof(rule), "%s -> hit", rows[i].matchers);
    check_fingerprint(*state, rule, rows[i].matches ? "hit" : NULL);
  }
}

// Releases are matched as paths are; frames are those of the exceptions, else of the thread that crashed.
static void fingerprint_places(void **state) {
  static const struct {
    const char *rule, *event;
    bool matches;
  } rows[] = {
      {"release:APP@2/*", "{\"release\":\"app@2/x\"}", true},
      {"release:app@2*", "{\"release\":\"app@2/x\"}", false},
      {"release:**/app@2/x", "{\"release\":\"app@2/x\"}", true},
      {"function:f", "{\"stacktrace\":{\"frames\":[{\"function\":\"f\"}]}}", true},
      {"function:f", "{\"threads\":[" THREAD("\"id\":1", "f") "]}", true},
      {"function:f", "{\"threads\":[" THREAD("\"id\":1", "f") "," THREAD("\"id\":2", "g") "]}", false},
      {"function:f", "{\"threads\":[" THREAD("\"crashed\":true", "f") "," THREAD("\"current\":true", "g") "]}", true},
      {"function:g", "{\"threads\":[" THREAD("\"crashed\":true", "f") "," THREAD("\"current\":true", "g") "]}", false},
      {"function:g", "{\"threads\":[" THREAD("\"id\":1", "f") "," THREAD("\"current\":true", "g") "]}", true},
      {"function:f",
       "{\"exception\":[{\"type\":\"T\",\"stacktrace\":{\"frames\":[{\"function\":\"e\"}]}},{\"type\":\"U\"}],"
       "\"stacktrace\":{\"frames\":[{\"function\":\"f\"}]}}",
       false},
  };
  struct grouping_run *run = *state;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char rule[64];
    snprintf(rule, sizeof(rule), "%s -> hit", rows[i].rule);
    struct grouping_config_options options = {.fingerprinting = slice_from_cstr(rule), .without_builtin = true};
    grouping_run_with(run, rows[i].event, options);
    bool matches = grouping_run_variant(run, "custom-fingerprint") != NULL;
    if (matches != rows[i].matches) fail_msg("%s, %s: %d", rows[i].rule, rows[i].event, matches);
  }
}

static void fingerprint_values(void **state) {
  static const char *const rows[][2] = {
      {"a b, c", "abc"},
      {"a-{{ type }}", "a-T"},
      {"\"a, b\"", "a, b"},
      {"{{ transaction }}", "/t"},
      {"{{ message }}", "Log"},
      {"{{error.type}}{{ value }}", "TBad thing"},
      {"{{ function }} {{ stack.module }}", "am"},
      {"{{ path }}{{ stack.filename }}", "/x/a.pya.py"},
      {"{{ package }}", "Q.so"},
      {"{{ level }}{{ logger }}", "errora.b"},
      {"{{ tags.k }}{{ tags.x }}", "v<no-value-for-tag-x>"},
      {"{{ nothing }}", "{{ nothing }}"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char rule[256];
    snprintf(rule, sizeof(rule), "type:T -> %s", rows[i][0]);
    check_fingerprint(*state, rule, rows[i][1]);
  }
  struct grouping_run *run = *state;
  struct grouping_config_options options = {.fingerprinting = SLICE_LITERAL("message:* -> {{ type }} {{ function }} "
                                                                            "{{ transaction }}{{ tags.k }}{{ level }}"),
                                            .without_builtin = true};
  grouping_run_with(run, "{\"message\":\"m\"}", options);
  grouping_run_check(run, "custom-fingerprint", "<no-type><no-function><no-transaction><no-value-for-tag-k>error");
}

static void fingerprint_order_and_titles(void **state) {
  struct grouping_run *run = *state;
  struct grouping_config_options options = {
      .fingerprinting = SLICE_LITERAL("# first wins\ntype:X -> x\ntype:T -> {{ default }} more title=\"{{ type }} in "
                                      "{{ function }}: {{ x }}\"\ntype:T -> late"),
      .without_builtin = true};
  grouping_run_with(run, EVENT, options);
  assert_int_equal(run->result.fingerprint_count, 2);
  assert_true(slice_equal_cstr(run->result.title, "T in a: {{ x }}"));
  grouping_run_check(run, "system", "manbTmore");
}

// What is written of the grouping quotes the rule as it stands, whatever is in it.
static void hints_quote_rules(void **state) {
  struct grouping_run *run = *state;
  static const char *const rules[] = {"function:\"operator new\" -group", "path:C:\\Users\\** -app"};
  static const char *const hints[] = {"ignored by stack trace rule (function:\"operator new\")",
                                      "marked out of app by stack trace rule (path:C:\\Users\\**)"};
  for (int i = 0; i < 2; i++) {
    struct grouping_config_options options = {.enhancements = slice_from_cstr(rules[i]), .without_builtin = true};
    static const char json[] =
        "{\"platform\":\"python\",\"exception\":{\"type\":\"T\",\"value\":\"v\",\"stacktrace\":{\"frames\":["
        "{\"function\":\"main\",\"in_app\":true},"
        "{\"function\":\"operator new\",\"abs_path\":\"C:\\\\Users\\\\a.c\",\"in_app\":true}]}}}";
    struct grouping_config *config = NULL; // whose the hints are
    struct buffer out;
    struct json_writer writer;
    struct json_value root;
    struct error error = {0};
    arena_reset(&run->arena);
    assert_int_equal(grouping_config_create(&options, &config, &error), STATUS_OK);
    assert_int_equal(json_parse(run->parser, slice_from_cstr(json), &root, &error), STATUS_OK);
    assert_int_equal(sentry_event_parse(root, &run->arena, &run->event, &error), STATUS_OK);
    assert_int_equal(grouping_compute(config, &run->event, &run->arena, &run->result), STATUS_OK);
    buffer_init(&out, 1 << 20);
    json_writer_init(&writer, &out);
    grouping_write_variants(&run->result, &writer);
    struct slice text = buffer_slice(&out);
    if (json_parse(run->parser, text, &root, &error)) fail_msg("%s: %.*s", error.text, SLICE_PRINTF(text));
    struct buffer hint;
    buffer_init(&hint, 1 << 10);
    json_writer_init(&writer, &hint);
    json_write_cstr(&writer, hints[i]);
    if (slice_find(text, buffer_slice(&hint)) > text.len) fail_msg("%s: %.*s", hints[i], SLICE_PRINTF(text));
    buffer_finish(&hint);
    buffer_finish(&out);
    grouping_config_destroy(config);
  }
}

static void builtin_fingerprints(void **state) {
  struct grouping_run *run = *state;
  static const char chunk[] =
      "{\"platform\":\"javascript\",\"exception\":{\"type\":\"ChunkLoadError\",\"value\":\"Loading "
      "chunk 7 failed.\"}}";
  grouping_run_with(run, chunk, (struct grouping_config_options){0});
  grouping_run_check(run, "built-in-fingerprint", "chunkloaderror");
  // A project's own rules come first.
  struct grouping_config_options own = {.fingerprinting = SLICE_LITERAL("type:ChunkLoadError -> own")};
  grouping_run_with(run, chunk, own);
  grouping_run_check(run, "custom-fingerprint", "own");
  grouping_run_with(run,
                    "{\"platform\":\"javascript\",\"tags\":{\"transaction\":\"/a\"},\"exception\":{\"type\":\"Error\","
                    "\"value\":\"Minified React error #418; visit\"}}",
                    (struct grouping_config_options){0});
  grouping_run_check(run, "built-in-fingerprint", "hydrationerror/a");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(matchers),
      TEST(actions),
      TEST(matches_first),
      TEST(in_app_is_written_back),
      TEST(long_stacks),
      TEST(builtin),
      TEST(mistakes),
      TEST(fingerprint_mistakes),
      TEST(limits),
      TEST(fingerprint_matchers),
      TEST(fingerprint_places),
      TEST(fingerprint_values),
      TEST(fingerprint_order_and_titles),
      TEST(hints_quote_rules),
      TEST(builtin_fingerprints),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
