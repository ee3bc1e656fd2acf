// SPDX-License-Identifier: Apache-2.0
//
// Every step of grouping on events of our own. A hash is checked by what it is the MD5 of.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "grouping_events.h"

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

// A stack trace of frames given as JSON, on a platform; what "system" is made of.
static void check_frames(struct grouping_run *run, const char *platform, const char *frames, const char *expected) {
  char json[8192];
  snprintf(json, sizeof(json), "{\"platform\":\"%s\",\"stacktrace\":{\"frames\":[%s]}}", platform, frames);
  grouping_run_event(run, json);
  grouping_run_check(run, "system", expected);
}

static void frame_parts(void **state) {
  struct grouping_run *run = *state;
  check_frames(run, "python", "{\"module\":\"m\",\"filename\":\"a/B.py\",\"function\":\"f\",\"lineno\":3}", "mf");
  check_frames(run, "python", "{\"filename\":\"a\\\\B.PY\",\"function\":\"f\"}", "b.pyf");
  check_frames(run, "python", "{\"filename\":\"b.py\",\"function\":\"f\",\"context_line\":\"  x =\\t 1 \"}",
               "b.pyfx = 1");
  check_frames(run, "go", "{\"filename\":\"b.go\",\"function\":\"f\",\"context_line\":\"x\"}", "b.gof");
  check_frames(run, "python", "{\"function\":\"f\"},{\"platform\":\"java\",\"function\":\"lambda$1\",\"module\":\"j\"}",
               "fj");
  check_frames(run, "python", "{\"filename\":\"<anonymous>\",\"function\":\"f\"}", "f");
  check_frames(run, "other", "{\"filename\":\"http://x.example/a.js\",\"function\":\"f\"}", "f");
  check_frames(run, "other", "{\"filename\":\"file:///x/a.js\",\"function\":\"f\"}", "a.jsf");
}

static void context_lines(void **state) {
  struct grouping_run *run = *state;
  char frame[512], line[122];
  memset(line, 'x', 121);
  line[121] = '\0';
  snprintf(frame, sizeof(frame), "{\"function\":\"f\",\"context_line\":\"%s\"}", line);
  check_frames(run, "ruby", frame, "f");
  line[120] = '\0';
  char expected[130];
  snprintf(expected, sizeof(expected), "f%s", line);
  snprintf(frame, sizeof(frame), "{\"function\":\"f\",\"context_line\":\"%s\"}", line);
  check_frames(run, "ruby", frame, expected);
  static const char page[] = "{\"function\":\"g\"},{\"abs_path\":\"https://x.example/a\",\"context_line\":\"y\"}";
  check_frames(run, "javascript", page, "g");
  static const char mapped[] = "{\"function\":\"g\",\"context_line\":\"y\",\"data\":{\"sourcemap\":\"a.map\"}}";
  check_frames(run, "javascript", mapped, "y"); // the line says it, names in source maps are guesses
}

static void recursion(void **state) {
  struct grouping_run *run = *state;
  check_frames(run, "python",
               "{\"function\":\"f\",\"lineno\":1},{\"function\":\"f\",\"lineno\":1},{\"function\":\"f\",\"lineno\":2}",
               "ff");
}

