// SPDX-License-Identifier: Apache-2.0
//
// At every place of the text the kinds are tried in a fixed order (email, url, hostname, ip, uuid, sha1, md5, date,
// duration, hex, float, int, quoted_str, bool); the first that fits is replaced by "<kind>" and the scan goes on behind
// it. That is what Sentry's alternation of regular expressions does, so the order decides and not the length.
//
// Which kinds can begin at a place is told by its byte alone, and nearly nowhere more than two can: only those are
// tried.
//
// To stay linear, a kind that looks far ahead remembers how far its answer "no" holds: the characters of an e-mail's
// local part that do not end at "@" are looked at once, so are a host name's labels and a number that is no duration.
// All other kinds look at a bounded number of bytes or tokens, or consume what they looked at. "Word" characters are
// those of Unicode, so that digits glued to letters of any script stay.
#include "processor/grouping_message.h"

#include <stdint.h>

#include "base/status.h"
#include "processor/grouping.h"
#include "processor/grouping_date.h"
#include "processor/grouping_text.h"

#define LABEL_BYTES_MAX     63
#define IP6_GROUPS          8
#define ID_WORD_BYTES_MIN   12
#define ID_WORD_BYTES_MAX   4096
#define LONGEST_REPLACEMENT 12 // "<quoted_str>"

struct scanner {
  struct slice text;
  size_t no_email_before; // no e-mail starts before this place
  size_t no_host_before;
  size_t no_quote_before[2]; // no closing ' or " before this place
  size_t no_duration_before;
  size_t no_datetime_end_before;
};

static uint8_t byte_at(const struct scanner *scanner, size_t at) {
  return at < scanner->text.len ? scanner->text.ptr[at] : 0;
}

// What a byte of ASCII belongs to: looked up, because it is asked of every byte several times.
enum {
  LETTER = 1,
  DIGIT = 2,
  HEX_DIGIT = 4,
  LABEL = 8,  // of a host name
  LOCAL = 16, // in front of an e-mail's @; labels are among them
  WORD = 32,
  FIRST = 64, // of what is neither an e-mail nor a host name
};
#define AMONG(c, first, last) ((c) >= (first) && (c) <= (last))
#define IS_LETTER(c)          (AMONG(c, 'a', 'z') || AMONG(c, 'A', 'Z'))
#define IS_DIGIT(c)           AMONG(c, '0', '9')
#define IS_HEX(c)             (IS_DIGIT(c) || AMONG(c, 'a', 'f') || AMONG(c, 'A', 'F'))
#define IS_LABEL(c)           (IS_LETTER(c) || IS_DIGIT(c) || (c) == '-')
#define IS_LOCAL(c)                                                                                                    \
  (IS_LABEL(c) || (c) == '!' || AMONG(c, '#', '\'') || (c) == '*' || (c) == '+' || (c) == '.' || (c) == '/' ||         \
   (c) == '=' || (c) == '?' || AMONG(c, '^', '`') || AMONG(c, '{', '~'))
#define IS_FIRST(c)                                                                                                    \
  (IS_HEX(c) || (c) == 'h' || (c) == 'w' || (c) == 't' || (c) == ':' || (c) == '-' || (c) == '\'' || (c) == '"' ||     \
   (c) == 'S' || (c) == 'M' || (c) == 'W' || (c) == 'J' || (c) == 'O' || (c) == 'N' || (c) == 'T')
#define CLASSES(c)                                                                                                     \
  ((IS_LETTER(c) ? LETTER : 0) | (IS_DIGIT(c) ? DIGIT : 0) | (IS_HEX(c) ? HEX_DIGIT : 0) | (IS_LABEL(c) ? LABEL : 0) | \
   (IS_LOCAL(c) ? LOCAL : 0) | (IS_LETTER(c) || IS_DIGIT(c) || (c) == '_' ? WORD : 0) | (IS_FIRST(c) ? FIRST : 0))
