// SPDX-License-Identifier: Apache-2.0
//
// How it works: one walk over the parsed document with a stack of open arrays and objects, that replaces values where
// they stand (json_replace) and writes nothing. Where in the schema of an event the walk is, is a `place`; a table
// leads from place and key to the next one. Everything that an application fills in as it likes (extra, contexts, local
// variables, breadcrumb data, request bodies …) is the place FREE, where every key and every text is judged. Places
// that hold what an SDK says of itself, of code and of times are LEFT. Exempt in particular, as in Relay: debug_meta,
// file names of frames, the value of an exception, the User-Agent header. The user an event names by id, e-mail or name
// is kept: that is what an issue page shows; only their IP address goes when it is asked for.
//
// Changes are noted as marks (scrub_meta.c), which the path that leads to a change is made for only then.
#include <assert.h>
#include <stdio.h>

#include "processor/scrub_internal.h"
#include "processor/scrub_meta.h"

#define DEPTH_MAX   (JSON_DEPTH_MAX + 2)
#define NUMBER_TEXT 32
#define TEXT_MAX    (16u << 20)
#define CARD_MIN    INT64_C(100000000000000) // a number of 15 digits

enum place {
  LEFT,
  FREE,
  MESSAGE,
  ROOT,
  EXCEPTION,
  MECHANISM,
  THREAD,
  STACK,
  CRUMB,
  REQUEST,
  HEADERS,
  COOKIES,
  QUERY,
  BODY,
  URL,
  USER,
  CONTEXTS,
  TRACE,
  FEEDBACK,
  LOGENTRY,
  SPANS,
  SDK,
};

// Where a key leads to from each place: the first line that fits is taken, a line without a key fits every key.
// Elements of an array are in the place of the array.
struct step {
  const char *key;
  size_t key_len;
  enum place to;
};
#define STEPS_MAX 49
#define KEY(text, to)                                                                                                  \
  { text, sizeof(text) - 1, to }
#define ELSE(to)                                                                                                       \
  { NULL, 0, to }
static const struct step steps[][STEPS_MAX] = {
    [ROOT] = {KEY("exception", EXCEPTION),
              KEY("sentry.interfaces.Exception", EXCEPTION),
              KEY("threads", THREAD),
              KEY("stacktrace", STACK),
              KEY("sentry.interfaces.Stacktrace", STACK),
              KEY("breadcrumbs", CRUMB),
              KEY("sentry.interfaces.Breadcrumbs", CRUMB),
              KEY("request", REQUEST),
              KEY("sentry.interfaces.Http", REQUEST),
              KEY("user", USER),
              KEY("sentry.interfaces.User", USER),
              KEY("contexts", CONTEXTS),
              KEY("sentry.interfaces.Contexts", CONTEXTS),
              KEY("logentry", LOGENTRY),
              KEY("sentry.interfaces.Message", LOGENTRY),
              KEY("message", MESSAGE),
              KEY("transaction", MESSAGE),
              KEY("culprit", MESSAGE),
              KEY("title", MESSAGE),
              KEY("server_name", MESSAGE),
              KEY("spans", SPANS),
              KEY("sdk", SDK),
              KEY("_meta", LEFT),
              KEY("debug_meta", LEFT),
              KEY("modules", LEFT),
              KEY("event_id", LEFT),
              KEY("timestamp", LEFT),
              KEY("start_timestamp", LEFT),
              KEY("received", LEFT),
              KEY("platform", LEFT),
              KEY("level", LEFT),
              KEY("logger", LEFT),
              KEY("environment", LEFT),
              KEY("release", LEFT),
              KEY("dist", LEFT),
              KEY("type", LEFT),
              KEY("version", LEFT),
              KEY("fingerprint", LEFT),
              KEY("checksum", LEFT),
              KEY("errors", LEFT),
              KEY("measurements", LEFT),
              KEY("breakdowns", LEFT),
              KEY("transaction_info", LEFT),
              KEY("template", LEFT),
              KEY("sentry.interfaces.Template", LEFT),
              KEY("_grouping", LEFT),
              KEY("_fingerprinting_rules", LEFT),
              KEY("project", LEFT),
              ELSE(FREE)},
    [EXCEPTION] = {KEY("values", EXCEPTION), KEY("stacktrace", STACK), KEY("raw_stacktrace", STACK),
                   KEY("mechanism", MECHANISM), ELSE(LEFT)},
    [MECHANISM] = {KEY("data", FREE), KEY("meta", FREE), ELSE(LEFT)},
    [THREAD] = {KEY("values", THREAD), KEY("stacktrace", STACK), KEY("raw_stacktrace", STACK), ELSE(LEFT)},
    [STACK] = {KEY("frames", STACK), KEY("vars", FREE), ELSE(LEFT)},
    [CRUMB] = {KEY("values", CRUMB), KEY("message", FREE), KEY("data", FREE), ELSE(LEFT)},
    [REQUEST] = {KEY("headers", HEADERS), KEY("cookies", COOKIES), KEY("query_string", QUERY), KEY("fragment", QUERY),
                 KEY("data", BODY), KEY("url", URL), KEY("method", LEFT), KEY("inferred_content_type", LEFT),
                 ELSE(FREE)},
    [HEADERS] = {KEY("user-agent", LEFT), ELSE(HEADERS)},
    [COOKIES] = {ELSE(COOKIES)},
    [QUERY] = {ELSE(QUERY)},
    [BODY] = {ELSE(FREE)},
    [USER] = {KEY("id", LEFT), KEY("email", LEFT), KEY("username", LEFT), KEY("name", LEFT), KEY("geo", LEFT),
              KEY("ip_address", USER), ELSE(FREE)},
    [CONTEXTS] = {KEY("trace", TRACE), KEY("response", REQUEST), KEY("feedback", FEEDBACK), ELSE(FREE)},
    [TRACE] = {KEY("data", FREE), ELSE(LEFT)},
    [FEEDBACK] = {KEY("message", MESSAGE), KEY("url", URL), ELSE(LEFT)},
    [LOGENTRY] = {KEY("params", FREE), KEY("message", MESSAGE), KEY("formatted", MESSAGE), ELSE(LEFT)},
    [SPANS] = {KEY("description", MESSAGE), KEY("data", FREE), KEY("tags", FREE), ELSE(LEFT)},
    [SDK] = {KEY("client_ip", USER), ELSE(LEFT)},
    [FREE] = {KEY("url", URL), KEY("http.query", QUERY), KEY("url.query", QUERY), KEY("query_string", QUERY),
              KEY("user_agent.original", LEFT), ELSE(FREE)},
};