static void java_names(void **state) {
  struct grouping_run *run = *state;
  static const char *const rows[][2] = {
      {"sun.reflect.GeneratedMethodAccessor12", "sun.reflect.GeneratedMethodAccessor"},
      {"jdk.internal.reflect.GeneratedMethodAccessor7", "jdk.internal.reflect.GeneratedMethodAccessor"},
      {"sun.reflect.GeneratedConstructorAccessor3", "sun.reflect.GeneratedConstructorAccessor<auto>"},
      {"sun.reflect.GeneratedSerializationConstructorAccessor3",
       "sun.reflect.GeneratedSerializationConstructorAccessor<auto>"},
      {"a.B$$SpringCGLIB$$1e4f_0", "a.B$$SpringCGLIB$$<auto>"},
      {"a.B$$EnhancerByCGLIB$$1e4f", "a.B$$EnhancerByCGLIB$$<auto>"},
      {"a.B$$EnhancerByGuice$$ae46$$FastClassByGuice$$caec", "a.B$$EnhancerByGuice$$<auto>$$FastClassByGuice$$<auto>"},
      {"x.sun.reflect.GeneratedConstructorAccessor3$4", "x.sun.reflect.GeneratedConstructorAccessor<auto>$4"},
      {"jdk.internal.reflect.GeneratedConstructorAccessor3", "jdk.internal.reflect.GeneratedConstructorAccessor3"},
      {"a.B$EnhancerByGuice$ae46b1bf", "a.B$EnhancerByGuice$<auto>"},
      {"a.B$$EnhancerByGuice$$ae46b1bf$FastClassByGuice$caceacd2_1",
       "a.B$$EnhancerByGuice$$<auto>$FastClassByGuice$<auto>"},
      {"a.B$$EnhancerByGuice$$xyz", "a.B$$EnhancerByGuice$$xyz"},
      {"a.B$$CGLIB$$1e4f", "a.B$$CGLIB$$1e4f"},
      {"a.B_$$_javassist_74", "a.B_$$_javassist<auto>"},
      {"a.B_$$_javassist_seam_74", "a.B_$$_javassist<auto>"},
      {"a.core$_main$fn__1539$fn__1540", "a.core$_main$fn__<auto>$fn__<auto>"},
      {"a.B$HibernateProxy$ZLqTDrC1", "a.B$HibernateProxy$<auto>"},
      {"a.B$Inner", "a.B$Inner"},
      {"a.B$$Lambda$14/1", ""},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char frame[512];
    // Some frame contributes beside it, so that a muted module shows as an empty one.
    char expected[512];
    snprintf(frame, sizeof(frame), "{\"module\":\"%s\",\"function\":\"f\"}", rows[i][0]);
    snprintf(expected, sizeof(expected), "%sf", rows[i][1]);
    check_frames(run, "java", frame, expected);
  }
  check_frames(run, "java", "{\"filename\":\"R_$$_javassist_seam_74.java\",\"function\":\"f\"}",
               "r_$$_javassist<auto>.javaf");
  check_frames(run, "java", "{\"module\":\"m\",\"function\":\"lambda$a$0\"}", "m");
}

static void function_names(void **state) {
  struct grouping_run *run = *state;
  check_frames(run, "ruby", "{\"module\":\"m\",\"function\":\"block in run\"}", "mblock");
  check_frames(run, "ruby", "{\"function\":\"_app_views_a__1234567_8901234\"}", "_app_views_a");
  check_frames(run, "ruby", "{\"function\":\"_app_views_a__123_8901234\"}", "_app_views_a__123_8901234");
  check_frames(run, "php", "{\"module\":\"m\",\"function\":\"[Anonymous function]\"}", "m");
  check_frames(run, "php", "{\"module\":\"m\",\"function\":\"class@anonymous/a.php:12::run\"}", "mrun");
  check_frames(run, "csharp", "{\"function\":\"A.B\",\"raw_function\":\"A.B ()\"}", "A.B ()");
  check_frames(run, "python", "{\"function\":\"A.B\",\"raw_function\":\"A.B ()\"}", "A.B");
  check_frames(run, "native", "{\"filename\":\"a.c\",\"function\":\"<redacted>\"}", "a.c");
  check_frames(run, "python", "{\"filename\":\"a.py\",\"function\":\"?\"}", "a.py");
  check_frames(run, "native", "{\"function\":\"void a::b<int>(c) const\"}", "a::b<T>");
}

static void javascript_frames(void **state) {
  struct grouping_run *run = *state;
  check_frames(run, "javascript", "{\"function\":\"Object.a.b\"}", "b");
  check_frames(run, "node", "{\"filename\":\"a.js\",\"function\":\"Object.<anonymous>\"}", "a.js");
  check_frames(run, "javascript", "{\"filename\":\"a.js\",\"function\":\"f/<\"}", "a.js");
  check_frames(run, "javascript", "{\"function\":\"g\"},{\"function\":\"eval\",\"module\":\"m\"}", "g");
  check_frames(run, "javascript", "{\"function\":\"g\"},{\"function\":\"forEach\",\"abs_path\":\"[native code]\"}",
               "g");
  check_frames(run, "javascript", "{\"module\":\"a/b\",\"abs_path\":\"https://x.example/a/b\",\"function\":\"f\"}",
               "f");
  check_frames(run, "javascript", "{\"module\":\"a/b\",\"abs_path\":\"https://x.example/c\",\"function\":\"f\"}",
               "a/bf");
  check_frames(run, "javascript", "{\"abs_path\":\"https://x.example/a.js\",\"module\":\"m\"}",
               ""); // one nameless frame
}

