// SPDX-License-Identifier: Apache-2.0
//
// How an event gets its hashes, in the order of Sentry's "newstyle:2023-01-11":
//
//   checksum given? it is the hash
//   function names trimmed, stack-trace rules mark frames         grouping_match
//   fingerprint rules may replace the fingerprint                 grouping_fingerprint
//   strategies from the most to the least telling; the first that contributes wins, the others are muted:
//     exceptions > threads > stack trace                          grouping_exception, grouping_frame
//     > template > csp > hpkp > expect-staple > expect-ct > message   grouping_report
//   one variant per way of looking: "app" and "system" for stacks, "default" for the rest
//   fingerprint without {{ default }}: one variant of its own; with it and more: every variant's hash is salted
//   nothing contributes: "fallback"
//   "outline", which leads from an SDK's event to the issue of one that came as text and back, when nothing else does
//   hash = MD5 over the contributing leaves in tree order
//
// Of a stack, "system" counts all frames and must contribute; "app" counts the application's own and is kept where it
// says something else.
#include "processor/grouping.h"

#include <stdlib.h>

#include "processor/grouping_builtin.h"
#include "processor/grouping_crash.h"
#include "processor/grouping_internal.h"

#define CONFIG_BYTES_MAX ((size_t)16 << 20)
#define ROOTS_MAX        9 // strategies that may have a say in one variant
#define MD5_HEX_DIGITS   32

static void note_questions(struct grouping_config *config) {
  for (uint32_t i = 0; i < config->rules.atom_count; i++) {
    config->asks_type |= config->rules.atoms[i].field == GROUPING_FIELD_TYPE;
    config->asks_value |= config->rules.atoms[i].field == GROUPING_FIELD_VALUE;
    config->asks_mechanism |= config->rules.atoms[i].field == GROUPING_FIELD_MECHANISM;
  }
}

enum status grouping_config_create(const struct grouping_config_options *options, struct grouping_config **out_config,
                                   struct error *error) {
  struct grouping_config *config = calloc(1, sizeof(*config));
  if (config == NULL) return error_set(error, STATUS_NO_MEMORY, "grouping: out of memory");
  arena_init(&config->arena, CONFIG_BYTES_MAX);
  config->id = random_u64();
  config->published_fallback = options->published_fallback;
  config->mask_unique_ids = options->mask_unique_ids;
  grouping_rules_init(&config->rules, &config->arena);
  grouping_fingerprint_init(&config->fingerprints, &config->arena);
  struct slice builtin = options->builtin_enhancements;
  bool own = builtin.ptr == NULL;
  if (own) builtin = slice_make(grouping_builtin_rules, grouping_builtin_rules_len);
  enum status status = options->without_builtin ? STATUS_OK : grouping_rules_read(&config->rules, builtin, error);
  ASSERT(!own || status == STATUS_OK || status == STATUS_NO_MEMORY);
  config->rules.builtin_count = config->rules.rule_count;
  if (status == STATUS_OK) {
    status = grouping_rules_read(&config->rules, options->enhancements, error);
    if (status != STATUS_OK && error != NULL) error_prefix(error, "stack trace rules: ");
  }
  if (status == STATUS_OK) {
    status = grouping_fingerprint_read(&config->fingerprints, options->fingerprinting, false, error);
    if (status != STATUS_OK && error != NULL) error_prefix(error, "fingerprint rules: ");
  }
  if (status == STATUS_OK && !options->without_builtin) { // a project's own come first
    builtin = options->builtin_fingerprinting;
    own = builtin.ptr == NULL;
    if (own) builtin = slice_make(grouping_builtin_fingerprints, grouping_builtin_fingerprints_len);
    status = grouping_fingerprint_read(&config->fingerprints, builtin, true, error);
    ASSERT(!own || status == STATUS_OK || status == STATUS_NO_MEMORY);
  }
  if (status == STATUS_OK) {
    status = grouping_index_create(&config->rules, &config->index);
    if (status != STATUS_OK) error_set(error, status, "grouping: rules need too much memory");
  }
  if (status != STATUS_OK) {
    grouping_config_destroy(config);
    return status;
  }
  note_questions(config);
  *out_config = config;
  return STATUS_OK;
}

