// SPDX-License-Identifier: Apache-2.0
//
// By what a project's events are grouped now, and by what they were grouped before: algorithm, the rules that came with
// the program, the project's own rules. When any of it changes, what was in force before is kept, so that the hashes it
// makes can still be computed and lead to their issue for GROUPING_HISTORY_KEPT_NS.
//
// This is where the text of a project's rules lives; a project without rules of its own follows the program's setup.
// Texts are kept as they are: who sets them has compiled them (processor/grouping). Any thread; changes are one
// transaction each.
#ifndef STORE_GROUPING_HISTORY_H
#define STORE_GROUPING_HISTORY_H

#include "base/arena.h"
#include "store/database.h"

#define GROUPING_HISTORY_KEPT_NS        (UINT64_C(30) * 86400 * NS_PER_S)
#define GROUPING_HISTORY_RULE_BYTES_MAX (1u << 20) // of one text
#define GROUPING_HISTORY_PAST_MAX       4  // over it the setup that was in force for the shortest time is dropped
#define GROUPING_HISTORY_ID_BYTES       64 // of an id, NUL included

struct grouping_setup {
  struct slice algorithm;              // "sentry-newstyle-2023-01-11", up to 50 bytes
  struct slice builtin_enhancements;   // the program's texts
  struct slice builtin_fingerprinting; //
  struct slice enhancements;           // the project's own, may be empty
  struct slice fingerprinting;         //
  uint64_t since_ns;
  uint64_t until_ns; // 0: in force
};

struct grouping_history {
  struct grouping_setup setups[1 + GROUPING_HISTORY_PAST_MAX]; // the one in force, then the past, latest first
  uint32_t count;                                              // 0: grouping_history_start was never called
};

// At the start of the program: `program` has its algorithm and built-in texts, which are in force from now on for every
// project. Nothing changes when they are those of the last start.
enum status grouping_history_start(struct database *database, const struct clock *clock,
                                   const struct grouping_setup *program, struct error *error);

// The project's own rules, in force from now on; empty texts for none. Nothing changes when they are those in force.
// STATUS_TOO_LARGE.
enum status grouping_history_set_rules(struct database *database, const struct clock *clock, uint32_t project,
                                       struct slice enhancements, struct slice fingerprinting, struct error *error);
// The same inside a writer's transaction; failures stay in the connection.
void grouping_history_set_rules_in(struct connection *writer, uint64_t now_ns, uint32_t project,
                                   struct slice enhancements, struct slice fingerprinting);

// What is in force and what was within GROUPING_HISTORY_KEPT_NS before now_ns; texts in the arena. Inside a
// transaction; failures stay in the connection and answer nothing.
void grouping_history_load(struct connection *connection, uint32_t project, uint64_t now_ns, struct arena *arena,
                           struct grouping_history *out_history);

// Whether hashes of a setup still lead to their issue.
bool grouping_history_is_kept(const struct grouping_setup *setup, uint64_t now_ns);

// Another number after every change; 0 before the first. Inside a transaction.
uint64_t grouping_history_version(struct connection *connection);

// "sentry-newstyle-2023-01-11+1a2b3c4d": the algorithm with a digest of all four texts, as it stands beside a hash.
void grouping_history_id(const struct grouping_setup *setup, char out_id[GROUPING_HISTORY_ID_BYTES]);

#endif
