// SPDX-License-Identifier: Apache-2.0
//
// What a person said of an error: Sentry's `user_report` item {event_id, email, name, comments} and its successor, an
// event with contexts.feedback {message, contact_email, name, url, associated_event_id}. Both become one struct; texts
// that are too long are cut, nothing else refuses a feedback but a missing message. Pure; any thread.
#ifndef PROTO_SENTRY_FEEDBACK_H
#define PROTO_SENTRY_FEEDBACK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/slice.h"
#include "base/status.h"

// Characters; what is longer is cut.
#define SENTRY_FEEDBACK_MESSAGE_MAX 4096
#define SENTRY_FEEDBACK_NAME_MAX    128
#define SENTRY_FEEDBACK_EMAIL_MAX   254
#define SENTRY_FEEDBACK_URL_MAX     2048

struct sentry_feedback {
  char id[33];                            // 32 lower-case hex digits and NUL; the same for the same report sent again
  char event_id[33];                      // of the event it is about; "" when it names none
  bool is_report;                         // it came as user_report
  uint64_t time_ns;                       // 0: it does not say
  struct slice name, email, message, url; // views of the JSON, UTF-8; all but message may be empty
};

// An event that is a feedback and not an error: of type "feedback", or with contexts.feedback.message and no exception.
bool sentry_feedback_is_event(struct json_value event);

// `envelope_id` is the event id of the envelope's header, "" without one. STATUS_INVALID when there is no message or an
// id that is none; *out_feedback is untouched then.
enum status sentry_feedback_read_event(struct json_value event, const char *envelope_id,
                                       struct sentry_feedback *out_feedback, struct error *error);
enum status sentry_feedback_read_report(struct json_value report, const char *envelope_id,
                                        struct sentry_feedback *out_feedback, struct error *error);

#endif
