// SPDX-License-Identifier: Apache-2.0
//
// How it works: the hashes of an event are looked up in order and the first that has an issue decides, unless a person
// has split one of them off: then the one that was split off last decides. Hashes without an issue are attached to it.
// A hash of another issue stays where it is, since merging is a person's decision. When no hash is known, those by
// which the event was grouped before the algorithm or the rules changed are looked up, and the issue found is given the
// new hashes. Then its outline is asked for, which the first event of the other side left. Else a new issue is made,
// unless the project made its number for the day: then the event goes to the project's overflow issue, and its hashes
// stay free so that it can have an issue of its own another day.
#include "store/issue_resolve.h"

#include <stdio.h>

#include "base/clock.h"
#include "store/issue.h"

#define DAY_NS             (UINT64_C(86400) * NS_PER_S)
#define OVERFLOW_ALGORITHM "culprit-overflow"
#define OUTLINE_ALGORITHM  "culprit-outline"

static const uint8_t overflow_hash[ISSUE_HASH_BYTES] = {'c', 'u', 'l', 'p', 'r', 'i', 't', ':',
                                                        'o', 'v', 'e', 'r', 'f', 'l', 'o', 'w'};

static struct issue_owner find(const struct issue_resolve *resolve, uint32_t project,
                               const uint8_t hash[ISSUE_HASH_BYTES]) {
  struct issue_owner owner = issue_memory_find_issue(resolve->memory, project, hash);
  if (owner.issue != 0) return owner;
  struct statement select = connection_statement(
      resolve->connection, "SELECT issue_id, split FROM issue_hash WHERE project_id = ?1 AND hash = ?2 "
                           "AND EXISTS (SELECT 1 FROM issue WHERE id = issue_id)");
  statement_bind_i64(&select, 1, project);
  statement_bind_blob(&select, 2, slice_make(hash, ISSUE_HASH_BYTES));
  if (!statement_step(&select)) return owner;
  owner.issue = (uint32_t)statement_i64(&select, 0);
  owner.split = statement_i64(&select, 1) != 0;
  statement_reset(&select);
  issue_memory_put_issue(resolve->memory, project, hash, owner);
  return owner;
}

// The number of the split that put the hash where it is; asked for only where two splits disagree.
static int64_t split_number(const struct issue_resolve *resolve, uint32_t project,
                            const uint8_t hash[ISSUE_HASH_BYTES]) {
  struct statement select =
      connection_statement(resolve->connection, "SELECT split FROM issue_hash WHERE project_id = ?1 AND hash = ?2");
  statement_bind_i64(&select, 1, project);
  statement_bind_blob(&select, 2, slice_make(hash, ISSUE_HASH_BYTES));
  int64_t split = statement_step(&select) ? statement_i64(&select, 0) : 0;
  statement_reset(&select);
  return split;
}

// Of several hashes with an issue: the one that was split off last, else the first. count when none has one.
static uint32_t choose(const struct issue_resolve *resolve, uint32_t project, const struct issue_hash *hashes,
                       const struct issue_owner *owners, uint32_t count) {
  uint32_t chosen = count;
  for (uint32_t i = 0; i < count; i++) {
    if (owners[i].issue == 0) continue;
    if (chosen == count || (owners[i].split && !owners[chosen].split)) {
      chosen = i;
    } else if (owners[i].split && owners[i].issue != owners[chosen].issue &&
               split_number(resolve, project, hashes[i].bytes) > split_number(resolve, project, hashes[chosen].bytes)) {
      chosen = i;
    }
  }
  return chosen;
}

// `split`: the number of a split, handed on to the hash that takes the place of one that was split off; 0: none.
static void attach(const struct issue_resolve *resolve, uint32_t project, uint32_t issue, const struct issue_hash *hash,
                   int64_t split) {
  struct statement insert = connection_statement(
      resolve->connection, "INSERT INTO issue_hash (project_id, hash, issue_id, algorithm, variant, created_ns, split) "
                           "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO UPDATE SET issue_id = ?3");
  statement_bind_i64(&insert, 1, project);
  statement_bind_blob(&insert, 2, slice_make(hash->bytes, ISSUE_HASH_BYTES));
  statement_bind_i64(&insert, 3, issue);
  statement_bind_text(&insert, 4, slice_from_cstr(hash->algorithm));
  statement_bind_text(&insert, 5, slice_from_cstr(hash->variant));
  statement_bind_u64(&insert, 6, resolve->now_ns);
  statement_bind_i64(&insert, 7, split);
  statement_run(&insert);
  issue_memory_put_issue(resolve->memory, project, hash->bytes,
                         (struct issue_owner){.issue = issue, .split = split != 0});
}

// Events may be of a project that is not in the database: made in a file that was lost since. It gets a name again.
static void ensure_project(const struct issue_resolve *resolve, uint32_t project) {
  char slug[32];
  snprintf(slug, sizeof slug, "project-%u", project);
  struct statement insert =
      connection_statement(resolve->connection, "INSERT INTO project (id, slug, created_ns) VALUES (?1, ?2, ?3) "
                                                "ON CONFLICT DO NOTHING");
  statement_bind_i64(&insert, 1, project);
  statement_bind_text(&insert, 2, slice_from_cstr(slug));
  statement_bind_u64(&insert, 3, resolve->now_ns);
  statement_run(&insert);
}

static bool may_make(const struct issue_resolve *resolve, uint32_t project) {
  struct statement select =
      connection_statement(resolve->connection, "SELECT day, day_groups FROM project WHERE id = ?1");
  statement_bind_i64(&select, 1, project);
  bool found = statement_step(&select);
  bool may = !found || statement_u64(&select, 0) != resolve->now_ns / DAY_NS ||
             statement_u64(&select, 1) < resolve->groups_per_day_max;
  statement_reset(&select);
  if (!found) ensure_project(resolve, project);
  return may;
}

