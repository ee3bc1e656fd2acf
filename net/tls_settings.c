// SPDX-License-Identifier: Apache-2.0
//
// How it works: PEM files are small texts; each is read whole at start, with a ceiling.
#include "net/tls_settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PEM_BYTES_MAX = 1 << 20 };

bool tls_settings_given(const char *file) {
  return file && file[0];
}

enum status tls_settings_read(const char *file, char **out_pem, struct error *error) {
  FILE *stream = fopen(file, "re");
  if (!stream) return error_set(error, STATUS_IO, "%s: %s", file, strerror(errno));
  char *pem = malloc(PEM_BYTES_MAX);
  size_t len = pem ? fread(pem, 1, PEM_BYTES_MAX, stream) : 0;
  bool failed = !pem || ferror(stream);
  fclose(stream);
  enum status status = STATUS_OK;
  if (failed) {
    status = error_set(error, STATUS_IO, "%s: could not be read", file);
  } else if (len == PEM_BYTES_MAX) {
    status = error_set(error, STATUS_TOO_LARGE, "%s: larger than 1 MiB", file);
  } else if (len == 0 || memchr(pem, 0, len)) {
    status = error_set(error, STATUS_INVALID, "%s: not a PEM file", file);
  }
  char *exact = status == STATUS_OK ? realloc(pem, len + 1) : NULL;
  if (!exact) {
    free(pem);
    return status == STATUS_OK ? error_set(error, STATUS_NO_MEMORY, "%s: out of memory", file) : status;
  }
  exact[len] = 0;
  *out_pem = exact;
  return STATUS_OK;
}

void tls_settings_forget(char *pem) {
  if (!pem) return;
  explicit_bzero(pem, strlen(pem));
  free(pem);
}
