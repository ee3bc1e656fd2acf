// SPDX-License-Identifier: Apache-2.0
//
// Reading what comes beside events. As store/issue_query: inside a reader's transaction, failures stay in the
// connection, texts are copied into the caller's arena. Any thread, with its own reader.
#ifndef STORE_ITEM_QUERY_H
#define STORE_ITEM_QUERY_H

#include "base/arena.h"
#include "base/buffer.h"
#include "store/connection.h"
#include "store/issue.h"

#define ITEM_QUERY_ATTACHMENTS_MAX 100 // of one event
#define ITEM_QUERY_EVENT_FEEDBACK  100 // of one event
#define ITEM_QUERY_DISCARDED_MAX   200

struct item_attachment_row {
  int64_t row;
  uint32_t project;
  struct slice filename, content_type, attachment_type; // may be empty
  uint64_t bytes, received_ns;
  bool scrubbed;
  struct slice reason; // why it is not kept; empty: it is
};
// Attachments of an event in the order they came; returns how many. The event need not be stored; when several projects
// have one of that id, those of the oldest project.
uint32_t item_query_attachments(struct connection *reader, const uint8_t event_id[ISSUE_EVENT_ID_BYTES],
                                struct arena *arena, struct item_attachment_row *out_rows);
// The bytes of one that is kept, appended to `out`. False when it is not there, not of that event or not kept.
bool item_query_data(struct connection *reader, const uint8_t event_id[ISSUE_EVENT_ID_BYTES], int64_t row,
                     struct buffer *out);

struct item_feedback_row {
  int64_t row;
  struct slice feedback_id, event_id; // raw; event_id may be empty
  uint64_t issue, issue_number;       // 0: none
  struct slice issue_title;
  uint32_t attachments; // under feedback_id
  struct slice project; // slug
  uint64_t time_ns;
  bool is_report;
  struct slice name, email, message, url;
};
// Newest first; `before_row` is that of the last one known, 0: from the newest. Returns how many were filled.
uint32_t item_query_event_feedback(struct connection *reader, const uint8_t event_id[ISSUE_EVENT_ID_BYTES],
                                   struct arena *arena, struct item_feedback_row *out_rows);
// Of the events of an issue, stored or not any more.
uint32_t item_query_issue_feedback(struct connection *reader, uint64_t issue, int64_t before_row, uint32_t limit,
                                   struct arena *arena, struct item_feedback_row *out_rows);
// Of a project; 0: of all.
uint32_t item_query_feedback(struct connection *reader, uint32_t project, int64_t before_row, uint32_t limit,
                             struct arena *arena, struct item_feedback_row *out_rows);

// What SDKs threw away in the last seven days, most first.
struct item_discarded_row {
  struct slice project, reason, category; // slug
  uint64_t quantity, quantity_day;        // in seven days, in 24 hours
  uint64_t since_ns;                      // start of the first hour that is counted
};
uint32_t item_query_discarded(struct connection *reader, uint64_t now_ns, struct arena *arena,
                              struct item_discarded_row *out_rows);

#endif