// Steps are found by the length of their key: the first one of that length, and from each one the next.
void scrub_event_compile(struct scrub *scrub) {
  static_assert(SDK < SCRUB_PLACES_MAX && STEPS_MAX <= SCRUB_STEPS_MAX, "every place is known");
  struct scrub_steps *found = &scrub->steps;
  memset(found, SCRUB_NO_STEP, sizeof(*found));
  for (size_t place = 0; place < sizeof(steps) / sizeof(steps[0]); place++) {
    uint8_t count = 0;
    while (steps[place][count].key) count++;
    found->otherwise[place] = (uint8_t)steps[place][count].to;
    while (count-- > 0) {
      uint8_t *first = &found->first[place][steps[place][count].key_len % SCRUB_STEP_LENGTHS];
      found->next[place][count] = *first;
      *first = count;
    }
  }
}

static inline enum place place_of(const struct scrub *scrub, enum place from, struct slice key) {
  const struct scrub_steps *found = &scrub->steps;
  uint8_t i = found->first[from][key.len % SCRUB_STEP_LENGTHS];
  for (; i != SCRUB_NO_STEP; i = found->next[from][i]) {
    const struct slice known = slice_make(steps[from][i].key, steps[from][i].key_len);
    if (key.len != known.len || ((key.ptr[0] ^ known.ptr[0]) & 0xDF)) continue;
    if (slice_equal(key, known) || slice_equal_ignore_case(key, known)) return steps[from][i].to;
  }
  return (enum place)found->otherwise[from];
}

// Are the names in this place the application's?
static inline bool judges_keys(enum place place) {
  return (1u << FREE | 1u << HEADERS | 1u << COOKIES | 1u << QUERY) >> place & 1;
}

struct open {
  struct json_iter iter;
  bool is_object;
  enum place place;
  struct slice key; // of the member that is being read
  uint32_t index;   // of the element that is being read
  uint32_t next_index;
  uint32_t mark;     // of this container, 0: none yet
  bool is_pair;      // [name, value]
  bool value_goes;   // its name is sensitive
  bool is_named;     // {"key": name, "value": …}, the same
  enum place second; // place of the value of a pair
};

struct walk {
  const struct scrub *scrub;
  struct json_parser *inner;
  struct buffer text;
  enum status status; // the first failure
  bool notes;
  struct scrub_meta meta;
  bool changed;
  struct open open[DEPTH_MAX];
  uint32_t depth;
};