// The next number for a short id; counts towards the cap.
static int64_t next_number(const struct issue_resolve *resolve, uint32_t project) {
  struct statement update = connection_statement(
      resolve->connection, "UPDATE project SET issues_made = issues_made + 1, day = ?2, "
                           "day_groups = CASE WHEN day = ?2 THEN day_groups + 1 ELSE 1 END WHERE id = ?1 "
                           "RETURNING issues_made");
  statement_bind_i64(&update, 1, project);
  statement_bind_u64(&update, 2, resolve->now_ns / DAY_NS);
  int64_t number = statement_step(&update) ? statement_i64(&update, 0) : 0;
  statement_reset(&update);
  return number;
}

// Ids are never given twice while an issue that was merged still leads somewhere under its own.
uint32_t issue_resolve_make(const struct issue_resolve *resolve, uint32_t project, uint64_t seen_ns,
                            struct slice title) {
  int64_t number = next_number(resolve, project);
  struct statement insert = connection_statement(
      resolve->connection, "INSERT INTO issue (id, project_id, number, status_ns, first_seen_ns, last_seen_ns, title) "
                           "VALUES (1 + max(coalesce((SELECT max(id) FROM issue), 0), coalesce((SELECT max(id) FROM "
                           "issue_merged), 0)), ?1, ?2, ?3, ?4, ?4, ?5)");
  statement_bind_i64(&insert, 1, project);
  statement_bind_i64(&insert, 2, number);
  statement_bind_u64(&insert, 3, resolve->now_ns);
  statement_bind_u64(&insert, 4, seen_ns);
  statement_bind_text(&insert, 5, title);
  statement_run(&insert);
  if (connection_status(resolve->connection) != STATUS_OK) return 0;
  return (uint32_t)connection_last_row(resolve->connection);
}

static uint32_t make(const struct issue_resolve *resolve, const struct issue_event *event, struct slice title) {
  uint64_t seen_ns = issue_event_seen_ns(event->timestamp_ns, event->received_ns);
  return issue_resolve_make(resolve, event->project, seen_ns, title);
}

static struct issue_resolved overflow(const struct issue_resolve *resolve, const struct issue_event *event) {
  struct issue_resolved resolved = {.overflow = true};
  resolved.issue = find(resolve, event->project, overflow_hash).issue;
  if (resolved.issue != 0) return resolved;
  resolved.made = true;
  resolved.issue = make(resolve, event, SLICE_LITERAL(ISSUE_RESOLVE_OVERFLOW_TITLE));
  struct issue_hash hash = {.algorithm = OVERFLOW_ALGORITHM, .variant = "overflow"};
  memcpy(hash.bytes, overflow_hash, sizeof hash.bytes);
  if (resolved.issue != 0) attach(resolve, event->project, resolved.issue, &hash, 0);
  return resolved;
}

// The issue of the hashes the event had before algorithm or rules changed, where the ones it has now do not say. A hash
// that was split off before keeps its event apart from a known one: the new hash of the same variant takes its place.
static void resolve_past(const struct issue_resolve *resolve, const struct issue_event *event,
                         struct issue_resolved *resolved, const char **out_variant, int64_t *out_split) {
  struct issue_owner owners[ISSUE_PAST_HASHES_MAX];
  for (uint32_t i = 0; i < event->past_hash_count; i++)
    owners[i] = find(resolve, event->project, event->past_hashes[i].bytes);
  uint32_t chosen = choose(resolve, event->project, event->past_hashes, owners, event->past_hash_count);
  if (chosen == event->past_hash_count || (resolved->issue != 0 && !owners[chosen].split)) return;
  resolved->issue = owners[chosen].issue;
  if (!owners[chosen].split) return;
  *out_variant = event->past_hashes[chosen].variant;
  *out_split = split_number(resolve, event->project, event->past_hashes[chosen].bytes);
}

struct issue_resolved issue_resolve_event(const struct issue_resolve *resolve, const struct issue_event *event) {
  struct issue_resolved resolved = {0};
  struct issue_owner owners[ISSUE_EVENT_HASHES_MAX];
  for (uint32_t i = 0; i < event->hash_count; i++) owners[i] = find(resolve, event->project, event->hashes[i].bytes);
  uint32_t chosen = choose(resolve, event->project, event->hashes, owners, event->hash_count);
  if (chosen < event->hash_count) resolved.issue = owners[chosen].issue;
  const char *variant = "";
  int64_t split = 0;
  if (chosen == event->hash_count || !owners[chosen].split) resolve_past(resolve, event, &resolved, &variant, &split);
  if (resolved.issue == 0 && event->has_outline)
    resolved.issue = find(resolve, event->project, event->outline_of_other_side).issue;
  if (resolved.issue == 0 && connection_status(resolve->connection) == STATUS_OK) {
    if (!may_make(resolve, event->project)) return overflow(resolve, event);
    resolved.made = true;
    resolved.issue = make(resolve, event, event->title);
  }
  for (uint32_t i = 0; i < event->hash_count && resolved.issue != 0; i++) {
    bool instead = split != 0 && strcmp(event->hashes[i].variant, variant) == 0;
    if (owners[i].issue == 0) attach(resolve, event->project, resolved.issue, &event->hashes[i], instead ? split : 0);
  }
  if (resolved.issue != 0 && event->has_outline && find(resolve, event->project, event->outline).issue == 0) {
    struct issue_hash outline = {.algorithm = OUTLINE_ALGORITHM, .variant = "outline"};
    memcpy(outline.bytes, event->outline, sizeof outline.bytes);
    attach(resolve, event->project, resolved.issue, &outline, 0);
  }
  return resolved;
}