#define CLASSES_4(c)  CLASSES(c), CLASSES((c) + 1), CLASSES((c) + 2), CLASSES((c) + 3)
#define CLASSES_16(c) CLASSES_4(c), CLASSES_4((c) + 4), CLASSES_4((c) + 8), CLASSES_4((c) + 12)
static const uint8_t classes[256] = {CLASSES_16(0x00), CLASSES_16(0x10), CLASSES_16(0x20), CLASSES_16(0x30),
                                     CLASSES_16(0x40), CLASSES_16(0x50), CLASSES_16(0x60), CLASSES_16(0x70)};

static bool is_digit(uint8_t c) {
  return classes[c] & DIGIT;
}

static bool is_hex(uint8_t c) {
  return classes[c] & HEX_DIGIT;
}

static bool is_letter(uint8_t c) {
  return classes[c] & LETTER;
}

static bool is_label(uint8_t c) {
  return classes[c] & LABEL;
}

static bool is_email_local(uint8_t c) {
  return classes[c] & LOCAL;
}

static bool is_word_at(const struct scanner *scanner, size_t at) {
  if (at < scanner->text.len && scanner->text.ptr[at] < 0x80) return classes[scanner->text.ptr[at]] & WORD;
  return grouping_text_word_at(scanner->text, at);
}

static bool is_boundary(const struct scanner *scanner, size_t at) {
  const struct slice text = scanner->text;
  bool is_ascii = at > 0 && at <= text.len && text.ptr[at - 1] < 0x80;
  bool word_before = is_ascii ? (classes[text.ptr[at - 1]] & WORD) != 0 : grouping_text_word_before(text, at);
  return word_before != is_word_at(scanner, at);
}

static size_t match_email(struct scanner *scanner, size_t at) {
  if (at < scanner->no_email_before || !is_email_local(byte_at(scanner, at))) return 0;
  size_t end = at;
  while (is_email_local(byte_at(scanner, end))) end++;
  if (byte_at(scanner, end) != '@' || !is_label(byte_at(scanner, end + 1))) {
    scanner->no_email_before = end;
    return 0;
  }
  end++;
  while (is_label(byte_at(scanner, end))) end++;
  while (byte_at(scanner, end) == '.' && is_label(byte_at(scanner, end + 1))) {
    end++;
    while (is_label(byte_at(scanner, end))) end++;
  }
  return end - at;
}

// scheme "://", one byte that can start a host, one of anything but a line's end, then everything up to white space.
static size_t match_url(struct scanner *scanner, size_t at) {
  static const char *const schemes[] = {"https://", "http://", "wss://", "ws://", "ftp://"};
  uint8_t first = byte_at(scanner, at), second = byte_at(scanner, at + 1);
  if (first == 'w' ? second != 's' : (first != 'h' && first != 'f') || second != 't') return 0;
  struct slice rest = slice_skip(scanner->text, at);
  for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
    struct slice scheme = slice_from_cstr(schemes[i]);
    if (!slice_starts_with(rest, scheme) || !is_boundary(scanner, at)) continue;
    size_t end = at + scheme.len;
    uint8_t host = byte_at(scanner, end);
    if (end >= scanner->text.len || strchr("/$.?#", host) != NULL) return 0;
    if (grouping_text_space(scanner->text, end) > 0) return 0;
    end += grouping_text_step(scanner->text, end);
    if (end >= scanner->text.len || byte_at(scanner, end) == '\n') return 0;
    end += grouping_text_step(scanner->text, end);
    while (end < scanner->text.len && grouping_text_space(scanner->text, end) == 0) {
      end += grouping_text_step(scanner->text, end);
    }
    return end - at;
  }
  return 0;
}