static void app_and_system(void **state) {
  struct grouping_run *run = *state;
  static const char frames[] = "{\"function\":\"a\",\"in_app\":true},{\"function\":\"l\",\"in_app\":false}";
  check_frames(run, "python", frames, "al");
  grouping_run_check(run, "app", "a");
  check_frames(run, "python", "{\"function\":\"a\",\"in_app\":true}", "a");
  grouping_run_check(run, "app", ""); // says the same
  check_frames(run, "python", "{\"function\":\"a\"}", "a");
  grouping_run_check(run, "app", "");
  assert_int_equal(run->event.stacktrace.frames[0].in_app, SENTRY_IN_APP_NO);
}

// What does not count is in the tree too, and says why: the variant's root or any component below it.
static void check_hint(struct grouping_run *run, const char *variant, const char *id, const char *hint) {
  struct buffer out;
  struct json_writer writer;
  buffer_init(&out, 1 << 20);
  json_writer_init(&writer, &out);
  const struct grouping_variant *found = grouping_run_variant(run, variant);
  assert_non_null(found);
  grouping_write_component(found->root, &writer);
  buffer_append_byte(&out, 0);
  char muted[200];
  snprintf(muted, sizeof(muted), "{\"id\":\"%s\",\"contributes\":false,\"hint\":\"%s\"", id, hint);
  if (!strstr((const char *)out.ptr, muted)) fail_msg("%s: no %s in %s", variant, muted, (const char *)out.ptr);
  buffer_finish(&out);
}

static void reasons(void **state) {
  struct grouping_run *run = *state;
  check_frames(run, "python", "{\"function\":\"a\",\"in_app\":true}", "a");
  check_hint(run, "app", "stacktrace", "ignored because hash matches system variant");
  check_frames(run, "python", "{\"function\":\"a\",\"in_app\":true},{\"function\":\"l\",\"in_app\":false}", "al");
  check_hint(run, "app", "frame", "non app frame");
  static const char both[] = "{\"logentry\":{\"formatted\":\"m\"},\"exception\":{\"values\":[{\"type\":\"T\",\"value\":"
                             "\"v\",\"stacktrace\":{\"frames\":[{\"function\":\"l\"}]}}]}}";
  grouping_run_event(run, both);
  check_hint(run, "app", "exception", "ignored because another variant has a stack trace");
  check_hint(run, "default", "message", "exception takes precedence");
  check_hint(run, "default", "default", "exception takes precedence");
}

static void exceptions(void **state) {
  struct grouping_run *run = *state;
  grouping_run_event(run, "{\"exception\":{\"type\":\"T\",\"value\":\"took 3 s\"}}");
  grouping_run_check(run, "app", "Ttook <int> s");
  grouping_run_check(run, "system", NULL);
  grouping_run_event(run, "{\"exception\":{\"values\":[{\"type\":\"T\",\"value\":\"v\",\"stacktrace\":{\"frames\":"
                          "[{\"function\":\"a\",\"in_app\":true},{\"function\":\"l\"}]}}]}}");
  grouping_run_check(run, "system", "alT");
  grouping_run_check(run, "app", "aT");
  // Without frames of its own, app has no stack trace: it does not count where system has one.
  grouping_run_event(run, "{\"exception\":{\"values\":[{\"type\":\"T\",\"value\":\"v\",\"stacktrace\":{\"frames\":"
                          "[{\"function\":\"l\"}]}}]}}");
  grouping_run_check(run, "system", "lT");
  grouping_run_check(run, "app", "");
  // A chain is all of them, oldest first; those without a stack trace are part of app only.
  grouping_run_event(run,
                     "{\"exception\":{\"values\":[{\"type\":\"C\",\"value\":\"v 1\"},{\"type\":\"T\",\"value\":\"v\","
                     "\"stacktrace\":{\"frames\":[{\"function\":\"a\",\"in_app\":true},{\"function\":\"l\"}]}}]}}");
  grouping_run_check(run, "system", "alT");
  grouping_run_check(run, "app", "Cv <int>aT");
}

