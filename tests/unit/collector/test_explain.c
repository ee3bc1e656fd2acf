// SPDX-License-Identifier: Apache-2.0
//
// `culprit explain` over the published grouping cases: every hash of every case, every fingerprint case with its
// fingerprint, title and variants. And what the command itself promises: one JSON line a file, rules from a file,
// codes.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <unistd.h>
#include <yaml.h>

#include "../processor/grouping_published.h"
#include "base/json.h"
#include "collector/explain.h"

#define BYTES_MAX ((size_t)64 << 20)

struct fixture {
  struct json_parser *parser, *expected_parser;
  struct buffer text, line;
};

static int setup(void **state) {
  struct fixture *fixture = calloc(1, sizeof(*fixture));
  fixture->parser = json_parser_create(BYTES_MAX);
  fixture->expected_parser = json_parser_create(BYTES_MAX);
  buffer_init(&fixture->text, BYTES_MAX);
  buffer_init(&fixture->line, BYTES_MAX);
  *state = fixture;
  return 0;
}

static int teardown(void **state) {
  struct fixture *fixture = *state;
  json_parser_destroy(fixture->parser);
  json_parser_destroy(fixture->expected_parser);
  buffer_finish(&fixture->text);
  buffer_finish(&fixture->line);
  free(fixture);
  return 0;
}

static struct json_value explain(struct fixture *fixture, const char *name, struct slice event, const char *rules) {
  struct error error = {{0}};
  buffer_clear(&fixture->line);
  enum status status = explain_event(name, event, slice_from_cstr(rules), &fixture->line, &error);
  if (status != STATUS_OK) fail_msg("%s: %s", name, error.text);
  struct json_value root;
  assert_int_equal(json_parse(fixture->parser, buffer_slice(&fixture->line), &root, NULL), STATUS_OK);
  assert_int_equal(fixture->line.ptr[fixture->line.len - 1], '\n');
  assert_int_equal(slice_find_byte(buffer_slice(&fixture->line), '\n'), fixture->line.len - 1);
  return root;
}

static bool same_text(struct json_value a, struct json_value b) {
  return json_type_of(a) == json_type_of(b) && slice_equal(json_string(a), json_string(b));
}

static void published_hashes(void **state) {
  struct fixture *fixture = *state;
  if (!published_read("expected.json", &fixture->text)) {
    print_message("published cases are absent, skipped\n");
    skip();
  }
  struct json_value root, wanted, hash;
  assert_int_equal(json_parse(fixture->expected_parser, buffer_slice(&fixture->text), &root, NULL), STATUS_OK);
  struct slice name, variant;
  uint32_t cases = 0, wrong = 0;
  struct json_iter iter = json_iterate(root);
  while (json_object_next(&iter, &name, &wanted)) {
    char path[256];
    snprintf(path, sizeof(path), "inputs/%.*s.json", SLICE_PRINTF(name));
    assert_true(published_read(path, &fixture->text));
    struct json_value variants = json_get(explain(fixture, path, buffer_slice(&fixture->text), ""), "variants");
    bool same = json_count(variants) == json_count(wanted);
    struct json_iter hashes = json_iterate(wanted);
    while (json_object_next(&hashes, &variant, &hash)) {
      same = same && same_text(json_get(json_get_slice(variants, variant), "hash"), hash);
    }
    if (!same) print_error("%.*s: %.*s\n", SLICE_PRINTF(name), SLICE_PRINTF(buffer_slice(&fixture->line)));
    wrong += !same;
    cases++;
  }
  assert_int_equal(wrong, 0);
  assert_true(cases >= 100);
}

static yaml_node_t *yaml_member(yaml_document_t *document, yaml_node_t *map, const char *key) {
  if (map == NULL || map->type != YAML_MAPPING_NODE) return NULL;
  for (yaml_node_pair_t *pair = map->data.mapping.pairs.start; pair < map->data.mapping.pairs.top; pair++) {
    yaml_node_t *name = yaml_document_get_node(document, pair->key);
    if (strcmp((const char *)name->data.scalar.value, key) == 0) return yaml_document_get_node(document, pair->value);
  }
  return NULL;
}

static bool yaml_is(yaml_node_t *node, struct slice text) {
  return node != NULL && slice_equal(slice_make(node->data.scalar.value, node->data.scalar.length), text);
}