// The hundred or so top-level domains that are told from file names and versions; all letters of one case.
static bool is_top_level_domain(struct slice word) {
  static const char domains[] =
      " com net org jp de uk fr br it ru es me gov pl ca au cn co in nl edu info eu ch id at kr cz mx be tv se tr tw al"
      " ua ir vn cl sk ly cc to no fi us pt dk ar hu tk gr il news ro my biz ie za nz sg ee th io xyz pe bg hk rs lt "
      "link"
      " ph club si site mobi by cat wiki la ga xxx cf hr ng jobs online kz ug gq ae is lv pro fm tips ms sa app ";
  char wanted[10] = " ";
  if (word.len < 2 || word.len > 6) return false;
  bool upper = word.ptr[0] < 'a';
  for (size_t i = 0; i < word.len; i++) {
    if ((word.ptr[i] < 'a') != upper) return false;
    wanted[i + 1] = (char)(word.ptr[i] | 0x20);
  }
  wanted[word.len + 1] = ' ';
  return strstr(domains, wanted) != NULL;
}

// Labels of up to 63 characters with dots behind them, up to the first that is a top-level domain.
static size_t match_hostname(struct scanner *scanner, size_t at) {
  if (at < scanner->no_host_before || !is_label(byte_at(scanner, at)) || !is_boundary(scanner, at)) return 0;
  for (size_t label = at;;) {
    size_t end = label;
    while (is_label(byte_at(scanner, end)) && end - label <= LABEL_BYTES_MAX) end++;
    bool too_long = end - label > LABEL_BYTES_MAX;
    if (end == label || too_long || byte_at(scanner, end) != '.') {
      // Any later start before this label runs into the same end; in a label that is too long, only what is left of it.
      scanner->no_host_before = too_long ? label : end;
      return 0;
    }
    label = end + 1;
    end = label;
    while (is_letter(byte_at(scanner, end)) && end - label <= LABEL_BYTES_MAX) end++;
    if (is_word_at(scanner, end)) continue;
    if (is_top_level_domain(slice_sub(scanner->text, label, end - label))) return end - at;
  }
}

static size_t match_octet(const struct scanner *scanner, size_t at) {
  size_t len = 0;
  uint32_t number = 0;
  while (len < 4 && is_digit(byte_at(scanner, at + len))) {
    number = number * 10 + (uint32_t)(byte_at(scanner, at + len) - '0');
    len++;
  }
  bool padded = len == 3 && byte_at(scanner, at) == '0';
  return len > 3 || number > 255 || padded ? 0 : len;
}

static size_t match_ip4(const struct scanner *scanner, size_t at) {
  if (!is_digit(byte_at(scanner, at)) || !is_boundary(scanner, at)) return 0;
  size_t here = at;
  for (int part = 0; part < 4; part++) {
    size_t len = match_octet(scanner, here);
    if (len == 0) return 0;
    here += len;
    if (part < 3 && byte_at(scanner, here++) != '.') return 0;
  }
  return is_word_at(scanner, here) ? 0 : here - at;
}

// At most four hex digits from `at`.
static size_t hex_group(const struct scanner *scanner, size_t at) {
  size_t len = 0;
  while (len < 4 && is_hex(byte_at(scanner, at + len))) len++;
  return len;
}

// "::" and what groups follow it.
static size_t match_ip6_gap(const struct scanner *scanner, size_t at) {
  if (byte_at(scanner, at + 1) != ':') return 0;
  size_t here = at + 1;
  for (int groups = 0; groups < IP6_GROUPS - 1 && byte_at(scanner, here) == ':'; groups++) {
    size_t len = hex_group(scanner, here + 1);
    if (len == 0) break;
    here += 1 + len;
  }
  return here > at + 1 ? here - at : 2;
}

