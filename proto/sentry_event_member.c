// SPDX-License-Identifier: Apache-2.0
//
// A name is told by its length first: at most nine have the same.
#include "proto/sentry_event_member.h"

#include <assert.h>

#include "proto/sentry_event_reader.h"

static uint32_t legacy_member_of(struct slice name) {
  switch (name.len) {
  case 3:
    if (slice_equal_cstr(name, "Sdk")) return SENTRY_EVENT_MEMBER_LEGACY_SDK;
    return slice_equal_cstr(name, "Csp") ? SENTRY_EVENT_MEMBER_LEGACY_CSP : SENTRY_EVENT_MEMBERS;
  case 4:
    if (slice_equal_cstr(name, "User")) return SENTRY_EVENT_MEMBER_LEGACY_USER;
    if (slice_equal_cstr(name, "Http")) return SENTRY_EVENT_MEMBER_LEGACY_REQUEST;
    return slice_equal_cstr(name, "Hpkp") ? SENTRY_EVENT_MEMBER_LEGACY_HPKP : SENTRY_EVENT_MEMBERS;
  case 5: return slice_equal_cstr(name, "Extra") ? SENTRY_EVENT_MEMBER_LEGACY_EXTRA : SENTRY_EVENT_MEMBERS;
  case 7:
    if (slice_equal_cstr(name, "Message")) return SENTRY_EVENT_MEMBER_LEGACY_LOGENTRY;
    if (slice_equal_cstr(name, "Modules")) return SENTRY_EVENT_MEMBER_LEGACY_MODULES;
    return slice_equal_cstr(name, "Threads") ? SENTRY_EVENT_MEMBER_LEGACY_THREADS : SENTRY_EVENT_MEMBERS;
  case 8:
    if (slice_equal_cstr(name, "Contexts")) return SENTRY_EVENT_MEMBER_LEGACY_CONTEXTS;
    if (slice_equal_cstr(name, "Template")) return SENTRY_EVENT_MEMBER_LEGACY_TEMPLATE;
    return slice_equal_cstr(name, "ExpectCT") ? SENTRY_EVENT_MEMBER_LEGACY_EXPECTCT : SENTRY_EVENT_MEMBERS;
  case 9:
    if (slice_equal_cstr(name, "DebugMeta")) return SENTRY_EVENT_MEMBER_LEGACY_DEBUG_META;
    return slice_equal_cstr(name, "Exception") ? SENTRY_EVENT_MEMBER_LEGACY_EXCEPTION : SENTRY_EVENT_MEMBERS;
  case 10: return slice_equal_cstr(name, "Stacktrace") ? SENTRY_EVENT_MEMBER_LEGACY_STACKTRACE : SENTRY_EVENT_MEMBERS;
  case 11: return slice_equal_cstr(name, "Breadcrumbs") ? SENTRY_EVENT_MEMBER_LEGACY_BREADCRUMBS : SENTRY_EVENT_MEMBERS;
  case 12:
    return slice_equal_cstr(name, "ExpectStaple") ? SENTRY_EVENT_MEMBER_LEGACY_EXPECTSTAPLE : SENTRY_EVENT_MEMBERS;
  default: return SENTRY_EVENT_MEMBERS;
  }
}

