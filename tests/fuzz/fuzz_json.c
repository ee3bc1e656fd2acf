// SPDX-License-Identifier: Apache-2.0
//
// What must hold for every text that parses: it is walked without an end, and what json_write_value makes of it parses
// back to the same values.
#include <string.h>

#include "base/json.h"

#define BYTES_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_scalar(struct json_value a, struct json_value b) {
  double first = json_double(a), second = json_double(b);
  return json_type_of(a) == json_type_of(b) && json_bool(a) == json_bool(b) && json_i64(a) == json_i64(b) &&
         json_u64(a) == json_u64(b) && memcmp(&first, &second, sizeof first) == 0 &&
         slice_equal(json_string(a), json_string(b)) && slice_is_utf8(json_string(a));
}

// Walks both at once; one step of the innermost container at a time.
static void check_same(struct json_value a, struct json_value b) {
  struct {
    struct json_iter a, b;
    bool object;
  } stack[JSON_DEPTH_MAX + 1];
  size_t depth = 0;
  for (;;) {
    ASSERT(same_scalar(a, b));
    enum json_type type = json_type_of(a);
    if (type == JSON_ARRAY || type == JSON_OBJECT) {
      ASSERT(depth <= JSON_DEPTH_MAX);
      ASSERT(json_count(a) == json_count(b));
      stack[depth].a = json_iterate(a);
      stack[depth].b = json_iterate(b);
      stack[depth].object = type == JSON_OBJECT;
      depth++;
    }
    bool more = false;
    while (depth > 0 && !more) {
      struct json_iter *in_a = &stack[depth - 1].a, *in_b = &stack[depth - 1].b;
      struct slice key_a = {0}, key_b = {0};
      bool object = stack[depth - 1].object;
      more = object ? json_object_next(in_a, &key_a, &a) : json_array_next(in_a, &a);
      ASSERT(more == (object ? json_object_next(in_b, &key_b, &b) : json_array_next(in_b, &b)));
      ASSERT(!more || slice_equal(key_a, key_b));
      if (!more) depth--;
    }
    if (!more) return;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct json_parser *parser = json_parser_create(BYTES_MAX);
  struct json_parser *second = json_parser_create(8 * BYTES_MAX);
  struct json_value root, again;
  struct error error = {""};
  enum status status = json_parse(parser, slice_make(data, size), &root, &error);
  if (status == STATUS_OK) {
    struct buffer out;
    buffer_init(&out, 8 * BYTES_MAX);
    json_write_value(&out, root);
    ASSERT(!out.failed);
    ASSERT(json_parse(second, buffer_slice(&out), &again, NULL) == STATUS_OK);
    check_same(root, again);
    buffer_finish(&out);
  } else {
    ASSERT(status == STATUS_INVALID || status == STATUS_TOO_LARGE);
    ASSERT(error.text[0] != '\0' && slice_is_utf8(slice_from_cstr(error.text)));
  }
  json_parser_destroy(parser);
  json_parser_destroy(second);
  return 0;
}
