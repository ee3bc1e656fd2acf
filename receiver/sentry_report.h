// SPDX-License-Identifier: Apache-2.0
//
// Reports that browsers send of themselves (Content Security Policy in both its forms, Expect-CT, Expect-Staple, HPKP)
// as events of Sentry's schema. Pure.
#ifndef RECEIVER_SENTRY_REPORT_H
#define RECEIVER_SENTRY_REPORT_H

#include "base/buffer.h"
#include "base/json.h"
#include "base/slice.h"
#include "base/status.h"

#define SENTRY_REPORT_BYTES_MAX ((size_t)64 << 10)

struct sentry_report_source {
  struct slice release, environment, user_agent; // empty: unknown
};

// Appends the event. A Reporting API list gives its first CSP violation. STATUS_INVALID when it is no report that is
// known, STATUS_TOO_LARGE when `out` is full.
enum status sentry_report_write(struct json_value report, const struct sentry_report_source *source, struct buffer *out,
                                struct error *error);

#endif
