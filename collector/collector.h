// SPDX-License-Identifier: Apache-2.0
//
// The running program: every part made from the options, wired together, started in order and stopped in the reverse
// one (exporters first, receivers last; receivers stop first). The only place that knows every part.
#ifndef COLLECTOR_COLLECTOR_H
#define COLLECTOR_COLLECTOR_H

#include <stdbool.h>

#include "base/status.h"
#include "collector/intake.h"
#include "collector/options.h"
#include "collector/project_directory.h"

struct collector;

// The ports in use, as "host:port".
struct collector_addresses {
  char grpc[300], http[300], ui[300];
  char sentry_dsn[PROJECT_DIRECTORY_DSN_BYTES_MAX]; // of the default project
};

// options must outlive the collector. error says which part could not start and why.
enum status collector_start(const struct options *options, struct collector **out_collector, struct error *error);
void collector_get_addresses(const struct collector *collector, struct collector_addresses *out_addresses);
// Changes what collector/reload can change while it runs, from `now` to `fresh` (borrowed for the call), and logs it.
void collector_reload(struct collector *collector, const struct options *now, const struct options *fresh);
// Drains: stops accepting, answers what is in flight, flushes, syncs, ends every thread. *out_balance, may be NULL.
void collector_stop(struct collector *collector, struct intake_balance *out_balance);

#endif
