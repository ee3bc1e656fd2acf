// SPDX-License-Identifier: Apache-2.0
//
// How it works: one constant statement per question; a filter that is not set is a NULL parameter whose condition is
// true. Lists are paged by the last row's place in the order (value, id), never by offsets, so that a page costs the
// same wherever it is. LIKE patterns are escaped and their length is bounded by the connection's limits.
#include "store/issue_query.h"

#include <stdlib.h>

#include "base/block.h"
#include "base/clock.h"
#include "store/issue_part.h"

#define HOUR_NS            (UINT64_C(3600) * NS_PER_S)
#define DOCUMENT_BYTES_MAX (64u << 20)

static struct slice keep(struct connection *reader, struct arena *arena, struct slice text) {
  if (text.len == 0) return (struct slice){0};
  struct slice copy = arena_copy(arena, text);
  if (!copy.ptr) connection_fail(reader, STATUS_NO_MEMORY, "the answer is too large");
  return copy;
}

#define ISSUE_COLUMNS                                                                                                  \
  "i.id, i.number, (SELECT slug FROM project WHERE id = i.project_id), i.title, i.type, i.value, i.culprit, i.level, " \
  "i.platform, i.status, i.substatus, i.status_ns, i.count, i.first_seen_ns, i.last_seen_ns, i.first_row"

static void read_issue(struct connection *reader, const struct statement *row, uint64_t now_ns, struct arena *arena,
                       struct issue_summary *out) {
  *out = (struct issue_summary){
      .id = statement_u64(row, 0),
      .number = statement_u64(row, 1),
      .project = keep(reader, arena, statement_text(row, 2)),
      .title = keep(reader, arena, statement_text(row, 3)),
      .type = keep(reader, arena, statement_text(row, 4)),
      .value = keep(reader, arena, statement_text(row, 5)),
      .culprit = keep(reader, arena, statement_text(row, 6)),
      .level = keep(reader, arena, statement_text(row, 7)),
      .platform = keep(reader, arena, statement_text(row, 8)),
      .status = (enum issue_status)statement_i64(row, 9),
      .substatus = issue_substatus_at((enum issue_substatus)statement_i64(row, 10), statement_u64(row, 11), now_ns),
      .count = statement_u64(row, 12),
      .first_seen_ns = statement_u64(row, 13),
      .last_seen_ns = statement_u64(row, 14),
      .first_row = statement_i64(row, 15),
  };
}

static void read_values(struct connection *reader, uint64_t issue, const char *key, struct arena *arena,
                        struct issue_texts *out) {
  struct statement select = connection_statement(reader, "SELECT value FROM issue_tag WHERE issue_id = ?1 AND key = ?2 "
                                                         "ORDER BY count DESC, value LIMIT ?3");
  statement_bind_u64(&select, 1, issue);
  statement_bind_text(&select, 2, slice_from_cstr(key));
  statement_bind_i64(&select, 3, ISSUE_QUERY_VALUES_MAX);
  while (statement_step(&select)) out->items[out->count++] = keep(reader, arena, statement_text(&select, 0));
}

static void read_sparkline(struct connection *reader, uint64_t now_ns, struct issue_summary *issue) {
  uint64_t hour = now_ns / HOUR_NS;
  uint64_t oldest = hour >= ISSUE_QUERY_SPARKLINE ? hour - ISSUE_QUERY_SPARKLINE + 1 : 0;
  struct statement select = connection_statement(
      reader, "SELECT hour, sum(count) FROM issue_hour WHERE issue_id = ?1 AND hour BETWEEN ?2 AND ?3 GROUP BY hour");
  statement_bind_u64(&select, 1, issue->id);
  statement_bind_u64(&select, 2, oldest);
  statement_bind_u64(&select, 3, oldest + ISSUE_QUERY_SPARKLINE - 1);
  while (statement_step(&select)) issue->sparkline[statement_u64(&select, 0) - oldest] = statement_u64(&select, 1);
}