// Notes that the value being read in the innermost container was changed.
static void note(struct walk *walk, const char *rule, bool removed) {
  walk->changed = true;
  if (!walk->notes || walk->depth == 0) return;
  for (uint32_t i = 0; i < walk->depth; i++) {
    struct open *open = &walk->open[i];
    uint32_t *below = i + 1 < walk->depth ? &walk->open[i + 1].mark : NULL;
    if (below && *below) continue;
    const uint32_t made = open->is_object ? scrub_meta_add_member(&walk->meta, open->mark, open->key)
                                          : scrub_meta_add_element(&walk->meta, open->mark, open->index);
    if (!made) return;
    if (below)
      *below = made;
    else
      scrub_meta_set_rule(&walk->meta, made, rule, removed);
  }
}

// --- values ---------------------------------------------------------------------------------------------------------

static bool is_empty(struct json_value container) {
  struct json_iter iter = json_iterate(container);
  struct slice key;
  struct json_value value;
  return !json_object_next(&iter, &key, &value) && !json_array_next(&iter, &value);
}

static bool holds_something(struct json_value value) {
  switch (json_type_of(value)) {
  case JSON_NULL:
  case JSON_BOOL: return false;
  case JSON_STRING: return json_string(value).len > 0 && !slice_equal_cstr(json_string(value), SCRUB_FILTERED);
  case JSON_ARRAY:
  case JSON_OBJECT: return !is_empty(value);
  default: return true;
  }
}

// Is `value` under `key` in `place` to go as a whole?
static inline bool must_go(const struct scrub *scrub, enum place place, struct slice key, struct json_value value) {
  if (place == USER) return scrub->ip_addresses && scrub_key_is_ip_address(key) && holds_something(value);
  if (!judges_keys(place)) return false;
  if (place != COOKIES && !scrub_glance_at_key(&scrub->glance, key) &&
      !(scrub->ip_addresses && scrub_key_is_ip_address(key)))
    return false;
  if (!holds_something(value)) return false;
  enum json_type type = json_type_of(value);
  bool is_number = type == JSON_I64 || type == JSON_U64 || type == JSON_DOUBLE;
  if (scrub_key_is_sensitive(scrub, key)) return !(is_number && scrub_key_is_count(key));
  return place == COOKIES && scrub->defaults && scrub_key_is_session_cookie(key);
}

static void replace(struct walk *walk, struct json_value value, struct slice text, const char *rule) {
  enum status status = json_replace(value, text);
  if (status != STATUS_OK && walk->status == STATUS_OK) walk->status = status;
  note(walk, rule, slice_equal_cstr(text, SCRUB_FILTERED));
}

static void filter(struct walk *walk, struct json_value value) {
  replace(walk, value, SLICE_LITERAL(SCRUB_FILTERED), "@password");
}

