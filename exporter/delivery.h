// SPDX-License-Identifier: Apache-2.0
//
// Delivery of the kept journal to one backend: cursor, batching, retry, back-off and dead letters, written once around
// "send this". At least once and in order; after a crash at most what was sent since the last saved cursor is sent
// again.
//
// One thread per delivery. Ingest, sampling and the inbox never wait for it.
#ifndef EXPORTER_DELIVERY_H
#define EXPORTER_DELIVERY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "base/thread.h"
#include "store/journal.h"

// What became of one request. The transport decides this one bit and a half; everything else happens here.
enum delivery_outcome {
  DELIVERY_DONE,          // accepted; some items may have been rejected for good (not sent again)
  DELIVERY_RETRY,         // try the same again later
  DELIVERY_REFUSED,       // never send this again
  DELIVERY_TOO_LARGE,     // refused as it is; smaller pieces may pass
  DELIVERY_MISCONFIGURED, // refused whatever is sent (credentials, unknown service): wait for someone to mend it
};
struct delivery_result {
  enum delivery_outcome outcome;
  uint64_t retry_after_ns; // RetryInfo or Retry-After; 0: none
  uint64_t rejected;       // items of an accepted request
  char reason[200];        // "UNAVAILABLE: connection refused"
};

// Sends one request of concatenated payloads of one kind. Blocks up to its own timeout; returns soon after *cancel is
// set.
struct delivery_transport {
  void (*send)(void *context, enum journal_kind kind, struct slice payload, const struct atomic_bool_box *cancel,
               struct delivery_result *out_result);
  void (*destroy)(void *context);
};

struct delivery_options {
  const char *name;                        // "otlp": metric labels, cursor and thread names
  struct journal *journal;                 // kept
  bool send_unsynced;                      // the journal is never synced on its own: send what is written
  const char *cursor_directory;            // where <name>.cursor lies
  const char *dead_letter_directory;       // a journal of what was refused, its section the reason
  uint32_t kinds;                          // bit (1 << enum journal_kind): which are sent; others are passed over
  size_t batch_bytes_max;                  // of one request, default 1 MiB; a larger record goes alone
  uint64_t backoff_min_ns, backoff_max_ns; // default 1 s, 60 s; full jitter
  const struct delivery_transport *transport;
  void *transport_context; // destroyed with the delivery
  const struct clock *clock;
  struct metrics *metrics;
};

struct delivery;

enum status delivery_start(const struct delivery_options *options, struct delivery **out_delivery, struct error *error);
// Cancels what is under way, saves the cursor, ends the thread.
void delivery_stop(struct delivery *delivery);

// Any thread.
enum delivery_state { DELIVERY_IDLE, DELIVERY_SENDING, DELIVERY_RETRYING, DELIVERY_PAUSED };
const char *delivery_state_name(enum delivery_state state); // "idle", "sending", "retrying", "paused"
struct delivery_status {
  enum delivery_state state;
  uint64_t sent_items, retried_requests, dead_items, rejected_items;
  uint64_t sequence;         // all before and with it are done
  uint64_t oldest_wall_ns;   // received time of the oldest record that waits, 0: none
  uint64_t failing_since_ns; // monotonic, 0: not failing
  uint64_t dead_letters;     // records refused for good that have not been sent again
  char last_error[200];      // "" none
};
void delivery_get_status(struct delivery *delivery, struct delivery_status *out_status);
// Sends the dead letters of the moment again, once each, one between two batches of new records; how many there are.
// One that has to be tried again holds back those behind it, but no new records. What is refused again is a new dead
// letter. What was sent is not sent again by the next call, also after a restart.
uint64_t delivery_resend(struct delivery *delivery);
// Records below this sequence are done and will not be read again, also after a crash: a floor for retention.
uint64_t delivery_floor(struct delivery *delivery);

#endif
