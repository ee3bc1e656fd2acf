// SPDX-License-Identifier: Apache-2.0
//
// What is kept of the items that come beside an event: attachments, what people said, what an SDK says it threw away.
// Written by the Sentry door as the body of a journal record (JOURNAL_ITEMS), read by intake (to scrub) and by the
// inbox. The form is at the top of sentry_item.c. Pure; one thread per reader and buffer.
#ifndef PROTO_SENTRY_ITEM_H
#define PROTO_SENTRY_ITEM_H

#include "base/buffer.h"
#include "proto/sentry_envelope.h"
#include "proto/sentry_feedback.h"

// Bytes; longer texts are cut when they are written.
#define SENTRY_ITEM_FILENAME_MAX 255
#define SENTRY_ITEM_WORD_MAX     128

enum sentry_item_kind { SENTRY_ITEM_ATTACHMENT, SENTRY_ITEM_FEEDBACK, SENTRY_ITEM_DISCARDED };

struct sentry_item_attachment {
  char event_id[33];
  struct slice filename, content_type, attachment_type; // may be empty
  uint64_t bytes;                                       // as kept; of one that is not, as sent
  bool scrubbed;                                        // secrets were taken out of the data
  struct slice data;                                    // all of them, or none
  struct slice reason;                                  // why it is not kept; empty: it is
};

// So many of `category` did not leave an application, for `reason`.
struct sentry_item_discarded {
  struct slice reason, category;
  uint64_t quantity;
};

struct sentry_item {
  enum sentry_item_kind kind;
  struct sentry_item_attachment attachment; // the one of `kind` is set
  struct sentry_feedback feedback;
  struct sentry_item_discarded discarded;
};

// Appends. The first item of an empty buffer brings the record's head with it. Overflow is seen in out->failed.
void sentry_item_write(struct buffer *out, const struct sentry_item *item);

struct sentry_item_reader {
  struct sentry_envelope envelope;
};
// Borrows body and parser until the reader is done with. STATUS_INVALID.
enum status sentry_item_open(struct sentry_item_reader *reader, struct json_parser *parser, struct slice body,
                             struct error *error);
// STATUS_OK and an item (views, until the next call), STATUS_END, STATUS_INVALID with words. Items of kinds that this
// version does not know are passed over.
enum status sentry_item_next(struct sentry_item_reader *reader, struct sentry_item *out_item, struct error *error);

#endif
