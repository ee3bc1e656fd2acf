// SPDX-License-Identifier: Apache-2.0
//
// An event is read, gets a configuration made of the built-in rules and those it carries, and goes through
// grouping_compute as it would in the inbox. Only the fallback hash is the published one, without salt, so that results
// can be compared with other implementations.
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "collector/explain.h"
#include "processor/grouping.h"
#include "proto/sentry_event.h"
#include "proto/sentry_json.h"

#define EVENT_BYTES_MAX ((size_t)64 << 20)
#define ARENA_BYTES_MAX ((size_t)512 << 20)
#define RULES_BYTES_MAX ((size_t)1 << 20)

// A rule's word in quotes.
static void append_quoted(struct buffer *rules, struct slice word) {
  buffer_append_byte(rules, '"');
  for (size_t i = 0; i < word.len; i++) {
    uint8_t c = word.ptr[i];
    if (c == '"' || c == '\\') buffer_append_byte(rules, '\\');
    if (c == '\n') {
      buffer_append_cstr(rules, "\\n");
    } else {
      buffer_append_byte(rules, c);
    }
  }
  buffer_append_byte(rules, '"');
}

// {"matchers":[["type","X"],…],"fingerprint":["a",…],"attributes":{"title":"…"}} as a line of text.
static void append_fingerprint_rule(struct buffer *rules, struct json_value rule) {
  struct json_value item, part;
  for (struct json_iter iter = json_iterate(json_get(rule, "matchers")); json_array_next(&iter, &item);) {
    struct slice words[2] = {{0}};
    struct json_iter pair = json_iterate(item);
    for (int i = 0; i < 2 && json_array_next(&pair, &part); i++) words[i] = json_string(part);
    buffer_append_slice(rules, words[0]);
    buffer_append_byte(rules, ':');
    append_quoted(rules, words[1]);
    buffer_append_byte(rules, ' ');
  }
  buffer_append_cstr(rules, "->");
  for (struct json_iter iter = json_iterate(json_get(rule, "fingerprint")); json_array_next(&iter, &item);) {
    buffer_append_byte(rules, ' ');
    append_quoted(rules, json_string(item));
  }
  struct slice title = json_string(json_get(json_get(rule, "attributes"), "title"));
  if (title.len > 0) {
    buffer_append_cstr(rules, " title=");
    append_quoted(rules, title);
  }
  buffer_append_byte(rules, '\n');
}

// A project's text: lines with "->" are fingerprint rules, the others stack-trace rules. Lines keep their numbers.
static void split_rules(struct slice text, struct buffer *enhancements, struct buffer *fingerprinting) {
  for (size_t at = 0; at < text.len;) {
    struct slice line = slice_skip(text, at);
    line = slice_sub(line, 0, slice_find_byte(line, '\n'));
    at += line.len + 1;
    bool fingerprint = slice_find(line, SLICE_LITERAL("->")) <= line.len;
    buffer_append_slice(fingerprint ? fingerprinting : enhancements, line);
    buffer_append_byte(enhancements, '\n');
    buffer_append_byte(fingerprinting, '\n');
  }
}

static enum status make_config(struct json_value root, struct slice rules, struct grouping_config **out_config,
                               struct error *error) {
  struct buffer enhancements, fingerprinting;
  buffer_init(&enhancements, RULES_BYTES_MAX);
  buffer_init(&fingerprinting, RULES_BYTES_MAX);
  split_rules(rules, &enhancements, &fingerprinting);
  buffer_append_slice(&enhancements, json_string(json_get(json_get(root, "_grouping"), "enhancements")));
  struct json_value own = json_get(root, "_fingerprinting_rules"), rule;
  if (json_type_of(own) == JSON_OBJECT) own = json_get(own, "rules");
  buffer_append_slice(&fingerprinting, json_string(own));
  for (struct json_iter iter = json_iterate(own); json_type_of(own) == JSON_ARRAY && json_array_next(&iter, &rule);) {
    append_fingerprint_rule(&fingerprinting, rule);
  }
  enum status status = STATUS_OK;
  if (enhancements.failed || fingerprinting.failed) {
    status = error_set(error, STATUS_TOO_LARGE, "rules: more than %zu bytes", RULES_BYTES_MAX);
  } else {
    struct grouping_config_options options = {.enhancements = buffer_slice(&enhancements),
                                              .fingerprinting = buffer_slice(&fingerprinting),
                                              .published_fallback = true};
    status = grouping_config_create(&options, out_config, error);
  }
  buffer_finish(&enhancements);
  buffer_finish(&fingerprinting);
  return status;
}

static void write_text(struct json_writer *writer, const char *key, struct slice text) {
  json_key(writer, key);
  json_write_string(writer, text);
}

static void write_event(const char *file, const struct grouping_result *result, struct buffer *out) {
  struct json_writer writer;
  json_writer_init(&writer, out);
  json_begin_object(&writer);
  write_text(&writer, "file", slice_from_cstr(file));
  write_text(&writer, "algorithm", SLICE_LITERAL(GROUPING_ALGORITHM));
  json_key(&writer, "variants");
  json_begin_object(&writer);
  for (uint32_t i = 0; i < result->variant_count; i++) {
    const struct grouping_variant *variant = &result->variants[i];
    json_key(&writer, variant->name);
    json_begin_object(&writer);
    json_key(&writer, "hash");
    json_write_cstr(&writer, variant->hash[0] != '\0' ? variant->hash : NULL);
    json_key(&writer, "contributes");
    json_write_bool(&writer, variant->contributes);
    json_key(&writer, "components");
    grouping_write_component(variant->root, &writer);
    json_end_object(&writer);
  }
  json_end_object(&writer);
  json_key(&writer, "fingerprint");
  json_begin_array(&writer);
  for (uint32_t i = 0; i < result->fingerprint_count; i++) json_write_string(&writer, result->fingerprint[i]);
  if (result->fingerprint_count == 0) json_write_cstr(&writer, "{{ default }}");
  json_end_array(&writer);
  write_text(&writer, "title", result->title);
  write_text(&writer, "culprit", result->culprit);
  write_text(&writer, "location", result->location);
  json_end_object(&writer);
  buffer_append_byte(out, '\n');
}

enum status explain_event(const char *file, struct slice event_json, struct slice enhancements, struct buffer *out,
                          struct error *error) {
  struct json_parser *parser = json_parser_create(EVENT_BYTES_MAX);
  struct buffer mended;
  struct arena arena;
  buffer_init(&mended, EVENT_BYTES_MAX);
  arena_init(&arena, ARENA_BYTES_MAX);
  struct grouping_config *config = NULL;
  struct sentry_event event;
  struct grouping_result result;
  struct json_value root;
  enum status status = sentry_json_parse(parser, event_json, &mended, &root, error);
  // As GET /api/v1/events/{id} answers it.
  if (status == STATUS_OK && json_type_of(json_get(root, "document")) == JSON_OBJECT) root = json_get(root, "document");
  if (status == STATUS_OK) status = make_config(root, enhancements, &config, error);
  if (status == STATUS_OK) status = sentry_event_parse(root, &arena, &event, error);
  if (status == STATUS_OK) {
    status = grouping_compute(config, &event, &arena, &result);
    if (status != STATUS_OK) error_set(error, status, "event: larger than the memory set aside for it");
  }
  if (status == STATUS_OK) {
    write_event(file, &result, out);
    if (out->failed) status = error_set(error, STATUS_TOO_LARGE, "the explanation is too long");
  }
  grouping_config_destroy(config);
  arena_finish(&arena);
  buffer_finish(&mended);
  json_parser_destroy(parser);
  return status;
}
