// SPDX-License-Identifier: Apache-2.0
//
// How it works: the door shows each message in its wire form before it hands it on. Where the project has a rate for
// the signal the message is scanned once more to count what the rate is of; all others pass without.
#include "receiver/sentry_otlp.h"

#include <stdlib.h>

#include "proto/otlp_scan.h"
#include "receiver/reply.h"
#include "receiver/sentry_reply.h"

// Span.flags and Span.SpanKind (OTLP proto 1.11.0, trace.proto).
#define FLAG_SAYS_REMOTE 0x100u
#define FLAG_IS_REMOTE   0x200u
enum { KIND_SERVER = 2, KIND_CONSUMER = 5 };

struct export {
  struct http_request *request;
  struct sentry_limit *limit;
  struct sentry_limit_note note;
  uint32_t project;
  enum otlp_signal signal;
  enum otlp_encoding encoding;
};

static bool begins_part(const struct otlp_span *span) {
  if (span->parent_span_id.len == 0) return true;
  if (span->flags & FLAG_SAYS_REMOTE) return span->flags & FLAG_IS_REMOTE;
  return span->kind == KIND_SERVER || span->kind == KIND_CONSUMER;
}

// 0 also when the message cannot be read: who takes it says why.
static uint64_t count_limited(enum otlp_signal signal, struct slice wire) {
  struct otlp_scan scan;
  struct otlp_item item;
  uint64_t count = 0;
  enum status status;
  otlp_scan_init(&scan, signal, wire, NULL);
  while ((status = otlp_scan_next(&scan, &item, NULL)) == STATUS_OK) {
    count += signal == OTLP_LOGS || (item.ids_valid && begins_part(&item.span));
  }
  return status == STATUS_END ? count : 0;
}

static enum status judge(void *context, struct slice wire, struct error *error) {
  struct export *export = context;
  enum sentry_limit_category category = export->signal == OTLP_LOGS ? SENTRY_LIMIT_LOG : SENTRY_LIMIT_TRANSACTION;
  if (!export->limit || !sentry_limit_has(export->limit, export->project, category)) return STATUS_OK;
  uint64_t quantity = count_limited(export->signal, wire);
  if (quantity == 0 || sentry_limit_take(export->limit, export->project, category, quantity, &export->note)) {
    return STATUS_OK;
  }
  return error_set(error, STATUS_RATE_LIMITED, "over the project's rate limit");
}

static void on_exported(void *context, enum status status, const struct otlp_response *response,
                        const struct error *error) {
  struct export *export = context;
  struct http_request *request = export->request;
  sentry_reply_add_cors(request);
  if (status == STATUS_OK) {
    reply_otlp_http_success(request, export->encoding, export->signal, response, false);
  } else if (sentry_reply_add_limits(request, &export->note)) {
    reply_otlp_http_limited(request, export->encoding, sentry_limit_longest(&export->note), error);
  } else {
    reply_otlp_http_failure(request, export->encoding, status, error);
  }
  free(export);
}

enum status sentry_otlp_export(const struct sentry_otlp *otlp, const struct otlp_door_request *take,
                               struct http_request *request, struct error *error) {
  struct export *export = malloc(sizeof(*export));
  if (!export) return error_set(error, STATUS_UNAVAILABLE, "out of memory, try again");
  *export = (struct export){.request = request,
                            .limit = otlp->limit,
                            .project = take->project,
                            .signal = take->signal,
                            .encoding = take->encoding};
  struct otlp_door_request judged = *take;
  judged.judge = judge;
  otlp_door_take(otlp->door, &judged, on_exported, export);
  return STATUS_OK;
}
