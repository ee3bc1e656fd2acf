// SPDX-License-Identifier: Apache-2.0
//
// Stack traces, exceptions and threads to components. An exception is its stack trace, type and, when neither stack
// trace nor NSError speaks for it, its value. Several exceptions are one chain in the order of the event, unless they
// say that they form a group: then the tree they describe is opened, and only what is different below the groups
// counts.
//
// The outline of an exception is for errors that come both from Sentry's SDKs and as text out of OpenTelemetry, where
// the text knows less: no context lines (Node), a module guessed from a path (Python), no causes (Node, Go), ten frames
// (V8). It is file names and functions of the application's frames and the type of the exception raised.
#include "processor/grouping_crash.h"
#include "processor/grouping_internal.h"
#include "processor/grouping_message.h"

#define NO_NODE                   UINT32_MAX
#define OUTLINE_JAVASCRIPT_FRAMES 10 // the innermost: V8 writes no more unless told to

// A stack trace for one variant: the frames as they are, or without those that are not the application's.
static struct grouping_component *stacktrace_variant(const struct grouping_work *work, struct grouping_stack *stack,
                                                     const struct grouping_component *frames, bool app) {
  struct grouping_component *trace = grouping_component_new("stacktrace", stack->count, work->arena);
  if (trace == NULL) return NULL;
  trace->child_count = stack->count;
  if (stack->count > 0) memcpy(trace->children, frames, stack->count * sizeof(*frames));
  for (uint32_t i = 0; i < stack->count && app; i++) {
    if (stack->frames[i].frame->in_app != SENTRY_IN_APP_YES)
      grouping_component_mute(&trace->children[i], "non app frame");
  }
  if (stack->count == 1 && trace->children[0].contributes && stack->frames[0].family == GROUPING_FAMILY_JAVASCRIPT) {
    static const char *const schemes[] = {"http:", "https:", "file:", "applewebdata:", "blob:"};
    const struct sentry_frame *frame = stack->frames[0].frame;
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]) && frame->function.len == 0; i++) {
      if (!slice_starts_with(frame->abs_path, slice_from_cstr(schemes[i]))) continue;
      grouping_component_mute(&trace->children[0], "ignored single non-URL JavaScript frame");
    }
  }
  uint32_t min_frames = 0, kept = 0;
  grouping_stack_group(stack, trace->children, &min_frames);
  for (uint32_t i = 0; i < stack->count; i++) kept += trace->children[i].contributes;
  grouping_component_settle(trace);
  if (kept > 0 && kept < min_frames) {
    grouping_component_mute(trace,
                            "discarded because the stack trace has fewer frames than a stack trace rule asks for");
  }
  return trace;
}

// The parts of a frame that are there whichever way it came. Of the file its name, though the module would be
// preferred.
static bool outline_frame(const struct grouping_component *frame, struct grouping_component *out_frame) {
  bool named = false;
  for (uint32_t i = 0; i < frame->child_count; i++) {
    const struct grouping_component *part = &frame->children[i];
    bool file = strcmp(part->id, "filename") == 0, function = strcmp(part->id, "function") == 0;
    if (part->value_count == 0 || (!file && !function)) continue;
    struct grouping_component *copy = grouping_component_add(out_frame);
    *copy = *part;
    if (file) copy->contributes = true;
    if (file) copy->hint = NULL;
    named |= function && part->contributes;
  }
  grouping_component_settle(out_frame);
  return named;
}

// The frames of an outline; NULL when none of them has a name.
static struct grouping_component *outline_trace(const struct grouping_work *work, const struct grouping_stack *stack,
                                                const struct grouping_component *trace) {
  struct grouping_component *frames = grouping_component_new("stacktrace", trace->child_count, work->arena);
  if (frames == NULL) return NULL;
  bool named = false;
  for (uint32_t i = 0; i < trace->child_count; i++) {
    bool javascript = stack->frames[i].family == GROUPING_FAMILY_JAVASCRIPT;
    if (!trace->children[i].contributes || (javascript && i + OUTLINE_JAVASCRIPT_FRAMES < trace->child_count)) continue;
    struct grouping_component *frame = grouping_component_new("frame", 2, work->arena);
    if (frame == NULL) return NULL;
    named |= outline_frame(&trace->children[i], frame);
    *grouping_component_add(frames) = *frame;
  }
  grouping_component_settle(frames);
  return named ? frames : NULL;
}

// What was remembered, as a component of this event's.
static struct grouping_component *recall(const struct grouping_work *work, const struct grouping_memo_trace *trace) {
  struct grouping_component *component = grouping_component_new("stacktrace", 0, work->arena);
  if (component == NULL) return NULL;
  component->hint = trace->hint;
  component->contributes = trace->contributes;
  component->told = &trace->told;
  return component;
}

