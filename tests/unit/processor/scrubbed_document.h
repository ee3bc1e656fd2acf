// SPDX-License-Identifier: Apache-2.0
//
// An event as scrub_event left it, as one document: its members, `_meta` last.
#ifndef TESTS_UNIT_PROCESSOR_SCRUBBED_DOCUMENT_H
#define TESTS_UNIT_PROCESSOR_SCRUBBED_DOCUMENT_H

#include "base/json.h"

static inline void scrubbed_document_write(struct json_value root, struct slice meta, struct buffer *out) {
  struct json_iter iter = json_iterate(root);
  struct slice key;
  struct json_value value;
  struct json_writer writer;
  json_writer_init(&writer, out);
  json_begin_object(&writer);
  while (json_object_next(&iter, &key, &value)) {
    if (slice_equal_cstr(key, "_meta")) continue;
    json_key_slice(&writer, key);
    json_write_parsed(&writer, value);
  }
  json_key(&writer, "_meta");
  json_write_raw(&writer, meta);
  json_end_object(&writer);
}

#endif
