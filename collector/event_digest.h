// SPDX-License-Identifier: Apache-2.0
//
// From an error event of an SDK to its journal record, on the receiver's thread: secrets are taken out, the event is
// read and grouped, its facts and summary become the record's section and its text, as the inbox will store it, the
// body. So all that costs is done where it scales with cores, once, and the inbox only counts and stores.
//
// An event_digest is the working memory for one event at a time; a pool keeps some between events, without what a giant
// one made them hold. Pool: any thread.
#ifndef COLLECTOR_EVENT_DIGEST_H
#define COLLECTOR_EVENT_DIGEST_H

#include "base/json.h"
#include "collector/inbox_grouping.h"
#include "processor/scrub.h"

struct event_digest_options {
  const struct scrub *scrub; // NULL: nothing is scrubbed
  uint32_t project;
  uint64_t received_ns;
};

struct event_digest_pool;
// The options are copied, what they point to is borrowed.
struct event_digest_pool *event_digest_pool_create(const struct inbox_grouping_options *grouping);
void event_digest_pool_destroy(struct event_digest_pool *pool);

struct event_digest;
struct event_digest *event_digest_take(struct event_digest_pool *pool);
void event_digest_give(struct event_digest_pool *pool, struct event_digest *digest);

struct event_digest_record {
  struct slice section, body; // live until the next event or until the digest is given back
  bool scrubbed;              // something was taken out
};
// STATUS_INVALID when the document is no JSON object, STATUS_TOO_LARGE, STATUS_NO_MEMORY.
enum status event_digest_make(struct event_digest *digest, const struct event_digest_options *options,
                              struct slice document, struct event_digest_record *out_record, struct error *error);
// The same for an event that was parsed already, whose id is known (32 lower-case hex digits). Values of its document
// are replaced where they are secrets.
enum status event_digest_make_parsed(struct event_digest *digest, const struct event_digest_options *options,
                                     struct json_value root, const char *event_id,
                                     struct event_digest_record *out_record, struct error *error);

#endif
