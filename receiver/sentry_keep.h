// SPDX-License-Identifier: Apache-2.0
//
// What the Sentry door keeps of the items beside an event, as proto/sentry_item writes it: attachments up to a size,
// feedback of people, what an SDK says it threw away. Two payloads come of it: one that may be read twice without harm,
// and one of counts. One request, one thread.
#ifndef RECEIVER_SENTRY_KEEP_H
#define RECEIVER_SENTRY_KEEP_H

#include "proto/sentry_item.h"

#define SENTRY_KEEP_ATTACHMENT_DEFAULT ((size_t)1 << 20)
#define SENTRY_KEEP_ATTACHMENTS_MAX    30  // of one request; further ones are not even noted
#define SENTRY_KEEP_DISCARDED_MAX      200 // entries of one request; the rest is counted as "other"

struct sentry_keep {
  size_t attachment_bytes_max; // of one; 0: none is kept
  struct buffer items, counts;
  uint32_t attachments, discarded;
  uint64_t rest; // quantity of further kinds
};

// bytes_max is the ceiling of each payload.
void sentry_keep_init(struct sentry_keep *keep, size_t attachment_bytes_max, size_t bytes_max);
void sentry_keep_finish(struct sentry_keep *keep);

// What an attachment of so many bytes takes of the payload.
size_t sentry_keep_attachment_bytes(size_t attachment_bytes_max, size_t bytes);

enum sentry_keep_verdict { SENTRY_KEEP_TAKEN, SENTRY_KEEP_NOTED, SENTRY_KEEP_DROPPED };
// TAKEN: with its bytes. NOTED: too large, its event will say so. DROPPED: no event, or too many.
enum sentry_keep_verdict sentry_keep_attachment(struct sentry_keep *keep, const struct sentry_envelope_item *item,
                                                const char *event_id);
void sentry_keep_feedback(struct sentry_keep *keep, const struct sentry_feedback *feedback);
// One entry of a client report. Words that are not lower-case letters, digits and "_" are counted as "other".
void sentry_keep_discarded(struct sentry_keep *keep, struct slice reason, struct slice category, uint64_t quantity);
// Nothing more comes: the payloads are complete.
void sentry_keep_close(struct sentry_keep *keep);

#endif