// Eight groups, or fewer up to "::", or "::" and fewer. No word needs to begin or end there, and what comes behind the
// "::" of "fe80::1" is left to the other kinds: the published hashes are made so, "std::vector" is "st<ip>vector".
static size_t match_ip6(const struct scanner *scanner, size_t at) {
  if (byte_at(scanner, at) == ':') return match_ip6_gap(scanner, at);
  size_t here = at, len;
  int groups = 0;
  while (groups < IP6_GROUPS - 1 && (len = hex_group(scanner, here)) > 0 && byte_at(scanner, here + len) == ':') {
    here += len + 1;
    groups++;
  }
  if (groups == 0) return 0;
  len = groups == IP6_GROUPS - 1 ? hex_group(scanner, here) : 0;
  if (len > 0) return here + len - at;
  if (byte_at(scanner, here) == ':') return here + 1 - at;
  bool zone = groups == 1 && slice_starts_with(slice_skip(scanner->text, at), SLICE_LITERAL("fe80:%"));
  for (here = at + 6; zone && (is_letter(byte_at(scanner, here)) || is_digit(byte_at(scanner, here)));) here++;
  return zone && here > at + 6 ? here - at : 0;
}

static size_t match_ip(struct scanner *scanner, size_t at) {
  size_t len = match_ip6(scanner, at);
  return len > 0 ? len : match_ip4(scanner, at);
}

// Exactly `len` hex digits between word boundaries.
static size_t match_hex_word(const struct scanner *scanner, size_t at, size_t len) {
  for (size_t i = 0; i < len; i++) {
    if (!is_hex(byte_at(scanner, at + i))) return 0;
  }
  return is_boundary(scanner, at) && !is_word_at(scanner, at + len) ? len : 0;
}

static size_t match_uuid(struct scanner *scanner, size_t at) {
  static const uint8_t lens[] = {8, 4, 4, 4, 12};
  size_t here = at;
  for (size_t part = 0; part < sizeof(lens); part++) {
    if (match_hex_word(scanner, here, lens[part]) == 0) return 0;
    here += lens[part];
    if (part + 1 < sizeof(lens) && byte_at(scanner, here++) != '-') return 0;
  }
  return here - at;
}

static size_t match_sha1(struct scanner *scanner, size_t at) {
  return match_hex_word(scanner, at, 40);
}

static size_t match_md5(struct scanner *scanner, size_t at) {
  return match_hex_word(scanner, at, 32);
}

static size_t match_date(struct scanner *scanner, size_t at) {
  return grouping_date_match(scanner->text, at, &scanner->no_datetime_end_before);
}

static size_t skip_digits(const struct scanner *scanner, size_t at) {
  while (is_digit(byte_at(scanner, at))) at++;
  return at;
}

// The place behind ".123" at `at`, or `at`.
static size_t skip_fraction(const struct scanner *scanner, size_t at) {
  if (byte_at(scanner, at) != '.' || !is_digit(byte_at(scanner, at + 1))) return at;
  return skip_digits(scanner, at + 1);
}

// Milliseconds where a word begins, seconds where one ends.
static size_t match_duration(struct scanner *scanner, size_t at) {
  if (at < scanner->no_duration_before || !is_digit(byte_at(scanner, at))) return 0;
  size_t whole = skip_digits(scanner, at);
  bool ms = byte_at(scanner, whole) == 'm' && byte_at(scanner, whole + 1) == 's';
  if (ms && is_boundary(scanner, at)) return whole + 2 - at;
  size_t end = skip_fraction(scanner, whole);
  if (byte_at(scanner, end) == 's' && !is_word_at(scanner, end + 1)) return end + 1 - at;
  scanner->no_duration_before = whole;
  return 0;
}

static size_t match_hex(struct scanner *scanner, size_t at) {
  if (byte_at(scanner, at) != '0' || (byte_at(scanner, at + 1) | 0x20) != 'x' || !is_hex(byte_at(scanner, at + 2))) {
    return 0;
  }
  if (!is_boundary(scanner, at)) return 0;
  size_t end = at + 2;
  while (is_hex(byte_at(scanner, end))) end++;
  return is_word_at(scanner, end) ? 0 : end - at;
}

