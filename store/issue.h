// SPDX-License-Identifier: Apache-2.0
//
// The words of the inbox: states of an issue, where an event came from, and one event as it is handed to the store.
// Values, pure functions; any thread.
#ifndef STORE_ISSUE_H
#define STORE_ISSUE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

// Numbers are written into the database: never renumber.
enum issue_status { ISSUE_UNRESOLVED = 0, ISSUE_RESOLVED = 1, ISSUE_MUTED = 2 };
enum issue_substatus { ISSUE_NEW = 0, ISSUE_ONGOING = 1, ISSUE_REGRESSED = 2 };
enum issue_source { ISSUE_SOURCE_SPAN = 1, ISSUE_SOURCE_LOG = 2, ISSUE_SOURCE_SDK = 3 };

const char *issue_status_name(enum issue_status status);          // "unresolved", "resolved", "muted"
const char *issue_substatus_name(enum issue_substatus substatus); // "new", "ongoing", "regressed"
const char *issue_source_name(enum issue_source source);          // "span", "log", "sdk"
bool issue_status_parse(struct slice name, enum issue_status *out_status);

// New and regressed issues are ongoing after this time.
#define ISSUE_ONGOING_AFTER_NS UINT64_C(604800000000000) // 7 days
enum issue_substatus issue_substatus_at(enum issue_substatus substatus, uint64_t since_ns, uint64_t now_ns);

// Texts are cut to these lengths (at a character) when they are stored.
#define ISSUE_TITLE_BYTES_MAX  300
#define ISSUE_TEXT_BYTES_MAX   1024 // value, culprit
#define ISSUE_WORD_BYTES_MAX   200  // everything else, tags included
#define ISSUE_TAG_KEYS_MAX     50   // of one issue
#define ISSUE_TAG_VALUES_MAX   100  // of one key
#define ISSUE_EVENTS_MAX       100  // newest ones stored, beside the first
#define ISSUE_EVENT_HASHES_MAX 8
#define ISSUE_PAST_HASHES_MAX  32 // of an event, by what was in force before
#define ISSUE_HOURS_KEPT       (24 * 14)
#define ISSUE_HASH_BYTES       16
#define ISSUE_EVENT_ID_BYTES   16
struct slice issue_cut(struct slice text, size_t bytes_max);

struct issue_hash {
  uint8_t bytes[ISSUE_HASH_BYTES];
  const char *algorithm; // with a digest of the rules; lives as long as the event, like the next
  const char *variant;
};

struct issue_tag {
  struct slice key, value;
};

struct issue_event {
  uint32_t project;
  uint8_t event_id[ISSUE_EVENT_ID_BYTES];
  enum issue_source source;
  uint64_t timestamp_ns; // as sent
  uint64_t received_ns;
  uint64_t duplicate_key;         // 0: never a duplicate
  struct slice trace_id, span_id; // 16 and 8 raw bytes, or empty
  struct slice request_id;
  struct slice title, type, value, culprit, level, platform, service, environment, release;
  const struct issue_hash *hashes; // 1 … ISSUE_EVENT_HASHES_MAX, the preferred one first
  uint32_t hash_count;
  // By algorithms and rules that were in force before: asked for where no hash above is known, never stored.
  const struct issue_hash *past_hashes; // 0 … ISSUE_PAST_HASHES_MAX, the preferred one first
  uint32_t past_hash_count;
  // What an error looks like both as an SDK sends it and as text: its own is stored, the other side's is asked for when
  // nothing else is known. Events of one side never meet by it.
  bool has_outline;
  uint8_t outline[ISSUE_HASH_BYTES], outline_of_other_side[ISSUE_HASH_BYTES];
  const struct issue_tag *tags; // further tags: service, environment, release and level are counted from their fields
  uint32_t tag_count;
  struct slice grouping; // JSON without line feeds
  struct slice document; // JSON
  // Instead of both: grouping, a line feed and document as one block of base/block, as they are stored.
  struct slice compressed;
  uint64_t compressed_raw_bytes;
};

// Where an event stands in time: what it says, or when it was received if that is over 7 days earlier or an hour later.
uint64_t issue_event_seen_ns(uint64_t timestamp_ns, uint64_t received_ns);

#endif