static void check_list(yaml_document_t *document, yaml_node_t *list, struct json_value got, const char *name) {
  struct json_value item;
  struct json_iter iter = json_iterate(got);
  yaml_node_item_t *at = list->data.sequence.items.start;
  while (json_array_next(&iter, &item)) {
    if (at == list->data.sequence.items.top || !yaml_is(yaml_document_get_node(document, *at), json_string(item))) {
      fail_msg("%s: unexpected '%.*s'", name, SLICE_PRINTF(json_string(item)));
    }
    at++;
  }
  assert_ptr_equal(at, list->data.sequence.items.top);
}

static void check_variants(yaml_document_t *document, yaml_node_t *expected, struct json_value got, const char *name) {
  uint64_t count = 0;
  for (yaml_node_pair_t *pair = expected->data.mapping.pairs.start; pair < expected->data.mapping.pairs.top; pair++) {
    yaml_node_t *key = yaml_document_get_node(document, pair->key);
    yaml_node_t *wanted = yaml_document_get_node(document, pair->value);
    struct json_value variant = json_get(got, (const char *)key->data.scalar.value);
    if (!json_is_present(variant)) fail_msg("%s: no variant %s", name, key->data.scalar.value);
    yaml_node_t *component = yaml_member(document, wanted, "component");
    bool contributes = json_bool(json_get(variant, "contributes"));
    bool wanted_contributes =
        component == NULL || yaml_is(yaml_member(document, component, "contributes"), SLICE_LITERAL("true"));
    if (contributes != wanted_contributes) fail_msg("%s: variant %s contributes", name, key->data.scalar.value);
    if (component == NULL) {
      check_list(document, yaml_member(document, wanted, "values"), json_get(json_get(variant, "components"), "values"),
                 name);
    }
    count++;
  }
  assert_int_equal(json_count(got), count);
}

static void check_fingerprint(struct fixture *fixture, const char *name) {
  char path[512];
  snprintf(path, sizeof(path), "fingerprint/%s.json", name);
  assert_true(published_read(path, &fixture->text));
  struct json_value got = explain(fixture, name, buffer_slice(&fixture->text), "");
  snprintf(path, sizeof(path), "fingerprint/%s.expected.txt", name);
  assert_true(published_read(path, &fixture->text));
  yaml_parser_t parser;
  yaml_document_t document;
  yaml_parser_initialize(&parser);
  yaml_parser_set_input_string(&parser, fixture->text.ptr, fixture->text.len);
  assert_true(yaml_parser_load(&parser, &document)); // who made it
  yaml_document_delete(&document);
  assert_true(yaml_parser_load(&parser, &document));
  yaml_node_t *root = yaml_document_get_root_node(&document);
  check_list(&document, yaml_member(&document, root, "fingerprint"), json_get(got, "fingerprint"), name);
  if (!yaml_is(yaml_member(&document, root, "title"), json_string(json_get(got, "title")))) {
    fail_msg("%s: title '%.*s'", name, SLICE_PRINTF(json_string(json_get(got, "title"))));
  }
  check_variants(&document, yaml_member(&document, root, "variants"), json_get(got, "variants"), name);
  yaml_document_delete(&document);
  yaml_parser_delete(&parser);
}

static void published_fingerprints(void **state) {
  struct fixture *fixture = *state;
  char path[1024];
  published_path(path, sizeof(path), "fingerprint");
  DIR *folder = opendir(path);
  if (folder == NULL) {
    print_message("published cases are absent, skipped\n");
    skip();
  }
  uint32_t cases = 0;
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    char name[256];
    snprintf(name, sizeof(name), "%s", entry->d_name);
    char *ending = strstr(name, ".json");
    if (ending == NULL) continue;
    *ending = '\0';
    check_fingerprint(fixture, name);
    cases++;
  }
  closedir(folder);
  assert_true(cases >= 17);
}

static const char event_text[] =
    "{\"platform\":\"python\",\"exception\":{\"values\":[{\"type\":\"E\",\"value\":\"x 1\",\"stacktrace\":{\"frames\":["
    "{\"module\":\"app\",\"function\":\"main\",\"in_app\":true},{\"module\":\"lib\",\"function\":\"wrap\"}]}}]}}";