static void mechanisms(void **state) {
  struct grouping_run *run = *state;
  grouping_run_event(run,
                     "{\"exception\":{\"values\":[{\"type\":\"SIGSEGV\",\"value\":\"v\",\"mechanism\":{\"type\":\"m\","
                     "\"synthetic\":true}}]}}");
  grouping_run_check(run, "app", "v");
  grouping_run_event(run,
                     "{\"exception\":{\"values\":[{\"type\":\"E\",\"value\":\"v\",\"mechanism\":{\"type\":\"NSError\","
                     "\"meta\":{\"ns_error\":{\"domain\":\"D\",\"code\":-7}}}}]}}");
  grouping_run_check(run, "app", "ED-7");
}

#define MECHANISM(id, parent, group)                                                                                   \
  "\"mechanism\":{\"type\":\"m\",\"exception_id\":" id parent ",\"is_exception_group\":" group "}}"
#define PARENT(id) ",\"parent_id\":" id

static void groups(void **state) {
  struct grouping_run *run = *state;
  // Twice the same below a group: it alone, and it is the main exception.
  grouping_run_event(
      run, "{\"exception\":{\"values\":["
           "{\"type\":\"A\",\"value\":\"v 2\"," MECHANISM(
               "2", PARENT("0"), "false") ","
                                          "{\"type\":\"A\",\"value\":\"v 1\"," MECHANISM(
                                              "1", PARENT("0"), "false") ","
                                                                         "{\"type\":\"G\",\"value\":\"g\"," MECHANISM(
                                                                             "0", "", "true") "]}}");
  grouping_run_check(run, "app", "Av <int>");
  assert_true(slice_equal_cstr(run->result.title, "A: v 1"));
  // Nested groups are opened; different ones are sorted by type, from the last, and the root comes behind.
  grouping_run_event(
      run, "{\"exception\":{\"values\":["
           "{\"type\":\"A\",\"value\":\"a\"," MECHANISM(
               "3", PARENT("1"),
               "false") ","
                        "{\"type\":\"B\",\"value\":\"b\"," MECHANISM(
                            "2", PARENT("0"),
                            "false") ","
                                     "{\"type\":\"H\",\"value\":\"h\"," MECHANISM(
                                         "1", PARENT("0"),
                                         "true") ","
                                                 "{\"type\":\"G\",\"value\":\"g\"," MECHANISM("0", "", "true") "]}}");
  grouping_run_check(run, "app", "BbAaGg");
  assert_true(slice_equal_cstr(run->result.title, "G: g"));
  // An id given twice: both are below the group, the last of the event first.
  grouping_run_event(
      run, "{\"exception\":{\"values\":["
           "{\"type\":\"A\",\"value\":\"a\"," MECHANISM(
               "1", PARENT("0"), "false") ","
                                          "{\"type\":\"A\",\"value\":\"b\"," MECHANISM(
                                              "1", PARENT("0"), "false") ","
                                                                         "{\"type\":\"G\",\"value\":\"g\"," MECHANISM(
                                                                             "0", "", "true") "]}}");
  grouping_run_check(run, "app", "AbAaGg");
  // A cause below the one exception comes with it.
  grouping_run_event(
      run, "{\"exception\":{\"values\":["
           "{\"type\":\"C\",\"value\":\"c\"," MECHANISM(
               "2", PARENT("1"), "false") ","
                                          "{\"type\":\"A\",\"value\":\"a\"," MECHANISM(
                                              "1", PARENT("0"), "false") ","
                                                                         "{\"type\":\"G\",\"value\":\"g\"," MECHANISM(
                                                                             "0", "", "true") "]}}");
  grouping_run_check(run, "app", "AaCc");
}