void grouping_config_destroy(struct grouping_config *config) {
  if (config == NULL) return;
  arena_finish(&config->arena);
  free(config);
}

// An algorithm that was ever the standard one stays here, so that its hashes can be computed after the next has come.
bool grouping_config_choose(struct slice algorithm, struct grouping_config_options *options) {
  static const struct {
    const char *name;
    bool published_fallback, mask_unique_ids;
  } algorithms[] = {{.name = GROUPING_ALGORITHM}};
  for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++) {
    if (!slice_equal_cstr(algorithm, algorithms[i].name)) continue;
    options->published_fallback = algorithms[i].published_fallback;
    options->mask_unique_ids = algorithms[i].mask_unique_ids;
    return true;
  }
  return false;
}

// Marks the frames of one stack, from memory if they were marked before. counts: its components will be asked for.
static enum status mark_stack(struct grouping_work *work, struct sentry_stacktrace *trace,
                              const struct grouping_subject *subject, bool counts, struct grouping_stack *out_stack) {
  const struct grouping_memo *memo =
      work->memory != NULL ? grouping_memory_look(work->memory, work->config, subject, trace, counts) : NULL;
  if (memo != NULL) {
    *out_stack = (struct grouping_stack){.count = trace->frame_count, .memo = memo};
    return STATUS_OK;
  }
  enum status status = grouping_stack_mark(work->config->index, trace, subject, work->arena, out_stack);
  if (status == STATUS_OK && work->memory != NULL) out_stack->kept = grouping_memory_keep(work->memory, trace);
  return status;
}

// Marks the frames of every stack of the event, whether it will count or not: they are shown all.
static enum status mark_stacks(struct grouping_work *work) {
  struct sentry_event *event = work->event;
  work->exception_stacks = arena_alloc_array(work->arena, event->exception_count, sizeof(*work->exception_stacks));
  work->thread_stacks = arena_alloc_array(work->arena, event->thread_count, sizeof(*work->thread_stacks));
  if (work->exception_stacks == NULL || work->thread_stacks == NULL) return STATUS_NO_MEMORY;
  enum status status = STATUS_OK;
  struct grouping_subject subject = {.platform = event->platform, .watcher = work->watcher};
  for (uint32_t i = 0; i < event->exception_count && status == STATUS_OK; i++) {
    struct sentry_exception *exception = &event->exceptions[i];
    if (exception->stacktrace.frame_count == 0) continue;
    subject.exception = exception;
    status = mark_stack(work, &exception->stacktrace, &subject, true, &work->exception_stacks[i]);
  }
  subject.exception = NULL;
  uint32_t crash = grouping_crash_thread(event);
  for (uint32_t i = 0; i < event->thread_count && status == STATUS_OK; i++) {
    if (event->threads[i].stacktrace.frame_count == 0) continue;
    status = mark_stack(work, &event->threads[i].stacktrace, &subject, i == crash, &work->thread_stacks[i]);
  }
  if (status == STATUS_OK) {
    status = mark_stack(work, &event->stacktrace, &subject, true, &work->event_stack);
  }
  return status;
}

// One variant being put together: the components of the strategies, most telling first.
struct gathered {
  const char *name;
  struct grouping_component *root;
};

static void gather(struct gathered *variant, const struct grouping_component *component, struct arena *arena) {
  if (component == NULL) return;
  if (variant->root == NULL) variant->root = grouping_component_new(variant->name, ROOTS_MAX, arena);
  if (variant->root != NULL) *grouping_component_add(variant->root) = *component;
}

// Of two that contribute. Mostly their lengths tell, and neither hash is needed.
static bool have_same_hash(const struct grouping_component *a, const struct grouping_component *b) {
  char hashes[2][33];
  if (grouping_component_fed_len(a) != grouping_component_fed_len(b)) return false;
  grouping_component_hash(a, hashes[0]);
  grouping_component_hash(b, hashes[1]);
  return strcmp(hashes[0], hashes[1]) == 0;
}

