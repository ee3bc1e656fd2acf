// SPDX-License-Identifier: Apache-2.0
//
// How it works: one table of names; listening.json is written beside its place and renamed into it.
#include "collector/data_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"

#define LISTENING_BYTES_MAX 4096

static enum status make_directory(const char *path, struct error *error) {
  if (mkdir(path, 0700) == 0 || errno == EEXIST) return STATUS_OK;
  return error_set(error, STATUS_IO, "%s: %s", path, strerror(errno));
}

enum status data_files_init(struct data_files *files, const char *data_dir, struct error *error) {
  char journal[DATA_FILES_PATH_BYTES_MAX];
  const struct {
    char *path;
    const char *name;
    bool is_directory;
  } parts[] = {
      {journal, "journal", true},
      {files->intake, "journal/intake", true},
      {files->kept, "journal/kept", true},
      {files->quarantine, "quarantine", true},
      {files->dead_letter, "dead-letter", true},
      {files->database, "culprit.db", false},
      {files->attempt, "inbox.attempt", false},
      {files->listening, "listening.json", false},
  };
  enum status status = make_directory(data_dir, error);
  for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]) && !status; i++) {
    int len = snprintf(parts[i].path, DATA_FILES_PATH_BYTES_MAX, "%s/%s", data_dir, parts[i].name);
    if (len < 0 || len >= DATA_FILES_PATH_BYTES_MAX) {
      return error_set(error, STATUS_INVALID, "data_dir: the path is too long");
    }
    if (parts[i].is_directory) status = make_directory(parts[i].path, error);
  }
  return status;
}

static bool write_file(const char *path, struct slice text) {
  FILE *file = fopen(path, "we");
  bool written = file && fwrite(text.ptr, 1, text.len, file) == text.len;
  if (file && fclose(file) != 0) written = false;
  return written;
}

enum status data_files_write_listening(const struct data_files *files, const char *grpc, const char *http,
                                       const char *ui, struct error *error) {
  struct buffer text;
  buffer_init(&text, 4096);
  struct json_writer writer;
  json_writer_init(&writer, &text);
  json_begin_object(&writer);
  json_key(&writer, "grpc");
  json_write_cstr(&writer, grpc);
  json_key(&writer, "http");
  json_write_cstr(&writer, http);
  json_key(&writer, "ui");
  json_write_cstr(&writer, ui);
  json_end_object(&writer);
  buffer_append_byte(&text, '\n');
  char temporary[DATA_FILES_PATH_BYTES_MAX + 8];
  snprintf(temporary, sizeof(temporary), "%s.new", files->listening);
  bool written = write_file(temporary, buffer_slice(&text)) && rename(temporary, files->listening) == 0;
  buffer_finish(&text);
  return written ? STATUS_OK : error_set(error, STATUS_IO, "%s: %s", files->listening, strerror(errno));
}

enum status data_files_read_http(const char *data_dir, char *out_address, size_t address_bytes) {
  char path[DATA_FILES_PATH_BYTES_MAX];
  uint8_t text[LISTENING_BYTES_MAX];
  int len = snprintf(path, sizeof(path), "%s/listening.json", data_dir);
  FILE *file = len > 0 && (size_t)len < sizeof(path) ? fopen(path, "re") : NULL;
  if (!file) return STATUS_NOT_FOUND;
  size_t read = fread(text, 1, sizeof(text), file);
  fclose(file);
  struct json_parser *parser = json_parser_create(sizeof(text));
  struct json_value root;
  enum status status = STATUS_NOT_FOUND;
  if (json_parse(parser, slice_make(text, read), &root, NULL) == STATUS_OK) {
    struct slice address = json_string(json_get(root, "http"));
    if (address.len > 0 && address.len < address_bytes) {
      snprintf(out_address, address_bytes, "%.*s", SLICE_PRINTF(address));
      status = STATUS_OK;
    }
  }
  json_parser_destroy(parser);
  return status;
}

void data_files_remove_listening(const struct data_files *files) {
  unlink(files->listening);
}