static void malformed_groups(void **state) {
  struct grouping_run *run = *state;
  static const char *const events[] = {
      // no root
      "{\"exception\":{\"values\":[{\"type\":\"A\"," MECHANISM(
          "3", PARENT("1"), "false") ","
                                     "{\"type\":\"B\"," MECHANISM("2", PARENT("1"),
                                                                  "false") ",{\"type\":\"G\"," MECHANISM("1", "",
                                                                                                         "true") "]}}",
      // an id is missing
      "{\"exception\":{\"values\":[{\"type\":\"A\"},{\"type\":\"B\"," MECHANISM(
          "1", PARENT("0"), "false") ","
                                     "{\"type\":\"G\"," MECHANISM("0", "", "true") "]}}",
      // the root is its own grandchild
      "{\"exception\":{\"values\":[{\"type\":\"A\"," MECHANISM(
          "2", PARENT("1"), "true") ","
                                    "{\"type\":\"B\"," MECHANISM("1", PARENT("0"),
                                                                 "true") ",{\"type\":\"G\"," MECHANISM("0", PARENT("2"),
                                                                                                       "true") "]}}",
      // the same without groups: the path of causes has no end
      "{\"exception\":{\"values\":[{\"type\":\"A\"," MECHANISM(
          "2", PARENT("1"),
          "false") ","
                   "{\"type\":\"B\"," MECHANISM("1", PARENT("0"),
                                                "false") ",{\"type\":\"G\"," MECHANISM("0", PARENT("2"), "false") "]}}",
  };
  for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
    grouping_run_event(run, events[i]);
    grouping_run_check(run, "app", "ABG");
  }
}

static void threads(void **state) {
  struct grouping_run *run = *state;
#define TRACE(name) "\"stacktrace\":{\"frames\":[{\"function\":\"" name "\"}]}"
  grouping_run_event(run, "{\"threads\":{\"values\":[{\"id\":1,\"current\":true," TRACE(
                              "a") "},"
                                   "{\"id\":2,\"crashed\":true," TRACE("b") "}]}}");
  grouping_run_check(run, "system", "b");
  grouping_run_event(
      run, "{\"threads\":{\"values\":[{\"id\":1,\"current\":true," TRACE("a") "},{\"id\":2," TRACE("b") "}]}}");
  grouping_run_check(run, "system", "a");
  grouping_run_event(run, "{\"threads\":[{\"id\":1," TRACE("a") "}]}");
  grouping_run_check(run, "system", "a");
  grouping_run_event(run, "{\"threads\":[{\"id\":1," TRACE("a") "},{\"id\":2," TRACE("b") "}]}");
  grouping_run_check(run, "app", "");
  assert_string_equal(grouping_run_variant(run, "fallback")->hash, "d41d8cd98f00b204e9800998ecf8427e");
}

static void strategies(void **state) {
  struct grouping_run *run = *state;
  grouping_run_event(run,
                     "{\"exception\":{\"type\":\"T\"},\"stacktrace\":{\"frames\":[]},\"logentry\":{\"message\":\"m\"},"
                     "\"template\":{\"filename\":\"t\",\"context_line\":\"{{ x }}\"},"
                     "\"threads\":[{\"id\":1," TRACE("a") "}]}");
  grouping_run_check(run, "app", "T");
  grouping_run_check(run, "system", ""); // the thread's
  grouping_run_check(run, "default", "");
  grouping_run_event(
      run, "{\"logentry\":{\"message\":\"m\"},\"template\":{\"filename\":\"t\",\"context_line\":\"{{ x }}\"}}");
  grouping_run_check(run, "default", "t{{ x }}");
  grouping_run_event(run, "{\"logentry\":{\"message\":\"user %s\",\"formatted\":\"user 5\",\"params\":[\"5\"]}}");
  grouping_run_check(run, "default", "user %s");
  grouping_run_event(run, "{\"message\":\"user 5\"}");
  grouping_run_check(run, "default", "user <int>");
}

