// SPDX-License-Identifier: Apache-2.0
//
// Events without a stack: templates, reports of browsers (CSP, HPKP, Expect-CT, Expect-Staple) and plain messages.
// Their objects are JSON text in the event and rare, so each is parsed where it is looked at.
#include "processor/grouping_internal.h"
#include "processor/grouping_message.h"
#include "processor/grouping_text.h"

#define REPORT_BYTES_MAX (1u << 20)

// The text of members of an object, copied into the arena; empty where it has none.
static void read_members(const struct grouping_work *work, struct slice json, const char *const *names, uint32_t count,
                         struct slice *out_texts) {
  for (uint32_t i = 0; i < count; i++) out_texts[i] = (struct slice){0};
  struct json_parser *parser = json_parser_create(REPORT_BYTES_MAX);
  struct json_value root = {0};
  if (json_parse(parser, json, &root, NULL) == STATUS_OK) {
    for (uint32_t i = 0; i < count; i++) {
      struct slice text = json_string(json_get(root, names[i]));
      if (text.len > 0) out_texts[i] = arena_copy(work->arena, text);
    }
  }
  json_parser_destroy(parser);
}

struct grouping_component *grouping_template_component(const struct grouping_work *work) {
  static const char *const names[] = {"filename", "context_line"};
  if (work->event->template_json.len == 0) return NULL;
  struct slice texts[2];
  read_members(work, work->event->template_json, names, 2, texts);
  struct grouping_component *component = grouping_component_new("template", 2, work->arena);
  if (component == NULL) return NULL;
  grouping_component_leaf(grouping_component_add(component), "filename", texts[0], work->arena);
  grouping_component_leaf(grouping_component_add(component), "context-line", texts[1], work->arena);
  grouping_component_settle(component);
  return component;
}

// Schemes that have slashes also when no host is behind them.
static bool has_authority(struct slice scheme) {
  static const char *const schemes[] = {"http",  "https", "ftp", "file", "ws",     "wss",   "sftp", "rtsp",
                                        "rtspu", "git",   "svn", "nfs",  "gopher", "rsync", "imap", "telnet"};
  for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
    if (slice_equal_cstr(scheme, schemes[i])) return true;
  }
  return false;
}

static bool is_letter(uint8_t c) {
  return (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
}

// The bytes of a scheme in front of ':', 0 when the address has none.
static size_t scheme_len(struct slice uri) {
  size_t len = 0;
  for (; len < uri.len && uri.ptr[len] != ':'; len++) {
    uint8_t c = uri.ptr[len];
    bool inner = (c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.';
    if (!is_letter(c) && (len == 0 || !inner)) return 0;
  }
  return len < uri.len ? len : 0;
}

// 'self', the host of an http(s) address, "scheme://host" of others, "data:" of "data:text/plain,x" and of "data".
static struct slice normalise_blocked(struct slice uri, struct arena *arena) {
  struct slice self = SLICE_LITERAL("'self'"), scheme = uri, host = {0};
  if (uri.len == 0 || slice_equal(uri, self) || slice_equal_cstr(uri, "self")) return self;
  if (slice_find_byte(uri, ':') < uri.len) {
    size_t len = scheme_len(uri);
    scheme = grouping_text_lower(slice_sub(uri, 0, len), false, arena);
    struct slice rest = slice_skip(uri, len > 0 ? len + 1 : 0);
    if (slice_starts_with(rest, SLICE_LITERAL("//"))) {
      rest = slice_skip(rest, 2);
      size_t end = 0;
      while (end < rest.len && strchr("/?#", rest.ptr[end]) == NULL) end++;
      host = slice_sub(rest, 0, end);
    }
    if (slice_equal_cstr(scheme, "http") || slice_equal_cstr(scheme, "https")) return host;
  }
  const char *colon = scheme.len > 0 ? ":" : "", *slashes = host.len > 0 || has_authority(scheme) ? "//" : "";
  return arena_printf(arena, "%.*s%s%s%.*s", SLICE_PRINTF(scheme), colon, slashes, SLICE_PRINTF(host));
}

struct grouping_component *grouping_csp_component(const struct grouping_work *work) {
  enum { DIRECTIVE, BLOCKED, VIOLATED };
  static const char *const names[] = {"effective_directive", "blocked_uri", "violated_directive"};
  if (work->event->csp_json.len == 0) return NULL;
  struct slice texts[3];
  read_members(work, work->event->csp_json, names, 3, texts);
  struct slice violated = texts[VIOLATED], directive = texts[DIRECTIVE];
  if (directive.len == 0) directive = slice_sub(violated, 0, slice_find_byte(violated, ' '));
  struct grouping_component *component = grouping_component_new("csp", 3, work->arena);
  if (component == NULL) return NULL;
  grouping_component_leaf(grouping_component_add(component), "salt", directive, work->arena);
  struct slice blocked = normalise_blocked(texts[BLOCKED], work->arena), violation = {0};
  if (slice_equal_cstr(directive, "script-src") && slice_equal_cstr(blocked, "'self'")) {
    static const char *const kinds[] = {"'unsafe-inline'", "'unsafe-eval'"};
    for (int i = 0; i < 2 && violation.len == 0; i++) {
      struct slice kind = slice_from_cstr(kinds[i]);
      if (slice_find(violated, kind) <= violated.len) violation = kind;
    }
  }
  struct grouping_component *local = grouping_component_add(component), *uri = grouping_component_add(component);
  grouping_component_leaf(local, "violation", violation, work->arena);
  grouping_component_leaf(uri, "uri", blocked, work->arena);
  if (local->contributes) {
    grouping_component_mute(uri, "violation takes precedence");
  } else {
    local->hint = "not a local script violation";
  }
  grouping_component_settle(component);
  return component;
}

// A constant and the host.
static struct grouping_component *host_component(const struct grouping_work *work, struct slice json, const char *id) {
  static const char *const names[] = {"hostname"};
  if (json.len == 0) return NULL;
  struct slice host;
  read_members(work, json, names, 1, &host);
  struct grouping_component *component = grouping_component_new(id, 2, work->arena);
  if (component == NULL) return NULL;
  grouping_component_leaf(grouping_component_add(component), "salt", slice_from_cstr(id), work->arena);
  grouping_component_leaf(grouping_component_add(component), "hostname", host, work->arena);
  grouping_component_settle(component);
  return component;
}

struct grouping_component *grouping_hpkp_component(const struct grouping_work *work) {
  return host_component(work, work->event->hpkp_json, "hpkp");
}

struct grouping_component *grouping_expect_staple_component(const struct grouping_work *work) {
  return host_component(work, work->event->expectstaple_json, "expect-staple");
}

struct grouping_component *grouping_expect_ct_component(const struct grouping_work *work) {
  return host_component(work, work->event->expectct_json, "expect-ct");
}

struct grouping_component *grouping_message_component(const struct grouping_work *work) {
  struct slice raw = work->event->message.len > 0 ? work->event->message : work->event->message_formatted;
  if (raw.len == 0) return NULL;
  struct slice text = grouping_message_normalise(raw, work->config->mask_unique_ids, work->arena);
  struct grouping_component *component = grouping_component_new("message", 0, work->arena);
  if (component == NULL) return NULL;
  grouping_component_leaf(component, "message", text, work->arena);
  if (!slice_equal(text, raw)) component->hint = "stripped event-specific values";
  return component;
}