static void rules_of_a_project(void **state) {
  struct fixture *fixture = *state;
  struct slice event = slice_from_cstr(event_text);
  struct json_value root = explain(fixture, "a.json", event, "");
  assert_true(slice_equal_cstr(json_string(json_get(root, "file")), "a.json"));
  assert_true(slice_equal_cstr(json_string(json_get(root, "algorithm")), "sentry-newstyle-2023-01-11"));
  assert_true(slice_equal_cstr(json_string(json_get(root, "title")), "E: x 1"));
  assert_true(slice_equal_cstr(json_string(json_get(root, "culprit")), "app in main"));
  struct slice app = json_string(json_get(json_get(json_get(root, "variants"), "app"), "hash"));
  assert_int_equal(app.len, 32);
  char before[33] = {0};
  memcpy(before, app.ptr, 32);

  root = explain(fixture, "a.json", event, "# two kinds\nmodule:lib +app\ntype:E -> own, {{ module }} title=\"Own\"\n");
  struct json_value variants = json_get(root, "variants");
  assert_int_equal(json_type_of(json_get(json_get(variants, "app"), "hash")), JSON_NULL);
  assert_true(json_is_present(json_get(variants, "custom-fingerprint")));
  assert_true(slice_equal_cstr(json_string(json_get(root, "title")), "Own"));
  root = explain(fixture, "a.json", event, "module:lib +app\n");
  assert_int_equal(json_type_of(json_get(json_get(json_get(root, "variants"), "app"), "hash")), JSON_NULL);

  struct slice answer = SLICE_LITERAL("{\"title\":\"T\",\"document\":{\"message\":\"from the API\"}}");
  root = explain(fixture, "a.json", answer, "");
  assert_true(slice_equal_cstr(json_string(json_get(root, "title")), "from the API"));

  struct error error = {{0}};
  buffer_clear(&fixture->line);
  enum status status = explain_event("a", event, SLICE_LITERAL("\nmodule:x\n"), &fixture->line, &error);
  assert_int_equal(status, STATUS_INVALID);
  assert_memory_equal(error.text, "stack trace rules: line 2, column 9: a rule needs an action", 58);
  assert_int_equal(explain_event("a", SLICE_LITERAL("[1]"), event, &fixture->line, &error), STATUS_INVALID);
  assert_int_equal(explain_event("a", SLICE_LITERAL("{"), (struct slice){0}, &fixture->line, &error), STATUS_INVALID);
}

// What comes through the door is explained: bytes that are no UTF-8, numbers that are none, a byte order mark.
static void json_of_sdks(void **state) {
  struct json_value root = explain(
      *state, "a", SLICE_LITERAL("\xef\xbb\xbf{\"message\":\"a \xff 5\",\"extra\":{\"b\":NaN,\"c\":-Infinity}}"), "");
  assert_true(slice_equal_cstr(json_string(json_get(root, "title")), "a \xef\xbf\xbd 5"));
}

static void stack_text(void **state) {
  struct fixture *fixture = *state;
  struct error error = {{0}};
  static const char text[] = "Traceback (most recent call last):\n  File \"/app/a.py\", line 3, in main\n    run()\n"
                             "ValueError: bad 7\n";
  assert_int_equal(explain_stack("t", slice_from_cstr(text), SLICE_LITERAL("python"), &fixture->line, &error),
                   STATUS_OK);
  struct json_value root, exception, frame;
  assert_int_equal(json_parse(fixture->parser, buffer_slice(&fixture->line), &root, NULL), STATUS_OK);
  assert_true(slice_equal_cstr(json_string(json_get(root, "platform")), "python"));
  struct json_iter iter = json_iterate(json_get(root, "exceptions"));
  assert_true(json_array_next(&iter, &exception));
  assert_true(slice_equal_cstr(json_string(json_get(exception, "type")), "ValueError"));
  assert_true(slice_equal_cstr(json_string(json_get(exception, "value")), "bad 7"));
  iter = json_iterate(json_get(exception, "frames"));
  assert_true(json_array_next(&iter, &frame));
  assert_true(slice_equal_cstr(json_string(json_get(frame, "function")), "main"));
  assert_int_equal(json_u64(json_get(frame, "lineno")), 3);

  buffer_clear(&fixture->line);
  assert_int_equal(explain_stack("t", SLICE_LITERAL("no trace"), (struct slice){0}, &fixture->line, &error), STATUS_OK);
  assert_int_equal(json_parse(fixture->parser, buffer_slice(&fixture->line), &root, NULL), STATUS_OK);
  assert_int_equal(json_count(json_get(root, "exceptions")), 0);
}

