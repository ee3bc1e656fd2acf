// SPDX-License-Identifier: Apache-2.0
//
// Takes secrets out of what applications send, before anything is written: passwords, keys and tokens by the name they
// go by, card numbers, IBANs, SSNs, private keys, bearer tokens, credentials in URLs and e-mail addresses by their
// form. The rules are those of Sentry's Relay ("@common:filter" and its cookie list); where culprit is narrower,
// because the names and texts of OpenTelemetry data meet rules that were made for Sentry events, scrub_key.c and
// scrub_value.c say so and why.
//
// A `struct scrub` is a compiled configuration: immutable, any thread, one per project that differs. Everything here is
// deterministic, linear in its input, total, and idempotent: scrubbing what was scrubbed changes nothing.
#ifndef PROCESSOR_SCRUB_H
#define PROCESSOR_SCRUB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/json.h"
#include "proto/otlp_scan.h"

#define SCRUB_FILTERED        "[Filtered]"
#define SCRUB_KEY_BYTES_MAX   128 // of a configured key; the rest of a longer one is not looked at
#define SCRUB_KEYS_MAX        256 // of each list; further ones are not looked at
#define SCRUB_EVENT_MARKS_MAX 512 // changes noted in an event's _meta; further ones are made without a note

struct scrub_options {
  bool enabled;
  bool defaults;                 // the built-in key and value rules; without them only extra_keys and ip_addresses work
  const char *const *extra_keys; // sensitive too, wherever they stand in a key, case ignored
  uint32_t extra_key_count;
  const char *const *safe_keys; // never sensitive; the whole key, case ignored
  uint32_t safe_key_count;
  bool ip_addresses; // take IP addresses out, of fields that hold one and of every text
};

struct scrub;

// Copies what it needs. An empty extra key is ignored.
struct scrub *scrub_create(const struct scrub_options *options);
void scrub_destroy(struct scrub *scrub);
bool scrub_is_enabled(const struct scrub *scrub);

// Must the value under this key be taken out?
bool scrub_key_is_sensitive(const struct scrub *scrub, struct slice key);

enum scrub_text_kind {
  SCRUB_TEXT_MESSAGE, // for people: only the found part of it is replaced
  SCRUB_TEXT_VALUE,   // of a variable, tag, attribute …: one that speaks of a password goes as a whole
  SCRUB_TEXT_URL,
  SCRUB_TEXT_QUERY,   // a=b&c=d
  SCRUB_TEXT_COOKIES, // a=b; c=d
};
// Appends the scrubbed text to `out` and returns the name of the (first) rule that changed it; returns NULL and appends
// nothing when there was nothing to change. Overflow is seen in out->failed.
const char *scrub_text(const struct scrub *scrub, enum scrub_text_kind kind, struct slice text, struct buffer *out);
// Would scrub_text change it?
bool scrub_text_is_clean(const struct scrub *scrub, enum scrub_text_kind kind, struct slice text);

// Scrubs a parsed Sentry event (an object; anything else is left alone) where it stands: values become other ones
// (json_replace), and its new `_meta` is appended to out_meta, with what was changed marked as Relay marks it:
// {"extra":{"password":{"":{"rem":[["@password","x"]]}}}}, "x" removed, "s" substituted in part. The member _meta
// itself is left as it came. *out_changed false: nothing was. `inner` parses JSON found in texts; not the parser that
// `root` belongs to. On failure (STATUS_TOO_LARGE, out_meta holds what it held before; STATUS_NO_MEMORY) values may
// have been changed.
enum status scrub_event(const struct scrub *scrub, struct json_value root, struct json_parser *inner,
                        struct buffer *out_meta, bool *out_changed);
// The members of a JSON object or array that stands in a text, all of them rules for values; what was changed is
// appended as a document. STATUS_TOO_LARGE when `out` is full (then holding what it held before).
enum status scrub_json(const struct scrub *scrub, struct json_value root, struct buffer *out, bool *out_changed);

// Scrubs an OTLP request that has passed otlp_scan: attributes by key, of logs also attributes and bodies by value.
// *out_changed false: nothing was appended, and the payload may go on in the bytes it came in. STATUS_TOO_LARGE as
// above. Only values change: the same items in the same order, everything else in its bytes.
enum status scrub_otlp(const struct scrub *scrub, enum otlp_signal signal, struct slice payload, struct buffer *out,
                       bool *out_changed);

// For the scan that validates a payload anyway: `memory` judges each key by `scrub` and remembers the verdicts, for as
// long as `scrub` stays the same. memory->met after the scan: scrub_otlp has something to look at.
void scrub_judge_keys(const struct scrub *scrub, struct otlp_key_memory *memory);
// Does a log record need scrub_otlp for its values? (Its keys are the scan's.)
bool scrub_log_is_clean(const struct scrub *scrub, const struct otlp_log *log);
// Does every payload need scrub_otlp, whatever its keys are?
bool scrub_reads_all(const struct scrub *scrub);

#endif
