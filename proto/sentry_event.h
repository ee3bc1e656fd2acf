// SPDX-License-Identifier: Apache-2.0
//
// An error event in Sentry's event schema, as culprit works with it: the parts that grouping, the inbox and correlation
// look at are fields, the rest stays JSON text. Events taken out of OpenTelemetry data are built as this struct, events
// from Sentry SDKs are parsed into it; both are written as one JSON document, which is what is stored.
//
// All memory belongs to the arena given when the event was built; slices may also point into the source payload. Absent
// text is an empty slice. Lists are arrays with counts. One thread.
#ifndef PROTO_SENTRY_EVENT_H
#define PROTO_SENTRY_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/slice.h"
#include "base/status.h"

#define SENTRY_EVENT_FRAMES_MAX     512
#define SENTRY_EVENT_EXCEPTIONS_MAX 64

enum sentry_in_app { SENTRY_IN_APP_UNSET, SENTRY_IN_APP_NO, SENTRY_IN_APP_YES };

struct sentry_frame {
  struct slice function, raw_function, symbol, module, package, filename, abs_path, platform, context_line, lang;
  uint32_t line, column;     // 0: unknown
  enum sentry_in_app in_app; // as the SDK said, before any rule (data.orig_in_app wins)
  bool sourcemap;            // data.sourcemap is set
  struct slice category;     // data.category
  struct slice pre_context_json, post_context_json, vars_json, data_json, instruction_addr;
};

// Outermost call first, the crash last (Sentry's order).
struct sentry_stacktrace {
  struct sentry_frame *frames;
  uint32_t frame_count;
  uint32_t frames_omitted; // cut out of the middle to stay under SENTRY_EVENT_FRAMES_MAX
};

struct sentry_exception {
  struct slice type, value, module;
  struct sentry_stacktrace stacktrace;
  struct slice stacktrace_text; // as it came, when the source was text; kept even where parsing succeeded
  struct slice thread_id;
  struct slice mechanism_json; // the whole mechanism object
  struct slice mechanism_type;
  bool has_mechanism, synthetic, is_exception_group;
  bool has_handled, handled;
  bool has_exception_id, has_parent_id;
  int64_t exception_id, parent_id;
  bool has_ns_error;
  struct slice ns_error_domain, ns_error_code;
};

struct sentry_thread {
  struct slice id, name;
  bool crashed, current, main;
  struct sentry_stacktrace stacktrace;
};

struct sentry_tag {
  struct slice key, value;
};

struct sentry_event {
  char event_id[33]; // 32 lower-case hex digits and NUL
  uint64_t timestamp_ns, received_ns;
  struct slice platform, level, logger, transaction, culprit, server_name, release, dist, environment, type, title,
      checksum;
  struct slice message, message_formatted, message_params_json; // logentry
  struct slice service;                                         // proto/sentry_service; also written as tag "service"
  struct sentry_exception *exceptions;                          // oldest cause first, the one raised last
  uint32_t exception_count;
  uint32_t main_exception; // index + 1 of a marked main exception, 0: the last
  struct sentry_thread *threads;
  uint32_t thread_count;
  struct sentry_stacktrace stacktrace; // top-level (legacy)
  struct slice *fingerprint;
  uint32_t fingerprint_count;
  struct sentry_tag *tags;
  uint32_t tag_count;
  struct slice trace_id, span_id; // lower-case hex text
  bool contexts_have_trace;       // contexts_json is known to have the member "trace"; false: look
  struct slice request_id;
  struct slice user_id; // id, else email, username, ip_address
  struct slice sdk_name, sdk_version;
  // Objects kept as JSON text.
  struct slice request_json, user_json, contexts_json, breadcrumbs_json, extra_json, modules_json, sdk_json,
      debug_meta_json, template_json, csp_json, hpkp_json, expectct_json, expectstaple_json, errors_json, meta_json;
};

// Reads a parsed Sentry event document. Lenient: a bad field is dropped and noted in errors_json, never a failure.
// STATUS_INVALID only when the root is not an object; STATUS_NO_MEMORY when the arena is full.
enum status sentry_event_parse(struct json_value root, struct arena *arena, struct sentry_event *out_event,
                               struct error *error);
// The same with working memory of the caller's, for who reads many: it keeps what it has grown to. Its max_bytes is
// SENTRY_EVENT_SCRATCH_BYTES_MAX. Texts of the document are not copied: the event lives no longer than it, and none of
// its values may be replaced meanwhile. known_id: 32 lower-case hex digits that are the event's id whatever it says,
// and its time of receipt is not read; NULL: both are its own.
#define SENTRY_EVENT_SCRATCH_BYTES_MAX (64u << 20)
enum status sentry_event_parse_with(struct json_value root, const char *known_id, struct arena *arena,
                                    struct buffer *scratch, struct sentry_event *out_event, struct error *error);
// Appends the event as one JSON document (the stored form). contexts gains "trace", tags gain "service" and
// "request_id" where set.
void sentry_event_write(const struct sentry_event *event, struct buffer *out);
// The value of a tag, empty when absent.
struct slice sentry_event_tag(const struct sentry_event *event, const char *key);
// Adds a tag; STATUS_NO_MEMORY when the arena is full. Key and value are copied, or by put_tag kept as they are.
enum status sentry_event_add_tag(struct sentry_event *event, struct arena *arena, struct slice key, struct slice value);
enum status sentry_event_put_tag(struct sentry_event *event, struct arena *arena, struct slice key, struct slice value);

#endif