// Runs the command with standard output and error in files; returns its code, *out_text is what it printed.
static int run(struct fixture *fixture, int argc, const char *const *argv, bool error_stream) {
  char path[] = "/tmp/culprit-explain-XXXXXX";
  int file = mkstemp(path);
  assert_true(file >= 0);
  fflush(stdout);
  fflush(stderr);
  int stream = error_stream ? STDERR_FILENO : STDOUT_FILENO, kept = dup(stream);
  dup2(file, stream);
  char *arguments[8] = {0};
  for (int i = 0; i < argc; i++) arguments[i] = strdup(argv[i]);
  int code = explain_main(argc, arguments);
  fflush(stdout);
  fflush(stderr);
  dup2(kept, stream);
  close(kept);
  for (int i = 0; i < argc; i++) free(arguments[i]);
  buffer_clear(&fixture->text);
  char chunk[4096];
  lseek(file, 0, SEEK_SET);
  for (ssize_t len; (len = read(file, chunk, sizeof(chunk))) > 0;) buffer_append(&fixture->text, chunk, (size_t)len);
  close(file);
  unlink(path);
  return code;
}

static bool printed(struct fixture *fixture, const char *text) {
  return slice_find(buffer_slice(&fixture->text), slice_from_cstr(text)) <= fixture->text.len;
}

static void command(void **state) {
  struct fixture *fixture = *state;
  const char *message[] = {"explain", "message", "2 of 7 failed", "plain"};
  assert_int_equal(run(fixture, 4, message, false), 0);
  assert_true(slice_equal_cstr(buffer_slice(&fixture->text), "<int> of <int> failed\nplain\n"));
  const char *ids[] = {"explain", "message", "--ids", "trace VdLchF7iDo8sVkg="};
  assert_int_equal(run(fixture, 4, ids, false), 0);
  assert_true(slice_equal_cstr(buffer_slice(&fixture->text), "trace <uniq_id>\n"));
  const char *help[] = {"explain", "--help"};
  assert_int_equal(run(fixture, 2, help, false), 0);
  assert_true(printed(fixture, "usage: culprit explain event"));
  const char *none[] = {"explain"};
  assert_int_equal(run(fixture, 1, none, true), 2);
  assert_true(printed(fixture, "event, stack or message"));
  const char *unknown[] = {"explain", "event", "--colour", "x"};
  assert_int_equal(run(fixture, 4, unknown, true), 2);
  assert_true(printed(fixture, "unknown option '--colour'"));
  const char *no_value[] = {"explain", "event", "--rules"};
  assert_int_equal(run(fixture, 3, no_value, true), 2);
  const char *nothing[] = {"explain", "stack"};
  assert_int_equal(run(fixture, 2, nothing, true), 2);
  const char *absent[] = {"explain", "event", "/nonexistent/event.json"};
  assert_int_equal(run(fixture, 3, absent, true), 1);
  assert_true(printed(fixture, "/nonexistent/event.json: No such file"));
  const char *no_rules[] = {"explain", "event", "--rules", "/nonexistent/rules", "x"};
  assert_int_equal(run(fixture, 5, no_rules, true), 1);
}

static void command_files(void **state) {
  struct fixture *fixture = *state;
  char event[] = "/tmp/culprit-event-XXXXXX", rules[] = "/tmp/culprit-rules-XXXXXX";
  int files[2] = {mkstemp(event), mkstemp(rules)};
  assert_int_equal(write(files[0], event_text, strlen(event_text)), (ssize_t)strlen(event_text));
  static const char rule[] = "type:E -> from-a-file\n";
  assert_int_equal(write(files[1], rule, strlen(rule)), (ssize_t)strlen(rule));
  const char *arguments[] = {"explain", "event", "--rules", rules, event, "/nonexistent/event.json", event};
  assert_int_equal(run(fixture, 7, arguments, false), 1); // one failed, the others are explained
  assert_true(printed(fixture, "\"fingerprint\":[\"from-a-file\"]"));
  struct slice text = buffer_slice(&fixture->text);
  uint32_t lines = 0;
  for (size_t i = 0; i < text.len; i++) lines += text.ptr[i] == '\n';
  assert_int_equal(lines, 2);
  for (int i = 0; i < 2; i++) close(files[i]);
  unlink(event);
  unlink(rules);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(published_hashes, setup, teardown),
      cmocka_unit_test_setup_teardown(published_fingerprints, setup, teardown),
      cmocka_unit_test_setup_teardown(rules_of_a_project, setup, teardown),
      cmocka_unit_test_setup_teardown(json_of_sdks, setup, teardown),
      cmocka_unit_test_setup_teardown(stack_text, setup, teardown),
      cmocka_unit_test_setup_teardown(command, setup, teardown),
      cmocka_unit_test_setup_teardown(command_files, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