static void reports(void **state) {
  struct grouping_run *run = *state;
  static const char *const csp[][4] = {
      {"script-src", "", "script-src 'unsafe-inline'", "script-src'unsafe-inline'"},
      {"script-src", "self", "script-src 'unsafe-eval'", "script-src'unsafe-eval'"},
      {"script-src", "https://x.example/a", "script-src 'unsafe-eval'", "script-srcx.example"},
      {"img-src", "self", "img-src", "img-src'self'"},
      {"img-src", "http://x.example:81/a?b", "img-src", "img-srcx.example:81"},
      {"img-src", "ftp://x.example/a", "img-src", "img-srcftp://x.example"},
      {"img-src", "data:image/png", "img-src", "img-srcdata:"},
      {"img-src", "blob", "img-src", "img-srcblob:"},
      {"img-src", "FILE:///a", "img-src", "img-srcfile://"},
      {"img-src", "https", "img-src", "img-srchttps://"},
      {"img-src", "ms-appx-web://a.b/c", "img-src", "img-srcms-appx-web://a.b"},
      {"img-src", "localhost:8080", "img-src", "img-srclocalhost:"},
      {"img-src", "127.0.0.1:8080", "img-src", "img-src"},
      {"img-src", "//x.example:81/a", "img-src", "img-src//x.example:81"},
      {"", "self", "style-src 'none'", "style-src'self'"},
  };
  for (size_t i = 0; i < sizeof(csp) / sizeof(csp[0]); i++) {
    char json[512];
    snprintf(json, sizeof(json),
             "{\"csp\":{\"effective_directive\":\"%s\",\"blocked_uri\":\"%s\",\"violated_directive\":\"%s\"},"
             "\"logentry\":{\"formatted\":\"Blocked\"}}",
             csp[i][0], csp[i][1], csp[i][2]);
    grouping_run_event(run, json);
    grouping_run_check(run, "default", csp[i][3]);
  }
  grouping_run_event(run, "{\"hpkp\":{\"hostname\":\"x.example\"}}");
  grouping_run_check(run, "default", "hpkpx.example");
  grouping_run_event(run, "{\"expectct\":{\"hostname\":\"x.example\"}}");
  grouping_run_check(run, "default", "expect-ctx.example");
  grouping_run_event(run, "{\"expectstaple\":{\"hostname\":\"x.example\"}}");
  grouping_run_check(run, "default", "expect-staplex.example");
}

static void checksums(void **state) {
  struct grouping_run *run = *state;
  grouping_run_event(run, "{\"checksum\":\"0123456789abcdef0123456789abcdef\",\"message\":\"m\"}");
  assert_int_equal(run->result.variant_count, 1);
  assert_string_equal(grouping_run_variant(run, "checksum")->hash, "0123456789abcdef0123456789abcdef");
  assert_true(slice_equal_cstr(run->result.title, "m"));
  grouping_run_event(run, "{\"checksum\":\"own\",\"fingerprint\":[\"x\"]}");
  grouping_run_check(run, "hashed-checksum", "own");
}

static void client_fingerprints(void **state) {
  struct grouping_run *run = *state;
  grouping_run_event(run, "{\"message\":\"m 1\",\"fingerprint\":[\"{{default}}\"]}");
  grouping_run_check(run, "default", "m <int>");
  grouping_run_event(run, "{\"message\":\"m 1\",\"fingerprint\":[\"a\",\"{{ default }}\",7]}");
  grouping_run_check(run, "default", "am <int>7");
  grouping_run_event(run,
                     "{\"message\":\"m 1\",\"level\":\"error\",\"fingerprint\":[\"a\",\"{{ level }}\",\"{{ x }}\"]}");
  grouping_run_check(run, "default", "");
  grouping_run_check(run, "custom-fingerprint", "aerror{{ x }}");
  assert_int_equal(run->result.fingerprint_count, 3);
}

static void fallbacks(void **state) {
  struct grouping_run *run = *state;
  grouping_run_event(run, "{\"platform\":\"go\",\"logger\":\"l\"}");
  assert_string_equal(grouping_run_variant(run, "fallback")->hash, "d41d8cd98f00b204e9800998ecf8427e");
  assert_true(grouping_run_variant(run, "fallback")->contributes);
  struct grouping_config_options salted = {.without_builtin = true};
  grouping_run_with(run, "{\"platform\":\"go\",\"logger\":\"l\"}", salted);
  grouping_run_check(run, "fallback", "fallback:go:l");
  grouping_run_with(run, "{\"platform\":\"go\"}", salted);
  grouping_run_check(run, "fallback", "fallback:go:");
}

