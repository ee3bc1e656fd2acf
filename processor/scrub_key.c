// SPDX-License-Identifier: Apache-2.0
//
// How it works: all key patterns, built-in and configured, are compiled into one automaton (Aho and Corasick) over
// classes of bytes, so that a key is judged in one walk. What a match means depends on the pattern:
//
//   SECRET  password, secret, passwd, api_key, apikey, credentials, mysql_pwd, private_key … anywhere in a key
//   AUTH    auth anywhere in a key, but not as the beginning of author, authored or authority: `:authority` is the
//           host of an HTTP/2 request and `commit.author` a name. authorization, oauth, authenticate are meant.
//   TOKEN   token anywhere in a key
//   WHOLE   otp, two-factor, cookie headers: only as the whole key (of a header: its whole name)
//   EXTRA   scrub.extra_keys, anywhere in a key
//
// Never sensitive, whatever is in them: the configured safe keys (whole key), what OpenTelemetry resources and culprit
// itself identify things by (service.*, telemetry.*, culprit.*), counts of language-model tokens (gen_ai.usage.*,
// gen_ai.token.*), and names that say how someone was authenticated and not with what (auth.type, auth.method,
// auth.scheme, enduser.auth.method …: the last two parts of a dotted name). Configured extra keys win over these, and
// safe keys over extra ones.
#include <stdlib.h>

#include "processor/scrub_internal.h"

#define STATES_MAX 60000u

// `pair`: two bytes of the text that are rare in others; of patterns that count in texts.
struct pattern {
  const char *text;
  enum scrub_word word;
  const char *pair;
};
static const struct pattern patterns[] = {
    {"password", SCRUB_WORD_SECRET, "sw"},    {"secret", SCRUB_WORD_SECRET, "cr"},
    {"passwd", SCRUB_WORD_SECRET, "sw"},      {"api-key", SCRUB_WORD_SECRET, "i-"},
    {"api_key", SCRUB_WORD_SECRET, "i_"},     {"apikey", SCRUB_WORD_SECRET, "ik"},
    {"credentials", SCRUB_WORD_SECRET, "cr"}, {"mysql_pwd", SCRUB_WORD_SECRET, "pw"},
    {"privatekey", SCRUB_WORD_SECRET, "iv"},  {"private-key", SCRUB_WORD_SECRET, "iv"},
    {"private_key", SCRUB_WORD_SECRET, "iv"}, {"auth", SCRUB_WORD_AUTH, "au"},
    {"token", SCRUB_WORD_TOKEN, "ok"},        {"otp", SCRUB_WORD_WHOLE, NULL},
    {"two-factor", SCRUB_WORD_WHOLE, NULL},   {"two_factor", SCRUB_WORD_WHOLE, NULL},
    {"cookie", SCRUB_WORD_WHOLE, NULL},
};
// Sensitive as a whole key only.
static const char *const whole_keys[] = {"otp", "two-factor", "two_factor"};
static const char *const safe_prefixes[] = {"service.",      "telemetry.",    "culprit.",
                                            "gen_ai.usage.", "gen_ai.token.", "sentry.trace."};
static const char *const safe_endings[] = {"auth.type", "auth.method", "auth.scheme",
                                           "auth_type", "auth_method", "auth_scheme"};
