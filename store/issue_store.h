// SPDX-License-Identifier: Apache-2.0
//
// The inbox in SQLite: issues with their hashes, counts, tags, hours and history, the events kept of each, and what
// came beside them: attachments, feedback, what SDKs threw away (store/item_writer has their bounds).
// Everything that changes it is here; store/issue_query reads it.
//
// A batch of events and the cursor of the reader that made it are one transaction. An event id that was taken before
// changes nothing. An exception that arrives as span event and as log (same duplicate_key, within 60 s of each other)
// is one event. An event joins the issue of the first of its hashes that has one, else it makes an issue; all its
// hashes then lead there (store/issue_resolve has the exceptions). Counts are exact; of the events themselves the
// newest ISSUE_EVENTS_MAX and the first of an issue are stored.
//
// issue_store_write and issue_store_retain belong to one thread, the others to any. The database outlives the store.
#ifndef STORE_ISSUE_STORE_H
#define STORE_ISSUE_STORE_H

#include "base/clock.h"
#include "store/database.h"
#include "store/issue_batch.h"
#include "store/item_writer.h"

// New issues a project may make in a day (UTC); what would make more goes to one overflow issue of the project.
#define ISSUE_STORE_GROUPS_PER_DAY_MAX 10000

struct issue_store;

struct issue_store_options {
  struct database *database;
  const struct clock *clock;
  uint32_t groups_per_day_max;    // 0: ISSUE_STORE_GROUPS_PER_DAY_MAX
  uint64_t attachments_bytes_max; // of all attachments; 0: ITEM_WRITER_BYTES_DEFAULT
};

enum status issue_store_open(const struct issue_store_options *options, struct issue_store **out_store,
                             struct error *error);
void issue_store_close(struct issue_store *store);

struct issue_store_outcome {
  uint32_t events;     // counted in an issue
  uint32_t duplicates; // the other side of an event that was counted
  uint32_t resent;     // event ids that were taken before
  uint32_t issues;     // made
  uint32_t regressed;  // issues that were resolved
  uint32_t overflowed; // events sent to an overflow issue
  struct item_writer_outcome items;
};
// Writes the batch and moves `cursor` to `sequence`; the batch may be empty. On failure nothing has changed and the
// same batch may be written again: STATUS_UNAVAILABLE (locked, full), STATUS_IO, STATUS_NO_MEMORY, STATUS_CORRUPT.
enum status issue_store_write(struct issue_store *store, struct issue_batch *batch, const char *cursor,
                              uint64_t sequence, struct issue_store_outcome *out_outcome, struct error *error);

// Nothing changes when the issue, or what it was merged into, has that state. STATUS_NOT_FOUND.
enum status issue_store_set_status(struct issue_store *store, uint64_t issue, enum issue_status status,
                                   struct error *error);

// Merges up to ISSUE_MERGE_MAX issues into one (store/issue_merge); *out_issue is what is left, which is another than
// `issue` when that was merged before. Later events with a hash of any of them go there.
enum status issue_store_merge(struct issue_store *store, uint64_t issue, const uint64_t *others, uint32_t other_count,
                              uint64_t *out_issue, struct error *error);
// Splits up to ISSUE_SPLIT_MAX hashes (ISSUE_HASH_BYTES each, end to end) off into an issue of their own
// (store/issue_split).
enum status issue_store_split(struct issue_store *store, uint64_t issue, struct slice hashes, uint64_t *out_issue,
                              struct error *error);

// Deletes up to events_max events received over keep_ns ago, oldest first, issues that have none left, and as much of
// what came beside events. *out_deleted: events.
enum status issue_store_retain(struct issue_store *store, uint64_t keep_ns, uint32_t events_max, uint32_t *out_deleted,
                               struct error *error);

// Changes with every change of an issue; for ETags. Not repeated by another run of the program.
uint64_t issue_store_version(const struct issue_store *store);
uint64_t issue_store_issue_count(const struct issue_store *store);
uint64_t issue_store_event_count(const struct issue_store *store); // stored ones

#endif
