// SPDX-License-Identifier: Apache-2.0
//
// What the files of scrub share; for them only.
#ifndef PROCESSOR_SCRUB_INTERNAL_H
#define PROCESSOR_SCRUB_INTERNAL_H

#include "processor/scrub.h"

// What a pattern met in a key or text says of it.
enum scrub_word {
  SCRUB_WORD_SECRET = 1, // password, api_key …: of a key and in a text
  SCRUB_WORD_AUTH = 2,   // auth: of a key; in a text only as an assignment; not in "author"
  SCRUB_WORD_TOKEN = 4,  // token: of a key; in a text only as an assignment
  SCRUB_WORD_WHOLE = 16, // otp, cookie …: only as the whole key
  SCRUB_WORD_EXTRA = 8,  // configured: of a key
};

// All patterns as one automaton (Aho and Corasick): one table step per byte, whatever the number of patterns.
struct scrub_matcher {
  uint8_t class_of[256]; // case folded; class 0: in no pattern
  uint32_t class_count;
  uint16_t *next; // [state * class_count + class]
  uint8_t *words; // [state]: patterns that end here
  uint32_t state_count;
  uint16_t pairs[2][256]; // bit i: the byte is the first, the second of pattern i's pair
};

// What may be in a text, told from a glance at it.
enum scrub_sign {
  SCRUB_SIGN_WORD = 1, // one of the matcher's patterns
  SCRUB_SIGN_FORM = 2, // something that scrub_value_find finds
};
struct scrub_glance {
  uint8_t low[3][16], high[3][16]; // scrub_glance.c draws them
  bool sees;                       // else every text has all signs
  bool addresses;                  // an IP address is a form, too
};

// Where the keys of an event lead to from each place of its schema; scrub_event.c's.
#define SCRUB_PLACES_MAX   24
#define SCRUB_STEPS_MAX    64
#define SCRUB_STEP_LENGTHS 64
#define SCRUB_NO_STEP      255
struct scrub_steps {
  uint8_t first[SCRUB_PLACES_MAX][SCRUB_STEP_LENGTHS], next[SCRUB_PLACES_MAX][SCRUB_STEPS_MAX];
  uint8_t otherwise[SCRUB_PLACES_MAX]; // the place that all other keys lead to
};

struct scrub {
  bool enabled, defaults, ip_addresses;
  struct scrub_matcher matcher;
  struct slice *safe_keys; // lower case
  uint32_t safe_key_count;
  uint8_t *text;      // of safe_keys
  uint8_t looks[256]; // [byte]: what scrub_value_find looks for there
  uint64_t number;    // unlike any other configuration's of this process
  struct scrub_glance glance;
  struct scrub_steps steps;
};

// Signs of what may be in a text or key; none: it is clean (of a key: but for scrub_key_is_ip_address). Both read up to
// JSON_STRING_PADDING bytes behind it.
void scrub_glance_compile(struct scrub_glance *glance, const struct scrub_options *options);
unsigned scrub_glance_at_text(const struct scrub_glance *glance, struct slice text);
bool scrub_glance_at_key(const struct scrub_glance *glance, struct slice key); // SCRUB_SIGN_WORD
// Fills in scrub->steps.
void scrub_event_compile(struct scrub *scrub);

// The matcher's owner is `matcher`; extra keys as configured.
void scrub_key_compile(struct scrub_matcher *matcher, const struct scrub_options *options);
void scrub_key_release(struct scrub_matcher *matcher);
// Does the text of a value speak of a secret?
bool scrub_key_in_text(const struct scrub *scrub, struct slice text);
// False when no key in this JSON text can be sensitive.
bool scrub_key_may_be_in_json(const struct scrub *scrub, struct slice text);
// A count of language-model tokens is no secret: "max_tokens", "llm.token_count.prompt". Asked for numbers only.
bool scrub_key_is_count(struct slice key);
bool scrub_key_is_cookie_header(struct slice key);
bool scrub_key_is_session_cookie(struct slice name);
// Holds an IP address by definition.
bool scrub_key_is_ip_address(struct slice key);

// Something in a text that has to go: bytes [start, end).
struct scrub_finding {
  size_t start, end;
  const char *rule;        // "@creditcard"
  const char *replacement; // "[creditcard]"
};
void scrub_value_compile(struct scrub *scrub);
// The first finding at or behind `from`, which lies between two findings.
bool scrub_value_find(const struct scrub *scrub, struct slice text, size_t from, struct scrub_finding *out_finding);

#endif
