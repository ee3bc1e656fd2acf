// SPDX-License-Identifier: Apache-2.0
//
// Trees are walked with a stack of their fixed depth: a frame is (component, next child).
#include "processor/grouping_internal.h"

#define CHUNK_BYTES 1024

struct walk {
  const struct grouping_component *path[GROUPING_DEPTH_MAX];
  uint32_t next_child[GROUPING_DEPTH_MAX];
  uint32_t depth;
};

static void walk_enter(struct walk *walk, const struct grouping_component *component) {
  ASSERT(walk->depth < GROUPING_DEPTH_MAX);
  walk->path[walk->depth] = component;
  walk->next_child[walk->depth++] = 0;
}

// The next child of the innermost component, NULL when it has no more (it is left then).
static const struct grouping_component *walk_next(struct walk *walk) {
  const struct grouping_component *parent = walk->path[walk->depth - 1];
  uint32_t *next = &walk->next_child[walk->depth - 1];
  if (*next < parent->child_count) return &parent->children[(*next)++];
  walk->depth--;
  return NULL;
}

struct grouping_component *grouping_component_new(const char *id, uint32_t children_max, struct arena *arena) {
  struct grouping_component *component = arena_alloc(arena, sizeof(*component));
  if (component == NULL) return NULL;
  component->id = id;
  if (children_max == 0) return component;
  component->children = arena_alloc_array(arena, children_max, sizeof(*component->children));
  return component->children == NULL ? NULL : component;
}

void grouping_component_leaf(struct grouping_component *leaf, const char *id, struct slice value, struct arena *arena) {
  *leaf = (struct grouping_component){.id = id};
  if (value.len == 0) return;
  leaf->values = arena_alloc(arena, sizeof(*leaf->values));
  if (leaf->values == NULL) return;
  leaf->values[0] = value;
  leaf->value_count = 1;
  leaf->contributes = true;
}

struct grouping_component *grouping_component_add(struct grouping_component *parent) {
  return &parent->children[parent->child_count++];
}

void grouping_component_mute(struct grouping_component *component, const char *hint) {
  component->contributes = false;
  component->hint = hint;
}

void grouping_component_settle(struct grouping_component *component) {
  component->contributes = component->value_count > 0;
  for (uint32_t i = 0; i < component->child_count && !component->contributes; i++) {
    component->contributes = component->children[i].contributes;
  }
}

// Short values are gathered, one call of the hash for many. What was told first waits until it is known whether the
// hash is: `begun` is the one that everything gathered comes behind.
struct feeder {
  struct hash_md5 *md5;
  const struct grouping_told *begun; // NULL: none, or it is in the hash
  size_t len;
  bool fresh; // nothing was fed yet
  uint8_t bytes[CHUNK_BYTES];
};

// fresh: nothing was fed into the hash yet.
static void feeder_init(struct feeder *feeder, struct hash_md5 *md5, bool fresh) { // not `bytes`, which are many
  feeder->md5 = md5;
  feeder->begun = NULL;
  feeder->len = 0;
  feeder->fresh = fresh;
}

static void flush(struct feeder *feeder) {
  if (feeder->begun != NULL) *feeder->md5 = feeder->begun->begun;
  feeder->begun = NULL;
  if (feeder->len > 0) hash_md5_update(feeder->md5, slice_make(feeder->bytes, feeder->len));
  feeder->len = 0;
}

static void feed(struct feeder *feeder, struct slice value) {
  feeder->fresh &= value.len == 0;
  if (feeder->len + value.len > CHUNK_BYTES) flush(feeder);
  if (value.len > CHUNK_BYTES) {
    hash_md5_update(feeder->md5, value);
  } else if (value.len > 0) {
    memcpy(feeder->bytes + feeder->len, value.ptr, value.len);
    feeder->len += value.len;
  }
}

// What is to be fed of a component itself.
static void feed_own(struct feeder *feeder, const struct grouping_component *component) {
  for (uint32_t i = 0; i < component->value_count; i++) feed(feeder, component->values[i]);
  if (component->told == NULL) return;
  if (feeder->fresh) {
    feeder->begun = component->told;
    feeder->fresh = component->told->fed.len == 0;
  } else {
    feed(feeder, component->told->fed);
  }
}

static void feed_all(struct feeder *feeder, const struct grouping_component *component) {
  struct walk walk;
  walk.depth = 0;
  if (!component->contributes) return;
  walk_enter(&walk, component);
  feed_own(feeder, component);
  while (walk.depth > 0) {
    const struct grouping_component *child = walk_next(&walk);
    if (child == NULL || !child->contributes) continue;
    feed_own(feeder, child);
    if (child->child_count > 0) walk_enter(&walk, child);
  }
}

void grouping_component_feed(const struct grouping_component *component, struct hash_md5 *md5) {
  struct feeder feeder;
  feeder_init(&feeder, md5, false);
  feed_all(&feeder, component);
  flush(&feeder);
}

size_t grouping_component_fed_len(const struct grouping_component *component) {
  struct walk walk;
  walk.depth = 0;
  size_t len = 0;
  if (!component->contributes) return 0;
  walk_enter(&walk, component);
  for (const struct grouping_component *next = component; walk.depth > 0; next = walk_next(&walk)) {
    if (next == NULL || !next->contributes) continue;
    for (uint32_t i = 0; i < next->value_count; i++) len += next->values[i].len;
    if (next->told != NULL) len += next->told->fed.len;
    if (next != component && next->child_count > 0) walk_enter(&walk, next);
  }
  return len;
}

