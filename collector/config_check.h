// SPDX-License-Identifier: Apache-2.0
//
// What single values of a configuration cannot say: pairs that belong together, addresses that exclude each other,
// files that are not there. Any thread; nothing is kept.
#ifndef COLLECTOR_CONFIG_CHECK_H
#define COLLECTOR_CONFIG_CHECK_H

#include "collector/options.h"

// Called for each finding: the key at fault and what is wrong with it. Both live as long as the call.
typedef void config_check_found(void *context, const char *key, const char *words);

// By the options alone.
void config_check_whole(const struct options *options, config_check_found *found, void *context);
// Reads the listeners' certificates and keys as a start would. The options have passed config_check_whole.
void config_check_files(const struct options *options, config_check_found *found, void *context);

#endif
