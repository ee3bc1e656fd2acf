// SPDX-License-Identifier: Apache-2.0
//
// How it works: a list of (key, value, count) with a hash table beside it. The list has room for every tag of one batch
// with sensible events; when it is full further new pairs of the batch go uncounted into `dropped`. Writing walks the
// list: the row of a value that is there already is counted up; a new value is inserted if its key has room, a new key
// if the issue has room; the totals of a key are summed in memory and written once.
#include "store/issue_tags.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/table.h"

#define PAIRS_MAX        16384
#define KEYS_MAX         512
#define KNOWN_VALUES_MAX 500 // services, environments
#define KNOWN_KEYS_MAX   32768
#define FULL_KEYS_MAX    256
#define FULL_KEY_PAIRS   8 // in a batch: for fewer its values are not read

struct pair {
  struct slice key, value;
  uint32_t count;
  uint32_t key_index;
};

struct key {
  struct slice name;
  uint32_t total;
  int32_t stored; // values in the database; -1: the key is not there
  uint32_t added; // values inserted now
  uint32_t pairs; // different values in the batch
  bool refused;   // the issue has no room for it
  uint64_t hash;  // of issue and name
};

// A key of an issue that has all the values it may have.
struct full_key {
  uint64_t key; // hash of issue and key; 0: none
  uint64_t values[ISSUE_TAG_VALUES_MAX];
  uint32_t count;
};

struct issue_tags {
  struct pair pairs[PAIRS_MAX];
  uint32_t pair_count;
  struct key keys[KEYS_MAX];
  uint32_t key_count;
  uint32_t dropped;
  uint64_t seed;
  struct table *index;                      // hash of key and value → pair + 1; hash of key → key + 1
  struct table_recent *known_keys;          // hash of issue and key → value_count of its row
  struct full_key full_keys[FULL_KEYS_MAX]; // at hash % FULL_KEYS_MAX
};

uint32_t issue_tags_collect(const struct sentry_event *event, struct issue_tag out_tags[ISSUE_TAGS_COLLECTED_MAX]) {
  const struct issue_tag own[] = {{SLICE_LITERAL("server_name"), event->server_name},
                                  {SLICE_LITERAL("transaction"), event->transaction},
                                  {SLICE_LITERAL("logger"), event->logger},
                                  {SLICE_LITERAL("user"), event->user_id}};
  uint32_t count = 0;
  for (uint32_t i = 0; i < event->tag_count && count < ISSUE_TAGS_COLLECTED_MAX; i++) {
    if (slice_equal_cstr(event->tags[i].key, "request_id")) continue; // another value in every event
    out_tags[count++] = (struct issue_tag){.key = event->tags[i].key, .value = event->tags[i].value};
  }
  for (size_t i = 0; i < sizeof own / sizeof own[0] && count < ISSUE_TAGS_COLLECTED_MAX; i++) {
    bool known = own[i].value.len == 0;
    for (uint32_t k = 0; k < count && !known; k++) known = slice_equal(out_tags[k].key, own[i].key);
    if (!known) out_tags[count++] = own[i];
  }
  return count;
}

struct issue_tags *issue_tags_create(void) {
  struct issue_tags *tags = calloc(1, sizeof *tags);
  if (!tags) return NULL;
  tags->seed = random_u64();
  tags->index = table_create(sizeof(uint64_t), PAIRS_MAX + KEYS_MAX);
  if (!tags->index) {
    free(tags);
    return NULL;
  }
  tags->known_keys = table_recent_create(KNOWN_KEYS_MAX);
  return tags;
}

void issue_tags_destroy(struct issue_tags *tags) {
  if (!tags) return;
  table_destroy(tags->index);
  table_recent_destroy(tags->known_keys);
  free(tags);
}

void issue_tags_forget(struct issue_tags *tags) {
  table_recent_destroy(tags->known_keys);
  tags->known_keys = table_recent_create(KNOWN_KEYS_MAX);
  for (uint32_t i = 0; i < FULL_KEYS_MAX; i++) tags->full_keys[i].key = 0;
}

void issue_tags_clear(struct issue_tags *tags) {
  if (tags->pair_count > 0 || tags->key_count > 0) table_clear(tags->index);
  tags->pair_count = tags->key_count = tags->dropped = 0;
}