static void read_lists(struct connection *reader, uint64_t now_ns, struct arena *arena, struct issue_summary *issue) {
  read_values(reader, issue->id, "service", arena, &issue->services);
  read_values(reader, issue->id, "environment", arena, &issue->environments);
  read_values(reader, issue->id, "release", arena, &issue->releases);
  read_sparkline(reader, now_ns, issue);
}

// "%text%" with LIKE's own characters escaped.
static struct slice like_pattern(struct connection *reader, struct arena *arena, struct slice text) {
  if (text.len == 0) return (struct slice){0};
  uint8_t *pattern = arena_alloc(arena, 2 * text.len + 2);
  if (!pattern) {
    connection_fail(reader, STATUS_NO_MEMORY, "the text searched for is too long");
    return (struct slice){0};
  }
  size_t len = 0;
  pattern[len++] = '%';
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] == '%' || text.ptr[i] == '_' || text.ptr[i] == '\\') pattern[len++] = '\\';
    pattern[len++] = text.ptr[i];
  }
  pattern[len++] = '%';
  return slice_make(pattern, len);
}

#define LIST_SQL(from, project, column)                                                                                \
  "SELECT " ISSUE_COLUMNS " FROM " from " WHERE " project                                                              \
  "(?1 IS NULL OR i.status = ?1) AND (?2 IS NULL OR i.level = ?2) "                                                    \
  "AND (?3 IS NULL OR EXISTS (SELECT 1 FROM issue_tag WHERE issue_id = i.id AND key = 'service' AND value = ?3)) "     \
  "AND (?4 IS NULL OR EXISTS (SELECT 1 FROM issue_tag WHERE issue_id = i.id AND key = 'environment' AND value = ?4)) " \
  "AND (?5 IS NULL OR i.title LIKE ?5 ESCAPE '\\' OR i.culprit LIKE ?5 ESCAPE '\\' OR i.type LIKE ?5 ESCAPE '\\' "     \
  "OR i.value LIKE ?5 ESCAPE '\\' OR (?6 IS NOT NULL AND EXISTS (SELECT 1 FROM issue_tag WHERE issue_id = i.id AND "   \
  "key = ?6 AND value = ?7))) AND (?8 IS NULL OR (" column ", i.id) < (?8, ?9)) ORDER BY " column                      \
  " DESC, i.id DESC LIMIT ?10"

#define OF_ALL(column)            LIST_SQL("issue AS i", "", column)
#define OF_PROJECT(index, column) LIST_SQL("issue AS i INDEXED BY " index, "i.project_id = ?11 AND ", column)

// The list of one project costs what that project has, not what all have: by time of its last event it is read in
// order, otherwise by number, as it lies in the table, and sorted.
static const char *const list_sql[][2] = {
    [ISSUE_SORT_LAST_SEEN] = {OF_ALL("i.last_seen_ns"), OF_PROJECT("issue_project_last_seen", "i.last_seen_ns")},
    [ISSUE_SORT_FIRST_SEEN] = {OF_ALL("i.first_seen_ns"), OF_PROJECT("issue_number", "i.first_seen_ns")},
    [ISSUE_SORT_COUNT] = {OF_ALL("i.count"), OF_PROJECT("issue_number", "i.count")},
};

uint32_t issue_query_list(struct connection *reader, const struct issue_filter *filter, uint64_t now_ns,
                          struct arena *arena, struct issue_summary *out_issues) {
  struct slice pattern = like_pattern(reader, arena, filter->text);
  struct statement select = connection_statement(reader, list_sql[filter->sort][filter->project != 0]);
  if (!filter->any_status) statement_bind_i64(&select, 1, filter->status);
  statement_bind_text(&select, 2, filter->level);
  statement_bind_text(&select, 3, filter->service);
  statement_bind_text(&select, 4, filter->environment);
  statement_bind_text(&select, 5, pattern);
  statement_bind_text(&select, 6, filter->tag_key);
  statement_bind_text(&select, 7, filter->tag_value);
  if (filter->has_after) {
    statement_bind_u64(&select, 8, filter->after_value);
    statement_bind_u64(&select, 9, filter->after_id);
  }
  statement_bind_i64(&select, 10, filter->limit);
  if (filter->project != 0) statement_bind_i64(&select, 11, filter->project);
  uint32_t count = 0;
  while (statement_step(&select)) read_issue(reader, &select, now_ns, arena, &out_issues[count++]);
  for (uint32_t i = 0; i < count; i++) read_lists(reader, now_ns, arena, &out_issues[i]);
  return connection_status(reader) == STATUS_OK ? count : 0;
}