// Where the digits of a number start: behind a minus, or here at a word boundary; SIZE_MAX when no number starts.
static size_t number_start(const struct scanner *scanner, size_t at) {
  if (byte_at(scanner, at) == '-') return is_digit(byte_at(scanner, at + 1)) ? at + 1 : SIZE_MAX;
  return is_digit(byte_at(scanner, at)) && is_boundary(scanner, at) ? at : SIZE_MAX;
}

static size_t match_float(struct scanner *scanner, size_t at) {
  size_t start = number_start(scanner, at);
  if (start == SIZE_MAX) return 0;
  size_t whole = skip_digits(scanner, start);
  size_t end = skip_fraction(scanner, whole);
  return end == whole || is_word_at(scanner, end) ? 0 : end - at;
}

static size_t match_int(struct scanner *scanner, size_t at) {
  size_t start = number_start(scanner, at);
  if (start == SIZE_MAX) return 0;
  size_t end = skip_digits(scanner, start);
  return is_word_at(scanner, end) ? 0 : end - at;
}

static size_t match_quoted_str(struct scanner *scanner, size_t at) {
  uint8_t quote = byte_at(scanner, at);
  if (at == 0 || byte_at(scanner, at - 1) != '=' || (quote != '\'' && quote != '"')) return 0;
  size_t *no_quote_before = &scanner->no_quote_before[quote == '"'];
  if (at < *no_quote_before) return 0;
  struct slice rest = slice_skip(scanner->text, at + 1);
  size_t len = slice_find_byte(rest, quote);
  if (len == rest.len) *no_quote_before = scanner->text.len;
  return len == 0 || len == rest.len ? 0 : len + 2;
}

static size_t match_bool(struct scanner *scanner, size_t at) {
  static const char *const words[] = {"True", "true", "False", "false"};
  if (at == 0 || byte_at(scanner, at - 1) != '=') return 0;
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    if (slice_starts_with(slice_skip(scanner->text, at), slice_from_cstr(words[i]))) return strlen(words[i]);
  }
  return 0;
}

enum { EMAIL, URL, HOSTNAME, IP, UUID, SHA1, MD5, DATE, DURATION, HEX, FLOAT, INT, QUOTED_STR, BOOL, KINDS };

static const struct kind {
  size_t (*match)(struct scanner *scanner, size_t at); // length, 0: not here
  const char *replacement;
} kinds[KINDS] = {
    [EMAIL] = {match_email, "<email>"},
    [URL] = {match_url, "<url>"},
    [HOSTNAME] = {match_hostname, "<hostname>"},
    [IP] = {match_ip, "<ip>"},
    [UUID] = {match_uuid, "<uuid>"},
    [SHA1] = {match_sha1, "<sha1>"},
    [MD5] = {match_md5, "<md5>"},
    [DATE] = {match_date, "<date>"},
    [DURATION] = {match_duration, "<duration>"},
    [HEX] = {match_hex, "<hex>"},
    [FLOAT] = {match_float, "<float>"},
    [INT] = {match_int, "<int>"},
    [QUOTED_STR] = {match_quoted_str, "<quoted_str>"},
    [BOOL] = {match_bool, "<bool>"},
};

#define KIND(kind) (1u << (kind))
#define HEX_MAX    40 // digits of the longest kind

// Those that begin with a hex digit at `at`; they differ in how many there are.
static uint32_t possible_hex_kinds(const struct scanner *scanner, size_t at) {
  size_t len = 1;
  while (len <= HEX_MAX && is_hex(byte_at(scanner, at + len))) len++;
  uint32_t set = len <= 4 && byte_at(scanner, at + len) == ':' ? KIND(IP) : 0;
  if (len == 8) set |= KIND(UUID);
  if (len == 32) set |= KIND(MD5);
  if (len == 40) set |= KIND(SHA1);
  return set;
}

