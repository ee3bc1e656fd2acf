// SPDX-License-Identifier: Apache-2.0
//
// How it works: writing goes down the tree of marks and the `_meta` that the SDK sent at once, with a stack. What the
// SDK said of a value or of others beside it stays.
#include "processor/scrub_meta.h"

#include <stdio.h>
#include <stdlib.h>

#define DEPTH_MAX   (JSON_DEPTH_MAX + 2)
#define MARKS_MAX   (SCRUB_EVENT_MARKS_MAX * 4)
#define NUMBER_TEXT 32
#define MERGE_MAX   (1u << 20) // comparisons of members of the old _meta with marks; what is beyond is not taken over
#define REMARKS_MAX 64         // members, and entries of "rem", taken over of what the SDK said of one value

void scrub_meta_init(struct scrub_meta *meta) {
  *meta = (struct scrub_meta){.marks = NULL};
}

void scrub_meta_finish(struct scrub_meta *meta) {
  free(meta->marks);
}

static void reserve(struct scrub_meta *meta) {
  if (meta->count < meta->capacity) return;
  meta->capacity = meta->capacity ? meta->capacity * 2 : 64;
  meta->marks = realloc(meta->marks, meta->capacity * sizeof(struct scrub_mark));
  ASSERT(meta->marks);
}

static uint32_t add(struct scrub_meta *meta, uint32_t parent, struct scrub_mark mark) {
  if (meta->count == MARKS_MAX) return 0;
  reserve(meta);
  if (meta->count == 0) meta->marks[meta->count++] = (struct scrub_mark){.rule = NULL};
  reserve(meta);
  mark.next = meta->marks[parent].first_child;
  meta->marks[parent].first_child = meta->count;
  meta->marks[meta->count] = mark;
  return meta->count++;
}

uint32_t scrub_meta_add_member(struct scrub_meta *meta, uint32_t parent, struct slice key) {
  return add(meta, parent, (struct scrub_mark){.key = key.ptr ? key : SLICE_LITERAL("")});
}

uint32_t scrub_meta_add_element(struct scrub_meta *meta, uint32_t parent, uint32_t index) {
  return add(meta, parent, (struct scrub_mark){.index = index});
}

void scrub_meta_set_rule(struct scrub_meta *meta, uint32_t mark, const char *rule, bool removed) {
  meta->marks[mark].rule = rule;
  meta->marks[mark].removed = removed;
}

static void write_rem(struct json_writer *writer, const struct scrub_mark *mark, struct json_value old) {
  struct json_iter iter = json_iterate(old);
  struct json_value entry;
  bool is_array = json_type_of(old) == JSON_ARRAY;
  json_key_plain(writer, SLICE_LITERAL("rem"));
  json_begin_array(writer);
  for (uint32_t i = 0; i < REMARKS_MAX && is_array && json_array_next(&iter, &entry); i++) {
    json_write_parsed(writer, entry);
  }
  json_write_raw(writer, SLICE_LITERAL("[\"")); // a rule's name is plain
  buffer_append_cstr(writer->out, mark->rule);
  buffer_append_cstr(writer->out, mark->removed ? "\",\"x\"]" : "\",\"s\"]");
  json_end_array(writer);
}

// The member "" of a node: what the SDK said there, and the mark.
static void write_own(struct json_writer *writer, const struct scrub_mark *mark, struct json_value old) {
  struct json_value own = json_get(old, "");
  struct json_iter iter = json_iterate(own);
  struct slice key;
  struct json_value value;
  if (!mark->rule) {
    if (!json_is_present(own)) return;
    json_key_plain(writer, SLICE_LITERAL(""));
    json_write_parsed(writer, own);
    return;
  }
  json_key_plain(writer, SLICE_LITERAL(""));
  json_begin_object(writer);
  struct json_value rem = {0};
  bool is_object = json_type_of(own) == JSON_OBJECT;
  for (uint32_t i = 0; i < REMARKS_MAX && is_object && json_object_next(&iter, &key, &value); i++) {
    if (slice_equal_cstr(key, "rem")) {
      rem = value;
      continue;
    }
    json_key_slice(writer, key);
    json_write_parsed(writer, value);
  }
  write_rem(writer, mark, rem);
  json_end_object(writer);
}

