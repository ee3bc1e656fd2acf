// SPDX-License-Identifier: Apache-2.0
//
// The constant table of configuration keys and the parsing of one value. Internal to collector/config.
#ifndef COLLECTOR_CONFIG_FIELD_H
#define COLLECTOR_CONFIG_FIELD_H

#include <stddef.h>

#include "base/status.h"
#include "collector/options.h"

enum config_type {
  CONFIG_TEXT,     // char *
  CONFIG_ADDRESS,  // char *, host:port or [v6]:port
  CONFIG_URL,      // char *, http:// or https://, empty: none
  CONFIG_CHOICE,   // char *, one of `allowed`
  CONFIG_SYNC,     // enum journal_sync
  CONFIG_SIZE,     // uint64_t bytes: 10GiB, 512KiB, 4096
  CONFIG_TIME,     // uint64_t ns: 10s, 200ms, 7d
  CONFIG_COUNT,    // uint64_t
  CONFIG_BOOL,     // bool
  CONFIG_SEVERITY, // uint32_t severity number: DEBUG, INFO, WARN, ERROR, FATAL or 1 to 24
  CONFIG_LIST,     // struct options_list
  CONFIG_POLICIES, // sampling_policies and sampling_policy_count
};

struct config_field {
  const char *name; // "journal.sync"
  enum config_type type;
  size_t offset;       // in struct options
  const char *initial; // the default, as it would stand in the file
  uint64_t min, max;   // for sizes, times and counts
  const char *allowed; // choices, "always, interval, never"
  bool secret;         // printed as ***
  const char *help;
};
extern const struct config_field config_fields[];
extern const size_t config_field_count;

// NULL when there is no such key.
const struct config_field *config_field_find(const char *name);
// CULPRIT_LISTEN_GRPC for listen.grpc; out holds at least 96 bytes.
void config_field_variable(const struct config_field *field, char *out, size_t out_bytes);
// Is it one of the variables that Kubernetes gives every container of a namespace with a service called "culprit…":
// CULPRIT_SERVICE_HOST, CULPRIT_UI_PORT=tcp://…, CULPRIT_PORT_4317_TCP_ADDR? No key has such a name.
bool config_field_is_service_link(const char *variable, const char *value);

// Sets the field from a scalar's text. STATUS_INVALID with what is allowed ("must be a size like 512MiB …").
enum status config_field_set(const struct config_field *field, const char *text, struct options *options,
                             struct error *error);
// Appends one item to a CONFIG_LIST field.
enum status config_field_append(const struct config_field *field, const char *item, struct options *options,
                                struct error *error);
// Empties a list or the policies, before a later source fills it anew.
void config_field_clear(const struct config_field *field, struct options *options);

// Do both hold the same value of this key?
bool config_field_is_equal(const struct config_field *field, const struct options *a, const struct options *b);

// "10s", "200ms", "1.5h", "7d"; false when it is not a time.
bool config_field_parse_time(const char *text, uint64_t *out_ns);
bool config_field_parse_size(const char *text, uint64_t *out_bytes);

#endif