struct grouping_pair grouping_stacktrace_components(const struct grouping_work *work, struct grouping_stack *stack) {
  struct grouping_pair pair = {0};
  if (stack->memo != NULL) {
    pair.system = recall(work, grouping_memo_system(stack->memo));
    pair.app = recall(work, grouping_memo_app(stack->memo));
    return pair;
  }
  struct grouping_component *frames = grouping_frame_components(work, stack);
  if (frames == NULL) return pair;
  pair.system = stacktrace_variant(work, stack, frames, false);
  pair.app = stacktrace_variant(work, stack, frames, true);
  if (stack->kept == NULL || pair.app == NULL) return pair;
  const struct grouping_component *outline = outline_trace(work, stack, pair.app);
  bool whole = !arena_exhausted(work->arena); // else something is missing
  if (whole) grouping_memory_complete(work->memory, stack->kept, pair.system, pair.app, outline);
  return pair;
}

static void fill_type(const struct grouping_work *work, const struct sentry_exception *exception,
                      struct grouping_component *type) {
  grouping_component_leaf(type, "type", exception->type, work->arena);
  if (exception->synthetic) grouping_component_mute(type, "ignored because exception is synthetic");
}

static void fill_ns_error(const struct grouping_work *work, const struct sentry_exception *exception,
                          struct grouping_component *ns_error) {
  *ns_error = (struct grouping_component){.id = "ns-error", .child_count = 2};
  ns_error->children = arena_alloc_array(work->arena, 2, sizeof(*ns_error->children));
  if (ns_error->children == NULL) return;
  grouping_component_leaf(&ns_error->children[0], "domain", exception->ns_error_domain, work->arena);
  grouping_component_leaf(&ns_error->children[1], "code", exception->ns_error_code, work->arena);
  grouping_component_settle(ns_error);
}

static struct grouping_component *exception_variant(const struct grouping_work *work,
                                                    const struct sentry_exception *exception,
                                                    const struct grouping_component *trace, struct slice value) {
  struct grouping_component *component = grouping_component_new("exception", 4, work->arena);
  if (component == NULL || trace == NULL) return NULL;
  *grouping_component_add(component) = *trace;
  fill_type(work, exception, grouping_component_add(component));
  bool ns_error_speaks = false;
  if (exception->has_ns_error) {
    struct grouping_component *ns_error = grouping_component_add(component);
    fill_ns_error(work, exception, ns_error);
    ns_error_speaks = ns_error->contributes;
  }
  struct grouping_component *last = grouping_component_add(component);
  grouping_component_leaf(last, "value", value, work->arena);
  if (!slice_equal(value, exception->value)) last->hint = "stripped event-specific values";
  if (last->contributes && trace->contributes) {
    grouping_component_mute(last, "ignored because stacktrace takes precedence");
  } else if (last->contributes && ns_error_speaks) {
    grouping_component_mute(last, "ignored because ns-error info takes precedence");
  }
  grouping_component_settle(component);
  return component;
}

static struct grouping_pair exception_components(const struct grouping_work *work, uint32_t i) {
  const struct sentry_exception *exception = &work->event->exceptions[i];
  struct slice value = grouping_message_normalise(exception->value, work->config->mask_unique_ids, work->arena);
  struct grouping_pair pair = {0};
  if (exception->stacktrace.frame_count == 0) {
    static const struct grouping_component none = {.id = "stacktrace"};
    pair.app = exception_variant(work, exception, &none, value);
    return pair;
  }
  struct grouping_pair trace = grouping_stacktrace_components(work, &work->exception_stacks[i]);
  pair.system = exception_variant(work, exception, trace.system, value);
  pair.app = exception_variant(work, exception, trace.app, value);
  return pair;
}

#define TREE_VISITS_MAX 4096 // of a tree that is none: a visit for each way to an exception

// The tree that exceptions of a group describe, by place in the event. Children are linked in reverse order of the
// event. An id given twice belongs to the first exception that has it; the others have its children too.
struct group_tree {
  uint32_t root;
  uint32_t owner[SENTRY_EVENT_EXCEPTIONS_MAX]; // of the exception's id, and of its children
  uint32_t first_child[SENTRY_EVENT_EXCEPTIONS_MAX];
  uint32_t next_sibling[SENTRY_EVENT_EXCEPTIONS_MAX];
};

static uint32_t find_exception(const struct sentry_event *event, int64_t id) {
  for (uint32_t i = 0; i < event->exception_count; i++) {
    if (event->exceptions[i].exception_id == id) return i;
  }
  return NO_NODE;
}