static struct key *key_of(struct issue_tags *tags, struct slice name, uint64_t hash) {
  bool is_new = false;
  uint64_t *slot = table_insert(tags->index, hash, &is_new);
  if (!slot) return NULL;
  if (!is_new) return &tags->keys[*slot - 1];
  if (tags->key_count == KEYS_MAX) {
    table_remove(tags->index, hash);
    return NULL;
  }
  tags->keys[tags->key_count] = (struct key){.name = name};
  *slot = ++tags->key_count;
  return &tags->keys[*slot - 1];
}

static void count_one(struct issue_tags *tags, struct slice name, struct slice value) {
  if (name.len == 0 || value.len == 0) return;
  uint64_t hash = hash_xxh3_seeded(name, tags->seed);
  struct key *key = key_of(tags, name, hash);
  if (!key) {
    tags->dropped++;
    return;
  }
  key->total++;
  bool is_new = false;
  uint64_t *slot = table_insert(tags->index, hash_xxh3_seeded(value, hash), &is_new);
  if (!slot) return;
  if (is_new && tags->pair_count == PAIRS_MAX) {
    table_remove(tags->index, hash_xxh3_seeded(value, hash));
    return;
  }
  if (is_new) {
    struct pair pair = {.key = name, .value = value, .key_index = (uint32_t)(key - tags->keys)};
    tags->pairs[tags->pair_count] = pair;
    key->pairs++;
    *slot = ++tags->pair_count;
  }
  tags->pairs[*slot - 1].count++;
}

static const char *const own_tags[] = {"service", "environment", "release", "level"};

void issue_tags_count(struct issue_tags *tags, const struct issue_event *event) {
  const struct slice own_values[] = {event->service, event->environment, event->release, event->level};
  for (size_t i = 0; i < 4; i++) count_one(tags, slice_from_cstr(own_tags[i]), own_values[i]);
  for (uint32_t i = 0; i < event->tag_count; i++) {
    bool own = false;
    for (size_t k = 0; k < 4; k++) own |= slice_equal_cstr(event->tags[i].key, own_tags[k]) && own_values[k].len > 0;
    if (!own) count_one(tags, event->tags[i].key, event->tags[i].value);
  }
}

static void load_key(struct issue_tags *tags, struct connection *writer, uint32_t issue, struct key *key) {
  // Two steps: seeds that differ by little would let names and issues that differ by little meet.
  key->hash =
      hash_xxh3_seeded(key->name, hash_xxh3_seeded(slice_make(&issue, sizeof issue), tags->seed)) | 1; // 0: none
  uint32_t known;
  if (table_recent_get(tags->known_keys, key->hash, &known)) {
    key->stored = (int32_t)known;
    return;
  }
  struct statement select =
      connection_statement(writer, "SELECT value_count FROM issue_tag_key WHERE issue_id = ?1 AND key = ?2");
  statement_bind_i64(&select, 1, issue);
  statement_bind_text(&select, 2, key->name);
  key->stored = statement_step(&select) ? (int32_t)statement_i64(&select, 0) : -1;
  statement_reset(&select);
}

static void load_full_key(struct issue_tags *tags, struct connection *writer, uint32_t issue, const struct key *key) {
  struct full_key *full = &tags->full_keys[key->hash % FULL_KEYS_MAX];
  if (key->stored < ISSUE_TAG_VALUES_MAX || key->pairs < FULL_KEY_PAIRS || full->key == key->hash) return;
  struct statement select =
      connection_statement(writer, "SELECT value FROM issue_tag WHERE issue_id = ?1 AND key = ?2");
  statement_bind_i64(&select, 1, issue);
  statement_bind_text(&select, 2, key->name);
  full->key = 0;
  full->count = 0;
  for (; statement_step(&select); full->count++) {
    if (full->count == ISSUE_TAG_VALUES_MAX) {
      statement_reset(&select);
      return;
    }
    full->values[full->count] = hash_xxh3_seeded(statement_text(&select, 0), key->hash);
  }
  if (connection_status(writer) == STATUS_OK) full->key = key->hash;
}

// Whether the key has all the values it may have, and this is known to be none of them.
static bool is_beyond(const struct issue_tags *tags, const struct key *key, struct slice value) {
  const struct full_key *full = &tags->full_keys[key->hash % FULL_KEYS_MAX];
  if (full->key != key->hash) return false;
  uint64_t hash = hash_xxh3_seeded(value, key->hash);
  bool found = false;
  for (uint32_t i = 0; i < full->count; i++) found |= full->values[i] == hash;
  return !found;
}

