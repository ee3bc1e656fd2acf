// SPDX-License-Identifier: Apache-2.0
//
// How it works: an item is a word or a mapping of one member, which says its kind. Each is tried with sampling_create
// on its own, so that what only sampling can judge (a range, a regular expression) has the line it is written in.
#include "collector/config_policy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "processor/sampling.h"

#define POLICY_WORDS                                                                                                   \
  "allowed: errors, {latency: 2s}, {attribute: {key: k, value: v}}, {attribute: {key: k, regex: r}}, "                 \
  "{probability: 0.1}, {rate_limit: 100}"

static char *copy(const char *text) {
  char *made = strdup(text);
  ASSERT(made);
  return made;
}

static bool parse_number(const char *text, double *out_number) {
  char *end;
  errno = 0;
  *out_number = strtod(text, &end);
  return end != text && *end == 0 && errno == 0 && *out_number == *out_number;
}

static bool load_attribute_policy(struct config_loader *loader, yaml_document_t *document, const yaml_node_t *node,
                                  struct sampling_policy *policy) {
  char name[CONFIG_VALUE_BYTES_MAX], text[CONFIG_VALUE_BYTES_MAX];
  if (node->type != YAML_MAPPING_NODE) {
    config_loader_problem(loader, config_loader_line(node), "sampling.policies",
                          "attribute: must be like {key: k, value: v} or {key: k, regex: r}");
    return false;
  }
  for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
    const yaml_node_t *key = yaml_document_get_node(document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(document, pair->value);
    if (!config_loader_text(loader, key, "sampling.policies", name)) return false;
    if (!config_loader_text(loader, value, "sampling.policies", text)) return false;
    const char **to = strcmp(name, "key") == 0     ? &policy->key
                      : strcmp(name, "value") == 0 ? &policy->value
                      : strcmp(name, "regex") == 0 ? &policy->regex
                                                   : NULL;
    if (!to || *to) {
      config_loader_problem(loader, config_loader_line(key), "sampling.policies",
                            "attribute: %s '%.40s'; allowed: key, value, regex", to ? "doubled" : "unknown key", name);
      return false;
    }
    *to = copy(text);
  }
  return true;
}

static bool load_policy_pair(struct config_loader *loader, yaml_document_t *document, const yaml_node_pair_t *pair,
                             struct sampling_policy *policy) {
  char name[CONFIG_VALUE_BYTES_MAX], text[CONFIG_VALUE_BYTES_MAX];
  const yaml_node_t *key = yaml_document_get_node(document, pair->key);
  const yaml_node_t *value = yaml_document_get_node(document, pair->value);
  if (!config_loader_text(loader, key, "sampling.policies", name)) return false;
  if (strcmp(name, "attribute") == 0) {
    policy->kind = SAMPLING_ATTRIBUTE;
    return load_attribute_policy(loader, document, value, policy);
  }
  if (!config_loader_text(loader, value, "sampling.policies", text)) return false;
  if (strcmp(name, "latency") == 0) {
    policy->kind = SAMPLING_LATENCY;
    if (config_field_parse_time(text, &policy->latency_ns)) return true;
    config_loader_problem(loader, config_loader_line(value), "sampling.policies",
                          "latency: must be a time like 2s (ms, s, m, h, d), not '%.60s'", text);
  } else if (strcmp(name, "probability") == 0) {
    policy->kind = SAMPLING_PROBABILITY;
    if (parse_number(text, &policy->probability)) return true;
    config_loader_problem(loader, config_loader_line(value), "sampling.policies",
                          "probability: must be a number from 0 to 1, not '%.60s'", text);
  } else if (strcmp(name, "rate_limit") == 0) {
    policy->kind = SAMPLING_RATE_LIMIT;
    if (parse_number(text, &policy->traces_per_second)) return true;
    config_loader_problem(loader, config_loader_line(value), "sampling.policies",
                          "rate_limit: must be a number of traces per second, not '%.60s'", text);
  } else {
    config_loader_problem(loader, config_loader_line(key), "sampling.policies", "unknown policy '%.40s'; " POLICY_WORDS,
                          name);
  }
  return false;
}

