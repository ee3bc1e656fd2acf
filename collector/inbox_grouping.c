// SPDX-License-Identifier: Apache-2.0
//
// How it works: a few slots, one a project, with the setups that hold for it, in sets of WAYS of which a project may
// take any, that of the one that was asked for longest ago when all are taken; compiled configurations are shared
// between projects by the id of their setup and counted. All slots are dropped when the version of the history changed,
// which is asked for when an event arrives that was received after the last look.
//
// A project's past costs nothing but for hashes without an issue: `known` remembers those that have one.
#include "collector/inbox_grouping.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/log.h"
#include "base/table.h"
#include "processor/grouping_builtin.h"
#include "store/issue_query.h"

#define SETS            64
#define WAYS            4
#define PROJECTS_MAX    (SETS * WAYS)
#define CONFIGS_MAX     (PROJECTS_MAX * (1 + GROUPING_HISTORY_PAST_MAX))
#define KNOWN_MAX       65536
#define TEXTS_BYTES_MAX ((size_t)32 << 20)
#define RETRY_NS        NS_PER_S // after a failure to read

struct compiled {
  char id[GROUPING_HISTORY_ID_BYTES]; // "": free
  struct grouping_config *config;
  uint32_t users;
};

struct slot {
  uint32_t project; // 0: free
  uint32_t count;
  uint64_t used;                                            // the `finds` when it was last asked for
  struct inbox_setup setups[1 + GROUPING_HISTORY_PAST_MAX]; // ids are those of `compiled`, or program_id
};

struct inbox_grouping {
  struct inbox_grouping_options options;
  char program_id[GROUPING_HISTORY_ID_BYTES];
  struct slot slots[PROJECTS_MAX];
  uint64_t finds;
  struct compiled compiled[CONFIGS_MAX];
  uint64_t version;
  uint64_t looked_wall_ns, looked_ns; // at the version; 0: never
  bool failed;                        // the last look
  struct table_recent *known;
  uint64_t seed;
  struct arena texts;
  struct grouping_memory *memory;
};

struct inbox_grouping *inbox_grouping_create(const struct inbox_grouping_options *options) {
  struct inbox_grouping *grouping = calloc(1, sizeof *grouping);
  ASSERT(grouping != NULL);
  grouping->options = *options;
  const struct grouping_setup program = {
      .algorithm = SLICE_LITERAL(GROUPING_ALGORITHM),
      .builtin_enhancements = slice_make(grouping_builtin_rules, grouping_builtin_rules_len),
      .builtin_fingerprinting = slice_make(grouping_builtin_fingerprints, grouping_builtin_fingerprints_len)};
  grouping_history_id(&program, grouping->program_id);
  grouping->seed = random_u64();
  arena_init(&grouping->texts, TEXTS_BYTES_MAX);
  if (options->memory_bytes_max > 0) grouping->memory = grouping_memory_create(options->memory_bytes_max);
  return grouping;
}

static void free_slot(struct inbox_grouping *grouping, struct slot *slot) {
  for (uint32_t i = 0; i < slot->count; i++) {
    for (uint32_t k = 0; k < CONFIGS_MAX; k++) {
      struct compiled *compiled = &grouping->compiled[k];
      if (compiled->config == NULL || compiled->config != slot->setups[i].config || --compiled->users > 0) continue;
      grouping_config_destroy(compiled->config);
      *compiled = (struct compiled){0};
    }
  }
  *slot = (struct slot){0};
}

static void free_slots(struct inbox_grouping *grouping) {
  for (uint32_t i = 0; i < PROJECTS_MAX; i++) free_slot(grouping, &grouping->slots[i]);
}

void inbox_grouping_destroy(struct inbox_grouping *grouping) {
  if (!grouping) return;
  free_slots(grouping);
  table_recent_destroy(grouping->known);
  grouping_memory_destroy(grouping->memory);
  arena_finish(&grouping->texts);
  free(grouping);
}

static struct slice or_nothing(struct slice text) {
  return text.ptr ? text : slice_make("", 0);
}

// The configuration of a setup, compiled now or before; false when this program cannot make it.
static bool compile(struct inbox_grouping *grouping, const struct grouping_setup *setup, struct inbox_setup *out) {
  char id[GROUPING_HISTORY_ID_BYTES];
  grouping_history_id(setup, id);
  *out = (struct inbox_setup){
      .config = grouping->options.program, .id = grouping->program_id, .until_ns = setup->until_ns};
  if (strcmp(id, grouping->program_id) == 0) return true;
  struct compiled *compiled = NULL;
  for (uint32_t i = 0; i < CONFIGS_MAX; i++) {
    struct compiled *one = &grouping->compiled[i];
    if (one->config == NULL && compiled == NULL) compiled = one;
    if (one->config == NULL || strcmp(one->id, id) != 0) continue;
    compiled = one;
    break;
  }
  ASSERT(compiled != NULL); // there is one for every setup of every slot
  if (compiled->config == NULL) {
    struct error error = {0};
    struct grouping_config_options options = {.enhancements = setup->enhancements,
                                              .fingerprinting = setup->fingerprinting,
                                              .builtin_enhancements = or_nothing(setup->builtin_enhancements),
                                              .builtin_fingerprinting = or_nothing(setup->builtin_fingerprinting)};
    enum status status = STATUS_UNSUPPORTED;
    if (grouping_config_choose(setup->algorithm, &options)) {
      status = grouping_config_create(&options, &compiled->config, &error);
    } else {
      error_set(&error, status, "this version does not know the algorithm");
    }
    if (status != STATUS_OK) {
      compiled->config = NULL;
      log_write(LOG_WARN, "inbox", "a grouping setup cannot be used",
                LOG_FIELDS(log_text("setup", id), log_text("reason", error.text)));
      return false;
    }
    memcpy(compiled->id, id, sizeof id);
  }
  compiled->users++;
  out->config = compiled->config;
  out->id = compiled->id;
  return true;
}