// Across the two variants of one strategy: app needs system and something of its own to say, and once any of them has a
// stack trace, one without does not count.
static void settle_pair(struct grouping_pair *pair) {
  if (pair->app != NULL && pair->app->contributes && pair->system != NULL) {
    if (!pair->system->contributes) {
      grouping_component_mute(pair->app, "ignored because the system variant does not contribute");
    } else if (have_same_hash(pair->system, pair->app)) {
      grouping_component_mute(pair->app, "ignored because hash matches system variant");
    }
  }
  struct grouping_component *both[2] = {pair->system, pair->app};
  bool has_trace[2] = {false, false};
  for (int i = 0; i < 2; i++) {
    has_trace[i] = both[i] != NULL && both[i]->contributes && grouping_component_has(both[i], "stacktrace");
  }
  for (int i = 0; i < 2; i++) {
    if (both[i] == NULL || !both[i]->contributes || has_trace[i] || !has_trace[!i]) continue;
    grouping_component_mute(both[i], "ignored because another variant has a stack trace");
  }
}

// True when this strategy is the one that counts; a later one's components are muted.
static bool rank(struct grouping_pair *pair, bool decided, const char *hint) {
  bool contributes = false;
  struct grouping_component *both[2] = {pair->system, pair->app};
  for (int i = 0; i < 2; i++) {
    if (both[i] == NULL || !both[i]->contributes) continue;
    contributes = true;
    if (decided) grouping_component_mute(both[i], hint);
  }
  return contributes;
}

// Runs the strategies; variants[] are app, system, default. True when something contributes.
static bool run_strategies(struct grouping_work *work, struct gathered variants[3]) {
  struct grouping_component *(*const reports[])(const struct grouping_work *work) = {
      grouping_template_component,      grouping_csp_component,       grouping_hpkp_component,
      grouping_expect_staple_component, grouping_expect_ct_component, grouping_message_component,
  };
  static const char *const report_hints[] = {"template takes precedence",  "csp takes precedence",
                                             "hpkp takes precedence",      "expect-staple takes precedence",
                                             "expect-ct takes precedence", "message takes precedence"};
  static const char *const stack_hints[] = {"exception takes precedence", "threads take precedence",
                                            "stacktrace takes precedence"};
  const char *hint = NULL;
  for (int i = 0; i < 3; i++) {
    struct grouping_pair pair = {0};
    if (i == 0) pair = grouping_exception_components(work);
    if (i == 1) pair = grouping_thread_components(work);
    if (i == 2 && work->event->stacktrace.frames != NULL) {
      pair = grouping_stacktrace_components(work, &work->event_stack);
    }
    settle_pair(&pair);
    if (rank(&pair, hint != NULL, hint) && hint == NULL) hint = stack_hints[i];
    gather(&variants[0], pair.app, work->arena);
    gather(&variants[1], pair.system, work->arena);
  }
  for (size_t i = 0; i < sizeof(reports) / sizeof(reports[0]); i++) {
    struct grouping_pair pair = {.app = reports[i](work)};
    if (rank(&pair, hint != NULL, hint) && hint == NULL) hint = report_hints[i];
    gather(&variants[2], pair.app, work->arena);
  }
  for (int i = 0; i < 3; i++) {
    if (variants[i].root == NULL) continue;
    grouping_component_settle(variants[i].root);
    if (!variants[i].root->contributes && hint != NULL) variants[i].root->hint = hint;
  }
  return hint != NULL;
}

static struct grouping_variant *add_variant(struct grouping_result *result, const char *name, const char *description,
                                            struct grouping_component *root) {
  ASSERT(result->variant_count < GROUPING_VARIANTS_MAX);
  struct grouping_variant *variant = &result->variants[result->variant_count++];
  *variant = (struct grouping_variant){.name = name, .description = description, .root = root};
  variant->contributes = root != NULL && root->contributes;
  return variant;
}

