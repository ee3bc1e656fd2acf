// SPDX-License-Identifier: Apache-2.0
//
// sampling.policies in the configuration: read from YAML, checked one by one, and printed.
#ifndef COLLECTOR_CONFIG_POLICY_H
#define COLLECTOR_CONFIG_POLICY_H

#include "collector/config_loader.h"

// Problems are noted with the line of the policy they are in.
void config_policy_load(struct config_loader *loader, yaml_document_t *document, const yaml_node_t *node,
                        const struct config_field *field);
// As YAML in one line.
void config_policy_print(const struct options *options, struct buffer *out);

#endif