static struct slice mark_key(const struct scrub_mark *mark, char *to) {
  if (mark->key.ptr) return mark->key;
  return slice_make(to, (size_t)snprintf(to, NUMBER_TEXT, "%u", mark->index));
}

// Keys of elements are compared as numbers; UINT64_MAX for a key that is not written like one.
static uint64_t number_of(struct slice key) {
  uint64_t number;
  bool is_number = slice_to_u64(key, &number) && (key.len == 1 || key.ptr[0] != '0');
  return is_number ? number : UINT64_MAX;
}

static bool stands_at(const struct scrub_mark *mark, struct slice key, uint64_t number) {
  return mark->key.ptr ? slice_equal(mark->key, key) : mark->index == number;
}

// Members of the old node that no mark stands at.
static void write_others(const struct scrub_meta *meta, struct json_writer *writer, uint32_t node,
                         struct json_value old) {
  struct json_iter iter = json_iterate(old);
  struct slice key;
  struct json_value value;
  while (json_type_of(old) == JSON_OBJECT && json_object_next(&iter, &key, &value)) {
    bool known = key.len == 0;
    const uint64_t number = number_of(key);
    for (uint32_t m = meta->marks[node].first_child; m && !known; m = meta->marks[m].next) {
      known = stands_at(&meta->marks[m], key, number);
    }
    if (known) continue;
    json_key_slice(writer, key);
    json_write_parsed(writer, value);
  }
}

// The old node when merging it with the marks below `node` is within what is left to compare, else no value: who sends
// both, members and what is to be scrubbed, in great number does not decide how long it takes.
static struct json_value affordable(const struct scrub_meta *meta, uint32_t node, struct json_value old,
                                    uint64_t *left) {
  struct json_iter iter = json_iterate(old);
  struct slice key;
  struct json_value value;
  uint64_t each = 2; // to look for "", and to write
  for (uint32_t m = meta->marks[node].first_child; m; m = meta->marks[m].next) each += 2; // is it there, and it there
  while (json_type_of(old) == JSON_OBJECT && json_object_next(&iter, &key, &value)) {
    if (*left < each) {
      *left = 0;
      return (struct json_value){0};
    }
    *left -= each;
  }
  return old;
}

void scrub_meta_write(const struct scrub_meta *meta, struct json_value old, struct buffer *out) {
  struct {
    uint32_t child; // next one to write
    struct json_value old;
  } stack[DEPTH_MAX];
  uint32_t depth = 1;
  char number[NUMBER_TEXT];
  uint64_t left = MERGE_MAX;
  struct json_writer writer;
  json_writer_init(&writer, out);
  old = affordable(meta, 0, old, &left);
  stack[0].child = meta->marks[0].first_child;
  stack[0].old = old;
  json_begin_object(&writer);
  write_own(&writer, &meta->marks[0], old);
  write_others(meta, &writer, 0, old);
  while (depth > 0 && !out->failed) {
    const uint32_t node = stack[depth - 1].child;
    if (!node) {
      json_end_object(&writer);
      depth--;
      continue;
    }
    const struct scrub_mark *mark = &meta->marks[node];
    const struct slice key = mark_key(mark, number);
    struct json_value below = affordable(meta, node, json_get_slice(stack[depth - 1].old, key), &left);
    stack[depth - 1].child = mark->next;
    json_key_slice(&writer, key);
    json_begin_object(&writer);
    write_own(&writer, mark, below);
    write_others(meta, &writer, node, below);
    ASSERT(depth < DEPTH_MAX);
    stack[depth].child = mark->first_child;
    stack[depth++].old = below;
  }
}