// A variant that is a list of texts and hashes as their MD5.
static void add_values_variant(struct grouping_work *work, struct grouping_result *result, const char *name,
                               const char *description, struct slice *values, uint32_t count) {
  struct grouping_component *root = grouping_component_new(name, 0, work->arena);
  if (root == NULL) return;
  root->values = values;
  root->value_count = count;
  root->contributes = true;
  grouping_component_hash(root, add_variant(result, name, description, root)->hash);
}

static bool is_md5(struct slice text) {
  for (size_t i = 0; i < text.len; i++) {
    bool hex = (text.ptr[i] >= '0' && text.ptr[i] <= '9') || (text.ptr[i] >= 'a' && text.ptr[i] <= 'f');
    if (!hex) return false;
  }
  return text.len == MD5_HEX_DIGITS;
}

static void add_checksum(struct grouping_work *work, struct grouping_result *result) {
  struct slice checksum = work->event->checksum;
  if (!is_md5(checksum)) {
    add_values_variant(work, result, "hashed-checksum", "hashed checksum", &work->event->checksum, 1);
    return;
  }
  struct grouping_component *root = grouping_component_new("checksum", 0, work->arena);
  if (root == NULL) return;
  grouping_component_leaf(root, "checksum", checksum, work->arena);
  memcpy(add_variant(result, "checksum", "checksum", root)->hash, checksum.ptr, MD5_HEX_DIGITS);
}

static void add_fallback(struct grouping_work *work, struct grouping_result *result) {
  const struct sentry_event *event = work->event;
  struct slice *salt = arena_alloc_array(work->arena, 4, sizeof(*salt));
  if (salt == NULL) return;
  salt[0] = SLICE_LITERAL("fallback:");
  salt[1] = event->platform;
  salt[2] = SLICE_LITERAL(":");
  salt[3] = event->logger;
  bool published = work->config->published_fallback;
  add_values_variant(work, result, "fallback", "fallback", salt, published ? 0 : 4);
}

// MD5 over the fingerprint with what the variant says in the place of {{ default }}.
static void salted_hash(const struct grouping_component *root, const struct slice *values, uint32_t count,
                        char out_hash[33]) {
  out_hash[0] = '\0';
  if (!root->contributes) return;
  struct hash_md5 md5;
  hash_md5_init(&md5);
  for (uint32_t i = 0; i < count; i++) {
    if (grouping_fingerprint_is_default(values[i])) {
      grouping_component_feed(root, &md5);
    } else {
      hash_md5_update(&md5, values[i]);
    }
  }
  hash_md5_finish(&md5, out_hash);
}

static void add_outline(struct grouping_work *work, struct grouping_result *result) {
  struct grouping_component *outline = work->config->published_fallback ? NULL : grouping_outline_component(work);
  if (outline == NULL) return;
  struct grouping_variant *variant =
      add_variant(result, GROUPING_OUTLINE, "as a stack trace in text tells it", outline);
  grouping_component_hash(outline, variant->hash);
}

static struct slice *resolve_all(struct grouping_work *work, const struct grouping_result *result) {
  struct slice *values = arena_alloc_array(work->arena, result->fingerprint_count, sizeof(*values));
  for (uint32_t i = 0; values != NULL && i < result->fingerprint_count; i++) {
    values[i] = grouping_fingerprint_resolve(result->fingerprint[i], work->event, work->arena);
  }
  return values;
}

static void add_variants(struct grouping_work *work, const struct grouping_fingerprint_rule *rule,
                         struct grouping_result *result) {
  struct gathered variants[3] = {{"app", NULL}, {"system", NULL}, {"default", NULL}};
  bool any = run_strategies(work, variants);
  uint32_t defaults = 0;
  for (uint32_t i = 0; i < result->fingerprint_count; i++) {
    defaults += grouping_fingerprint_is_default(result->fingerprint[i]);
  }
  bool plain = result->fingerprint_count == 0 || (result->fingerprint_count == 1 && defaults == 1);
  bool custom = !plain && defaults == 0;
  struct slice *values = plain ? NULL : resolve_all(work, result);
  if (!plain && values == NULL) return;
  for (int i = 0; i < 3; i++) {
    struct grouping_component *root = variants[i].root;
    if (root == NULL) continue;
    if (custom) grouping_component_mute(root, "custom fingerprint takes precedence");
    struct grouping_variant *variant =
        add_variant(result, variants[i].name, plain || custom ? variants[i].name : "salted", root);
    if (plain) grouping_component_hash(root, variant->hash);
    if (!plain && !custom) salted_hash(root, values, result->fingerprint_count, variant->hash);
  }
  if (custom) {
    bool builtin = rule != NULL && rule->builtin;
    add_values_variant(work, result, builtin ? "built-in-fingerprint" : "custom-fingerprint",
                       rule != NULL ? "fingerprint rule" : "client fingerprint", values, result->fingerprint_count);
  } else if (!any) {
    add_fallback(work, result);
  }
  if (plain) add_outline(work, result);
}