// name=value to begin with, as forms do.
static bool is_form(struct slice text) {
  for (size_t i = 0; i < text.len; i++) {
    const uint8_t byte = text.ptr[i];
    if (byte == '=') return i > 0;
    bool of_name = (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
    if (!of_name && byte != '_' && (i == 0 || byte <= ' ' || !strchr("0123456789-.%[]+", byte))) return false;
  }
  return false;
}

// A request body: JSON, a form, or any text.
static const char *scrub_body(struct walk *walk, struct slice text) {
  struct json_value root;
  struct slice trimmed = slice_trim(text);
  bool looks_json = trimmed.len > 1 && (trimmed.ptr[0] == '{' || trimmed.ptr[0] == '[');
  bool changed = false;
  if (looks_json && walk->inner && json_parse(walk->inner, trimmed, &root, NULL) == STATUS_OK) {
    if (scrub_json(walk->scrub, root, &walk->text, &changed) || !changed) return NULL;
    return "@password";
  }
  return scrub_text(walk->scrub, is_form(text) ? SCRUB_TEXT_QUERY : SCRUB_TEXT_VALUE, text, &walk->text);
}

// Names in URLs and queries may be percent-encoded, or be those of IP addresses: no glance sees them.
static inline bool may_hide_names(const struct scrub *scrub, enum place place, struct slice text) {
  const uint8_t first = text.len > 0 ? text.ptr[0] | 0x20 : 0;
  const bool may_be_url = place == URL || place == QUERY || first == 'h' || first == 'w';
  return may_be_url && (scrub->ip_addresses || memchr(text.ptr, '%', text.len));
}

// Is there nothing in the text, as far as a glance can tell?
static inline bool looks_clean(const struct scrub *scrub, enum place place, struct slice text) {
  if (text.len == 0) return true;
  if (place == BODY || place == COOKIES) return false;
  const unsigned signs = scrub_glance_at_text(&scrub->glance, text);
  if (place == MESSAGE) return !(signs & SCRUB_SIGN_FORM);
  return !signs && !may_hide_names(scrub, place, text);
}

// The same of a name that is to be judged and its text, in one glance: nearly always there is nothing in either.
static inline bool member_looks_clean(const struct scrub *scrub, enum place place, struct slice key,
                                      struct json_value value) {
  if ((place != FREE && place != HEADERS) || scrub->ip_addresses) return false;
  const struct slice text = json_string(value);
  if (text.ptr != key.ptr + key.len + JSON_STRING_GAP) return false;
  const struct slice both = slice_make(key.ptr, key.len + JSON_STRING_GAP + text.len);
  return !scrub_glance_at_text(&scrub->glance, both) && !may_hide_names(scrub, place, text);
}

static void look_at_string(struct walk *walk, enum place place, struct json_value value) {
  struct slice text = json_string(value);
  const char *rule = NULL;
  if (looks_clean(walk->scrub, place, text)) return;
  buffer_clear(&walk->text);
  switch (place) {
  case FREE:
  case HEADERS: rule = scrub_text(walk->scrub, SCRUB_TEXT_VALUE, text, &walk->text); break;
  case MESSAGE: rule = scrub_text(walk->scrub, SCRUB_TEXT_MESSAGE, text, &walk->text); break;
  case URL: rule = scrub_text(walk->scrub, SCRUB_TEXT_URL, text, &walk->text); break;
  case COOKIES: rule = scrub_text(walk->scrub, SCRUB_TEXT_COOKIES, text, &walk->text); break;
  case QUERY: rule = scrub_text(walk->scrub, SCRUB_TEXT_QUERY, text, &walk->text); break;
  case BODY: rule = scrub_body(walk, text); break;
  default: break;
  }
  if (walk->text.failed) walk->status = STATUS_TOO_LARGE;
  if (rule) replace(walk, value, buffer_slice(&walk->text), rule);
}

// A number that is a card's.
static void look_at_number(struct walk *walk, enum place place, struct json_value value) {
  char digits[NUMBER_TEXT];
  if (!judges_keys(place)) return;
  if (json_type_of(value) == JSON_I64 && json_i64(value) < CARD_MIN && json_i64(value) > -CARD_MIN) return;
  int len = json_type_of(value) == JSON_U64
                ? snprintf(digits, sizeof(digits), "%llu", (unsigned long long)json_u64(value))
                : snprintf(digits, sizeof(digits), "%lld", (long long)json_i64(value));
  struct scrub_finding finding;
  if (!scrub_value_find(walk->scrub, slice_make(digits, (size_t)len), 0, &finding)) return;
  replace(walk, value, SLICE_LITERAL(SCRUB_FILTERED), finding.rule);
}

// --- the walk -------------------------------------------------------------------------------------------------------

// An array of two in an array, the first a string: a name and its value.
static bool is_pair(const struct walk *walk, struct json_value array, struct slice *out_name) {
  if (walk->depth == 0 || walk->open[walk->depth - 1].is_object || json_count(array) != 2) return false;
  struct json_iter iter = json_iterate(array);
  struct json_value name;
  if (!json_array_next(&iter, &name) || json_type_of(name) != JSON_STRING) return false;
  *out_name = json_string(name);
  return true;
}

// Of {"key": name, "value": …} or {"name": name, "value": …}; no value when the object has no "value".
static struct json_value name_member(struct json_value object, struct json_value *out_value) {
  *out_value = json_get(object, "value");
  if (!json_is_present(*out_value)) return (struct json_value){0};
  struct json_value name = json_get(object, "key");
  return json_is_present(name) ? name : json_get(object, "name");
}

static void enter(struct walk *walk, struct json_value value, enum place place) {
  ASSERT(walk->depth < DEPTH_MAX); // the parser limits nesting
  struct open *open = &walk->open[walk->depth];
  struct slice name = {NULL, 0};
  *open = (struct open){.iter = json_iterate(value), .place = place, .second = place};
  open->is_object = json_type_of(value) == JSON_OBJECT;
  struct json_value second = {0};
  if (place == BODY && !open->is_object) open->place = open->second = FREE;
  if (judges_keys(place) && !open->is_object && is_pair(walk, value, &name)) {
    struct json_iter iter = json_iterate(value);
    json_array_next(&iter, &second);
    json_array_next(&iter, &second);
    open->second = place_of(walk->scrub, place, name);
    open->is_pair = true;
    open->value_goes = must_go(walk->scrub, place, name, second);
  } else if (judges_keys(place) && open->is_object) {
    struct json_value name_of_value = name_member(value, &second);
    if (json_type_of(name_of_value) == JSON_STRING)
      open->is_named = must_go(walk->scrub, place, json_string(name_of_value), second);
  }
  walk->depth++;
}

// True when the value is a container, which is entered.
static inline bool look_at(struct walk *walk, struct json_value value, enum place place) {
  if (place == LEFT) return false;
  switch (json_type_of(value)) {
  case JSON_OBJECT:
  case JSON_ARRAY: enter(walk, value, place); return true;
  case JSON_STRING: look_at_string(walk, place, value); return false;
  case JSON_I64:
  case JSON_U64: look_at_number(walk, place, value); return false;
  default: return false;
  }
}

// Members up to one that is entered, or the last.
static void look_at_members(struct walk *walk, struct open *open) {
  const enum place here = open->place;
  const bool judges = judges_keys(here);
  struct json_iter iter = open->iter;
  struct json_value value;
  struct slice key;
  while (json_object_next(&iter, &key, &value)) {
    const enum place place = place_of(walk->scrub, here, key);
    if (place == LEFT && !judges) continue; // as most of a frame is
    // Names are judged where they are the application's: a member of ROOT that the schema does not know, too.
    const enum place judge = judges ? here : place == USER || place == FREE ? place : LEFT;
    const bool named = open->is_named && slice_equal_cstr(key, "value");
    if (judges && !named && member_looks_clean(walk->scrub, place, key, value)) continue;
    open->key = key;
    if (named || must_go(walk->scrub, judge, key, value)) {
      filter(walk, value);
    } else if (look_at(walk, value, place)) {
      open->iter = iter;
      return;
    }
    if (walk->status != STATUS_OK) return;
  }
  walk->depth--;
}

static void next_element(struct walk *walk, struct open *open) {
  struct json_value value;
  if (!json_array_next(&open->iter, &value)) {
    walk->depth--;
    return;
  }
  open->index = open->next_index++;
  if (open->value_goes && open->index == 1) {
    filter(walk, value);
  } else if (open->index == 1) {
    look_at(walk, value, open->second);
  } else if (open->is_pair) {
    look_at(walk, value, MESSAGE); // the name, which says "password" and is none
  } else {
    look_at(walk, value, open->place);
  }
}

// All but walk->open, whose levels are set when they are entered: it is large.
static void begin(struct walk *walk, const struct scrub *scrub, struct json_parser *inner, bool notes) {
  walk->scrub = scrub;
  walk->inner = inner;
  walk->notes = notes;
  walk->status = STATUS_OK;
  walk->changed = false;
  scrub_meta_init(&walk->meta);
  walk->depth = 0;
  buffer_init(&walk->text, TEXT_MAX);
}

static void walk_value(struct walk *walk, struct json_value root, enum place place) {
  look_at(walk, root, place);
  while (walk->depth > 0 && walk->status == STATUS_OK) {
    struct open *open = &walk->open[walk->depth - 1];
    if (open->is_object) {
      look_at_members(walk, open);
    } else {
      next_element(walk, open);
    }
  }
}

static enum status finish(struct walk *walk, struct buffer *out, size_t before, bool *out_changed) {
  enum status status = out->failed ? STATUS_TOO_LARGE : walk->status;
  buffer_finish(&walk->text);
  scrub_meta_finish(&walk->meta);
  if (status != STATUS_OK) out->len = before;
  out->failed = false;
  *out_changed = walk->changed && status == STATUS_OK;
  return status;
}

enum status scrub_event(const struct scrub *scrub, struct json_value root, struct json_parser *inner,
                        struct buffer *out_meta, bool *out_changed) {
  ASSERT(!out_meta->failed);
  *out_changed = false;
  if (!scrub->enabled || json_type_of(root) != JSON_OBJECT) return STATUS_OK;
  const size_t before = out_meta->len;
  struct walk walk;
  begin(&walk, scrub, inner, true);
  walk_value(&walk, root, ROOT);
  if (walk.changed && walk.status == STATUS_OK) scrub_meta_write(&walk.meta, json_get(root, "_meta"), out_meta);
  return finish(&walk, out_meta, before, out_changed);
}

// A body in an event or a log. FREE never leads to BODY, so this is not entered twice.
enum status scrub_json(const struct scrub *scrub, struct json_value root, struct buffer *out, bool *out_changed) {
  ASSERT(!out->failed);
  *out_changed = false;
  if (!scrub->enabled) return STATUS_OK;
  const size_t before = out->len;
  struct walk walk;
  begin(&walk, scrub, NULL, false);
  walk_value(&walk, root, FREE);
  if (walk.changed && walk.status == STATUS_OK) json_write_value(out, root);
  return finish(&walk, out, before, out_changed);
}