// The kinds that may begin at `at`, one bit each: all that would match there, and few others.
static uint32_t possible_kinds(const struct scanner *scanner, size_t at) {
  uint8_t c = byte_at(scanner, at);
  uint32_t set = 0;
  if (at >= scanner->no_email_before && is_email_local(c)) set |= KIND(EMAIL);
  if (at >= scanner->no_host_before && is_label(c)) set |= KIND(HOSTNAME);
  if (is_hex(c)) set |= possible_hex_kinds(scanner, at);
  if (is_digit(c)) {
    set |= KIND(DATE) | KIND(DURATION);
    return is_boundary(scanner, at) ? set | KIND(IP) | KIND(HEX) | KIND(FLOAT) | KIND(INT) : set;
  }
  switch (c) {
  case 'h':
  case 'w': return set | KIND(URL);
  case 'f': return set | KIND(URL) | KIND(BOOL);
  case 't': return set | KIND(BOOL);
  case ':': return set | KIND(IP);
  case '-': return set | KIND(FLOAT) | KIND(INT);
  case '\'':
  case '"': return set | KIND(QUOTED_STR);
  case 'd':
  case 'S':
  case 'M':
  case 'W':
  case 'J':
  case 'A':
  case 'O':
  case 'N':
  case 'D': return set | KIND(DATE);
  case 'T':
  case 'F': return set | KIND(DATE) | KIND(BOOL);
  default: return set;
  }
}

static const struct kind *match_any(struct scanner *scanner, size_t at, size_t *out_len) {
  for (uint32_t set = possible_kinds(scanner, at); set != 0; set &= set - 1) {
    const struct kind *kind = &kinds[__builtin_ctz(set)];
    *out_len = kind->match(scanner, at);
    if (*out_len > 0) return kind;
  }
  return NULL;
}

// Text put together piece by piece in the arena; nothing is allocated before the first piece differs from the input.
struct rewrite {
  struct slice input;
  size_t taken; // input before this place is in `out`
  uint8_t *out;
  size_t len, capacity;
};

static bool rewrite_piece(struct rewrite *rewrite, struct arena *arena, size_t at, size_t skip, const char *piece) {
  size_t literal = at - rewrite->taken, piece_len = strlen(piece);
  if (rewrite->len + literal + piece_len > rewrite->capacity) {
    size_t capacity = (rewrite->len + literal + piece_len + (rewrite->input.len - at)) * 3 / 2 + 64;
    uint8_t *grown = arena_alloc(arena, capacity);
    if (grown == NULL) return false;
    if (rewrite->len > 0) memcpy(grown, rewrite->out, rewrite->len);
    rewrite->out = grown;
    rewrite->capacity = capacity;
  }
  if (literal > 0) memcpy(rewrite->out + rewrite->len, rewrite->input.ptr + rewrite->taken, literal);
  if (piece_len > 0) memcpy(rewrite->out + rewrite->len + literal, piece, piece_len);
  rewrite->len += literal + piece_len;
  rewrite->taken = at + skip;
  return true;
}

static struct slice rewrite_finish(struct rewrite *rewrite, struct arena *arena) {
  if (rewrite->out == NULL) return rewrite->input;
  if (!rewrite_piece(rewrite, arena, rewrite->input.len, 0, "")) return (struct slice){0};
  return slice_make(rewrite->out, rewrite->len);
}

struct slice grouping_parameterize(struct slice message, struct arena *arena) {
  struct scanner scanner = {.text = message};
  struct rewrite rewrite = {.input = message};
  for (size_t at = 0; at < message.len;) {
    size_t len = 0;
    bool may_be_name = at >= scanner.no_email_before || at >= scanner.no_host_before;
    bool may_begin = classes[message.ptr[at]] & (may_be_name ? FIRST | LOCAL : FIRST);
    const struct kind *kind = may_begin ? match_any(&scanner, at, &len) : NULL;
    if (kind == NULL) {
      at++;
      continue;
    }
    if (!rewrite_piece(&rewrite, arena, at, len, kind->replacement)) return (struct slice){0};
    at += len;
  }
  return rewrite_finish(&rewrite, arena);
}