uint64_t issue_query_sort_value(const struct issue_summary *issue, enum issue_sort sort) {
  if (sort == ISSUE_SORT_COUNT) return issue->count;
  return sort == ISSUE_SORT_FIRST_SEEN ? issue->first_seen_ns : issue->last_seen_ns;
}

bool issue_query_get(struct connection *reader, uint64_t id, uint64_t now_ns, struct arena *arena,
                     struct issue_summary *out_issue) {
  struct statement select = connection_statement(reader, "SELECT " ISSUE_COLUMNS " FROM issue AS i WHERE i.id = ?1");
  statement_bind_u64(&select, 1, id);
  if (!statement_step(&select)) return false;
  read_issue(reader, &select, now_ns, arena, out_issue);
  statement_reset(&select);
  read_lists(reader, now_ns, arena, out_issue);
  return connection_status(reader) == STATUS_OK;
}

uint32_t issue_query_known(struct connection *reader, struct slice key, struct arena *arena, struct slice *out_values) {
  struct statement select =
      connection_statement(reader, "SELECT value FROM known_value WHERE key = ?1 ORDER BY value LIMIT ?2");
  statement_bind_text(&select, 1, key);
  statement_bind_i64(&select, 2, ISSUE_QUERY_KNOWN_MAX);
  uint32_t count = 0;
  while (statement_step(&select)) out_values[count++] = keep(reader, arena, statement_text(&select, 0));
  return connection_status(reader) == STATUS_OK ? count : 0;
}

void issue_query_tags(struct connection *reader, uint64_t id,
                      void (*each)(void *context, const struct issue_tag_count *tag), void *context) {
  struct statement select = connection_statement(
      reader, "SELECT k.key, k.total, t.value, t.count, k.value_count FROM issue_tag_key AS k JOIN issue_tag AS t ON "
              "t.issue_id = k.issue_id AND t.key = k.key WHERE k.issue_id = ?1 AND t.value IN (SELECT value FROM "
              "issue_tag WHERE issue_id = k.issue_id AND key = k.key ORDER BY count DESC, value LIMIT ?2) "
              "ORDER BY k.key, t.count DESC, t.value");
  statement_bind_u64(&select, 1, id);
  statement_bind_i64(&select, 2, ISSUE_QUERY_TAG_VALUES);
  while (statement_step(&select)) {
    struct issue_tag_count tag = {.key = statement_text(&select, 0),
                                  .total = statement_u64(&select, 1),
                                  .value = statement_text(&select, 2),
                                  .count = statement_u64(&select, 3),
                                  .distinct = statement_u64(&select, 4)};
    each(context, &tag);
  }
}

// Numbers and title of one hash, from the parts whose events have it; they come newest last.
static void count_hash(struct connection *reader, const struct issue_part *parts, uint32_t count, struct arena *arena,
                       struct issue_hash_row *row) {
  int64_t newest = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (!issue_part_has(&parts[i], row->hash)) continue;
    if (newest == 0 || parts[i].first_seen_ns < row->first_seen_ns) row->first_seen_ns = parts[i].first_seen_ns;
    row->last_seen_ns = parts[i].last_seen_ns;
    row->count += parts[i].count;
    newest = parts[i].row;
  }
  if (newest == 0) return;
  struct statement select = connection_statement(reader, "SELECT title FROM issue_part WHERE id = ?1");
  statement_bind_i64(&select, 1, newest);
  if (statement_step(&select)) row->title = keep(reader, arena, statement_text(&select, 0));
  statement_reset(&select);
}

