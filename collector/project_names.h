// SPDX-License-Identifier: Apache-2.0
//
// Names of projects by their number, from memory. A project keeps its name for good, so each is read from the database
// once. One thread.
#ifndef COLLECTOR_PROJECT_NAMES_H
#define COLLECTOR_PROJECT_NAMES_H

#include "store/project_store.h"

struct project_names;

struct project_names *project_names_create(struct database *database);
void project_names_destroy(struct project_names *names);
// Empty when there is no such project, or the database cannot be read now. Valid until the next call.
struct slice project_names_find(struct project_names *names, uint32_t project);

#endif
