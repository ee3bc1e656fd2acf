// SPDX-License-Identifier: Apache-2.0
//
// What a reload (SIGHUP, or a changed configuration file) may change while everything runs: the log level, times,
// budgets, the sampling policies, and what is in the certificate files of the listeners. No listener is closed, nothing
// is restarted.
#ifndef COLLECTOR_RELOAD_H
#define COLLECTOR_RELOAD_H

#include "base/budget.h"
#include "collector/disk_guard.h"
#include "collector/inbox.h"
#include "collector/intake.h"
#include "collector/observe.h"
#include "collector/options.h"
#include "collector/pipeline.h"
#include "net/grpc_server.h"
#include "net/http_server.h"
#include "store/database.h"
#include "store/journal.h"

struct reload_parts {
  struct budget *budget;
  struct grpc_server_handle *grpc_server; // charges the budget
  struct http_server *http_server, *ui_server;
  struct disk_guard *disk;
  struct journal *intake_journal, *kept_journal;
  struct database *database;
  struct inbox *inbox;
  struct pipeline *pipeline;
  struct intake *intake;
  struct observe *observe;
  struct metrics *metrics;
  struct sampling **sampling; // a share of the current one: replaced
};

// Gives the parts those values of `fresh` that differ from `now`, and logs each: changed, or to be changed by a
// restart.
void reload_apply(const struct reload_parts *parts, const struct options *now, const struct options *fresh);

#endif