// By name (Relay's list, and what frameworks call theirs); compared without - and _.
static const char *const session_cookies[] = {"session",
                                              "sessionid",
                                              "sess",
                                              "sid",
                                              "sessid",
                                              "phpsessid",
                                              "jsessionid",
                                              "aspsessionid",
                                              "connect.sid",
                                              "symfony",
                                              "csrf",
                                              "csrftoken",
                                              "xsrf",
                                              "xsrftoken",
                                              "vercel.jwt",
                                              "verceljwt",
                                              "sentrysid",
                                              "sentrysu",
                                              "sentrysc",
                                              "sudo",
                                              "usersession",
                                              "laravelsession",
                                              "railssession",
                                              "aspnet.sessionid",
                                              "aspnetcore.session",
                                              "rememberme"};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static uint8_t lower(uint8_t byte) {
  return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

// --- the automaton --------------------------------------------------------------------------------------------------

static void add_classes(struct scrub_matcher *matcher, struct slice text) {
  for (size_t i = 0; i < text.len; i++) {
    uint8_t byte = lower(text.ptr[i]);
    if (matcher->class_of[byte]) continue;
    matcher->class_of[byte] = (uint8_t)matcher->class_count++;
    if (byte >= 'a' && byte <= 'z') matcher->class_of[byte - 0x20] = matcher->class_of[byte];
  }
}

static void add_pattern(struct scrub_matcher *matcher, struct slice text, enum scrub_word word) {
  uint32_t state = 0;
  for (size_t i = 0; i < text.len; i++) {
    uint16_t *next = &matcher->next[state * matcher->class_count + matcher->class_of[text.ptr[i]]];
    if (!*next) *next = (uint16_t)matcher->state_count++;
    state = *next;
  }
  matcher->words[state] |= (uint8_t)word;
}

// Breadth first: where a state has no step of its own, it takes that of the longest suffix that is a state too.
static void complete(struct scrub_matcher *matcher) {
  uint16_t *queue = malloc(matcher->state_count * sizeof(uint16_t));
  uint16_t *suffix = calloc(matcher->state_count, sizeof(uint16_t));
  ASSERT(queue && suffix);
  uint32_t head = 0, tail = 0;
  for (uint32_t c = 0; c < matcher->class_count; c++) {
    if (matcher->next[c]) queue[tail++] = matcher->next[c];
  }
  while (head < tail) {
    uint32_t state = queue[head++];
    matcher->words[state] |= matcher->words[suffix[state]];
    for (uint32_t c = 0; c < matcher->class_count; c++) {
      uint16_t *next = &matcher->next[state * matcher->class_count + c];
      uint16_t of_suffix = matcher->next[suffix[state] * matcher->class_count + c];
      if (*next) {
        suffix[*next] = of_suffix;
        queue[tail++] = *next;
      } else {
        *next = of_suffix;
      }
    }
  }
  free(queue);
  free(suffix);
}

static struct slice extra_key(const struct scrub_options *options, uint32_t i) {
  return slice_sub(slice_from_cstr(options->extra_keys[i]), 0, SCRUB_KEY_BYTES_MAX);
}

// Notes the two bytes that a pattern is looked for by in texts: bit `bit` of the tables for the first and the second.
static void add_pair(struct scrub_matcher *matcher, const char *text, const char *pair, unsigned bit) {
  ASSERT(strstr(text, pair) != NULL && bit < 16);
  for (int i = 0; i < 2; i++) {
    uint8_t byte = (uint8_t)pair[i];
    matcher->pairs[i][byte] |= (uint16_t)(1u << bit);
    if (byte >= 'a' && byte <= 'z') matcher->pairs[i][byte - 0x20] |= (uint16_t)(1u << bit);
  }
}

void scrub_key_compile(struct scrub_matcher *matcher, const struct scrub_options *options) {
  *matcher = (struct scrub_matcher){.class_count = 1};
  const uint32_t extra = options->extra_key_count < SCRUB_KEYS_MAX ? options->extra_key_count : SCRUB_KEYS_MAX;
  size_t states = 1;
  for (size_t i = 0; options->defaults && i < COUNT(patterns); i++) {
    add_classes(matcher, slice_from_cstr(patterns[i].text));
    if (patterns[i].pair) add_pair(matcher, patterns[i].text, patterns[i].pair, (unsigned)i);
    states += strlen(patterns[i].text);
  }
  for (uint32_t i = 0; i < extra; i++) {
    add_classes(matcher, extra_key(options, i));
    states += extra_key(options, i).len;
  }
  ASSERT(states <= STATES_MAX);
  matcher->next = calloc(states * matcher->class_count, sizeof(uint16_t));
  matcher->words = calloc(states, 1);
  ASSERT(matcher->next && matcher->words);
  matcher->state_count = 1;
  for (size_t i = 0; options->defaults && i < COUNT(patterns); i++) {
    add_pattern(matcher, slice_from_cstr(patterns[i].text), patterns[i].word);
  }
  for (uint32_t i = 0; i < extra; i++) {
    if (extra_key(options, i).len) add_pattern(matcher, extra_key(options, i), SCRUB_WORD_EXTRA);
  }
  complete(matcher);
}

void scrub_key_release(struct scrub_matcher *matcher) {
  free(matcher->next);
  free(matcher->words);
}

// `auth` ends before `at`: is it the beginning of author, authority …? Of authorize, authorization it is not.
static bool is_author(struct slice text, size_t at) {
  if (at + 1 >= text.len || lower(text.ptr[at]) != 'o' || lower(text.ptr[at + 1]) != 'r') return false;
  if (at + 3 >= text.len || lower(text.ptr[at + 2]) != 'i') return true;
  uint8_t letter = lower(text.ptr[at + 3]);
  return letter != 'z' && letter != 's';
}

// --- keys -----------------------------------------------------------------------------------------------------------

static bool starts_with(struct slice key, const char *prefix) {
  struct slice wanted = slice_from_cstr(prefix);
  return slice_equal_ignore_case(slice_sub(key, 0, wanted.len), wanted);
}

static bool ends_with(struct slice key, const char *ending) {
  struct slice wanted = slice_from_cstr(ending);
  return key.len >= wanted.len && slice_equal_ignore_case(slice_skip(key, key.len - wanted.len), wanted);
}

static bool is_safe(const struct scrub *scrub, struct slice key) {
  for (uint32_t i = 0; i < scrub->safe_key_count; i++) {
    if (slice_equal_ignore_case(scrub->safe_keys[i], key)) return true;
  }
  return false;
}

static bool is_safe_by_default(struct slice key) {
  for (size_t i = 0; i < COUNT(safe_prefixes); i++) {
    if (starts_with(key, safe_prefixes[i])) return true;
  }
  for (size_t i = 0; i < COUNT(safe_endings); i++) {
    if (ends_with(key, safe_endings[i])) return true;
  }
  return false;
}

static uint8_t words_in(const struct scrub_matcher *matcher, struct slice key) {
  uint32_t state = 0;
  uint8_t words = 0;
  for (size_t i = 0; i < key.len; i++) {
    state = matcher->next[state * matcher->class_count + matcher->class_of[key.ptr[i]]];
    uint8_t here = matcher->words[state];
    if (here & SCRUB_WORD_AUTH && is_author(key, i + 1)) here &= (uint8_t)~SCRUB_WORD_AUTH;
    words |= here;
  }
  return words;
}

static bool is_whole(struct slice key) {
  for (size_t i = 0; i < COUNT(whole_keys); i++) {
    if (slice_equal_ignore_case(key, slice_from_cstr(whole_keys[i]))) return true;
  }
  return scrub_key_is_cookie_header(key);
}

bool scrub_key_is_sensitive(const struct scrub *scrub, struct slice key) {
  if (!scrub->enabled) return false;
  uint8_t words = words_in(&scrub->matcher, key);
  if (words & SCRUB_WORD_WHOLE && !is_whole(key)) words &= (uint8_t)~SCRUB_WORD_WHOLE;
  bool is_ip = scrub->ip_addresses && scrub_key_is_ip_address(key);
  if ((!words && !is_ip) || is_safe(scrub, key)) return false;
  return words & (SCRUB_WORD_EXTRA | SCRUB_WORD_WHOLE) || is_ip || !is_safe_by_default(key);
}

bool scrub_key_may_be_in_json(const struct scrub *scrub, struct slice text) {
  return words_in(&scrub->matcher, text) != 0 || slice_find(text, SLICE_LITERAL("\\u")) < text.len;
}

bool scrub_key_is_count(struct slice key) {
  static const char *const counts[] = {"tokens", "token_count", "token.count", "tokencount", "token-count"};
  for (size_t i = 0; i + 6 <= key.len; i++) {
    for (size_t n = 0; n < COUNT(counts); n++) {
      if (starts_with(slice_skip(key, i), counts[n])) return true;
    }
  }
  return false;
}

bool scrub_key_is_cookie_header(struct slice key) {
  size_t start = key.len;
  while (start > 0 && key.ptr[start - 1] != '.') start--;
  struct slice last = slice_skip(key, start);
  bool cookie = slice_equal_ignore_case(last, SLICE_LITERAL("cookie")) ||
                slice_equal_ignore_case(last, SLICE_LITERAL("set-cookie")) ||
                slice_equal_ignore_case(last, SLICE_LITERAL("set_cookie"));
  // On its own the name is a header's; in a dotted name only behind "header".
  return cookie && (start == 0 || ends_with(slice_sub(key, 0, start - 1), "header") ||
                    ends_with(slice_sub(key, 0, start - 1), "headers"));
}

bool scrub_key_is_session_cookie(struct slice name) {
  uint8_t folded[40];
  size_t len = 0;
  for (size_t i = 0; i < name.len; i++) {
    uint8_t byte = lower(name.ptr[i]);
    if (byte == '-' || byte == '_') continue;
    if (len == sizeof(folded)) return false;
    folded[len++] = byte;
  }
  struct slice text = slice_make(folded, len);
  // __Host-session and __Secure-session are browsers' marks in front of the name.
  if (starts_with(text, "host")) {
    struct slice bare = slice_skip(text, 4);
    if (bare.len) text = bare;
  } else if (starts_with(text, "secure")) {
    struct slice bare = slice_skip(text, 6);
    if (bare.len) text = bare;
  }
  for (size_t i = 0; i < COUNT(session_cookies); i++) {
    if (slice_equal_cstr(text, session_cookies[i])) return true;
  }
  return starts_with(text, "csrf") || starts_with(text, "xsrf") || ends_with(text, "csrf") || ends_with(text, "xsrf") ||
         ends_with(text, "csrftoken") || ends_with(text, "xsrftoken") || ends_with(text, "sessionid");
}

bool scrub_key_is_ip_address(struct slice key) {
  static const char *const keys[] = {
      "ip_address",      "client_ip",      "remote_addr",           "client.address",
      "http.client_ip",  "net.peer.ip",    "net.sock.peer.addr",    "network.peer.address",
      "user.ip_address", "source.address", "client.socket.address", "x-forwarded-for",
      "x-real-ip"};
  for (size_t i = 0; i < COUNT(keys); i++) {
    if (slice_equal_ignore_case(key, slice_from_cstr(keys[i]))) return true;
  }
  return ends_with(key, ".header.x-forwarded-for") || ends_with(key, ".header.x-real-ip");
}

// --- texts ----------------------------------------------------------------------------------------------------------

// Behind the word at `at`: more of the name, maybe a quote, then : or =
static bool is_assignment(struct slice text, size_t at) {
  const size_t end = text.len < at + 40 ? text.len : at + 40;
  while (at < end && ((lower(text.ptr[at]) >= 'a' && lower(text.ptr[at]) <= 'z') ||
                      (text.ptr[at] >= '0' && text.ptr[at] <= '9') || text.ptr[at] == '_' || text.ptr[at] == '-')) {
    at++;
  }
  while (at < end && (text.ptr[at] == '"' || text.ptr[at] == '\'' || text.ptr[at] == ' ' || text.ptr[at] == '\\')) at++;
  if (at >= end || (text.ptr[at] != ':' && text.ptr[at] != '=')) return false;
  at++;
  if (at < end && text.ptr[at] == '>') at++; // Ruby
  while (at < end && text.ptr[at] == ' ') at++;
  return at < text.len;
}

// May one of the patterns be in the text? A look-up per byte that does not wait for the one before, unlike the
// automaton's, and most texts have none of the pairs.
static bool has_pair(const struct scrub_matcher *matcher, struct slice text) {
  uint16_t first = 0;
  for (size_t i = 0; i < text.len; i++) {
    if (first & matcher->pairs[1][text.ptr[i]]) return true;
    first = matcher->pairs[0][text.ptr[i]];
  }
  return false;
}

bool scrub_key_in_text(const struct scrub *scrub, struct slice text) {
  const struct scrub_matcher *matcher = &scrub->matcher;
  uint32_t state = 0;
  if (!scrub->defaults || !has_pair(matcher, text)) return false;
  for (size_t i = 0; i < text.len; i++) {
    state = matcher->next[state * matcher->class_count + matcher->class_of[text.ptr[i]]];
    uint8_t here = matcher->words[state];
    if (!here) continue;
    if (here & SCRUB_WORD_SECRET) return true;
    if (here & SCRUB_WORD_AUTH && is_author(text, i + 1)) here &= (uint8_t)~SCRUB_WORD_AUTH;
    if (here & (SCRUB_WORD_AUTH | SCRUB_WORD_TOKEN) && is_assignment(text, i + 1)) return true;
  }
  return false;
}