static bool load_policy(struct config_loader *loader, yaml_document_t *document, const yaml_node_t *node,
                        struct sampling_policy *policy) {
  char text[CONFIG_VALUE_BYTES_MAX];
  if (node->type == YAML_MAPPING_NODE && node->data.mapping.pairs.top - node->data.mapping.pairs.start == 1) {
    return load_policy_pair(loader, document, node->data.mapping.pairs.start, policy);
  }
  if (node->type == YAML_SCALAR_NODE) {
    if (!config_loader_text(loader, node, "sampling.policies", text)) return false;
    policy->kind = SAMPLING_ERRORS;
    if (strcmp(text, "errors") == 0) return true;
    config_loader_problem(loader, config_loader_line(node), "sampling.policies",
                          "unknown policy '%.40s'; " POLICY_WORDS, text);
    return false;
  }
  config_loader_problem(loader, config_loader_line(node), "sampling.policies", "one policy an item; " POLICY_WORDS);
  return false;
}

// Whether it is one that sampling takes: in range, a regex that compiles.
static void check_policy(struct config_loader *loader, const yaml_node_t *node, const struct sampling_policy *policy) {
  struct metrics *metrics = metrics_create();
  struct sampling *sampling = NULL;
  struct error error;
  if (sampling_create(policy, 1, metrics, &sampling, &error)) {
    const char *words = strstr(error.text, "]."); // its index is not known there, its line is here
    config_loader_problem(loader, config_loader_line(node), "sampling.policies", "%s", words ? words + 2 : error.text);
  }
  sampling_release(sampling);
  metrics_destroy(metrics);
}

void config_policy_load(struct config_loader *loader, yaml_document_t *document, const yaml_node_t *node,
                        const struct config_field *field) {
  if (node->type != YAML_SEQUENCE_NODE) {
    config_loader_problem(loader, config_loader_line(node), field->name,
                          "must be a list, like [errors, {probability: 0.1}]");
    return;
  }
  struct options *options = loader->options;
  config_field_clear(field, options);
  for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
    const yaml_node_t *element = yaml_document_get_node(document, *item);
    if (options->sampling_policy_count == SAMPLING_POLICIES_MAX - 1) {
      config_loader_problem(loader, config_loader_line(element), field->name, "at most %d policies",
                            SAMPLING_POLICIES_MAX - 1);
      return;
    }
    // Counted first, so that a half-read policy is freed with the rest.
    struct sampling_policy *policy = &options->sampling_policies[options->sampling_policy_count++];
    *policy = (struct sampling_policy){0};
    if (load_policy(loader, document, element, policy)) check_policy(loader, element, policy);
  }
  config_loader_note(loader, field, config_loader_line(node), "");
}

void config_policy_print(const struct options *options, struct buffer *out) {
  buffer_append_cstr(out, "[");
  for (uint32_t i = 0; i < options->sampling_policy_count; i++) {
    const struct sampling_policy *policy = &options->sampling_policies[i];
    if (i) buffer_append_cstr(out, ", ");
    switch (policy->kind) {
    case SAMPLING_LATENCY: buffer_printf(out, "{latency: %" PRIu64 "ms}", policy->latency_ns / NS_PER_MS); break;
    case SAMPLING_PROBABILITY: buffer_printf(out, "{probability: %.15g}", policy->probability); break;
    case SAMPLING_RATE_LIMIT: buffer_printf(out, "{rate_limit: %.15g}", policy->traces_per_second); break;
    case SAMPLING_ATTRIBUTE:
      buffer_printf(out, "{attribute: {key: \"%s\"", policy->key);
      if (policy->value) buffer_printf(out, ", value: \"%s\"", policy->value);
      if (policy->regex) buffer_printf(out, ", regex: '%s'", policy->regex);
      buffer_append_cstr(out, "}}");
      break;
    default: buffer_append_cstr(out, sampling_policy_name(policy->kind));
    }
  }
  buffer_append_cstr(out, "]");
}