static uint32_t count_keys(struct connection *writer, uint32_t issue) {
  struct statement count = connection_statement(writer, "SELECT count(*) FROM issue_tag_key WHERE issue_id = ?1");
  statement_bind_i64(&count, 1, issue);
  uint32_t keys = statement_step(&count) ? (uint32_t)statement_i64(&count, 0) : 0;
  statement_reset(&count);
  return keys;
}

static bool is_filter(struct slice key) {
  return slice_equal_cstr(key, "service") || slice_equal_cstr(key, "environment");
}

static void note_known(struct connection *writer, const struct pair *pair) {
  struct statement insert = connection_statement(
      writer,
      "INSERT INTO known_value (key, value) SELECT ?1, ?2 WHERE (SELECT count(*) FROM known_value WHERE key = ?1) "
      "< ?3 ON CONFLICT DO NOTHING");
  statement_bind_text(&insert, 1, pair->key);
  statement_bind_text(&insert, 2, pair->value);
  statement_bind_i64(&insert, 3, KNOWN_VALUES_MAX);
  statement_run(&insert);
}

static void write_pair(struct connection *writer, uint32_t issue, const struct pair *pair, struct key *key) {
  if (key->stored > 0) {
    struct statement update = connection_statement(
        writer, "UPDATE issue_tag SET count = count + ?4 WHERE issue_id = ?1 AND key = ?2 AND value = ?3");
    statement_bind_i64(&update, 1, issue);
    statement_bind_text(&update, 2, pair->key);
    statement_bind_text(&update, 3, pair->value);
    statement_bind_i64(&update, 4, pair->count);
    statement_run(&update);
    if (connection_status(writer) == STATUS_OK && connection_changes(writer) > 0) return;
  }
  if ((key->stored > 0 ? (uint32_t)key->stored : 0) + key->added >= ISSUE_TAG_VALUES_MAX) return;
  struct statement insert =
      connection_statement(writer, "INSERT INTO issue_tag (issue_id, key, value, count) VALUES (?1, ?2, ?3, ?4)");
  statement_bind_i64(&insert, 1, issue);
  statement_bind_text(&insert, 2, pair->key);
  statement_bind_text(&insert, 3, pair->value);
  statement_bind_i64(&insert, 4, pair->count);
  statement_run(&insert);
  key->added++;
  if (is_filter(pair->key)) note_known(writer, pair);
}

static void write_key(struct issue_tags *tags, struct connection *writer, uint32_t issue, const struct key *key) {
  struct statement upsert = connection_statement(
      writer, "INSERT INTO issue_tag_key (issue_id, key, total, value_count) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO "
              "UPDATE SET total = total + ?3, value_count = value_count + ?4");
  statement_bind_i64(&upsert, 1, issue);
  statement_bind_text(&upsert, 2, key->name);
  statement_bind_i64(&upsert, 3, key->total);
  statement_bind_i64(&upsert, 4, key->added);
  statement_run(&upsert);
  uint32_t stored = (key->stored > 0 ? (uint32_t)key->stored : 0) + key->added;
  table_recent_put(tags->known_keys, key->hash, stored);
}

uint32_t issue_tags_write(struct issue_tags *tags, struct connection *writer, uint32_t issue) {
  uint32_t dropped = tags->dropped;
  int64_t room = -1; // for new keys; asked for once, when the first new key is met
  for (uint32_t i = 0; i < tags->key_count; i++) {
    struct key *key = &tags->keys[i];
    load_key(tags, writer, issue, key);
    load_full_key(tags, writer, issue, key);
    if (key->stored >= 0) continue;
    if (room < 0) {
      uint32_t there = count_keys(writer, issue);
      room = there < ISSUE_TAG_KEYS_MAX ? ISSUE_TAG_KEYS_MAX - there : 0;
    }
    key->refused = room == 0;
    if (key->refused) {
      dropped += key->total;
    } else {
      room--;
    }
  }
  for (uint32_t i = 0; i < tags->pair_count; i++) {
    struct key *key = &tags->keys[tags->pairs[i].key_index];
    if (!key->refused && !is_beyond(tags, key, tags->pairs[i].value)) write_pair(writer, issue, &tags->pairs[i], key);
  }
  for (uint32_t i = 0; i < tags->key_count; i++) {
    if (!tags->keys[i].refused) write_key(tags, writer, issue, &tags->keys[i]);
  }
  issue_tags_clear(tags);
  return dropped;
}
