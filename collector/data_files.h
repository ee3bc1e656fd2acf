// SPDX-License-Identifier: Apache-2.0
//
// What lies where in the data directory, and listening.json, by which other programs find the ports.
#ifndef COLLECTOR_DATA_FILES_H
#define COLLECTOR_DATA_FILES_H

#include <stddef.h>

#include "base/status.h"

#define DATA_FILES_PATH_BYTES_MAX 4096

struct data_files {
  char intake[DATA_FILES_PATH_BYTES_MAX], kept[DATA_FILES_PATH_BYTES_MAX], quarantine[DATA_FILES_PATH_BYTES_MAX],
      dead_letter[DATA_FILES_PATH_BYTES_MAX]; // folders
  char database[DATA_FILES_PATH_BYTES_MAX], attempt[DATA_FILES_PATH_BYTES_MAX], listening[DATA_FILES_PATH_BYTES_MAX];
};

// Makes the folders that are missing, for nobody but their owner. STATUS_INVALID when a path gets too long, STATUS_IO.
enum status data_files_init(struct data_files *files, const char *data_dir, struct error *error);
// Addresses as "host:port". The file is there whole or not at all: others poll for it.
enum status data_files_write_listening(const struct data_files *files, const char *grpc, const char *http,
                                       const char *ui, struct error *error);
// The "host:port" of OTLP/HTTP that the instance with this data directory listens on. STATUS_NOT_FOUND: none says so.
enum status data_files_read_http(const char *data_dir, char *out_address, size_t address_bytes);
// The ports are nobody's any more.
void data_files_remove_listening(const struct data_files *files);

#endif