static enum status compute(struct grouping_work *work, struct grouping_result *out_result) {
  struct sentry_event *event = work->event;
  struct arena *arena = work->arena;
  struct grouping_result result = {.fingerprint = event->fingerprint, .fingerprint_count = event->fingerprint_count};
  enum status status = mark_stacks(work);
  if (status != STATUS_OK) return status;
  struct slice title = {0};
  const struct grouping_fingerprint_rule *rule = NULL;
  if (event->checksum.len > 0) {
    add_checksum(work, &result);
  } else {
    rule = grouping_fingerprint_match(&work->config->fingerprints, event, arena);
    if (rule != NULL) {
      result.fingerprint_count = rule->value_count;
      result.fingerprint = arena_alloc_array(arena, rule->value_count, sizeof(*result.fingerprint));
      if (result.fingerprint == NULL) return STATUS_NO_MEMORY;
      for (uint32_t i = 0; i < rule->value_count; i++) result.fingerprint[i] = arena_copy(arena, rule->values[i]);
      title = grouping_fingerprint_expand(rule->title, event, arena);
      result.fingerprint_rule = rule->text;
      result.fingerprint_line = rule->line;
      result.fingerprint_builtin = rule->builtin;
    }
    add_variants(work, rule, &result);
  }
  grouping_title_describe(work, title, &result);
  if (arena_exhausted(arena)) return STATUS_NO_MEMORY;
  *out_result = result;
  return STATUS_OK;
}

enum status grouping_compute(const struct grouping_config *config, struct sentry_event *event, struct arena *arena,
                             struct grouping_result *out_result) {
  return grouping_compute_watched(config, event, arena, NULL, out_result);
}

enum status grouping_compute_watched(const struct grouping_config *config, struct sentry_event *event,
                                     struct arena *arena, const struct grouping_watcher *watcher,
                                     struct grouping_result *out_result) {
  struct grouping_work work = {.config = config, .event = event, .arena = arena, .watcher = watcher};
  return compute(&work, out_result);
}

enum status grouping_compute_remembering(const struct grouping_config *config, struct sentry_event *event,
                                         struct arena *arena, struct grouping_memory *memory,
                                         struct grouping_result *out_result) {
  struct grouping_work work = {.config = config, .event = event, .arena = arena, .memory = memory};
  grouping_memory_begin(memory);
  return compute(&work, out_result);
}

void grouping_write_variants(const struct grouping_result *result, struct json_writer *writer) {
  json_begin_object(writer);
  for (uint32_t i = 0; i < result->variant_count; i++) {
    const struct grouping_variant *variant = &result->variants[i];
    json_key_plain(writer, slice_from_cstr(variant->name));
    json_begin_object(writer);
    json_key_plain(writer, SLICE_LITERAL("hash"));
    json_write_cstr(writer, variant->hash[0] != '\0' ? variant->hash : NULL);
    json_key_plain(writer, SLICE_LITERAL("contributes"));
    json_write_bool(writer, variant->contributes);
    json_key_plain(writer, SLICE_LITERAL("description"));
    json_write_cstr(writer, variant->description);
    json_key_plain(writer, SLICE_LITERAL("component"));
    grouping_write_component(variant->root, writer);
    json_end_object(writer);
  }
  json_end_object(writer);
}
