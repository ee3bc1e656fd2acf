// SPDX-License-Identifier: Apache-2.0
//
// How it works: nearly all keys and texts hold nothing, and most of what scrubbing costs is to find that out. A glance
// looks at 32 bytes at once for what every finding has in it, and is wrong in one direction only: what it passes over
// is clean, what it stops at may be.
//
// Three bytes are looked for of each word and of most forms. A set of bytes is kept by halves of a byte: for each of
// the three places two tables of 16, by the lower and the upper four bits, whose entries have a bit set for each of
// eight groups that such a byte may belong to. A byte shuffle looks 32 of them up at once; where the six answers for
// three bytes in a row have a bit in common, a member of that group may begin. (Hyperscan calls it Teddy.) Groups are
// put together so that their mixtures are rare.
//
//   words   of keys and texts (scrub_key.c), and the configured ones:     5 groups
//   forms   -----BEGIN: --B    /home, /Users, \Users: /ho /us    bearer: bea
//   and by themselves: @ (e-mail, credentials in a URL), AA00 (IBAN), 000-00-0000, 14 digits, spaces and dashes (card)
//
// and where IP addresses are looked for: 0.0, :: and a colon before a hexadecimal digit
//
// A machine without the instructions has all signs everywhere.
#include "processor/scrub_internal.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HAS_VECTORS 1
#else
#define HAS_VECTORS 0
#endif

#define WORD_GROUPS  5
#define WORD_BITS    0x1F
#define FORM_BITS    0xE0
#define ADDRESS_STEP 30 // what is looked at of an address, 3 bytes, stands in one window of 32

static void add_byte(struct scrub_glance *glance, int place, uint8_t byte, unsigned group) {
  glance->low[place][byte & 15] |= (uint8_t)(1u << group);
  glance->high[place][byte >> 4] |= (uint8_t)(1u << group);
}

static bool is_letter(uint8_t byte) {
  return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

// The first three bytes, case ignored; where there are less, any byte.
static void add_word(struct scrub_glance *glance, struct slice word, unsigned group) {
  for (int place = 0; place < 3; place++) {
    if ((size_t)place >= word.len) {
      for (unsigned byte = 0; byte < 256; byte++) add_byte(glance, place, (uint8_t)byte, group);
    } else if (is_letter(word.ptr[place])) {
      add_byte(glance, place, word.ptr[place] & 0xDF, group);
      add_byte(glance, place, word.ptr[place] | 0x20, group);
    } else {
      add_byte(glance, place, word.ptr[place], group);
    }
  }
}

void scrub_glance_compile(struct scrub_glance *glance, const struct scrub_options *options) {
  // Of password and passwd; secret and credentials; auth; mysql_pwd; token; cookie; apikey, api-key, api_key; otp;
  // privatekey and its like; two-factor and its like.
  static const struct {
    const char *text;
    unsigned group;
  } words[] = {{"ssw", 0}, {"cre", 0}, {"uth", 1},  {"pwd", 1}, {"oke", 2}, {"oki", 2},
               {"pik", 2}, {"i-k", 3}, {"i_k", 3},  {"otp", 3}, {"iva", 4}, {"two", 4},
               {"--b", 5}, {"/us", 6}, {"\\us", 6}, {"/ho", 6}, {"bea", 7}};
  *glance = (struct scrub_glance){.sees = false};
#if HAS_VECTORS
  glance->sees = __builtin_cpu_supports("avx2");
#endif
  glance->addresses = options->ip_addresses;
  for (size_t i = 0; options->defaults && i < sizeof(words) / sizeof(words[0]); i++)
    add_word(glance, slice_from_cstr(words[i].text), words[i].group);
  for (uint32_t i = 0; i < options->extra_key_count && i < SCRUB_KEYS_MAX; i++) {
    const struct slice word = slice_sub(slice_from_cstr(options->extra_keys[i]), 0, SCRUB_KEY_BYTES_MAX);
    if (word.len > 0) add_word(glance, word, i % WORD_GROUPS);
  }
}

#if HAS_VECTORS

__attribute__((target("avx2"))) static inline __m256i load(const uint8_t *from) {
  return _mm256_loadu_si256((const __m256i *)(const void *)from);
}

// What is in two tables of 16 for both halves of each byte.
__attribute__((target("avx2"))) static inline __m256i look_up(const uint8_t *low, const uint8_t *high, __m256i bytes) {
  const __m256i half = _mm256_set1_epi8(15);
  const __m256i lows = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)low));
  const __m256i highs = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)high));
  return _mm256_and_si256(_mm256_shuffle_epi8(lows, _mm256_and_si256(bytes, half)),
                          _mm256_shuffle_epi8(highs, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half)));
}

