// SPDX-License-Identifier: Apache-2.0
//
// Names and small rules of issues.
#include "store/issue.h"

#include "base/clock.h"

static const char *const status_names[] = {"unresolved", "resolved", "muted"};
static const char *const substatus_names[] = {"new", "ongoing", "regressed"};
static const char *const source_names[] = {"unknown", "span", "log", "sdk"};

#define SKEW_PAST_NS   (UINT64_C(7) * 24 * 3600 * NS_PER_S)
#define SKEW_FUTURE_NS (UINT64_C(3600) * NS_PER_S)

// Numbers may come from a file: anything is answered.
const char *issue_status_name(enum issue_status status) {
  return (unsigned)status < 3 ? status_names[status] : "unresolved";
}

const char *issue_substatus_name(enum issue_substatus substatus) {
  return (unsigned)substatus < 3 ? substatus_names[substatus] : "ongoing";
}

const char *issue_source_name(enum issue_source source) {
  return (unsigned)source < 4 ? source_names[source] : "unknown";
}

bool issue_status_parse(struct slice name, enum issue_status *out_status) {
  for (unsigned i = 0; i < 3; i++) {
    if (!slice_equal_cstr(name, status_names[i])) continue;
    *out_status = (enum issue_status)i;
    return true;
  }
  return false;
}

enum issue_substatus issue_substatus_at(enum issue_substatus substatus, uint64_t since_ns, uint64_t now_ns) {
  return now_ns > since_ns && now_ns - since_ns > ISSUE_ONGOING_AFTER_NS ? ISSUE_ONGOING : substatus;
}

struct slice issue_cut(struct slice text, size_t bytes_max) {
  if (text.len <= bytes_max) return text;
  size_t len = bytes_max;
  while (len > 0 && bytes_max - len < 4 && (text.ptr[len] & 0xc0) == 0x80) len--; // not inside a character
  return slice_sub(text, 0, len);
}

uint64_t issue_event_seen_ns(uint64_t timestamp_ns, uint64_t received_ns) {
  bool early = received_ns > SKEW_PAST_NS && timestamp_ns < received_ns - SKEW_PAST_NS;
  bool late = timestamp_ns > received_ns && timestamp_ns - received_ns > SKEW_FUTURE_NS;
  return early || late ? received_ns : timestamp_ns;
}
