// SPDX-License-Identifier: Apache-2.0
//
// Events as JSON text through grouping_compute, for tests.
#ifndef TESTS_GROUPING_EVENTS_H
#define TESTS_GROUPING_EVENTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/json.h"
#include "processor/grouping.h"

struct grouping_run {
  struct json_parser *parser;
  struct arena arena;
  struct sentry_event event;
  struct grouping_result result;
};

static inline void grouping_run_start(struct grouping_run *run) {
  run->parser = json_parser_create(16u << 20);
  arena_init(&run->arena, 64u << 20);
}

static inline void grouping_run_finish(struct grouping_run *run) {
  json_parser_destroy(run->parser);
  arena_finish(&run->arena);
}

// Computes with the given options; fails the test when anything does.
static inline void grouping_run_with(struct grouping_run *run, const char *json,
                                     struct grouping_config_options options) {
  struct error error = {{0}};
  struct grouping_config *config = NULL;
  struct json_value root;
  arena_reset(&run->arena);
  if (grouping_config_create(&options, &config, &error)) fail_msg("%s", error.text);
  if (json_parse(run->parser, slice_from_cstr(json), &root, &error)) fail_msg("%s: %s", error.text, json);
  assert_int_equal(sentry_event_parse(root, &run->arena, &run->event, &error), STATUS_OK);
  assert_int_equal(grouping_compute(config, &run->event, &run->arena, &run->result), STATUS_OK);
  grouping_config_destroy(config);
}

static inline void grouping_run_event(struct grouping_run *run, const char *json) {
  grouping_run_with(run, json, (struct grouping_config_options){.without_builtin = true, .published_fallback = true});
}

static inline const struct grouping_variant *grouping_run_variant(const struct grouping_run *run, const char *name) {
  for (uint32_t i = 0; i < run->result.variant_count; i++) {
    if (strcmp(run->result.variants[i].name, name) == 0) return &run->result.variants[i];
  }
  return NULL;
}

// What a variant's hash was made of, checked against the hash itself: NULL when the variant is absent, "" when it does
// not contribute, else `expected` when that is it.
static inline void grouping_run_check(const struct grouping_run *run, const char *name, const char *expected) {
  const struct grouping_variant *variant = grouping_run_variant(run, name);
  if (expected == NULL) {
    if (variant != NULL) fail_msg("variant %s is there", name);
    return;
  }
  if (variant == NULL) {
    fail_msg("no variant %s", name);
    return;
  }
  char hash[33] = "";
  if (expected[0] != '\0') {
    struct hash_md5 md5;
    hash_md5_init(&md5);
    hash_md5_update(&md5, slice_from_cstr(expected));
    hash_md5_finish(&md5, hash);
  }
  if (variant->contributes != (expected[0] != '\0') || strcmp(variant->hash, hash) != 0) {
    struct buffer out;
    struct json_writer writer;
    buffer_init(&out, 1 << 20);
    json_writer_init(&writer, &out);
    grouping_write_variants(&run->result, &writer);
    print_error("%.*s\n", SLICE_PRINTF(buffer_slice(&out)));
    buffer_finish(&out);
    fail_msg("variant %s is not made of '%s'", name, expected);
  }
}

#endif