// A word that no person chose: long, letters and digits mixed, and changing between lower case, upper case and digits
// more often than words and names do; or with a long number inside.
static bool is_random_id(struct slice word) {
  if (word.len < ID_WORD_BYTES_MIN || word.len > ID_WORD_BYTES_MAX) return false;
  if (word.ptr[0] == '<' && word.ptr[word.len - 1] == '>') return false;
  size_t changes = 0, alnum = 0, digits = 0, letters = 0, number = 0, longest_number = 0;
  int last = 0;
  for (size_t i = 0; i < word.len; i++) {
    uint8_t c = word.ptr[i];
    int class = is_digit(c) ? 1 : c >= 'a' && c <= 'z' ? 2 : c >= 'A' && c <= 'Z' ? 3 : 0;
    number = class == 1 ? number + 1 : 0;
    if (number > longest_number) longest_number = number;
    if (class == 0) continue;
    changes += last != 0 && class != last;
    last = class;
    alnum++;
    digits += class == 1;
    letters += class != 1;
  }
  if (alnum * 4 < word.len * 3 || digits == 0 || letters == 0) return false;
  return longest_number >= 10 || changes * 5 >= alnum;
}

struct slice grouping_mask_ids(struct slice message, struct arena *arena) {
  struct rewrite rewrite = {.input = message};
  for (size_t at = 0; at < message.len;) {
    size_t space = grouping_text_space(message, at);
    if (space > 0) {
      at += space;
      continue;
    }
    size_t end = at;
    while (end < message.len && grouping_text_space(message, end) == 0) end += grouping_text_step(message, end);
    if (is_random_id(slice_sub(message, at, end - at)) && !rewrite_piece(&rewrite, arena, at, end - at, "<uniq_id>")) {
      return (struct slice){0};
    }
    at = end;
  }
  return rewrite_finish(&rewrite, arena);
}

// The first two lines that are not blank; *out_cut when that is not the whole text.
static struct slice first_lines(struct slice message, bool *out_cut, struct arena *arena) {
  struct slice lines[2];
  size_t count = 0;
  for (size_t at = 0; at < message.len && count < 2;) {
    struct slice line = grouping_text_line(message, at, &at);
    if (grouping_text_trim(line).len > 0) lines[count++] = line;
  }
  *out_cut = true;
  if (count == 0) return slice_sub(message, 0, 0);
  if (count == 1) {
    *out_cut = lines[0].len != message.len;
    return lines[0];
  }
  struct slice both = slice_make(lines[0].ptr, lines[0].len + 1 + lines[1].len);
  if (lines[0].ptr + lines[0].len + 1 == lines[1].ptr && lines[0].ptr[lines[0].len] == '\n') {
    *out_cut = both.len != message.len;
    return both;
  }
  uint8_t *bytes = arena_alloc(arena, both.len);
  if (bytes == NULL) return (struct slice){0};
  memcpy(bytes, lines[0].ptr, lines[0].len);
  bytes[lines[0].len] = '\n';
  memcpy(bytes + lines[0].len + 1, lines[1].ptr, lines[1].len);
  return slice_make(bytes, both.len);
}

struct slice grouping_message_normalise(struct slice message, bool mask_ids, struct arena *arena) {
  if (message.len == 0) return message;
  bool cut = false;
  struct slice text = first_lines(message, &cut, arena);
  if (cut) {
    struct slice dotted = {0};
    uint8_t *bytes = arena_alloc(arena, text.len + 3);
    if (bytes == NULL) return dotted;
    if (text.len > 0) memcpy(bytes, text.ptr, text.len);
    memcpy(bytes + text.len, "...", 3);
    text = slice_make(bytes, text.len + 3);
  }
  text = grouping_parameterize(text, arena);
  return mask_ids ? grouping_mask_ids(text, arena) : text;
}
