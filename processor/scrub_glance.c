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

#define WORD_GROUPS 5
#define WORD_BITS   0x1F
#define FORM_BITS   0xE0
#define STEP        19 // a card's beginning stands in each window of 32 bytes with what is looked at of it

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

// The groups that `bytes` may belong to at one of the three places.
__attribute__((target("avx2"))) static inline __m256i groups_of(const struct scrub_glance *glance, int place,
                                                                __m256i bytes) {
  const __m256i half = _mm256_set1_epi8(15);
  const __m256i low = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)glance->low[place]));
  const __m256i high = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)glance->high[place]));
  return _mm256_and_si256(_mm256_shuffle_epi8(low, _mm256_and_si256(bytes, half)),
                          _mm256_shuffle_epi8(high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), half)));
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

// Which bytes may begin an IBAN, an SSN or a card's number?
__attribute__((target("avx2"))) static inline uint32_t begins_number(__m256i bytes, uint32_t inside) {
  const __m256i is_digit = in_range(bytes, '0', 10), is_dash = equal(bytes, '-');
  const uint32_t digits = bits_where(is_digit) & inside, dashes = bits_where(is_dash) & inside;
  const uint32_t capitals = bits_where(in_range(bytes, 'A', 26)) & inside;
  const uint32_t of_card = bits_where(_mm256_or_si256(_mm256_or_si256(is_digit, is_dash), equal(bytes, ' '))) & inside;
  const uint32_t two = digits & digits >> 1, four = two & two >> 2;
  const uint32_t iban = capitals & ~(capitals << 1) & capitals >> 1 & two >> 2; // not within SHA256
  const uint32_t ssn = digits & dashes >> 3 & dashes >> 6 & four >> 7;
  uint32_t run = of_card & of_card >> 1; // of 2, 4, 8 and then 14
  run &= run >> 2;
  run &= run >> 4;
  run &= run >> 6;
  return iban | ssn | (digits & run);
}

// Which bytes may be in the middle of an IP address?
__attribute__((target("avx2"))) static inline uint32_t within_address(__m256i bytes, uint32_t inside) {
  const __m256i folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
  const uint32_t digits = bits_where(in_range(bytes, '0', 10)) & inside,
                 colons = bits_where(equal(bytes, ':')) & inside;
  const uint32_t hex = (digits | bits_where(in_range(folded, 'a', 6))) & inside;
  return (digits & bits_where(equal(bytes, '.')) >> 1 & digits >> 2) | (colons & (colons | hex) >> 1);
}

// Which of the text's first 32 bytes are in it?
static inline uint32_t bits_inside(struct slice text) {
  return text.len >= 32 ? UINT32_MAX : (1u << text.len) - 1;
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

__attribute__((target("avx2"))) static unsigned look(const struct scrub_glance *glance, struct slice text) {
  uint32_t words = 0, forms = 0;
  for (;;) {
    const uint32_t inside = bits_inside(text);
    const __m256i bytes = load(text.ptr), groups = begun_groups(glance, text.ptr);
    words |= ~without(groups, WORD_BITS) & inside;
    forms |= (~without(groups, (char)FORM_BITS) | bits_where(equal(bytes, '@'))) & inside;
    forms |= begins_number(bytes, inside);
    if (glance->addresses) forms |= within_address(bytes, inside);
    if (text.len <= 32) break;
    text = slice_make(text.ptr + STEP, text.len - STEP);
  }
  return (words ? SCRUB_SIGN_WORD : 0) | (forms ? SCRUB_SIGN_FORM : 0);
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

static bool look_for_words(const struct scrub_glance *glance, struct slice key) {
  (void)glance, (void)key;
  return true;
}

#endif

unsigned scrub_glance_at_text(const struct scrub_glance *glance, struct slice text) {
  return glance->sees ? look(glance, text) : SCRUB_SIGN_WORD | SCRUB_SIGN_FORM;
}

bool scrub_glance_at_key(const struct scrub_glance *glance, struct slice key) {
  return !glance->sees || look_for_words(glance, key);
}