// False when the event has no such tree: an id is missing, or the root.
static bool read_tree(const struct sentry_event *event, struct group_tree *tree) {
  uint32_t count = event->exception_count;
  if (count < 2 || count > SENTRY_EVENT_EXCEPTIONS_MAX) return false;
  uint32_t last_child[SENTRY_EVENT_EXCEPTIONS_MAX];
  for (uint32_t i = 0; i < count; i++) {
    if (!event->exceptions[i].has_exception_id) return false;
    tree->owner[i] = find_exception(event, event->exceptions[i].exception_id);
    tree->first_child[i] = tree->next_sibling[i] = last_child[i] = NO_NODE;
  }
  for (uint32_t i = count; i-- > 0;) {
    const struct sentry_exception *exception = &event->exceptions[i];
    uint32_t parent = exception->has_parent_id ? find_exception(event, exception->parent_id) : NO_NODE;
    if (parent == NO_NODE) continue;
    if (last_child[parent] == NO_NODE) {
      tree->first_child[parent] = i;
    } else {
      tree->next_sibling[last_child[parent]] = i;
    }
    last_child[parent] = i;
  }
  tree->root = find_exception(event, 0);
  return tree->root != NO_NODE;
}

static uint32_t first_child(const struct group_tree *tree, uint32_t i) {
  return tree->first_child[tree->owner[i]];
}

// The first exceptions below the root that are not groups, from left to right. NO_NODE when the tree bites its tail.
static uint32_t collect_top_level(const struct sentry_event *event, const struct group_tree *tree, uint32_t *out_top) {
  uint32_t waiting[SENTRY_EVENT_EXCEPTIONS_MAX * 2], depth = 0, count = 0, visits = 0;
  waiting[depth++] = tree->root;
  while (depth > 0) {
    uint32_t i = waiting[--depth];
    bool below = visits > 0, full = depth + 2 > sizeof(waiting) / sizeof(waiting[0]);
    if (++visits > TREE_VISITS_MAX || full || count == SENTRY_EVENT_EXCEPTIONS_MAX) return NO_NODE;
    if (below && tree->next_sibling[i] != NO_NODE) waiting[depth++] = tree->next_sibling[i];
    if (!event->exceptions[i].is_exception_group) {
      out_top[count++] = i;
    } else if (first_child(tree, i) != NO_NODE) {
      waiting[depth++] = first_child(tree, i);
    }
  }
  return count;
}

static void sort_by_type_descending(const struct sentry_event *event, uint32_t *list, uint32_t count) {
  for (uint32_t i = 1; i < count; i++) { // stable, and the list is short
    uint32_t moving = list[i], at = i;
    while (at > 0 && slice_compare(event->exceptions[list[at - 1]].type, event->exceptions[moving].type) < 0) {
      list[at] = list[at - 1];
      at--;
    }
    list[at] = moving;
  }
}

static bool same_hashes(const struct grouping_pair *a, const struct grouping_pair *b) {
  char hashes[2][2][33] = {{"", ""}, {"", ""}};
  const struct grouping_pair *pairs[2] = {a, b};
  if ((a->system == NULL) != (b->system == NULL)) return false;
  for (int i = 0; i < 2; i++) {
    if (pairs[i]->system != NULL) grouping_component_hash(pairs[i]->system, hashes[i][0]);
    if (pairs[i]->app != NULL) grouping_component_hash(pairs[i]->app, hashes[i][1]);
  }
  return strcmp(hashes[0][0], hashes[1][0]) == 0 && strcmp(hashes[0][1], hashes[1][1]) == 0;
}

static uint32_t drop_repeated(const struct grouping_pair *pairs, uint32_t *list, uint32_t count) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count; i++) {
    if (kept == 0 || !same_hashes(&pairs[list[kept - 1]], &pairs[list[i]])) list[kept++] = list[i];
  }
  return kept;
}

// An exception and its first causes, down to the last. False when that goes round in circles.
static bool first_path(const struct sentry_event *event, const struct group_tree *tree, uint32_t from, uint32_t *list,
                       uint32_t *out_count) {
  uint32_t count = 0;
  for (uint32_t i = from; i != NO_NODE; i = first_child(tree, i)) {
    if (count == event->exception_count) return false;
    list[count++] = i;
  }
  *out_count = count;
  return true;
}

