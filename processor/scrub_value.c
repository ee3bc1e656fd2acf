// SPDX-License-Identifier: Apache-2.0
//
// How it works: one walk over the text. A table says which bytes can begin (or, for @ and ://, stand in the middle of)
// something that has to go; at such a byte the scanners concerned look around. Each looks at a bounded number of bytes,
// except the one for private keys, which goes on behind what it read. So the walk is linear, and there is nothing to
// backtrack.
//
//   card       15 digits (34, 37) or 16 (4, 51-55, 2221-2720, 6011, 644-649, 65), single spaces or dashes between them.
//              No check digit, as in Relay: a mistyped card number is one too. Not inside a longer number or a word.
//   SSN        ddd-dd-dddd without the groups that are never given out
//   IBAN       a country of the registry, its length, in one piece or in fours; upper case
//   bearer     the word and what follows it
//   e-mail     with a domain of at least two labels, the last one letters
//   URL        user:password@ behind ://
//   PEM        what stands between BEGIN … KEY and END
//   user path  the name in /home/<name>/, /Users/<name>/ and C:\Users\<name>\ .
//   IP         both families, only when configured
//
// Not looked for: MAC, IMEI and UUID. Relay knows them but does not apply them by default, and a UUID is what requests
// and traces are found by.
#include "processor/scrub_internal.h"

#define CARD_BYTES_MAX      40
#define LOCAL_BYTES_MAX     64
#define DOMAIN_BYTES_MAX    253
#define AUTHORITY_BYTES_MAX 512
#define NAME_BYTES_MAX      64
#define PEM_LABEL_BYTES_MAX 64
#define IP6_BYTES_MAX       45

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

enum look { LOOK_NOT, LOOK_DIGIT, LOOK_LETTER, LOOK_AT, LOOK_COLON, LOOK_DASH, LOOK_SLASH };

static bool is_digit(uint8_t byte) {
  return byte >= '0' && byte <= '9';
}

