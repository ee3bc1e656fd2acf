// SPDX-License-Identifier: Apache-2.0
//
// Tags of one issue in one batch: counted in memory, written once; something of the rows is remembered between
// batches. At most ISSUE_TAG_KEYS_MAX keys an issue and
// ISSUE_TAG_VALUES_MAX values a key are stored; what is over is counted in the totals alone. One thread.
#ifndef STORE_ISSUE_TAGS_H
#define STORE_ISSUE_TAGS_H

#include "proto/sentry_event.h"
#include "store/connection.h"
#include "store/issue.h"

struct issue_tags;

#define ISSUE_TAGS_COLLECTED_MAX 64
// What counts as tags of an SDK's event beside service, environment, release and level: its own, server name,
// transaction, logger and user. Returns how many; they are views of the event.
uint32_t issue_tags_collect(const struct sentry_event *event, struct issue_tag out_tags[ISSUE_TAGS_COLLECTED_MAX]);

struct issue_tags *issue_tags_create(void); // NULL: no memory
void issue_tags_destroy(struct issue_tags *tags);

// Counts every tag of an event, its service, environment, release and level among them. Views of the event are kept
// until issue_tags_write.
void issue_tags_count(struct issue_tags *tags, const struct issue_event *event);
// Writes what was counted into the issue's rows inside the writer's transaction, and forgets it. Returns how many tags
// found no room because the issue has too many keys.
uint32_t issue_tags_write(struct issue_tags *tags, struct connection *writer, uint32_t issue);
void issue_tags_clear(struct issue_tags *tags);
// What is remembered of the rows may not be true any more: the transaction failed, or somebody else changed or deleted
// tags or issues.
void issue_tags_forget(struct issue_tags *tags);

#endif