static void fill(struct inbox_grouping *grouping, struct slot *slot, uint32_t project,
                 const struct grouping_history *history) {
  slot->project = project;
  for (uint32_t i = 0; i < history->count; i++) {
    bool good = compile(grouping, &history->setups[i], &slot->setups[slot->count]);
    if (good) {
      slot->count++;
    } else if (i == 0) { // rules that cannot be used do not stop grouping
      slot->setups[slot->count++] =
          (struct inbox_setup){.config = grouping->options.program, .id = grouping->program_id};
    }
  }
  if (slot->count > 0) return;
  slot->setups[slot->count++] = (struct inbox_setup){.config = grouping->options.program, .id = grouping->program_id};
}

// Looks whether anything has changed, and reads a project's setups when they are wanted. Only for those it waits until
// a reader of the database is free: grouping by the wrong rules would be worse.
static void look(struct inbox_grouping *grouping, uint32_t project, struct slot *wanted) {
  uint64_t wall_ns = clock_wall_ns(grouping->options.clock), now_ns = clock_monotonic_ns(grouping->options.clock);
  struct error error = {0};
  struct grouping_history history = {0};
  struct database *database = grouping->options.database;
  struct connection *reader = database_read_try(database, &error);
  if (!reader && wanted->project == project) return; // what is known holds until the next event looks
  if (!reader) reader = database_read_begin(database, &error);
  enum status status = STATUS_UNAVAILABLE;
  if (reader) {
    uint64_t version = grouping_history_version(reader);
    if (version != grouping->version && connection_status(reader) == STATUS_OK) {
      free_slots(grouping);
      grouping->version = version;
    }
    arena_reset(&grouping->texts);
    if (wanted->project != project) grouping_history_load(reader, project, wall_ns, &grouping->texts, &history);
    status = database_read_end(database, reader, &error);
  }
  grouping->looked_ns = now_ns;
  grouping->looked_wall_ns = wall_ns;
  grouping->failed = status != STATUS_OK;
  if (status != STATUS_OK) {
    log_write(LOG_WARN, "inbox", "the grouping rules cannot be read",
              LOG_FIELDS(log_u64("project", project), log_text("reason", error.text)));
    return;
  }
  if (wanted->project != project) {
    free_slot(grouping, wanted);
    fill(grouping, wanted, project, &history);
  }
}

// Where the project is, or the one that it would take the place of.
static struct slot *slot_of(struct inbox_grouping *grouping, uint32_t project) {
  struct slot *set = &grouping->slots[project % SETS * WAYS], *oldest = set;
  for (uint32_t i = 0; i < WAYS; i++) {
    if (set[i].project == project) return &set[i];
    if (set[i].used < oldest->used) oldest = &set[i];
  }
  return oldest;
}

uint32_t inbox_grouping_find(struct inbox_grouping *grouping, uint32_t project, uint64_t received_ns,
                             struct inbox_setup out_setups[1 + GROUPING_HISTORY_PAST_MAX]) {
  struct slot *slot = slot_of(grouping, project);
  uint64_t age_ns = clock_monotonic_ns(grouping->options.clock) - grouping->looked_ns;
  bool due = received_ns >= grouping->looked_wall_ns && age_ns >= INBOX_GROUPING_SEEN_NS;
  bool resting = grouping->failed && age_ns < RETRY_NS;
  if ((slot->project != project || due) && !resting) look(grouping, project, slot);
  if (slot->project != project) { // not now: by the program's own rules
    out_setups[0] = (struct inbox_setup){.config = grouping->options.program, .id = grouping->program_id};
    return 1;
  }
  slot->used = ++grouping->finds;
  uint32_t count = 0;
  for (uint32_t i = 0; i < slot->count; i++) {
    const struct grouping_setup setup = {.until_ns = slot->setups[i].until_ns};
    if (grouping_history_is_kept(&setup, received_ns)) out_setups[count++] = slot->setups[i];
  }
  return count;
}

struct grouping_memory *inbox_grouping_memory(struct inbox_grouping *grouping) {
  return grouping->memory;
}

static uint64_t key_of(const struct inbox_grouping *grouping, uint32_t project, const struct issue_hash *hash) {
  return hash_xxh3_seeded(slice_make(hash->bytes, ISSUE_HASH_BYTES), grouping->seed + project);
}

bool inbox_grouping_is_known(struct inbox_grouping *grouping, uint32_t project, const struct issue_hash *hashes,
                             uint32_t count) {
  if (!grouping->known) grouping->known = table_recent_create(KNOWN_MAX);
  struct connection *reader = NULL;
  struct error error = {0};
  bool known = true;
  for (uint32_t i = 0; i < count && known; i++) {
    uint64_t key = key_of(grouping, project, &hashes[i]);
    uint32_t ignored;
    if (table_recent_get(grouping->known, key, &ignored)) continue;
    if (!reader) reader = database_read_try(grouping->options.database, &error);
    known = reader && // else past hashes are computed for nothing
            issue_query_has_hash(reader, project, hashes[i].bytes);
    if (known) table_recent_put(grouping->known, key, 1);
  }
  if (reader) database_read_end(grouping->options.database, reader, &error);
  return known;
}