static bool is_letter(uint8_t byte) {
  return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

static bool is_word(uint8_t byte) {
  return is_digit(byte) || is_letter(byte) || byte == '_' || byte >= 0x80;
}

static bool is_hex(uint8_t byte) {
  return is_digit(byte) || ((byte | 0x20) >= 'a' && (byte | 0x20) <= 'f');
}

static uint8_t at(struct slice text, size_t i) {
  return i < text.len ? text.ptr[i] : 0;
}

static bool word_before(struct slice text, size_t i) {
  return i > 0 && is_word(text.ptr[i - 1]);
}

// Does a number or word go on at i? A fraction does, a full stop does not.
static bool goes_on(struct slice text, size_t i) {
  return is_word(at(text, i)) || (at(text, i) == '.' && is_digit(at(text, i + 1)));
}

static bool matches(struct slice text, size_t from, const char *wanted) {
  const struct slice word = slice_from_cstr(wanted);
  return from <= text.len && slice_equal_ignore_case(slice_sub(text, from, word.len), word);
}

static bool found(struct scrub_finding *out, size_t start, size_t end, const char *rule, const char *replacement) {
  *out = (struct scrub_finding){start, end, rule, replacement};
  return true;
}

// --- numbers --------------------------------------------------------------------------------------------------------

static uint32_t leading(const uint8_t *digits, uint32_t count) {
  uint32_t number = 0;
  for (uint32_t i = 0; i < count; i++) number = number * 10 + digits[i] - '0';
  return number;
}

static uint32_t card_digits(const uint8_t *digits) {
  const uint32_t two = leading(digits, 2), three = leading(digits, 3), four = leading(digits, 4);
  if (two == 34 || two == 37) return 15;
  if (digits[0] == '4' || (two >= 51 && two <= 55) || (four >= 2221 && four <= 2720)) return 16;
  return four == 6011 || (three >= 644 && three <= 649) || two == 65 ? 16 : 0;
}

static bool find_card(struct slice text, size_t from, struct scrub_finding *out) {
  uint8_t digits[16];
  uint32_t count = 0;
  size_t i = from;
  if (text.len - from < 15) return false;
  for (; count < 16 && i < text.len && i < from + CARD_BYTES_MAX; i++) {
    if (is_digit(text.ptr[i])) {
      digits[count++] = text.ptr[i];
      if (count >= 4 && !card_digits(digits)) return false;
      if (count >= 4 && count == card_digits(digits)) break;
    } else if ((text.ptr[i] != ' ' && text.ptr[i] != '-') || !is_digit(at(text, i + 1))) {
      return false;
    }
  }
  if (count < 15 || count != card_digits(digits)) return false;
  const size_t end = i + 1;
  if (goes_on(text, end)) return false;
  return found(out, from, end, "@creditcard", "[creditcard]");
}

static bool find_ssn(struct slice text, size_t from, struct scrub_finding *out) {
  static const char shape[] = "ddd-dd-dddd";
  if (at(text, from + 3) != '-') return false;
  for (size_t i = 0; i < sizeof(shape) - 1; i++) {
    if (shape[i] == 'd' ? !is_digit(at(text, from + i)) : at(text, from + i) != '-') return false;
  }
  const size_t end = from + sizeof(shape) - 1;
  if (goes_on(text, end) || at(text, end) == '-') return false;
  const uint32_t area = leading(text.ptr + from, 3);
  if (area == 0 || area == 666 || area >= 900 || leading(text.ptr + from + 4, 2) == 0) return false;
  if (leading(text.ptr + from + 7, 4) == 0) return false;
  return found(out, from, end, "@usssn", "[us-ssn]");
}

static bool find_ip4(struct slice text, size_t from, struct scrub_finding *out) {
  size_t i = from;
  for (int part = 0; part < 4; part++) {
    uint32_t number = 0, count = 0;
    for (; count < 4 && is_digit(at(text, i)); i++, count++) number = number * 10 + text.ptr[i] - '0';
    if (count == 0 || count == 4 || number > 255) return false;
    if (part < 3 && at(text, i++) != '.') return false;
  }
  if (goes_on(text, i)) return false;
  return found(out, from, i, "@ip", "[ip]");
}

// Eight groups of up to four digits, or fewer with one "::", the last two maybe written as IPv4.
static bool find_ip6(struct slice text, size_t from, struct scrub_finding *out) {
  uint32_t groups = 0, gaps = 0;
  size_t i = from;
  if (at(text, i) == ':' && at(text, i + 1) != ':') return false;
  // In the middle of something that is none (a::b::c), or behind what was replaced.
  if (i > 0 && (is_word(text.ptr[i - 1]) || text.ptr[i - 1] == ':' || text.ptr[i - 1] == ']')) return false;
  while (i < text.len && i < from + IP6_BYTES_MAX) {
    if (text.ptr[i] == ':') {
      if (at(text, i + 1) == ':') {
        gaps++;
        i += 2;
        if (!is_hex(at(text, i))) break;
        continue;
      }
      if (!is_hex(at(text, i + 1))) break;
      i++;
    }
    struct scrub_finding inner;
    if (groups > 0 && find_ip4(text, i, &inner)) {
      groups += 2;
      i = inner.end;
      break;
    }
    uint32_t digits = 0;
    for (; digits < 5 && is_hex(at(text, i)); i++) digits++;
    if (digits == 0 || digits == 5) return false;
    groups++;
    if (at(text, i) != ':') break;
  }
  if (gaps > 1 || (gaps == 0 && groups != 8) || (gaps == 1 && groups > 7) || groups == 0) return false;
  if (gaps == 1 && groups < 2 && !(groups == 1 && text.ptr[from] == ':')) return false; // std::a is no address
  if (is_word(at(text, i)) || (at(text, i) == ':' && at(text, i + 1) == ':')) return false;
  return found(out, from, i, "@ip", "[ip]");
}

// --- words ----------------------------------------------------------------------------------------------------------

// The IBAN registry: country and length, ISO 13616.
static const char iban_countries[][5] = {
    "AD24", "AE23", "AL28", "AT20", "AZ28", "BA20", "BE16", "BG22", "BH22", "BI27", "BR29", "BY28", "CH21",
    "CR22", "CY28", "CZ24", "DE22", "DJ27", "DK18", "DO28", "EE20", "EG29", "ES24", "FI18", "FK18", "FO18",
    "FR27", "GB22", "GE22", "GI23", "GL18", "GR27", "GT28", "HR21", "HU28", "IE22", "IL23", "IQ23", "IS26",
    "IT27", "JO30", "KW30", "KZ20", "LB28", "LC32", "LI21", "LT20", "LU20", "LV21", "LY25", "MC27", "MD24",
    "ME22", "MK19", "MN20", "MR27", "MT31", "MU30", "NI28", "NL18", "NO15", "OM23", "PK24", "PL28", "PS29",
    "PT25", "QA29", "RO24", "RS22", "RU33", "SA24", "SC31", "SD18", "SE24", "SI19", "SK24", "SM27", "SO23",
    "ST25", "SV28", "TL23", "TN24", "TR26", "UA29", "VA22", "VG24", "XK20", "YE30"};

static bool find_iban(struct slice text, size_t from, struct scrub_finding *out) {
  uint32_t length = 0;
  if (!is_digit(at(text, from + 2)) || !is_digit(at(text, from + 3))) return false;
  for (size_t i = 0; i < COUNT(iban_countries) && !length; i++) {
    const char *country = iban_countries[i];
    if (text.ptr[from] == (uint8_t)country[0] && text.ptr[from + 1] == (uint8_t)country[1]) {
      length = (uint32_t)(country[2] - '0') * 10 + (uint32_t)(country[3] - '0');
    }
  }
  if (!length) return false;
  size_t i = from;
  for (uint32_t count = 0; count < length; i++) {
    const uint8_t byte = at(text, i);
    if (is_digit(byte) || (byte >= 'A' && byte <= 'Z')) {
      count++;
    } else if (byte != ' ' || count % 4 != 0 || at(text, i - 1) == ' ') {
      return false;
    }
  }
  return !goes_on(text, i) && found(out, from, i, "@iban", "[iban]");
}

static bool is_token_byte(uint8_t byte) {
  return is_digit(byte) || is_letter(byte) || (byte && strchr("-._~+/=", byte));
}

static bool find_bearer(struct slice text, size_t from, struct scrub_finding *out) {
  size_t start = from + 6;
  if ((at(text, from + 1) | 0x20) != 'e' || !matches(text, from, "bearer") ||
      (at(text, start) != ' ' && at(text, start) != '\t'))
    return false;
  while (at(text, start) == ' ' || at(text, start) == '\t') start++;
  size_t end = start;
  while (is_token_byte(at(text, end))) end++;
  return end > start && found(out, start, end, "@bearer", SCRUB_FILTERED);
}

static bool find_at_letter(const struct scrub *scrub, struct slice text, size_t i, struct scrub_finding *out) {
  if (word_before(text, i)) return false;
  if (scrub->defaults && (text.ptr[i] | 0x20) == 'b' && find_bearer(text, i, out)) return true;
  if (scrub->defaults && text.ptr[i] >= 'A' && text.ptr[i] <= 'Z' && find_iban(text, i, out)) return true;
  return scrub->ip_addresses && is_hex(text.ptr[i]) && find_ip6(text, i, out);
}

static bool find_at_digit(const struct scrub *scrub, struct slice text, size_t i, struct scrub_finding *out) {
  if (word_before(text, i)) return false;
  if (i > 1 && text.ptr[i - 1] == '.' && is_digit(text.ptr[i - 2])) return false; // a fraction
  if (scrub->defaults && find_card(text, i, out)) return true;
  const bool in_group = i > 0 && text.ptr[i - 1] == '-';
  if (scrub->defaults && !in_group && find_ssn(text, i, out)) return true;
  if (!scrub->ip_addresses) return false;
  return find_ip4(text, i, out) || find_ip6(text, i, out);
}

// --- e-mail, URL, key, path -----------------------------------------------------------------------------------------

static bool is_local_byte(uint8_t byte) {
  return is_word(byte) || byte == '.' || byte == '%' || byte == '+' || byte == '-';
}

// The @ is at i; nothing before `from` may be taken.
static bool find_email(struct slice text, size_t from, size_t i, struct scrub_finding *out) {
  size_t start = i, end = i + 1, label = i + 1, dots = 0;
  while (start > from && i - start < LOCAL_BYTES_MAX && is_local_byte(text.ptr[start - 1])) start--;
  while (start < i && (text.ptr[start] == '.' || text.ptr[start] == '-')) start++;
  if (start == i) return false;
  size_t good_end = 0;
  for (; end < text.len && end - i <= DOMAIN_BYTES_MAX; end++) {
    const uint8_t byte = text.ptr[end];
    if (byte != '.' && byte != '-' && !is_word(byte)) break;
    if (byte != '.') continue;
    if (end == label) break;
    dots++;
    label = end + 1;
  }
  // The last label that is letters, so that a full stop behind the address is left.
  size_t stop = end;
  while (dots > 0) {
    bool letters = stop - label >= 2;
    for (size_t c = label; c < stop && letters; c++) letters = is_letter(text.ptr[c]) || text.ptr[c] >= 0x80;
    if (letters) {
      good_end = stop;
      break;
    }
    stop = label - 1;
    label = stop;
    while (label > i + 1 && text.ptr[label - 1] != '.') label--;
    dots--;
  }
  return good_end > 0 && found(out, start, good_end, "@email", "[email]");
}

// The colon of :// is at i.
static bool find_url_auth(struct slice text, size_t i, struct scrub_finding *out) {
  if (at(text, i + 1) != '/' || at(text, i + 2) != '/') return false;
  const size_t start = i + 3;
  size_t colon = 0, last = 0;
  for (size_t c = start; c < text.len && c - start < AUTHORITY_BYTES_MAX; c++) {
    const uint8_t byte = text.ptr[c];
    if (byte <= ' ' || byte == '/' || byte == '?' || byte == '#' || byte == '"' || byte == '\'' || byte == '<') break;
    if (byte == ':' && !colon) colon = c;
    if (byte == '@') last = c;
  }
  if (!last || !colon || colon > last) return false;
  if (slice_equal_cstr(slice_sub(text, start, last - start), SCRUB_FILTERED)) return false;
  return found(out, start, last, "@urlauth", SCRUB_FILTERED);
}

static bool find_pem(struct slice text, size_t i, struct scrub_finding *out) {
  if (at(text, i + 1) != '-' || !matches(text, i, "-----BEGIN ")) return false;
  size_t start = i + 11;
  const size_t label_end = start + PEM_LABEL_BYTES_MAX;
  while (start < label_end && (is_letter(at(text, start)) || at(text, start) == ' ')) start++;
  if (!matches(text, start, "-----") || start < i + 14 || !matches(text, start - 3, "KEY")) return false;
  start += 5;
  const size_t len = slice_find(slice_skip(text, start), SLICE_LITERAL("-----END"));
  size_t end = len > text.len - start ? text.len : start + len;
  // Line ends at either side stay, escaped ones too.
  for (;;) {
    if (start < end && (text.ptr[start] == '\n' || text.ptr[start] == '\r' || text.ptr[start] == ' '))
      start++;
    else if (end - start > 1 && text.ptr[start] == '\\' && (text.ptr[start + 1] == 'n' || text.ptr[start + 1] == 'r'))
      start += 2;
    else
      break;
  }
  while (end > start && (text.ptr[end - 1] == '\n' || text.ptr[end - 1] == '\r' || text.ptr[end - 1] == ' ')) end--;
  while (end - start > 1 && text.ptr[end - 2] == '\\' && (text.ptr[end - 1] == 'n' || text.ptr[end - 1] == 'r'))
    end -= 2;
  if (end == start || slice_equal_cstr(slice_sub(text, start, end - start), "[pemkey]")) return false;
  return found(out, start, end, "@pemkey", "[pemkey]");
}

// The separator in front of home or Users is at i.
static bool find_user_path(struct slice text, size_t i, struct scrub_finding *out) {
  const uint8_t separator = text.ptr[i], letter = at(text, i + 1) | 0x20;
  if (letter != 'u' && letter != 'h') return false;
  if (i > 0 &&
      (is_word(text.ptr[i - 1]) || text.ptr[i - 1] == '.' || text.ptr[i - 1] == '-' || text.ptr[i - 1] == ']')) {
    return false;
  }
  size_t start = i + 1;
  if (matches(text, start, "Users")) {
    start += 5;
  } else if (matches(text, start, "home") && separator == '/') {
    start += 4;
  } else {
    return false;
  }
  // In a text that was escaped the separator is two.
  if (at(text, start++) != separator) return false;
  if (separator == '\\' && at(text, start) == separator) start++;
  size_t end = start;
  while (end < text.len && end - start < NAME_BYTES_MAX && text.ptr[end] != separator && text.ptr[end] > ' ' &&
         text.ptr[end] != '"' && text.ptr[end] != ':' && text.ptr[end] != '[') {
    end++;
  }
  if (end == start || at(text, end) != separator) return false;
  return found(out, start, end, "@userpath", "[user]");
}

void scrub_value_compile(struct scrub *scrub) {
  memset(scrub->looks, LOOK_NOT, sizeof(scrub->looks));
  if (!scrub->defaults && !scrub->ip_addresses) return;
  for (int byte = '0'; byte <= '9'; byte++) scrub->looks[byte] = LOOK_DIGIT;
  for (int byte = 'a'; scrub->ip_addresses && byte <= 'f'; byte++) {
    scrub->looks[byte] = scrub->looks[byte - 0x20] = LOOK_LETTER;
  }
  scrub->looks[':'] = LOOK_COLON;
  if (!scrub->defaults) return;
  for (size_t i = 0; i < COUNT(iban_countries); i++) scrub->looks[(uint8_t)iban_countries[i][0]] = LOOK_LETTER;
  scrub->looks['b'] = scrub->looks['B'] = LOOK_LETTER; // bearer
  scrub->looks['@'] = LOOK_AT;
  scrub->looks['-'] = LOOK_DASH;
  scrub->looks['/'] = scrub->looks['\\'] = LOOK_SLASH;
}

bool scrub_value_find(const struct scrub *scrub, struct slice text, size_t from, struct scrub_finding *out_finding) {
  for (size_t i = from; i < text.len; i++) {
    bool hit = false;
    switch ((enum look)scrub->looks[text.ptr[i]]) {
    case LOOK_NOT: continue;
    case LOOK_DIGIT: hit = find_at_digit(scrub, text, i, out_finding); break;
    case LOOK_LETTER: hit = find_at_letter(scrub, text, i, out_finding); break;
    case LOOK_AT: hit = scrub->defaults && find_email(text, from, i, out_finding); break;
    case LOOK_COLON:
      hit = scrub->defaults && find_url_auth(text, i, out_finding);
      if (!hit && scrub->ip_addresses && !word_before(text, i)) hit = find_ip6(text, i, out_finding);
      break;
    case LOOK_DASH: hit = scrub->defaults && find_pem(text, i, out_finding); break;
    case LOOK_SLASH:
      // C:\Users: the separator stands behind the colon of the drive.
      hit = scrub->defaults && find_user_path(text, i, out_finding);
      break;
    }
    if (hit) return true;
  }
  return false;
}
