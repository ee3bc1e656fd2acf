// SPDX-License-Identifier: Apache-2.0
//
// How it works: a slot for every remainder of a project's number; a project takes its slot from another one.
#include "collector/project_names.h"

#include <stdlib.h>

#define SLOTS 256

struct project_names {
  struct database *database;
  struct project_row slots[SLOTS]; // id 0: free
};

struct project_names *project_names_create(struct database *database) {
  struct project_names *names = calloc(1, sizeof *names);
  ASSERT(names != NULL);
  names->database = database;
  return names;
}

void project_names_destroy(struct project_names *names) {
  free(names);
}

struct slice project_names_find(struct project_names *names, uint32_t project) {
  struct project_row *slot = &names->slots[project % SLOTS];
  if (slot->id == project && project != 0) return slice_from_cstr(slot->slug);
  struct error error = {0};
  struct project_row row = {0};
  struct connection *reader = database_read_begin(names->database, &error);
  bool found = reader && project_store_get(reader, project, &row);
  if (!reader || database_read_end(names->database, reader, &error) != STATUS_OK || !found) return (struct slice){0};
  *slot = row;
  return slice_from_cstr(slot->slug);
}
