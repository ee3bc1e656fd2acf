// SPDX-License-Identifier: Apache-2.0
//
// Reading the inbox. Every function works inside a transaction of a reader (database_read_begin), so that several
// answers are of one moment; failures stay in the connection and make the functions answer nothing. Texts are copied
// into the caller's arena; running out of it makes the connection fail with STATUS_NO_MEMORY. Any thread, with its own
// reader.
#ifndef STORE_ISSUE_QUERY_H
#define STORE_ISSUE_QUERY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "store/connection.h"
#include "store/issue.h"

#define ISSUE_QUERY_SPARKLINE   24
#define ISSUE_QUERY_VALUES_MAX  20 // services, environments, releases of an issue
#define ISSUE_QUERY_KNOWN_MAX   500
#define ISSUE_QUERY_TAG_VALUES  10
#define ISSUE_QUERY_HASHES_MAX  200
#define ISSUE_QUERY_HISTORY_MAX 200 // the newest

struct issue_texts {
  struct slice items[ISSUE_QUERY_VALUES_MAX];
  uint32_t count;
};

struct issue_summary {
  uint64_t id, number;
  struct slice project; // slug
  struct slice title, type, value, culprit, level, platform;
  enum issue_status status;
  enum issue_substatus substatus;
  uint64_t count, first_seen_ns, last_seen_ns;
  int64_t first_row;
  struct issue_texts services, environments, releases; // most frequent first
  uint64_t sparkline[ISSUE_QUERY_SPARKLINE];           // events an hour, the current one last
};

enum issue_sort { ISSUE_SORT_LAST_SEEN, ISSUE_SORT_FIRST_SEEN, ISSUE_SORT_COUNT };

struct issue_filter {
  struct slice text;               // in title, culprit, type or value without regard to ASCII case
  struct slice tag_key, tag_value; // …or this tag
  struct slice service, environment, level;
  uint32_t project; // 0: of all
  bool any_status;
  enum issue_status status;
  enum issue_sort sort; // descending, then by id descending
  bool has_after;       // only what follows this place in the order
  uint64_t after_value, after_id;
  uint32_t limit;
};
// Fills up to filter->limit summaries and returns how many.
uint32_t issue_query_list(struct connection *reader, const struct issue_filter *filter, uint64_t now_ns,
                          struct arena *arena, struct issue_summary *out_issues);
// The number by which `sort` orders.
uint64_t issue_query_sort_value(const struct issue_summary *issue, enum issue_sort sort);
bool issue_query_get(struct connection *reader, uint64_t id, uint64_t now_ns, struct arena *arena,
                     struct issue_summary *out_issue);
// Every value of "service" or "environment" there is, in order; returns how many, up to ISSUE_QUERY_KNOWN_MAX.
uint32_t issue_query_known(struct connection *reader, struct slice key, struct arena *arena, struct slice *out_values);

// Details, handed to a function row by row; slices live during the call.
struct issue_tag_count {
  struct slice key, value;
  uint64_t total;    // of the key
  uint64_t distinct; // values of the key, up to ISSUE_TAG_VALUES_MAX
  uint64_t count;
};
// By key, most frequent value first, up to ISSUE_QUERY_TAG_VALUES a key.
void issue_query_tags(struct connection *reader, uint64_t id,
                      void (*each)(void *context, const struct issue_tag_count *tag), void *context);
struct issue_hash_row {
  uint8_t hash[ISSUE_HASH_BYTES];
  struct slice algorithm, variant;
  struct slice title;       // of its newest event; empty: no event is counted under it
  struct slice merged_from; // short id of the issue it came with, or empty
  bool split;               // a person split it off: it decides where its events go
  uint64_t count, created_ns, first_seen_ns, last_seen_ns;
};
// Of most events first (every event counts under each of its hashes); returns how many, up to ISSUE_QUERY_HASHES_MAX.
uint32_t issue_query_hashes(struct connection *reader, uint64_t id, struct arena *arena,
                            struct issue_hash_row out_rows[ISSUE_QUERY_HASHES_MAX]);
// Issues that were merged into this one.
void issue_query_merged(struct connection *reader, uint64_t id,
                        void (*each)(void *context, uint64_t id, uint64_t number), void *context);
bool issue_query_has_hash(struct connection *reader, uint32_t project, const uint8_t hash[ISSUE_HASH_BYTES]);
void issue_query_history(struct connection *reader, uint64_t id,
                         void (*each)(void *context, uint64_t time_ns, struct slice kind, struct slice detail),
                         void *context);
void issue_query_hours(struct connection *reader, uint64_t id, uint64_t now_ns,
                       void (*each)(void *context, uint64_t time_ns, uint64_t count), void *context);

struct issue_event_row {
  int64_t row;
  uint64_t issue, seen_ns, timestamp_ns, received_ns;
  struct slice event_id; // 16 bytes
  enum issue_source source;
  struct slice trace_id, span_id; // raw or empty
  struct slice request_id, title, culprit, level, platform, service, environment, release;
};
// Events of an issue, newest first; after_seen_ns and after_row (0, 0: from the newest) are those of the last one
// known.
uint32_t issue_query_events(struct connection *reader, uint64_t issue, uint64_t after_seen_ns, int64_t after_row,
                            uint32_t limit, struct arena *arena, struct issue_event_row *out_events);
// Events that share a trace id (16 bytes; may be empty) or a request id (may be empty); oldest first.
uint32_t issue_query_request_events(struct connection *reader, struct slice trace_id, struct slice request_id,
                                    uint32_t limit, struct arena *arena, struct issue_event_row *out_events);
// One event. False when it is not there; the oldest project's when several have it.
bool issue_query_event(struct connection *reader, const uint8_t event_id[ISSUE_EVENT_ID_BYTES], struct arena *arena,
                       struct issue_event_row *out_event);
// Its document, decompressed into `text` (cleared): *out_grouping and *out_document view it.
bool issue_query_document(struct connection *reader, int64_t row, struct buffer *text, struct slice *out_grouping,
                          struct slice *out_document);
// Event ids of the neighbours in time inside the issue, the newest one, and that of a row; empty when there is none.
struct slice issue_query_previous(struct connection *reader, const struct issue_event_row *event, struct arena *arena);
struct slice issue_query_next(struct connection *reader, const struct issue_event_row *event, struct arena *arena);
struct slice issue_query_newest(struct connection *reader, uint64_t issue, struct arena *arena);
struct slice issue_query_event_id(struct connection *reader, int64_t row, struct arena *arena);

#endif