// The groups that `bytes` may belong to at one of the three places.
__attribute__((target("avx2"))) static inline __m256i groups_of(const struct scrub_glance *glance, int place,
                                                                __m256i bytes) {
  return look_up(glance->low[place], glance->high[place], bytes);
}

__attribute__((target("avx2"))) static inline uint32_t bits_where(__m256i truth) {
  return (uint32_t)_mm256_movemask_epi8(truth);
}

__attribute__((target("avx2"))) static inline __m256i equal(__m256i bytes, char byte) {
  return _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(byte));
}

// Bytes from `first` on, `count` of them.
__attribute__((target("avx2"))) static inline __m256i in_range(__m256i bytes, char first, char count) {
  const __m256i from_first = _mm256_sub_epi8(bytes, _mm256_set1_epi8(first));
  return _mm256_cmpeq_epi8(_mm256_min_epu8(from_first, _mm256_set1_epi8((char)(count - 1))), from_first);
}

// What numbers are made of, and @: a bit for each kind of byte, looked up by halves like the groups. The highest is
// what _mm256_movemask_epi8 takes.
enum { DIGIT = 7, DASH = 6, SPACE = 5, AT = 4, A_TO_O = 3, P_TO_Z = 2 };
#define BIT(kind) (1u << (kind))
#define COLUMN    (BIT(DIGIT) | BIT(A_TO_O) | BIT(P_TO_Z))
static const uint8_t kinds_low[16] = {BIT(DIGIT) | BIT(SPACE) | BIT(AT) | BIT(P_TO_Z), // 0 blank @ P
                                      COLUMN,                                          // 1 A Q
                                      COLUMN,
                                      COLUMN,
                                      COLUMN,
                                      COLUMN,
                                      COLUMN,
                                      COLUMN,
                                      COLUMN,
                                      COLUMN,                    // 9 I Y
                                      BIT(A_TO_O) | BIT(P_TO_Z), // J Z
                                      BIT(A_TO_O),
                                      BIT(A_TO_O),
                                      BIT(A_TO_O) | BIT(DASH), // M -
                                      BIT(A_TO_O),
                                      BIT(A_TO_O)};
static const uint8_t kinds_high[16] = {
    [2] = BIT(DASH) | BIT(SPACE), [3] = BIT(DIGIT), [4] = BIT(AT) | BIT(A_TO_O), [5] = BIT(P_TO_Z)};

__attribute__((target("avx2"))) static inline __m256i kinds_of(__m256i bytes) {
  return look_up(kinds_low, kinds_high, bytes);
}

__attribute__((target("avx2"))) static inline uint32_t bits_of(__m256i kinds, int kind) {
  return bits_where(_mm256_slli_epi16(kinds, DIGIT - kind));
}

// What numbers are made of, a bit for each of 64 bytes: those looked at last are the upper half.
struct seen {
  uint64_t digits, dashes, capitals, of_card;
};

static inline uint64_t add_seen(uint64_t seen, uint32_t bits) {
  return seen >> 32 | (uint64_t)bits << 32;
}

// Which of 64 bytes may begin an IBAN, an SSN or a card's number, now that 32 more are known? What begins there and
// ends behind them is found the next time. All of them have digits.
__attribute__((target("avx2"))) static inline uint64_t begins_number(struct seen *seen, __m256i kinds) {
  const uint32_t new_digits = bits_of(kinds, DIGIT);
  seen->digits = add_seen(seen->digits, new_digits);
  seen->capitals = add_seen(seen->capitals, bits_of(kinds, A_TO_O) | bits_of(kinds, P_TO_Z));
  if (!seen->digits) {
    seen->dashes = seen->of_card = 0; // they count behind a digit
    return 0;
  }
  const uint32_t new_dashes = bits_of(kinds, DASH);
  seen->dashes = add_seen(seen->dashes, new_dashes);
  seen->of_card = add_seen(seen->of_card, new_digits | new_dashes | bits_of(kinds, SPACE));
  const uint64_t digits = seen->digits, dashes = seen->dashes, capitals = seen->capitals;
  const uint64_t two = digits & digits >> 1, four = two & two >> 2;
  const uint64_t iban = capitals & ~(capitals << 1) & capitals >> 1 & two >> 2; // not within SHA256
  const uint64_t ssn = digits & dashes >> 3 & dashes >> 6 & four >> 7;
  uint64_t run = seen->of_card & seen->of_card >> 1; // of 2, 4, 8 and then 14
  run &= run >> 2;
  run &= run >> 4;
  run &= run >> 6;
  return iban | ssn | (digits & run);
}

