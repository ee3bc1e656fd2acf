// SPDX-License-Identifier: Apache-2.0
//
// One loop over a stack of open messages, driven by the tables of otlp_json_schema. An entry of the stack is an object
// whose members are being read; a member that is a message is opened in `out` (its length is filled in when it closes)
// and pushed, everything else is written at once. A list of messages is kept open in the entry of its owner.
//
//   {"resourceSpans": [ {"scopeSpans": [ {"spans": [ {…
//    └ entry 0           └ entry 1        └ entry 2   └ entry 3
//
// Of duplicate keys the last one wins: the members of an object are counted by field when it is opened, and a member is
// only written when no other of its field is left. So members are written in the order they came in, which is what
// makes the last one win among the alternatives of an AnyValue, too.
#include "proto/otlp_json.h"

#include <stdio.h>

#include "proto/otlp_json_schema.h"
#include "proto/otlp_json_value.h"
#include "proto/wire.h"

// Every message is an object, and the parser allows so many levels.
#define OPEN_MAX (JSON_DEPTH_MAX + 1)

struct entry {
  const struct otlp_json_message *message;
  struct json_iter members;
  uint32_t left[OTLP_JSON_FIELDS_MAX]; // members not yet read, by field
  uint32_t hint;                       // where to look for the next one in the table
  struct wire_open_field open;
  const struct otlp_json_field *field; // being read: for lists and for telling where a fault is
  struct json_iter elements;           // of the list `field`, while in_list
  uint32_t element;                    // elements read
  bool in_list;
};

struct conversion {
  struct buffer *out;
  struct error *error;
  uint32_t count; // open entries
  struct entry entries[OPEN_MAX];
};

// Members mostly come in the order of the table, so the search starts behind the field that was found last (*hint).
static const struct otlp_json_field *find_field(const struct otlp_json_message *message, struct slice key,
                                                uint32_t *hint) {
  for (uint32_t tried = 0, i = *hint; tried < message->count; tried++, i++) {
    if (i >= message->count) i = 0;
    const struct otlp_json_field *field = &message->fields[i];
    if (field->name_len != key.len || memcmp(field->name, key.ptr, key.len) != 0) continue;
    *hint = i + 1;
    return field;
  }
  return NULL;
}

// "resourceSpans[0].scopeSpans[0].spans[3].traceId: not hexadecimal".
static enum status fault(const struct conversion *conversion, const char *reason) {
  char path[ERROR_TEXT_MAX - 80] = "";
  size_t len = 0;
  for (uint32_t i = 0; i < conversion->count; i++) {
    const struct entry *entry = &conversion->entries[i];
    if (!entry->field) break;
    int more = entry->in_list ? snprintf(path + len, sizeof path - len, "%s%s[%u]", len ? "." : "", entry->field->name,
                                         entry->element - 1)
                              : snprintf(path + len, sizeof path - len, "%s%s", len ? "." : "", entry->field->name);
    len += (size_t)more;
    if (len >= sizeof path) break; // cut: it says where well enough
  }
  return error_set(conversion->error, STATUS_INVALID, "%s%s%s", path, path[0] ? ": " : "", reason);
}

// Opens `value` as a message; null is an empty one.
static enum status push(struct conversion *conversion, const struct otlp_json_message *message, struct json_value value,
                        uint32_t number) {
  if (json_type_of(value) != JSON_OBJECT && json_type_of(value) != JSON_NULL) return fault(conversion, "not an object");
  if (conversion->count == OPEN_MAX) return fault(conversion, "nested too deep");
  struct entry *entry = &conversion->entries[conversion->count];
  *entry = (struct entry){.message = message, .members = json_iterate(value)};
  if (number != 0 && !wire_open(conversion->out, number, message->usual_bytes, &entry->open)) return STATUS_TOO_LARGE;
  struct json_iter members = entry->members;
  struct slice key;
  uint32_t hint = 0;
  while (json_object_next(&members, &key, &value)) {
    const struct otlp_json_field *field = find_field(message, key, &hint);
    if (field) entry->left[field - message->fields]++;
  }
  conversion->count++;
  return STATUS_OK;
}

static enum status put_element(struct conversion *conversion, struct entry *entry, struct json_value value) {
  const struct otlp_json_field *field = entry->field;
  if (field->form == OTLP_JSON_MESSAGE) return push(conversion, field->message, value, field->number);
  const char *reason = otlp_json_value_put(field, value, conversion->out);
  return reason ? fault(conversion, reason) : STATUS_OK;
}

static enum status put_packed(struct conversion *conversion, struct entry *entry) {
  struct wire_open_field open;
  struct json_value value;
  if (!wire_open(conversion->out, entry->field->number, 0, &open)) return STATUS_TOO_LARGE;
  while (json_array_next(&entry->elements, &value)) {
    entry->element++;
    enum status status = put_element(conversion, entry, value);
    if (status != STATUS_OK) return status;
  }
  return wire_close(conversion->out, &open) ? STATUS_OK : STATUS_TOO_LARGE;
}

static enum status put_member(struct conversion *conversion, struct entry *entry, struct json_value value) {
  if (json_type_of(value) == JSON_NULL) return STATUS_OK; // null is absence
  if (!entry->field->repeated) return put_element(conversion, entry, value);
  if (json_type_of(value) != JSON_ARRAY) return fault(conversion, "not an array");
  entry->elements = json_iterate(value);
  entry->element = 0;
  entry->in_list = true;
  return otlp_json_value_is_packed(entry->field) ? put_packed(conversion, entry) : STATUS_OK;
}

// Takes one member, one element or the end of the innermost open message.
static enum status step(struct conversion *conversion) {
  struct entry *entry = &conversion->entries[conversion->count - 1];
  struct json_value value;
  struct slice key;
  if (entry->in_list) {
    if (json_array_next(&entry->elements, &value)) {
      entry->element++;
      return put_element(conversion, entry, value);
    }
    entry->in_list = false;
  }
  if (json_object_next(&entry->members, &key, &value)) {
    const struct otlp_json_field *field = find_field(entry->message, key, &entry->hint);
    if (!field || --entry->left[field - entry->message->fields] > 0) return STATUS_OK;
    entry->field = field;
    return put_member(conversion, entry, value);
  }
  conversion->count--;
  bool is_request = conversion->count == 0;
  return is_request || wire_close(conversion->out, &entry->open) ? STATUS_OK : STATUS_TOO_LARGE;
}

enum status otlp_json_to_wire(enum otlp_signal signal, struct json_parser *parser, struct slice text,
                              struct buffer *out, struct error *error) {
  ASSERT(!out->failed);
  struct json_value root;
  const size_t before = out->len;
  enum status status = json_parse(parser, text, &root, error);
  if (status != STATUS_OK) return status;
  if (json_type_of(root) != JSON_OBJECT) return error_set(error, STATUS_INVALID, "the request is not a JSON object");

  struct conversion conversion;
  conversion.out = out;
  conversion.error = error;
  conversion.count = 0;
  status = push(&conversion, otlp_json_schema_request(signal), root, 0);
  while (status == STATUS_OK && conversion.count > 0) {
    status = step(&conversion);
    if (out->failed) status = STATUS_TOO_LARGE;
  }
  if (status == STATUS_TOO_LARGE)
    error_set(error, status, "the request is larger than the limit of %zu bytes", out->max_bytes);
  if (status != STATUS_OK) out->len = before;
  return status;
}