void grouping_component_gather(const struct grouping_component *component, struct buffer *out) {
  struct walk walk;
  walk.depth = 0;
  walk_enter(&walk, component);
  if (component->told != NULL) buffer_append_slice(out, component->told->fed);
  while (walk.depth > 0) {
    const struct grouping_component *child = walk_next(&walk);
    if (child == NULL || !child->contributes) continue;
    for (uint32_t i = 0; i < child->value_count; i++) buffer_append_slice(out, child->values[i]);
    if (child->told != NULL) buffer_append_slice(out, child->told->fed);
    if (child->child_count > 0) walk_enter(&walk, child);
  }
}

// Errors from one place have one type: what comes behind the stack trace is the same again and again.
void grouping_component_hash(const struct grouping_component *component, char out_hash[33]) {
  out_hash[0] = '\0';
  if (!component->contributes) return;
  struct hash_md5 md5;
  struct feeder feeder;
  hash_md5_init(&md5);
  feeder_init(&feeder, &md5, true);
  feed_all(&feeder, component);
  struct grouping_ended *ended = feeder.begun != NULL ? feeder.begun->ended : NULL;
  const struct slice rest = slice_make(feeder.bytes, feeder.len);
  if (ended != NULL && ended->hash[0] != '\0' && slice_equal(slice_make(ended->rest, ended->len), rest)) {
    memcpy(out_hash, ended->hash, sizeof ended->hash);
    return;
  }
  flush(&feeder);
  hash_md5_finish(&md5, out_hash);
  if (ended == NULL || rest.len > sizeof ended->rest) return;
  memcpy(ended->rest, rest.ptr, rest.len);
  ended->len = rest.len;
  memcpy(ended->hash, out_hash, sizeof ended->hash);
}

bool grouping_component_has(const struct grouping_component *component, const char *id) {
  struct walk walk;
  walk.depth = 0;
  walk_enter(&walk, component);
  while (walk.depth > 0) {
    const struct grouping_component *child = walk_next(&walk);
    if (child == NULL || !child->contributes) continue;
    if (strcmp(child->id, id) == 0) return true;
    if (child->child_count > 0) walk_enter(&walk, child);
  }
  return false;
}

static void append(struct buffer *out, struct slice text) {
  if (text.len <= out->capacity - out->len) {
    if (text.len > 0) memcpy(out->ptr + out->len, text.ptr, text.len);
    out->len += text.len;
  } else {
    buffer_append_slice(out, text);
  }
}

static void append_json(struct buffer *out, struct slice text) {
  struct json_writer writer;
  json_writer_init(&writer, out);
  json_write_string(&writer, text);
}

// Up to its children. Ids are constants of the algorithm without anything to escape; of a large event there are
// hundreds of components, so they are written as text. A hint may quote a rule, in the words of whoever wrote it. True
// when the list that is open has something in it.
static bool write_open(const struct grouping_component *component, struct buffer *out) {
  append(out, SLICE_LITERAL("{\"id\":\""));
  append(out, slice_from_cstr(component->id));
  if (component->hint == NULL) {
    append(out, component->contributes ? SLICE_LITERAL("\",\"contributes\":true,\"hint\":null,\"values\":[")
                                       : SLICE_LITERAL("\",\"contributes\":false,\"hint\":null,\"values\":["));
  } else {
    append(out, component->contributes ? SLICE_LITERAL("\",\"contributes\":true,\"hint\":")
                                       : SLICE_LITERAL("\",\"contributes\":false,\"hint\":"));
    append_json(out, slice_from_cstr(component->hint));
    append(out, SLICE_LITERAL(",\"values\":["));
  }
  for (uint32_t i = 0; i < component->value_count; i++) {
    if (i > 0) buffer_append_byte(out, ',');
    append_json(out, component->values[i]);
  }
  if (component->told != NULL) append(out, component->told->written);
  return component->value_count > 0 || (component->told != NULL && component->told->written.len > 0);
}

// The children of the one that was entered last, and what closes it. has_values: its list has something in it.
static void write_below(struct walk *walk, bool has_values, struct buffer *out) {
  bool is_first = !has_values; // of the list that is open
  while (walk->depth > 0) {
    const struct grouping_component *child = walk_next(walk);
    if (child == NULL) {
      append(out, SLICE_LITERAL("]}"));
      is_first = false;
      continue;
    }
    if (!is_first) buffer_append_byte(out, ',');
    walk_enter(walk, child);
    is_first = !write_open(child, out);
  }
}

void grouping_write_component(const struct grouping_component *component, struct json_writer *writer) {
  struct walk walk;
  walk.depth = 0;
  json_write_raw(writer, (struct slice){0}); // its comma
  walk_enter(&walk, component);
  bool has_values = write_open(component, writer->out);
  write_below(&walk, has_values, writer->out);
}

void grouping_component_write_children(const struct grouping_component *component, struct buffer *out) {
  for (uint32_t i = 0; i < component->child_count; i++) {
    if (i > 0) buffer_append_byte(out, ',');
    struct walk walk;
    walk.depth = 0;
    walk_enter(&walk, &component->children[i]);
    bool has_values = write_open(&component->children[i], out);
    write_below(&walk, has_values, out);
  }
}
