// SPDX-License-Identifier: Apache-2.0
//
// The statements of issue_writer: one function a row. Failures stay in the connection. Under the writer's lock.
#ifndef STORE_ISSUE_ROWS_H
#define STORE_ISSUE_ROWS_H

#include "base/buffer.h"
#include "base/clock.h"
#include "store/connection.h"
#include "store/issue.h"

#define ISSUE_ROWS_HOUR_NS (UINT64_C(3600) * NS_PER_S)

struct issue_rows {
  struct buffer text, compressed; // of the event being inserted
};
void issue_rows_init(struct issue_rows *rows);
void issue_rows_finish(struct issue_rows *rows);

// The columns of an issue that a batch changes.
struct issue_row {
  enum issue_status status;
  enum issue_substatus substatus;
  uint64_t status_ns, count, first_seen_ns, last_seen_ns;
  uint32_t stored;
  int64_t first_row; // 0: none
  uint64_t tags_overflow;
};
void issue_rows_load(struct connection *connection, uint32_t issue, struct issue_row *out_row);
void issue_rows_save(struct connection *connection, uint32_t issue, const struct issue_row *row);
// The same; title, type, value, culprit, level and platform of the issue become the event's.
void issue_rows_save_described(struct connection *connection, uint32_t issue, const struct issue_row *row,
                               const struct issue_event *event);

// Returns its rowid. `part` is that of its hashes (store/issue_part).
int64_t issue_rows_insert_event(struct issue_rows *rows, struct connection *connection, uint32_t issue, int64_t part,
                                const struct issue_event *event);
// The oldest events of an issue but first_row (0: none), up to max: a statement to step; column 0 is the row, 1
// seen_ns.
struct statement issue_rows_oldest(struct connection *connection, uint32_t issue, int64_t first_row, uint32_t max);
// Deletes the events of the issue up to the one at this place in time, but first_row, with what lies beside them;
// returns how many.
struct issue_rows_place {
  uint64_t seen_ns;
  int64_t row;
};
uint32_t issue_rows_evict_until(struct connection *connection, uint32_t issue, int64_t first_row,
                                const struct issue_rows_place *last);
// Deletes the oldest of `stored` events until ISSUE_EVENTS_MAX and first_row are left; returns how many.
uint32_t issue_rows_evict(struct connection *connection, uint32_t issue, uint32_t stored, int64_t first_row);
// What lies beside an event that is not stored.
void issue_rows_delete_beside(struct connection *connection, const struct issue_event *event);

void issue_rows_add_hour(struct connection *connection, uint32_t issue, uint64_t hour, int64_t part, uint32_t count);
void issue_rows_prune_hours(struct connection *connection, uint32_t issue, uint64_t now_ns);

#endif