// Which of the text's first 32 bytes are in it?
static inline uint32_t bits_inside(struct slice text) {
  return text.len >= 32 ? UINT32_MAX : (1u << text.len) - 1;
}

// Which bytes may be in the middle of an IP address?
__attribute__((target("avx2"))) static inline uint32_t within_address(__m256i bytes, uint32_t inside) {
  const __m256i folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
  const uint32_t digits = bits_where(in_range(bytes, '0', 10)) & inside,
                 colons = bits_where(equal(bytes, ':')) & inside;
  const uint32_t hex = (digits | bits_where(in_range(folded, 'a', 6))) & inside;
  return (digits & bits_where(equal(bytes, '.')) >> 1 & digits >> 2) | (colons & (colons | hex) >> 1);
}

// Not inline: it is rarely asked for, and has constants of its own.
__attribute__((target("avx2"), noinline)) static bool look_for_addresses(struct slice text) {
  for (; text.len > 32; text = slice_make(text.ptr + ADDRESS_STEP, text.len - ADDRESS_STEP)) {
    if (within_address(load(text.ptr), UINT32_MAX)) return true;
  }
  return within_address(load(text.ptr), bits_inside(text)) != 0;
}

// The groups of which a member may begin at each of 32 bytes.
__attribute__((target("avx2"))) static inline __m256i begun_groups(const struct scrub_glance *glance,
                                                                   const uint8_t *from) {
  const __m256i first = groups_of(glance, 0, load(from)), second = groups_of(glance, 1, load(from + 1));
  return _mm256_and_si256(_mm256_and_si256(first, second), groups_of(glance, 2, load(from + 2)));
}

__attribute__((target("avx2"))) static inline uint32_t without(__m256i groups, char bits) {
  return bits_where(equal(_mm256_and_si256(groups, _mm256_set1_epi8(bits)), 0));
}

__attribute__((target("avx2"))) static inline bool has(__m256i groups, char bits) {
  return !_mm256_testz_si256(groups, _mm256_set1_epi8(bits));
}

__attribute__((target("avx2"))) static unsigned look(const struct scrub_glance *glance, struct slice text) {
  static const uint8_t inside[64] = {255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
                                     255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
  __m256i all_groups = _mm256_setzero_si256(), all_kinds = all_groups;
  uint64_t numbers = 0;
  struct seen seen = {0};
  for (;; text = slice_make(text.ptr + 32, text.len - 32)) {
    __m256i groups = begun_groups(glance, text.ptr), kinds = kinds_of(load(text.ptr));
    if (text.len < 32) {
      const __m256i of_text = load(inside + 32 - text.len);
      groups = _mm256_and_si256(groups, of_text);
      kinds = _mm256_and_si256(kinds, of_text);
    }
    all_groups = _mm256_or_si256(all_groups, groups);
    all_kinds = _mm256_or_si256(all_kinds, kinds);
    numbers |= begins_number(&seen, kinds);
    if (text.len <= 32) break;
  }
  const bool form = numbers || has(all_groups, (char)FORM_BITS) || has(all_kinds, BIT(AT));
  return (has(all_groups, WORD_BITS) ? SCRUB_SIGN_WORD : 0) | (form ? SCRUB_SIGN_FORM : 0);
}

__attribute__((target("avx2"))) static bool look_for_words(const struct scrub_glance *glance, struct slice key) {
  while (key.len > 32) {
    if (~without(begun_groups(glance, key.ptr), WORD_BITS)) return true;
    key = slice_make(key.ptr + 32, key.len - 32);
  }
  return (~without(begun_groups(glance, key.ptr), WORD_BITS) & bits_inside(key)) != 0;
}

#else

static unsigned look(const struct scrub_glance *glance, struct slice text) {
  (void)glance, (void)text;
  return SCRUB_SIGN_WORD | SCRUB_SIGN_FORM;
}

static bool look_for_addresses(struct slice text) {
  (void)text;
  return true;
}

static bool look_for_words(const struct scrub_glance *glance, struct slice key) {
  (void)glance, (void)key;
  return true;
}

#endif

unsigned scrub_glance_at_text(const struct scrub_glance *glance, struct slice text) {
  if (!glance->sees) return SCRUB_SIGN_WORD | SCRUB_SIGN_FORM;
  return look(glance, text) | (glance->addresses && look_for_addresses(text) ? SCRUB_SIGN_FORM : 0);
}

bool scrub_glance_at_key(const struct scrub_glance *glance, struct slice key) {
  return !glance->sees || look_for_words(glance, key);
}
