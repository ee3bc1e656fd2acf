// SPDX-License-Identifier: Apache-2.0
//
// Which issue an event belongs to: components → hash, with the reasons kept. The algorithm is Sentry's published
// "newstyle:2023-01-11"; an event has one variant per way of looking at it (app, system, …) and belongs to the issue of
// any of its hashes. A configuration (rules) is immutable; grouping_compute is a pure function of event and
// configuration; any thread.
#ifndef PROCESSOR_GROUPING_H
#define PROCESSOR_GROUPING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/json.h"
#include "base/slice.h"
#include "base/status.h"
#include "proto/sentry_event.h"

#define GROUPING_ALGORITHM    "sentry-newstyle-2023-01-11"
#define GROUPING_VARIANTS_MAX 8
#define GROUPING_OUTLINE      "outline" // the variant that is not Sentry's

struct grouping_config;
struct grouping_told;

// Compiles rules. `enhancements` and `fingerprinting` are a project's own texts in Sentry's syntax (may be empty); the
// built-in stack-trace rules come first unless without_builtin. error names the line.
struct grouping_config_options {
  struct slice enhancements;
  struct slice fingerprinting;
  struct slice builtin_enhancements;   // of another version of the program in place of its own; NULL: its own
  struct slice builtin_fingerprinting; //
  bool without_builtin;
  bool published_fallback; // as published (explain): fallback hash unsalted, no outline; else salted by platform and
                           // logger
  bool mask_unique_ids;    // words that look like random identifiers count as <uniq_id>; off in the published hashes
};
enum status grouping_config_create(const struct grouping_config_options *options, struct grouping_config **out_config,
                                   struct error *error);
void grouping_config_destroy(struct grouping_config *config);
// Sets what an algorithm of this name is made of in options; false when this program does not know it.
bool grouping_config_choose(struct slice algorithm, struct grouping_config_options *options);

// A node of the component tree. Leaves have values (text), inner nodes children. hint says why it does not contribute
// or what was done to it ("non app frame", "ignored due to recursion", "stripped event-specific values").
struct grouping_component {
  const char *id; // "app", "exception", "stacktrace", "frame", "function", …
  const char *hint;
  bool contributes;
  struct slice *values;
  uint32_t value_count;
  struct grouping_component *children;
  uint32_t child_count;
  const struct grouping_told *told; // out of a memory, in the place of children; NULL: none
};
struct grouping_variant {
  const char *name; // "app", "system", "default", "fallback", "custom-fingerprint", …
  const char *description;
  bool contributes;
  char hash[33]; // lower-case hex MD5; "" when it does not contribute
  struct grouping_component *root;
};
struct grouping_result {
  struct grouping_variant variants[GROUPING_VARIANTS_MAX];
  uint32_t variant_count;
  struct slice title;        // "Type: first line of value"
  struct slice culprit;      // "module in function", or the transaction
  struct slice location;     // crash frame's file
  struct slice type, value;  // of the main exception
  struct slice *fingerprint; // the event's or its rule's, variables as written; empty: {{ default }}
  uint32_t fingerprint_count;
  struct slice fingerprint_rule; // the line of the rule that matched; empty: none did
  uint32_t fingerprint_line;     // its number
  bool fingerprint_builtin;      // in the built-in text
};
// Trims function names (the untrimmed one goes to raw_function), applies the rules to the event's frames (in_app is set
// on every frame), then computes. Everything in the result lives in the arena, the event or the configuration.
// STATUS_NO_MEMORY when the arena is full.
enum status grouping_compute(const struct grouping_config *config, struct sentry_event *event, struct arena *arena,
                             struct grouping_result *out_result);

// The same for who has many events, of which most come from places that others came from: what was found out about
// their stack traces is kept, up to bytes_max, and costs nothing the next time. The result is the same, but for
// components below stack traces, which are there only where they are written or fed into a hash; parts of it and of the
// event's frames live in the memory, until the next call with it. A memory outlives no configuration and may be used
// with any; one thread at a time.
struct grouping_memory;
struct grouping_memory *grouping_memory_create(size_t bytes_max);
void grouping_memory_destroy(struct grouping_memory *memory);
enum status grouping_compute_remembering(const struct grouping_config *config, struct sentry_event *event,
                                         struct arena *arena, struct grouping_memory *memory,
                                         struct grouping_result *out_result);

// What a stack-trace rule did, told while computing, for explanations. The same may be told more than once.
struct grouping_effect {
  const struct sentry_frame *frame; // NULL: to the stack trace as a whole
  struct slice action;              // "-app", "+group", "category=x", "max-frames=3"
  struct slice rule;                // its line
  uint32_t line;                    // its number
  bool builtin;                     // in the built-in text
};
struct grouping_watcher {
  void (*on_effect)(void *context, const struct grouping_effect *effect);
  void *context;
};
enum status grouping_compute_watched(const struct grouping_config *config, struct sentry_event *event,
                                     struct arena *arena, const struct grouping_watcher *watcher,
                                     struct grouping_result *out_result);

// {"app":{"hash":…,"contributes":…,"description":…,"component":{…}},…}
void grouping_write_variants(const struct grouping_result *result, struct json_writer *writer);
// {"id":…,"contributes":…,"hint":…,"values":["…" or a nested component,…]}
void grouping_write_component(const struct grouping_component *component, struct json_writer *writer);

// Message parameterisation ("2 of 7 failed" → "<int> of <int> failed"), linear time. Result in the arena.
struct slice grouping_parameterize(struct slice message, struct arena *arena);
// Words between white space that look like random identifiers become "<uniq_id>". Result in the arena or the input.
struct slice grouping_mask_ids(struct slice message, struct arena *arena);
// Function-name trimming for a platform ("native", "csharp", …). Result in the arena or the input.
struct slice grouping_trim_function(struct slice function, struct slice platform, struct arena *arena);

#endif
