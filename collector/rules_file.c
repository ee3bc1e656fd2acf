// SPDX-License-Identifier: Apache-2.0
#include "collector/rules_file.h"

#include <errno.h>
#include <string.h>

#include "store/project_settings.h"

enum status rules_file_read(const char *path, struct buffer *out, struct error *error) {
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rbe");
  if (!file) return error_set(error, STATUS_IO, "%s", strerror(errno));
  size_t len = 1;
  while (len > 0 && !out->failed) {
    uint8_t chunk[16384];
    len = fread(chunk, 1, sizeof(chunk), file);
    buffer_append(out, chunk, len);
  }
  enum status status = STATUS_OK;
  if (ferror(file)) status = error_set(error, STATUS_IO, "%s", strerror(errno));
  if (out->failed) status = error_set(error, STATUS_TOO_LARGE, "more than %zu bytes", out->max_bytes);
  if (file != stdin) fclose(file);
  return status;
}

struct telling {
  const char *path;
  FILE *faults;
};

static void tell(void *context, const struct grouping_check_fault *fault) {
  const struct telling *telling = context;
  if (fault->line > 0) {
    fprintf(telling->faults, "%s:%u:%u: %s\n", telling->path, fault->line, fault->column, fault->text);
  } else {
    fprintf(telling->faults, "%s: %s\n", telling->path, fault->text);
  }
}

enum status rules_file_check(const char *path, enum grouping_check_kind kind, struct buffer *out, FILE *faults,
                             uint32_t *out_rules) {
  struct telling telling = {.path = path, .faults = faults};
  struct error error = {""};
  enum status status = rules_file_read(path, out, &error);
  if (status != STATUS_OK) {
    fprintf(faults, "%s: %s\n", path, error.text);
    return status;
  }
  return grouping_check(kind, buffer_slice(out), PROJECT_SETTINGS_RULES_MAX, tell, &telling, out_rules);
}
