// SPDX-License-Identifier: Apache-2.0
//
// What the files of grouping share. Outside of them only processor/grouping.h is for use.
//
// A component is built by filling in leaves, then parents; its contributes flag says what its children said when it was
// made, and is changed by hand afterwards (Sentry's components work that way, and the hashes depend on it). The tree is
// at most GROUPING_DEPTH_MAX deep because only these files build it.
#ifndef PROCESSOR_GROUPING_INTERNAL_H
#define PROCESSOR_GROUPING_INTERNAL_H

#include "base/hash.h"
#include "processor/grouping.h"
#include "processor/grouping_fingerprint.h"
#include "processor/grouping_match.h"
#include "processor/grouping_memory.h"

#define GROUPING_DEPTH_MAX 8

struct grouping_config {
  uint64_t id;        // of this one among all there ever are
  struct arena arena; // everything below lives here
  struct grouping_rules rules;
  struct grouping_index *index;
  struct grouping_fingerprints fingerprints;
  bool published_fallback, mask_unique_ids;
  bool asks_type, asks_value, asks_mechanism; // some stack-trace rule asks this of the exception
};

// One call of grouping_compute.
struct grouping_work {
  const struct grouping_config *config;
  struct sentry_event *event;
  struct arena *arena;                                                  // running out is looked at in the end
  const struct grouping_watcher *watcher;                               // NULL: nobody asks
  struct grouping_memory *memory;                                       // NULL: none; never with a watcher
  struct grouping_stack *exception_stacks, *thread_stacks, event_stack; // as many as the event has
  const struct sentry_exception *main_exception;                        // marked by exception groups; NULL: the last
  const struct grouping_component *raised; // "app" of the last exception; NULL: it has no stack
};

// What one strategy has to say: a component per variant, NULL where it has none.
struct grouping_pair {
  struct grouping_component *system, *app;
};

// grouping_component.c. Allocating functions return NULL (or leave `values` empty) when the arena is full.
struct grouping_component *grouping_component_new(const char *id, uint32_t children_max, struct arena *arena);
// A leaf with one value; an empty value is no value, and does not contribute.
void grouping_component_leaf(struct grouping_component *leaf, const char *id, struct slice value, struct arena *arena);
// The next child of a component made by grouping_component_new, empty.
struct grouping_component *grouping_component_add(struct grouping_component *parent);
void grouping_component_mute(struct grouping_component *component, const char *hint);
// contributes = a value, or a child that contributes.
void grouping_component_settle(struct grouping_component *component);
// Feeds the contributing values in tree order.
void grouping_component_feed(const struct grouping_component *component, struct hash_md5 *md5);
// How many bytes that would be.
size_t grouping_component_fed_len(const struct grouping_component *component);
// Appends what is fed of the component's children, whether it contributes itself or not.
void grouping_component_gather(const struct grouping_component *component, struct buffer *out);
// Appends the children as JSON, commas between them.
void grouping_component_write_children(const struct grouping_component *component, struct buffer *out);
// The hash of a component that contributes, "" otherwise.
void grouping_component_hash(const struct grouping_component *component, char out_hash[33]);
// A contributing component with this id is below, in contributing ones.
bool grouping_component_has(const struct grouping_component *component, const char *id);

// grouping_frame.c: the component of each frame of the stack, before the rules. NULL when the arena is full.
struct grouping_component *grouping_frame_components(const struct grouping_work *work,
                                                     const struct grouping_stack *stack);
// grouping_exception.c
struct grouping_pair grouping_stacktrace_components(const struct grouping_work *work, struct grouping_stack *stack);
struct grouping_pair grouping_exception_components(struct grouping_work *work);
struct grouping_pair grouping_thread_components(struct grouping_work *work);
// What of the exception raised a stack trace as text tells as well, once grouping_exception_components has run; NULL
// when that is too little to tell errors apart.
struct grouping_component *grouping_outline_component(const struct grouping_work *work);
// grouping_report.c: what variant "default" is made of, NULL when the event has no such part.
struct grouping_component *grouping_template_component(const struct grouping_work *work);
struct grouping_component *grouping_csp_component(const struct grouping_work *work);
struct grouping_component *grouping_hpkp_component(const struct grouping_work *work);
struct grouping_component *grouping_expect_staple_component(const struct grouping_work *work);
struct grouping_component *grouping_expect_ct_component(const struct grouping_work *work);
struct grouping_component *grouping_message_component(const struct grouping_work *work);

// grouping_title.c
void grouping_title_describe(const struct grouping_work *work, struct slice title_override,
                             struct grouping_result *result);

#endif
