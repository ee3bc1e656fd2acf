// SPDX-License-Identifier: Apache-2.0
//
// From one record of the intake journal to events of the inbox: finds the errors in it, groups them, names them; and to
// what came beside events. Knows nothing of batches, cursors and threads; what is found is handed to functions one by
// one.
#ifndef COLLECTOR_INBOX_RECORD_H
#define COLLECTOR_INBOX_RECORD_H

#include "processor/correlation.h"
#include "processor/grouping.h"
#include "store/issue_batch.h"
#include "store/journal.h"

struct inbox_record;

struct inbox_record_options {
  const struct correlation *correlation;
  const struct grouping_config *grouping; // of the program; projects have their own (collector/inbox_grouping)
  struct database *database;
  const struct clock *clock;
  // Takes one event (borrowed for the call). False: no more of this record.
  bool (*take)(void *context, const struct issue_event *event);
  // The same for what came beside events. NULL: passed over.
  bool (*take_item)(void *context, const struct issue_item *item);
  void *context;
};

struct inbox_record *inbox_record_create(const struct inbox_record_options *options);
void inbox_record_destroy(struct inbox_record *reader);

// Whether a record has anything for the inbox, as its section says; nothing is decompressed.
bool inbox_record_has_errors(const struct journal_record *record);
// Takes the events out. STATUS_OK also when `take` wanted no more; STATUS_INVALID, STATUS_CORRUPT, STATUS_TOO_LARGE,
// STATUS_NO_MEMORY when the record cannot be digested: events may have been handed out before.
enum status inbox_record_read(struct inbox_record *reader, const struct journal_record *record, struct error *error);

#endif