static int compare_hashes(const void *left, const void *right) {
  const struct issue_hash_row *a = left, *b = right;
  if (a->count != b->count) return a->count > b->count ? -1 : 1;
  if (a->created_ns != b->created_ns) return a->created_ns < b->created_ns ? -1 : 1;
  int variants = slice_compare(a->variant, b->variant);
  return variants != 0 ? variants : memcmp(a->hash, b->hash, ISSUE_HASH_BYTES);
}

uint32_t issue_query_hashes(struct connection *reader, uint64_t id, struct arena *arena,
                            struct issue_hash_row out_rows[ISSUE_QUERY_HASHES_MAX]) {
  struct issue_part *parts = arena_alloc_array(arena, ISSUE_PARTS_MERGED_MAX, sizeof *parts);
  if (!parts) {
    connection_fail(reader, STATUS_NO_MEMORY, "the answer is too large");
    return 0;
  }
  uint32_t part_count = issue_part_load(reader, id, parts, ISSUE_PARTS_MERGED_MAX), count = 0;
  struct statement select = connection_statement(
      reader, "SELECT hash, algorithm, variant, (SELECT upper(p.slug) || '-' || m.number FROM issue_merged AS m JOIN "
              "project AS p ON p.id = m.project_id WHERE m.id = merged_from), split, created_ns FROM issue_hash WHERE "
              "issue_id = ?1 ORDER BY created_ns DESC, variant LIMIT ?2");
  statement_bind_u64(&select, 1, id);
  statement_bind_i64(&select, 2, ISSUE_QUERY_HASHES_MAX);
  while (statement_step(&select)) {
    struct issue_hash_row *row = &out_rows[count++];
    struct slice hash = statement_blob(&select, 0);
    *row = (struct issue_hash_row){.algorithm = keep(reader, arena, statement_text(&select, 1)),
                                   .variant = keep(reader, arena, statement_text(&select, 2)),
                                   .merged_from = keep(reader, arena, statement_text(&select, 3)),
                                   .split = statement_i64(&select, 4) != 0,
                                   .created_ns = statement_u64(&select, 5)};
    if (hash.len == ISSUE_HASH_BYTES) memcpy(row->hash, hash.ptr, hash.len);
  }
  for (uint32_t i = 0; i < count; i++) count_hash(reader, parts, part_count, arena, &out_rows[i]);
  if (count > 0) qsort(out_rows, count, sizeof out_rows[0], compare_hashes);
  return connection_status(reader) == STATUS_OK ? count : 0;
}

void issue_query_merged(struct connection *reader, uint64_t id,
                        void (*each)(void *context, uint64_t id, uint64_t number), void *context) {
  struct statement select =
      connection_statement(reader, "SELECT id, number FROM issue_merged WHERE issue_id = ?1 ORDER BY id DESC LIMIT ?2");
  statement_bind_u64(&select, 1, id);
  statement_bind_i64(&select, 2, ISSUE_QUERY_HASHES_MAX);
  while (statement_step(&select)) each(context, statement_u64(&select, 0), statement_u64(&select, 1));
}

bool issue_query_has_hash(struct connection *reader, uint32_t project, const uint8_t hash[ISSUE_HASH_BYTES]) {
  struct statement select =
      connection_statement(reader, "SELECT 1 FROM issue_hash WHERE project_id = ?1 AND hash = ?2");
  statement_bind_i64(&select, 1, project);
  statement_bind_blob(&select, 2, slice_make(hash, ISSUE_HASH_BYTES));
  bool found = statement_step(&select);
  statement_reset(&select);
  return found;
}

void issue_query_history(struct connection *reader, uint64_t id,
                         void (*each)(void *context, uint64_t time_ns, struct slice kind, struct slice detail),
                         void *context) {
  struct statement select = connection_statement(
      reader, "SELECT time_ns, kind, detail FROM (SELECT id, time_ns, kind, detail FROM issue_history WHERE issue_id = "
              "?1 ORDER BY id DESC LIMIT ?2) ORDER BY id");
  statement_bind_u64(&select, 1, id);
  statement_bind_i64(&select, 2, ISSUE_QUERY_HISTORY_MAX);
  while (statement_step(&select))
    each(context, statement_u64(&select, 0), statement_text(&select, 1), statement_text(&select, 2));
}

