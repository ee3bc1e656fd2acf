// SPDX-License-Identifier: Apache-2.0
//
// What the parts of collector/config share while a configuration is read: where they are, what they found wrong, and
// where each value came from.
#ifndef COLLECTOR_CONFIG_LOADER_H
#define COLLECTOR_CONFIG_LOADER_H

#include <stddef.h>
#include <yaml.h>

#include "collector/config.h"
#include "collector/config_field.h"

#define CONFIG_VALUE_BYTES_MAX 8192
#define CONFIG_FIELDS_MAX      128

struct config_source {
  char text[512];  // the value as YAML, for printing
  char where[320]; // "default", "culprit.yaml:3", "environment CULPRIT_LISTEN_GRPC"
};

struct config_loader {
  const char *path; // of the file, or the variable's name
  bool is_variable;
  char *const *environment;
  struct options *options;
  struct config_problems *problems;
  struct config_source sources[CONFIG_FIELDS_MAX];
};

// Notes a problem of `key` ("": of the whole) at a line of the file (0: none).
__attribute__((format(printf, 4, 5))) void config_loader_problem(struct config_loader *loader, size_t line,
                                                                 const char *key, const char *format, ...);
size_t config_loader_line(const yaml_node_t *node);
// The text of a single value, ${env:…} expanded, NUL-terminated. False after a problem was noted.
bool config_loader_text(struct config_loader *loader, const yaml_node_t *node, const char *key,
                        char out[CONFIG_VALUE_BYTES_MAX]);
// Notes where the field's value came from; `text` is for printing.
void config_loader_note(struct config_loader *loader, const struct config_field *field, size_t line, const char *text);

#endif
