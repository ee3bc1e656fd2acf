// SPDX-License-Identifier: Apache-2.0
//
// How it works: the hashes of an event are looked up in order and the first that has an issue decides; hashes without
// one are attached to it. A hash of another issue stays where it is, since merging is a person's decision. When no hash
// is known, those by which the event was grouped before the algorithm or the rules changed are looked up, and the issue
// found is given the new hashes. Else a new issue is made, unless the project made its number for the day: then the
// event goes to the project's overflow issue, and its hashes stay free so that it can have an issue of its own another
// day.
#include "store/issue_resolve.h"

#include <stdio.h>

#include "base/clock.h"
#include "store/issue.h"

#define DAY_NS             (UINT64_C(86400) * NS_PER_S)
#define OVERFLOW_ALGORITHM "culprit-overflow"

static const uint8_t overflow_hash[ISSUE_HASH_BYTES] = {'c', 'u', 'l', 'p', 'r', 'i', 't', ':',
                                                        'o', 'v', 'e', 'r', 'f', 'l', 'o', 'w'};

static uint32_t find(const struct issue_resolve *resolve, uint32_t project, const uint8_t hash[ISSUE_HASH_BYTES]) {
  uint32_t issue = issue_memory_find_issue(resolve->memory, project, hash);
  if (issue != 0) return issue;
  struct statement select =
      connection_statement(resolve->connection, "SELECT issue_id FROM issue_hash WHERE project_id = ?1 AND hash = ?2 "
                                                "AND EXISTS (SELECT 1 FROM issue WHERE id = issue_id)");
  statement_bind_i64(&select, 1, project);
  statement_bind_blob(&select, 2, slice_make(hash, ISSUE_HASH_BYTES));
  if (!statement_step(&select)) return 0;
  issue = (uint32_t)statement_i64(&select, 0);
  statement_reset(&select);
  issue_memory_put_issue(resolve->memory, project, hash, issue);
  return issue;
}

static void attach(const struct issue_resolve *resolve, uint32_t project, uint32_t issue,
                   const struct issue_hash *hash) {
  struct statement insert = connection_statement(
      resolve->connection, "INSERT INTO issue_hash (project_id, hash, issue_id, algorithm, variant, created_ns) "
                           "VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO UPDATE SET issue_id = ?3");
  statement_bind_i64(&insert, 1, project);
  statement_bind_blob(&insert, 2, slice_make(hash->bytes, ISSUE_HASH_BYTES));
  statement_bind_i64(&insert, 3, issue);
  statement_bind_text(&insert, 4, slice_from_cstr(hash->algorithm));
  statement_bind_text(&insert, 5, slice_from_cstr(hash->variant));
  statement_bind_u64(&insert, 6, resolve->now_ns);
  statement_run(&insert);
  issue_memory_put_issue(resolve->memory, project, hash->bytes, issue);
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

static uint32_t make(const struct issue_resolve *resolve, const struct issue_event *event, struct slice title) {
  int64_t number = next_number(resolve, event->project);
  uint64_t seen_ns = issue_event_seen_ns(event->timestamp_ns, event->received_ns);
  struct statement insert = connection_statement(
      resolve->connection, "INSERT INTO issue (project_id, number, status_ns, first_seen_ns, last_seen_ns, title) "
                           "VALUES (?1, ?2, ?3, ?4, ?4, ?5)");
  statement_bind_i64(&insert, 1, event->project);
  statement_bind_i64(&insert, 2, number);
  statement_bind_u64(&insert, 3, resolve->now_ns);
  statement_bind_u64(&insert, 4, seen_ns);
  statement_bind_text(&insert, 5, title);
  statement_run(&insert);
  if (connection_status(resolve->connection) != STATUS_OK) return 0;
  return (uint32_t)connection_last_row(resolve->connection);
}

static struct issue_resolved overflow(const struct issue_resolve *resolve, const struct issue_event *event) {
  struct issue_resolved resolved = {.overflow = true};
  resolved.issue = find(resolve, event->project, overflow_hash);
  if (resolved.issue != 0) return resolved;
  resolved.made = true;
  resolved.issue = make(resolve, event, SLICE_LITERAL(ISSUE_RESOLVE_OVERFLOW_TITLE));
  struct issue_hash hash = {.algorithm = OVERFLOW_ALGORITHM, .variant = "overflow"};
  memcpy(hash.bytes, overflow_hash, sizeof hash.bytes);
  if (resolved.issue != 0) attach(resolve, event->project, resolved.issue, &hash);
  return resolved;
}

struct issue_resolved issue_resolve_event(const struct issue_resolve *resolve, const struct issue_event *event) {
  struct issue_resolved resolved = {0};
  uint32_t known[ISSUE_EVENT_HASHES_MAX];
  for (uint32_t i = 0; i < event->hash_count; i++) {
    known[i] = find(resolve, event->project, event->hashes[i].bytes);
    if (resolved.issue == 0) resolved.issue = known[i];
  }
  for (uint32_t i = 0; i < event->past_hash_count && resolved.issue == 0; i++)
    resolved.issue = find(resolve, event->project, event->past_hashes[i].bytes);
  if (resolved.issue == 0 && connection_status(resolve->connection) == STATUS_OK) {
    if (!may_make(resolve, event->project)) return overflow(resolve, event);
    resolved.made = true;
    resolved.issue = make(resolve, event, event->title);
  }
  for (uint32_t i = 0; i < event->hash_count && resolved.issue != 0; i++) {
    if (known[i] == 0) attach(resolve, event->project, resolved.issue, &event->hashes[i]);
  }
  return resolved;
}