void issue_query_hours(struct connection *reader, uint64_t id, uint64_t now_ns,
                       void (*each)(void *context, uint64_t time_ns, uint64_t count), void *context) {
  uint64_t hour = now_ns / HOUR_NS;
  struct statement select = connection_statement(
      reader,
      "SELECT hour, sum(count) FROM issue_hour WHERE issue_id = ?1 AND hour > ?2 GROUP BY hour ORDER BY hour LIMIT ?3");
  statement_bind_u64(&select, 1, id);
  statement_bind_u64(&select, 2, hour > ISSUE_HOURS_KEPT ? hour - ISSUE_HOURS_KEPT : 0);
  statement_bind_i64(&select, 3, ISSUE_HOURS_KEPT + 2);
  while (statement_step(&select)) each(context, statement_u64(&select, 0) * HOUR_NS, statement_u64(&select, 1));
}

#define EVENT_COLUMNS                                                                                                  \
  "id, issue_id, seen_ns, timestamp_ns, received_ns, event_id, source, trace_id, span_id, request_id, title, "         \
  "culprit, "                                                                                                          \
  "level, platform, service, environment, release"

static void read_event(struct connection *reader, const struct statement *row, struct arena *arena,
                       struct issue_event_row *out) {
  *out = (struct issue_event_row){
      .row = statement_i64(row, 0),
      .issue = statement_u64(row, 1),
      .seen_ns = statement_u64(row, 2),
      .timestamp_ns = statement_u64(row, 3),
      .received_ns = statement_u64(row, 4),
      .event_id = keep(reader, arena, statement_blob(row, 5)),
      .source = (enum issue_source)statement_i64(row, 6),
      .trace_id = keep(reader, arena, statement_blob(row, 7)),
      .span_id = keep(reader, arena, statement_blob(row, 8)),
      .request_id = keep(reader, arena, statement_text(row, 9)),
      .title = keep(reader, arena, statement_text(row, 10)),
      .culprit = keep(reader, arena, statement_text(row, 11)),
      .level = keep(reader, arena, statement_text(row, 12)),
      .platform = keep(reader, arena, statement_text(row, 13)),
      .service = keep(reader, arena, statement_text(row, 14)),
      .environment = keep(reader, arena, statement_text(row, 15)),
      .release = keep(reader, arena, statement_text(row, 16)),
  };
}

static uint32_t read_events(struct connection *reader, struct statement *select, struct arena *arena,
                            struct issue_event_row *out_events) {
  uint32_t count = 0;
  while (statement_step(select)) read_event(reader, select, arena, &out_events[count++]);
  return connection_status(reader) == STATUS_OK ? count : 0;
}

uint32_t issue_query_events(struct connection *reader, uint64_t issue, uint64_t after_seen_ns, int64_t after_row,
                            uint32_t limit, struct arena *arena, struct issue_event_row *out_events) {
  struct statement select = connection_statement(
      reader, "SELECT " EVENT_COLUMNS " FROM event WHERE issue_id = ?1 AND (?2 IS NULL OR (seen_ns, id) < (?2, ?3)) "
              "ORDER BY seen_ns DESC, id DESC LIMIT ?4");
  statement_bind_u64(&select, 1, issue);
  if (after_seen_ns != 0 || after_row != 0) {
    statement_bind_u64(&select, 2, after_seen_ns);
    statement_bind_i64(&select, 3, after_row);
  }
  statement_bind_i64(&select, 4, limit);
  return read_events(reader, &select, arena, out_events);
}

uint32_t issue_query_request_events(struct connection *reader, struct slice trace_id, struct slice request_id,
                                    uint32_t limit, struct arena *arena, struct issue_event_row *out_events) {
  struct statement select = connection_statement(
      reader, "SELECT " EVENT_COLUMNS " FROM event WHERE id IN (SELECT id FROM event WHERE trace_id = ?1 UNION "
              "SELECT id FROM event WHERE request_id = ?2) ORDER BY seen_ns, id LIMIT ?3");
  statement_bind_blob(&select, 1, trace_id);
  statement_bind_text(&select, 2, request_id);
  statement_bind_i64(&select, 3, limit);
  return read_events(reader, &select, arena, out_events);
}