// What a group comes down to: its only distinct exception with its causes, which then is the main exception, or all
// distinct ones and the group itself. False when the event is no well-formed group.
static bool open_group(struct grouping_work *work, const struct grouping_pair *pairs, uint32_t *list,
                       uint32_t *out_count) {
  const struct sentry_event *event = work->event;
  uint32_t top[SENTRY_EVENT_EXCEPTIONS_MAX + 1];
  struct group_tree tree;
  if (!read_tree(event, &tree)) return false;
  uint32_t count = collect_top_level(event, &tree, top);
  if (count == NO_NODE) return false;
  sort_by_type_descending(event, top, count);
  count = drop_repeated(pairs, top, count);
  if (count == 1) {
    if (!first_path(event, &tree, top[0], list, out_count)) return false;
    work->main_exception = &event->exceptions[top[0]];
    return true;
  }
  memcpy(list, top, count * sizeof(*list));
  list[count] = tree.root;
  *out_count = count + 1;
  return true;
}

// Which exceptions count, by place and in order.
static uint32_t choose(struct grouping_work *work, const struct grouping_pair *pairs, uint32_t *list) {
  uint32_t count = 0;
  if (open_group(work, pairs, list, &count)) return count;
  for (count = 0; count < work->event->exception_count; count++) list[count] = count;
  return count;
}

static struct grouping_component *chain(const struct grouping_work *work, const struct grouping_pair *pairs,
                                        const uint32_t *list, uint32_t count, bool app) {
  struct grouping_component *component = grouping_component_new("chained-exception", count, work->arena);
  if (component == NULL) return NULL;
  for (uint32_t i = 0; i < count; i++) {
    const struct grouping_component *part = app ? pairs[list[i]].app : pairs[list[i]].system;
    if (part != NULL) *grouping_component_add(component) = *part;
  }
  grouping_component_settle(component);
  return component->child_count > 0 ? component : NULL;
}

struct grouping_pair grouping_exception_components(struct grouping_work *work) {
  struct grouping_pair result = {0};
  uint32_t total = work->event->exception_count;
  if (total == 0) return result;
  struct grouping_pair *pairs = arena_alloc_array(work->arena, total, sizeof(*pairs));
  uint32_t *list = arena_alloc_array(work->arena, SENTRY_EVENT_EXCEPTIONS_MAX + 1, sizeof(*list));
  if (pairs == NULL || list == NULL) return result;
  for (uint32_t i = 0; i < total; i++) pairs[i] = exception_components(work, i);
  if (work->event->exceptions[total - 1].stacktrace.frame_count > 0) work->raised = pairs[total - 1].app;
  uint32_t count = choose(work, pairs, list);
  if (count == 1) return pairs[list[0]];
  result.system = chain(work, pairs, list, count, false);
  result.app = chain(work, pairs, list, count, true);
  return result;
}

struct grouping_component *grouping_outline_component(const struct grouping_work *work) {
  if (work->raised == NULL || work->raised->child_count < 2) return NULL;
  const struct grouping_stack *stack = &work->exception_stacks[work->event->exception_count - 1];
  const struct grouping_component *trace = &work->raised->children[0], *type = &work->raised->children[1];
  struct grouping_component *outline = grouping_component_new("outline", 2, work->arena);
  if (outline == NULL || !trace->contributes || !type->contributes) return NULL;
  const struct grouping_component *frames;
  if (stack->memo != NULL) {
    const struct grouping_memo_trace *told = grouping_memo_outline(stack->memo);
    frames = told != NULL ? recall(work, told) : NULL;
  } else {
    frames = outline_trace(work, stack, trace);
  }
  if (frames == NULL) return NULL;
  *grouping_component_add(outline) = *frames;
  *grouping_component_add(outline) = *type;
  grouping_component_settle(outline);
  return outline;
}

static struct grouping_component *thread_variant(const struct grouping_work *work,
                                                 const struct grouping_component *trace) {
  struct grouping_component *component = grouping_component_new("threads", 1, work->arena);
  if (component == NULL || trace == NULL) return NULL;
  *grouping_component_add(component) = *trace;
  grouping_component_settle(component);
  return component;
}

struct grouping_pair grouping_thread_components(struct grouping_work *work) {
  struct grouping_pair result = {0};
  const struct sentry_event *event = work->event;
  if (event->thread_count == 0) return result;
  uint32_t i = grouping_crash_thread(event);
  if (i == event->thread_count || event->threads[i].stacktrace.frame_count == 0) {
    result.app = grouping_component_new("threads", 0, work->arena);
    if (result.app != NULL) {
      result.app->hint =
          i == event->thread_count ? "ignored because contains several threads" : "thread has no stacktrace";
    }
    return result;
  }
  struct grouping_pair trace = grouping_stacktrace_components(work, &work->thread_stacks[i]);
  result.system = thread_variant(work, trace.system);
  result.app = thread_variant(work, trace.app);
  return result;
}