static void titles(void **state) {
  struct grouping_run *run = *state;
  static const struct {
    const char *event, *title, *culprit, *location;
  } rows[] = {
      {"{}", "<unlabeled event>", "", ""},
      {"{\"message\":\"\\n first \\nsecond\"}", "first ", "", ""},
      {"{\"title\":\"own\",\"message\":\"m\"}", "own", "", ""},
      {"{\"exception\":{\"type\":\"T\",\"value\":\"a\\nb\"}}", "T: a", "", ""},
      {"{\"exception\":{\"type\":\"T\"},\"request\":{\"url\":\"https://x.example/p\"}}", "T", "https://x.example/p",
       ""},
      {"{\"transaction\":\"t\",\"exception\":{\"type\":\"T\"}}", "T", "t", ""},
      {"{\"platform\":\"native\",\"exception\":{\"values\":[{\"type\":\"SIGABRT\",\"value\":\"v\",\"mechanism\":{"
       "\"type\":\"m\","
       "\"synthetic\":true},\"stacktrace\":{\"frames\":[{\"function\":\"f(int)\",\"filename\":\"f.c\"},"
       "{\"function\":\"<redacted>\"}]}}]}}",
       "f", "", "f.c"},
      {"{\"platform\":\"native\",\"stacktrace\":{\"frames\":[{\"function\":\"f(int)\"}]}}", "<unlabeled event>", "f",
       ""},
      {"{\"platform\":\"javascript\",\"exception\":{\"type\":\"T\",\"stacktrace\":{\"frames\":[{\"function\":\"f\","
       "\"filename\":\"a.js\",\"in_app\":true},{\"function\":\"g\",\"module\":\"m\"}]}}}",
       "T", "f(a.js)", "a.js"},
      {"{\"platform\":\"python\",\"exception\":{\"type\":\"T\",\"stacktrace\":{\"frames\":[{\"function\":\"g\","
       "\"module\":\"m\",\"abs_path\":\"/x/m.py\"}]}}}",
       "T", "m in g", "/x/m.py"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    grouping_run_event(run, rows[i].event);
    const struct grouping_result *result = &run->result;
    if (!slice_equal_cstr(result->title, rows[i].title) || !slice_equal_cstr(result->culprit, rows[i].culprit) ||
        !slice_equal_cstr(result->location, rows[i].location)) {
      fail_msg("%s: title '%.*s', culprit '%.*s', location '%.*s'", rows[i].event, SLICE_PRINTF(result->title),
               SLICE_PRINTF(result->culprit), SLICE_PRINTF(result->location));
    }
  }
}

static void long_titles(void **state) {
  struct grouping_run *run = *state;
  char json[512], value[151];
  memset(value, 'v', 150);
  value[150] = '\0';
  snprintf(json, sizeof(json), "{\"exception\":{\"type\":\"T\",\"value\":\"%s\"}}", value);
  grouping_run_event(run, json);
  assert_int_equal(run->result.title.len, 3 + 100);
  assert_true(slice_ends_with(run->result.title, SLICE_LITERAL("vvv...")));
}

// What an SDK sends and what the text of the same error was parsed into have one outline, whatever the text lacks.
static void outlines(void **state) {
  struct grouping_run *run = *state;
#define RUN(json)     grouping_run_with(run, json, (struct grouping_config_options){0})
#define STACK(frames) ",\"stacktrace\":{\"frames\":[" frames "]}}"
  // Node: context lines and a cause. Python: the module is a guess.
  RUN("{\"platform\":\"node\",\"exception\":{\"values\":[{\"type\":\"Cause\",\"value\":\"c\"},{\"type\":\"E\"" STACK(
      "{\"function\":\"lib\",\"filename\":\"/a/node_modules/l.js\"},{\"function\":\"Object.total\",\"module\":\"cart\","
      "\"filename\":\"/a/Cart.js\",\"context_line\":\"x()\",\"in_app\":true}") "]}}");
  grouping_run_check(run, "outline", "cart.jstotalE");
  RUN("{\"platform\":\"node\",\"exception\":{\"values\":[{\"type\":\"E\"" STACK(
      "{\"function\":\"total\",\"filename\":\"/b/cart.js\",\"in_app\":true}") "]}}");
  grouping_run_check(run, "outline", "cart.jstotalE");
  RUN("{\"platform\":\"python\",\"exception\":{\"values\":[{\"type\":\"E\"" STACK(
      "{\"function\":\"f\",\"module\":\"shop.cart\",\"filename\":\"shop/cart.py\",\"in_app\":true}") "]}}");
  grouping_run_check(run, "outline", "cart.pyfE");
  // Of ten frames of V8 and more the innermost ten.
  struct buffer json;
  buffer_init(&json, 1 << 16);
  buffer_append_slice(
      &json, SLICE_LITERAL("{\"platform\":\"node\",\"exception\":{\"type\":\"E\",\"stacktrace\":{\"frames\":["));
  for (int i = 0; i < 14; i++) {
    char frame[128];
    snprintf(frame, sizeof(frame), "%s{\"function\":\"%c\",\"filename\":\"/a.js\",\"in_app\":true}", i > 0 ? "," : "",
             'a' + i);
    buffer_append_slice(&json, slice_from_cstr(frame));
  }
  buffer_append_slice(&json, SLICE_LITERAL("]}}}"));
  buffer_append(&json, "", 1);
  RUN((const char *)buffer_slice(&json).ptr);
  grouping_run_check(run, "outline", "a.jsea.jsfa.jsga.jsha.jsia.jsja.jska.jsla.jsma.jsnE");
  buffer_finish(&json);
  // Not for what cannot be told apart by it, nor where somebody said what is one issue, nor among published hashes.
  static const char *const without[] = {
      "{\"exception\":{\"type\":\"E\",\"value\":\"v\"}}",
      "{\"message\":\"m\"}",
      "{\"exception\":{\"type\":\"E\"" STACK("{\"function\":\"f\",\"filename\":\"a.py\",\"in_app\":false}") "}",
      "{\"exception\":{\"type\":\"E\"" STACK("{\"filename\":\"a.py\",\"in_app\":true}") "}",
      "{\"exception\":{\"value\":\"v\"" STACK("{\"function\":\"f\",\"filename\":\"a.py\",\"in_app\":true}") "}",
      "{\"fingerprint\":[\"x\"],\"exception\":{\"type\":\"E\"" STACK(
          "{\"function\":\"f\",\"filename\":\"a.py\",\"in_app\":true}") "}",
  };
  for (size_t i = 0; i < sizeof(without) / sizeof(without[0]); i++) {
    RUN(without[i]);
    grouping_run_check(run, "outline", NULL);
  }
  grouping_run_event(
      run, "{\"exception\":{\"type\":\"E\"" STACK("{\"function\":\"f\",\"filename\":\"a.py\",\"in_app\":true}") "}");
  grouping_run_check(run, "outline", NULL);
#undef STACK
#undef RUN
}

static void out_of_memory(void **state) {
  (void)state;
  struct grouping_config *config;
  assert_int_equal(grouping_config_create(&(struct grouping_config_options){0}, &config, NULL), STATUS_OK);
  struct sentry_frame frames[64] = {0};
  for (int i = 0; i < 64; i++) frames[i].function = SLICE_LITERAL("void f<int>(int)");
  for (size_t bytes = 1; bytes < 60000; bytes += 997) {
    struct sentry_event event = {.platform = SLICE_LITERAL("native"),
                                 .stacktrace = {.frames = frames, .frame_count = 64}};
    struct arena arena;
    arena_init(&arena, bytes);
    struct grouping_result result = {.variant_count = 99};
    enum status status = grouping_compute(config, &event, &arena, &result);
    assert_true(status == STATUS_NO_MEMORY || status == STATUS_OK);
    assert_true((status == STATUS_NO_MEMORY) == (result.variant_count == 99)); // untouched on failure
    for (int i = 0; i < 64; i++) frames[i] = (struct sentry_frame){.function = SLICE_LITERAL("void f<int>(int)")};
    arena_finish(&arena);
  }
  grouping_config_destroy(config);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(frame_parts),         TEST(context_lines),  TEST(recursion),  TEST(java_names),  TEST(function_names),
      TEST(javascript_frames),   TEST(app_and_system), TEST(exceptions), TEST(mechanisms),  TEST(groups),
      TEST(malformed_groups),    TEST(threads),        TEST(strategies), TEST(reports),     TEST(checksums),
      TEST(client_fingerprints), TEST(fallbacks),      TEST(titles),     TEST(long_titles), TEST(outlines),
      TEST(out_of_memory),       TEST(reasons),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
