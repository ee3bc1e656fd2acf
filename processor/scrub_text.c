// SPDX-License-Identifier: Apache-2.0
//
// Texts: the parts found by scrub_value.c are replaced; URLs, query strings and cookies are taken apart first, so that
// the value of a sensitive name goes and the rest stays.
#include "processor/scrub_internal.h"

#define NAME_BYTES_MAX 256
#define ROUNDS_MAX     8

// Appends `text` with its findings replaced. The first rule, NULL when there was none (all of it is appended still).
static const char *put_scrubbed(const struct scrub *scrub, struct slice text, struct buffer *out) {
  const char *rule = NULL;
  struct scrub_finding finding;
  size_t from = 0;
  while (scrub_value_find(scrub, text, from, &finding)) {
    if (!rule) rule = finding.rule;
    buffer_append_slice(out, slice_sub(text, from, finding.start - from));
    buffer_append_cstr(out, finding.replacement);
    from = finding.end;
  }
  buffer_append_slice(out, slice_skip(text, from));
  return rule;
}

static bool is_filtered(struct slice text) {
  return text.len == 0 || slice_equal_cstr(text, SCRUB_FILTERED);
}

static int hex_digit(uint8_t byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  byte |= 0x20;
  return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

// The name of a pair, percent-decoded as far as needed to judge it.
static struct slice decode_name(struct slice name, uint8_t *to) {
  size_t len = 0;
  for (size_t i = 0; i < name.len && len < NAME_BYTES_MAX; i++) {
    if (name.ptr[i] == '%' && i + 2 < name.len && hex_digit(name.ptr[i + 1]) >= 0 && hex_digit(name.ptr[i + 2]) >= 0) {
      to[len++] = (uint8_t)(hex_digit(name.ptr[i + 1]) * 16 + hex_digit(name.ptr[i + 2]));
      i += 2;
    } else {
      to[len++] = name.ptr[i];
    }
  }
  return slice_make(to, len);
}

static bool pair_is_sensitive(const struct scrub *scrub, bool cookies, struct slice name) {
  uint8_t decoded[NAME_BYTES_MAX];
  name = decode_name(slice_trim(name), decoded);
  return scrub_key_is_sensitive(scrub, name) || (cookies && scrub->defaults && scrub_key_is_session_cookie(name));
}

// name=value pairs with a separator between them.
static const char *put_pairs(const struct scrub *scrub, bool cookies, struct slice text, struct buffer *out) {
  const char *rule = NULL;
  for (size_t from = 0; from <= text.len;) {
    size_t end = from;
    while (end < text.len && text.ptr[end] != (cookies ? ';' : '&')) end++;
    const struct slice pair = slice_sub(text, from, end - from);
    const size_t equals = slice_find_byte(pair, '=');
    const struct slice value = slice_skip(pair, equals + 1);
    if (equals < pair.len && pair_is_sensitive(scrub, cookies, slice_sub(pair, 0, equals))) {
      buffer_append_slice(out, slice_sub(pair, 0, equals + 1));
      if (value.len) buffer_append_cstr(out, SCRUB_FILTERED);
      if (!rule && !is_filtered(value)) rule = "@password";
    } else {
      const char *met = put_scrubbed(scrub, slice_sub(pair, 0, equals), out);
      if (!rule) rule = met;
      if (equals < pair.len) buffer_append_byte(out, '=');
      met = put_scrubbed(scrub, value, out);
      if (!rule) rule = met;
    }
    if (end < text.len) buffer_append_byte(out, text.ptr[end]);
    from = end + 1;
  }
  return rule;
}

static const char *put_url(const struct scrub *scrub, struct slice text, struct buffer *out) {
  size_t query = 0;
  while (query < text.len && text.ptr[query] != '?' && text.ptr[query] != '#') query++;
  const char *rule = put_scrubbed(scrub, slice_sub(text, 0, query), out);
  while (query < text.len) {
    buffer_append_byte(out, text.ptr[query++]);
    size_t end = query;
    while (end < text.len && text.ptr[end] != '#' && text.ptr[end] != '?') end++;
    const char *met = put_pairs(scrub, false, slice_sub(text, query, end - query), out);
    if (!rule) rule = met;
    query = end;
  }
  return rule;
}

static bool is_url(struct slice text) {
  if (text.len < 5 || ((text.ptr[0] | 0x20) != 'h' && (text.ptr[0] | 0x20) != 'w')) return false;
  static const char *const schemes[] = {"http://", "https://", "ws://", "wss://"};
  for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
    const struct slice scheme = slice_from_cstr(schemes[i]);
    if (!slice_equal_ignore_case(slice_sub(text, 0, scheme.len), scheme)) continue;
    for (size_t c = 0; c < text.len; c++) {
      if (text.ptr[c] <= ' ') return false;
    }
    return true;
  }
  return false;
}

static const char *scrub_once(const struct scrub *scrub, enum scrub_text_kind kind, struct slice text,
                              struct buffer *out) {
  if (kind == SCRUB_TEXT_VALUE && is_url(text)) kind = SCRUB_TEXT_URL;
  if (kind == SCRUB_TEXT_VALUE && scrub_key_in_text(scrub, text)) {
    buffer_append_cstr(out, SCRUB_FILTERED);
    return "@password";
  }
  const size_t before = out->len;
  struct scrub_finding finding;
  const char *rule = NULL;
  switch (kind) {
  case SCRUB_TEXT_MESSAGE:
  case SCRUB_TEXT_VALUE:
    if (scrub_value_find(scrub, text, 0, &finding)) rule = put_scrubbed(scrub, text, out);
    break;
  case SCRUB_TEXT_URL: rule = put_url(scrub, text, out); break;
  case SCRUB_TEXT_QUERY: rule = put_pairs(scrub, false, text, out); break;
  case SCRUB_TEXT_COOKIES: rule = put_pairs(scrub, true, text, out); break;
  }
  if (!rule) out->len = before;
  return rule;
}

// What replaces a finding can make its surroundings one (a card number with spaces in it ends a URL, "[creditcard]"
// does not), so what was changed is looked at again.
const char *scrub_text(const struct scrub *scrub, enum scrub_text_kind kind, struct slice text, struct buffer *out) {
  if (!scrub->enabled || text.len == 0) return NULL;
  const size_t before = out->len;
  const char *rule = scrub_once(scrub, kind, text, out);
  if (!rule || out->failed) return rule;
  struct buffer again;
  buffer_init(&again, out->max_bytes);
  for (int round = 1; round < ROUNDS_MAX && !out->failed; round++) {
    buffer_clear(&again);
    if (!scrub_once(scrub, kind, slice_skip(buffer_slice(out), before), &again)) break;
    out->len = before;
    buffer_append_slice(out, buffer_slice(&again));
  }
  buffer_finish(&again);
  return rule;
}

bool scrub_text_is_clean(const struct scrub *scrub, enum scrub_text_kind kind, struct slice text) {
  struct scrub_finding finding;
  if (!scrub->enabled) return true;
  ASSERT(kind == SCRUB_TEXT_MESSAGE || kind == SCRUB_TEXT_VALUE);
  if (kind == SCRUB_TEXT_VALUE && (is_url(text) || scrub_key_in_text(scrub, text))) return false;
  return !scrub_value_find(scrub, text, 0, &finding);
}