bool issue_query_event(struct connection *reader, const uint8_t event_id[ISSUE_EVENT_ID_BYTES], struct arena *arena,
                       struct issue_event_row *out_event) {
  struct statement select = connection_statement(reader, "SELECT " EVENT_COLUMNS
                                                         " FROM event WHERE event_id = ?1 ORDER BY project_id LIMIT 1");
  statement_bind_blob(&select, 1, slice_make(event_id, ISSUE_EVENT_ID_BYTES));
  return read_events(reader, &select, arena, out_event) == 1;
}

bool issue_query_document(struct connection *reader, int64_t row, struct buffer *text, struct slice *out_grouping,
                          struct slice *out_document) {
  struct statement select = connection_statement(reader, "SELECT document_bytes, document FROM event WHERE id = ?1");
  statement_bind_i64(&select, 1, row);
  if (!statement_step(&select)) return false;
  uint64_t bytes = statement_u64(&select, 0);
  buffer_clear(text);
  uint8_t *out = bytes <= DOCUMENT_BYTES_MAX ? buffer_reserve(text, (size_t)bytes) : NULL;
  enum status status = out ? block_decompress(statement_blob(&select, 1), out, (size_t)bytes) : STATUS_TOO_LARGE;
  statement_reset(&select);
  if (status != STATUS_OK) {
    connection_fail(reader, status == STATUS_CORRUPT ? STATUS_INTERNAL : status, "the event's document cannot be read");
    return false;
  }
  text->len += (size_t)bytes;
  struct slice all = buffer_slice(text);
  size_t end = slice_find_byte(all, '\n');
  *out_grouping = slice_sub(all, 0, end);
  *out_document = slice_skip(all, end + 1);
  return true;
}

static struct slice one_id(struct connection *reader, struct statement *select, struct arena *arena) {
  struct slice id = {0};
  if (statement_step(select)) id = keep(reader, arena, statement_blob(select, 0));
  statement_reset(select);
  return id;
}

struct slice issue_query_previous(struct connection *reader, const struct issue_event_row *event, struct arena *arena) {
  struct statement select =
      connection_statement(reader, "SELECT event_id FROM event WHERE issue_id = ?1 AND (seen_ns, id) < (?2, ?3) "
                                   "ORDER BY seen_ns DESC, id DESC LIMIT 1");
  statement_bind_u64(&select, 1, event->issue);
  statement_bind_u64(&select, 2, event->seen_ns);
  statement_bind_i64(&select, 3, event->row);
  return one_id(reader, &select, arena);
}

struct slice issue_query_next(struct connection *reader, const struct issue_event_row *event, struct arena *arena) {
  struct statement select =
      connection_statement(reader, "SELECT event_id FROM event WHERE issue_id = ?1 AND (seen_ns, id) > (?2, ?3) "
                                   "ORDER BY seen_ns, id LIMIT 1");
  statement_bind_u64(&select, 1, event->issue);
  statement_bind_u64(&select, 2, event->seen_ns);
  statement_bind_i64(&select, 3, event->row);
  return one_id(reader, &select, arena);
}

struct slice issue_query_newest(struct connection *reader, uint64_t issue, struct arena *arena) {
  struct statement select = connection_statement(
      reader, "SELECT event_id FROM event WHERE issue_id = ?1 ORDER BY seen_ns DESC, id DESC LIMIT 1");
  statement_bind_u64(&select, 1, issue);
  return one_id(reader, &select, arena);
}

struct slice issue_query_event_id(struct connection *reader, int64_t row, struct arena *arena) {
  struct statement select = connection_statement(reader, "SELECT event_id FROM event WHERE id = ?1");
  statement_bind_i64(&select, 1, row);
  return one_id(reader, &select, arena);
}