static uint32_t member_of(struct slice name) {
  static const struct slice legacy = {(const uint8_t *)"sentry.interfaces.", 18};
  if (name.len > legacy.len && slice_starts_with(name, legacy)) return legacy_member_of(slice_skip(name, legacy.len));
  switch (name.len) {
  case 3:
    if (slice_equal_cstr(name, "sdk")) return SENTRY_EVENT_MEMBER_SDK;
    return slice_equal_cstr(name, "csp") ? SENTRY_EVENT_MEMBER_CSP : SENTRY_EVENT_MEMBERS;
  case 4:
    if (slice_equal_cstr(name, "dist")) return SENTRY_EVENT_MEMBER_DIST;
    if (slice_equal_cstr(name, "type")) return SENTRY_EVENT_MEMBER_TYPE;
    if (slice_equal_cstr(name, "tags")) return SENTRY_EVENT_MEMBER_TAGS;
    if (slice_equal_cstr(name, "user")) return SENTRY_EVENT_MEMBER_USER;
    return slice_equal_cstr(name, "hpkp") ? SENTRY_EVENT_MEMBER_HPKP : SENTRY_EVENT_MEMBERS;
  case 5:
    if (slice_equal_cstr(name, "title")) return SENTRY_EVENT_MEMBER_TITLE;
    if (slice_equal_cstr(name, "level")) return SENTRY_EVENT_MEMBER_LEVEL;
    if (slice_equal_cstr(name, "_meta")) return SENTRY_EVENT_MEMBER_META;
    return slice_equal_cstr(name, "extra") ? SENTRY_EVENT_MEMBER_EXTRA : SENTRY_EVENT_MEMBERS;
  case 6:
    if (slice_equal_cstr(name, "logger")) return SENTRY_EVENT_MEMBER_LOGGER;
    return slice_equal_cstr(name, "errors") ? SENTRY_EVENT_MEMBER_ERRORS : SENTRY_EVENT_MEMBERS;
  case 7:
    if (slice_equal_cstr(name, "culprit")) return SENTRY_EVENT_MEMBER_CULPRIT;
    if (slice_equal_cstr(name, "release")) return SENTRY_EVENT_MEMBER_RELEASE;
    if (slice_equal_cstr(name, "message")) return SENTRY_EVENT_MEMBER_MESSAGE;
    if (slice_equal_cstr(name, "request")) return SENTRY_EVENT_MEMBER_REQUEST;
    if (slice_equal_cstr(name, "modules")) return SENTRY_EVENT_MEMBER_MODULES;
    return slice_equal_cstr(name, "threads") ? SENTRY_EVENT_MEMBER_THREADS : SENTRY_EVENT_MEMBERS;
  case 8:
    if (slice_equal_cstr(name, "platform")) return SENTRY_EVENT_MEMBER_PLATFORM;
    if (slice_equal_cstr(name, "checksum")) return SENTRY_EVENT_MEMBER_CHECKSUM;
    if (slice_equal_cstr(name, "event_id")) return SENTRY_EVENT_MEMBER_EVENT_ID;
    if (slice_equal_cstr(name, "received")) return SENTRY_EVENT_MEMBER_RECEIVED;
    if (slice_equal_cstr(name, "logentry")) return SENTRY_EVENT_MEMBER_LOGENTRY;
    if (slice_equal_cstr(name, "contexts")) return SENTRY_EVENT_MEMBER_CONTEXTS;
    if (slice_equal_cstr(name, "template")) return SENTRY_EVENT_MEMBER_TEMPLATE;
    return slice_equal_cstr(name, "expectct") ? SENTRY_EVENT_MEMBER_EXPECTCT : SENTRY_EVENT_MEMBERS;
  case 9:
    if (slice_equal_cstr(name, "timestamp")) return SENTRY_EVENT_MEMBER_TIMESTAMP;
    return slice_equal_cstr(name, "exception") ? SENTRY_EVENT_MEMBER_EXCEPTION : SENTRY_EVENT_MEMBERS;
  case 10:
    if (slice_equal_cstr(name, "debug_meta")) return SENTRY_EVENT_MEMBER_DEBUG_META;
    return slice_equal_cstr(name, "stacktrace") ? SENTRY_EVENT_MEMBER_STACKTRACE : SENTRY_EVENT_MEMBERS;
  case 11:
    if (slice_equal_cstr(name, "transaction")) return SENTRY_EVENT_MEMBER_TRANSACTION;
    if (slice_equal_cstr(name, "server_name")) return SENTRY_EVENT_MEMBER_SERVER_NAME;
    if (slice_equal_cstr(name, "environment")) return SENTRY_EVENT_MEMBER_ENVIRONMENT;
    if (slice_equal_cstr(name, "fingerprint")) return SENTRY_EVENT_MEMBER_FINGERPRINT;
    return slice_equal_cstr(name, "breadcrumbs") ? SENTRY_EVENT_MEMBER_BREADCRUMBS : SENTRY_EVENT_MEMBERS;
  case 12: return slice_equal_cstr(name, "expectstaple") ? SENTRY_EVENT_MEMBER_EXPECTSTAPLE : SENTRY_EVENT_MEMBERS;
  case 17:
    return slice_equal_cstr(name, "main_exception_id") ? SENTRY_EVENT_MEMBER_MAIN_EXCEPTION_ID : SENTRY_EVENT_MEMBERS;
  default: return SENTRY_EVENT_MEMBERS;
  }
}

void sentry_event_member_find(struct json_value event, struct json_value members[SENTRY_EVENT_MEMBERS]) {
  sentry_event_reader_members(event, member_of, SENTRY_EVENT_MEMBERS, members);
}

struct json_value sentry_event_member_either(const struct json_value members[SENTRY_EVENT_MEMBERS],
                                             enum sentry_event_member place) {
  static_assert(SENTRY_EVENT_MEMBER_LEGACY_STACKTRACE + 1 == SENTRY_EVENT_MEMBERS &&
                    SENTRY_EVENT_MEMBER_STACKTRACE + 1 == SENTRY_EVENT_MEMBER_LEGACY_FIRST,
                "the legacy names are in order");
  ASSERT(place >= SENTRY_EVENT_MEMBER_LOGENTRY && place < SENTRY_EVENT_MEMBER_LEGACY_FIRST);
  return sentry_event_reader_has(members[place])
             ? members[place]
             : members[SENTRY_EVENT_MEMBER_LEGACY_FIRST + (place - SENTRY_EVENT_MEMBER_LOGENTRY)];
}
