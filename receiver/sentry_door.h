// SPDX-License-Identifier: Apache-2.0
//
// What the Sentry door does with a body: from its bytes to the sink and back to an answer, with the counters. Nothing
// is handed on before the whole body has been read, and the answer comes when every part of it is durable. Any thread
// may call.
//
// Attachments up to a size, feedback and client reports go into records beside the event's (receiver/sentry_keep); all
// other items are counted.
//
// Counters: culprit_sentry_requests_total{outcome}, culprit_sentry_items_total{type,outcome} with the outcomes
// accepted, invalid, discarded (known and not kept) and refused, culprit_sentry_client_discarded_total{reason} (what
// client reports say an SDK threw away).
#ifndef RECEIVER_SENTRY_DOOR_H
#define RECEIVER_SENTRY_DOOR_H

#include "base/clock.h"
#include "base/decompress.h"
#include "base/metrics.h"
#include "receiver/admission.h"
#include "receiver/sentry_auth.h"
#include "receiver/sentry_limit.h"
#include "receiver/sink.h"

#define SENTRY_DOOR_EVENT_BYTES_MAX     ((size_t)1 << 20)  // events and transactions
#define SENTRY_DOOR_CONTAINER_BYTES_MAX ((size_t)10 << 20) // spans
#define SENTRY_DOOR_LOGS_BYTES_MAX      ((size_t)2 << 20)

struct sentry_door_options {
  struct admission_options limits; // sink, budget, sizes; keys are not asked
  struct sentry_auth_directory directory;
  struct sentry_limit *limit; // NULL: no limits; must outlive the door
  const struct clock *clock;
  struct metrics *metrics;     // must outlive the door
  size_t attachment_bytes_max; // of one that is kept; 0: none is
};

struct sentry_door;

// NULL for want of memory.
struct sentry_door *sentry_door_create(const struct sentry_door_options *options);
// No request may be in flight, nor the call of a sentry_door_done_fn.
void sentry_door_destroy(struct sentry_door *door);

const struct sentry_auth_directory *sentry_door_directory(const struct sentry_door *door);
struct sentry_limit *sentry_door_limit(const struct sentry_door *door); // NULL: none
enum status sentry_door_check_ready(const struct sentry_door *door, struct error *error);
// Counts a request that never reached sentry_door_take.
void sentry_door_count_refusal(struct sentry_door *door, enum status status);
// Counts a request that is an item of the type, known and not kept.
void sentry_door_count_item(struct sentry_door *door, const char *type);

enum sentry_door_form {
  SENTRY_DOOR_ENVELOPE,
  SENTRY_DOOR_EVENT,  // one event: JSON, or base64 of JSON or of zlib of JSON
  SENTRY_DOOR_REPORT, // of a browser: CSP and its relatives
  SENTRY_DOOR_UPLOAD, // multipart/form-data: attachments of event_id
};
// One request. Slices are borrowed for the call.
struct sentry_door_request {
  enum sentry_door_form form;
  struct sentry_auth auth;
  struct slice path_project; // empty: the key says
  enum encoding content;     // of the body
  struct slice body;
  struct slice peer;
  struct slice release, environment, user_agent; // reports
  struct slice event_id, content_type;           // uploads
};
// Items of type `index` that came since the start and were not refused; false behind the last type.
bool sentry_door_items(const struct sentry_door *door, uint32_t index, const char **out_type, uint64_t *out_count);

// What became of it; valid during the call. event_id is "" when the body had no event. limits says which kinds of items
// were left out for their project's rate limit; when all were, the status is STATUS_RATE_LIMITED.
struct sentry_door_answer {
  enum status status;
  const char *event_id;
  const struct error *error;
  const struct sentry_limit_note *limits;
};
// Called exactly once per sentry_door_take, from any thread, maybe before it returns; must not block.
typedef void (*sentry_door_done_fn)(void *context, const struct sentry_door_answer *answer);
void sentry_door_take(struct sentry_door *door, const struct sentry_door_request *request, sentry_door_done_fn done,
                      void *context);

#endif
