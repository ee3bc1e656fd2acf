// SPDX-License-Identifier: Apache-2.0
//
// How it works: libyaml turns the file into a document of nodes with line numbers; the tree is walked with an explicit
// stack of mappings, key paths joined by dots, and each leaf goes to its field. An environment variable is parsed as a
// YAML node of its own, so CULPRIT_SAMPLING_POLICIES="[errors, {probability: 0.1}]" means the same as in the file.
//
// Each field remembers its text and where it came from; that is what config_print writes.
#include "collector/config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <yaml.h>

#include "collector/config_check.h"
#include "collector/config_field.h"
#include "processor/correlation.h"

#define FILE_BYTES_MAX  (1u << 20)
#define VALUE_BYTES_MAX 8192
#define DEPTH_MAX       8
#define PATH_BYTES      128
#define FIELDS_MAX      128

struct source {
  char text[512];  // the value as YAML, for printing
  char where[320]; // "default", "culprit.yaml:3", "environment CULPRIT_LISTEN_GRPC"
};

struct loader {
  const char *path; // of the file, or the variable's name
  bool is_variable;
  char *const *environment;
  struct options *options;
  struct config_problems *problems;
  struct source sources[FIELDS_MAX];
};

__attribute__((format(printf, 4, 5))) static void problem(struct loader *loader, size_t line, const char *key,
                                                          const char *format, ...) {
  struct config_problems *problems = loader->problems;
  if (problems->count == CONFIG_PROBLEMS_MAX) return;
  char words[320];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(words, sizeof(words), format, arguments);
  va_end(arguments);
  char where[300];
  if (loader->is_variable || line == 0) {
    snprintf(where, sizeof(where), "%s", loader->path);
  } else {
    snprintf(where, sizeof(where), "%s:%zu", loader->path, line);
  }
  snprintf(problems->items[problems->count++].text, sizeof(problems->items[0].text), "%.200s: %.80s%s%s", where, key,
           key[0] ? ": " : "", words);
}

static const char *environment_get(char *const *environment, const char *name, size_t name_len) {
  for (; environment && *environment; environment++) {
    if (strncmp(*environment, name, name_len) == 0 && (*environment)[name_len] == '=')
      return *environment + name_len + 1;
  }
  return NULL;
}

// ${env:NAME} and ${env:NAME:-default}; false after a problem was noted. `out` is NUL-terminated.
static bool expand(struct loader *loader, size_t line, const char *key, const char *text, char out[VALUE_BYTES_MAX]) {
  size_t len = 0;
  while (*text) {
    const char *add = text;
    size_t add_len = 1;
    if (strncmp(text, "${env:", 6) == 0) {
      const char *name = text + 6;
      const char *end = strchr(name, '}');
      if (!end) {
        problem(loader, line, key, "${env: without a closing brace");
        return false;
      }
      const char *dash = strstr(name, ":-");
      const char *name_end = dash && dash < end ? dash : end;
      add = environment_get(loader->environment, name, (size_t)(name_end - name));
      if (add) {
        add_len = strlen(add);
      } else if (name_end != end) {
        add = dash + 2;
        add_len = (size_t)(end - add);
      } else {
        problem(loader, line, key, "the variable %.*s is not set, and ${env:%.*s:-default} gives no default",
                (int)(name_end - name), name, (int)(name_end - name), name);
        return false;
      }
      text = end;
    }
    if (len + add_len >= VALUE_BYTES_MAX) {
      problem(loader, line, key, "longer than %d bytes", VALUE_BYTES_MAX);
      return false;
    }
    memcpy(out + len, add, add_len);
    len += add_len;
    text++;
  }
  out[len] = 0;
  return true;
}

// --- one value ------------------------------------------------------------------------------------------------------

static size_t line_of(const yaml_node_t *node) {
  return node->start_mark.line + 1;
}

static bool scalar_text(struct loader *loader, const yaml_node_t *node, const char *key, char out[VALUE_BYTES_MAX]) {
  if (node->type != YAML_SCALAR_NODE) {
    problem(loader, line_of(node), key, "must be a single value");
    return false;
  }
  if (memchr(node->data.scalar.value, 0, node->data.scalar.length)) {
    problem(loader, line_of(node), key, "holds a NUL character");
    return false;
  }
  return expand(loader, line_of(node), key, (const char *)node->data.scalar.value, out);
}

static void note_source(struct loader *loader, const struct config_field *field, size_t line, const char *text) {
  struct source *source = &loader->sources[field - config_fields];
  snprintf(source->text, sizeof(source->text), "%s", text);
  if (!loader->path) {
    snprintf(source->where, sizeof(source->where), "default");
  } else if (loader->is_variable) {
    snprintf(source->where, sizeof(source->where), "environment %.80s", loader->path);
  } else {
    snprintf(source->where, sizeof(source->where), "%.250s:%zu", loader->path, line);
  }
}

static void load_list(struct loader *loader, yaml_document_t *document, const yaml_node_t *node,
                      const struct config_field *field) {
  char text[VALUE_BYTES_MAX];
  if (node->type != YAML_SEQUENCE_NODE) {
    problem(loader, line_of(node), field->name, "must be a list, like [a, b]");
    return;
  }
  config_field_clear(field, loader->options);
  for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
    const yaml_node_t *element = yaml_document_get_node(document, *item);
    struct error error;
    if (!scalar_text(loader, element, field->name, text)) return;
    if (config_field_append(field, text, loader->options, &error)) {
      problem(loader, line_of(element), field->name, "%s", error.text);
      return;
    }
  }
  note_source(loader, field, line_of(node), "");
}

// --- policies -------------------------------------------------------------------------------------------------------

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

static bool load_attribute_policy(struct loader *loader, yaml_document_t *document, const yaml_node_t *node,
                                  struct sampling_policy *policy) {
  char name[VALUE_BYTES_MAX], text[VALUE_BYTES_MAX];
  if (node->type != YAML_MAPPING_NODE) {
    problem(loader, line_of(node), "sampling.policies",
            "attribute: must be like {key: k, value: v} or {key: k, regex: r}");
    return false;
  }
  for (yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++) {
    const yaml_node_t *key = yaml_document_get_node(document, pair->key);
    const yaml_node_t *value = yaml_document_get_node(document, pair->value);
    if (!scalar_text(loader, key, "sampling.policies", name)) return false;
    if (!scalar_text(loader, value, "sampling.policies", text)) return false;
    const char **to = strcmp(name, "key") == 0     ? &policy->key
                      : strcmp(name, "value") == 0 ? &policy->value
                      : strcmp(name, "regex") == 0 ? &policy->regex
                                                   : NULL;
    if (!to || *to) {
      problem(loader, line_of(key), "sampling.policies", "attribute: %s '%.40s'; allowed: key, value, regex",
              to ? "doubled" : "unknown key", name);
      return false;
    }
    *to = copy(text);
  }
  return true;
}

static bool load_policy_pair(struct loader *loader, yaml_document_t *document, const yaml_node_pair_t *pair,
                             struct sampling_policy *policy) {
  char name[VALUE_BYTES_MAX], text[VALUE_BYTES_MAX];
  const yaml_node_t *key = yaml_document_get_node(document, pair->key);
  const yaml_node_t *value = yaml_document_get_node(document, pair->value);
  if (!scalar_text(loader, key, "sampling.policies", name)) return false;
  if (strcmp(name, "attribute") == 0) {
    policy->kind = SAMPLING_ATTRIBUTE;
    return load_attribute_policy(loader, document, value, policy);
  }
  if (!scalar_text(loader, value, "sampling.policies", text)) return false;
  if (strcmp(name, "latency") == 0) {
    policy->kind = SAMPLING_LATENCY;
    if (config_field_parse_time(text, &policy->latency_ns)) return true;
    problem(loader, line_of(value), "sampling.policies",
            "latency: must be a time like 2s (ms, s, m, h, d), not '%.60s'", text);
  } else if (strcmp(name, "probability") == 0) {
    policy->kind = SAMPLING_PROBABILITY;
    if (parse_number(text, &policy->probability)) return true;
    problem(loader, line_of(value), "sampling.policies", "probability: must be a number from 0 to 1, not '%.60s'",
            text);
  } else if (strcmp(name, "rate_limit") == 0) {
    policy->kind = SAMPLING_RATE_LIMIT;
    if (parse_number(text, &policy->traces_per_second)) return true;
    problem(loader, line_of(value), "sampling.policies",
            "rate_limit: must be a number of traces per second, not '%.60s'", text);
  } else {
    problem(loader, line_of(key), "sampling.policies", "unknown policy '%.40s'; " POLICY_WORDS, name);
  }
  return false;
}

static bool load_policy(struct loader *loader, yaml_document_t *document, const yaml_node_t *node,
                        struct sampling_policy *policy) {
  char text[VALUE_BYTES_MAX];
  if (node->type == YAML_MAPPING_NODE && node->data.mapping.pairs.top - node->data.mapping.pairs.start == 1) {
    return load_policy_pair(loader, document, node->data.mapping.pairs.start, policy);
  }
  if (node->type == YAML_SCALAR_NODE) {
    if (!scalar_text(loader, node, "sampling.policies", text)) return false;
    policy->kind = SAMPLING_ERRORS;
    if (strcmp(text, "errors") == 0) return true;
    problem(loader, line_of(node), "sampling.policies", "unknown policy '%.40s'; " POLICY_WORDS, text);
    return false;
  }
  problem(loader, line_of(node), "sampling.policies", "one policy an item; " POLICY_WORDS);
  return false;
}

// Whether it is one that sampling takes: in range, a regex that compiles.
static void check_policy(struct loader *loader, const yaml_node_t *node, const struct sampling_policy *policy) {
  struct metrics *metrics = metrics_create();
  struct sampling *sampling = NULL;
  struct error error;
  if (sampling_create(policy, 1, metrics, &sampling, &error)) {
    const char *words = strstr(error.text, "]."); // its index is not known there, its line is here
    problem(loader, line_of(node), "sampling.policies", "%s", words ? words + 2 : error.text);
  }
  sampling_release(sampling);
  metrics_destroy(metrics);
}

static void load_policies(struct loader *loader, yaml_document_t *document, const yaml_node_t *node,
                          const struct config_field *field) {
  if (node->type != YAML_SEQUENCE_NODE) {
    problem(loader, line_of(node), field->name, "must be a list, like [errors, {probability: 0.1}]");
    return;
  }
  struct options *options = loader->options;
  config_field_clear(field, options);
  for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
    const yaml_node_t *element = yaml_document_get_node(document, *item);
    if (options->sampling_policy_count == SAMPLING_POLICIES_MAX - 1) {
      problem(loader, line_of(element), field->name, "at most %d policies", SAMPLING_POLICIES_MAX - 1);
      return;
    }
    // Counted first, so that a half-read policy is freed with the rest.
    struct sampling_policy *policy = &options->sampling_policies[options->sampling_policy_count++];
    *policy = (struct sampling_policy){0};
    if (load_policy(loader, document, element, policy)) check_policy(loader, element, policy);
  }
  note_source(loader, field, line_of(node), "");
}

// --- the tree -------------------------------------------------------------------------------------------------------

static void load_field(struct loader *loader, yaml_document_t *document, const yaml_node_t *node,
                       const struct config_field *field) {
  char text[VALUE_BYTES_MAX];
  if (field->type == CONFIG_LIST) {
    load_list(loader, document, node, field);
  } else if (field->type == CONFIG_POLICIES) {
    load_policies(loader, document, node, field);
  } else if (scalar_text(loader, node, field->name, text)) {
    struct error error;
    if (config_field_set(field, text, loader->options, &error)) {
      problem(loader, line_of(node), field->name, "%s, not '%.60s'", error.text, text);
    } else {
      note_source(loader, field, line_of(node), text);
    }
  }
}

// Is `path` the beginning of a key, up to a dot?
static bool is_section(const char *path) {
  size_t len = strlen(path);
  for (size_t i = 0; i < config_field_count; i++) {
    if (strncmp(config_fields[i].name, path, len) == 0 && config_fields[i].name[len] == '.') return true;
  }
  return false;
}

// The names allowed directly below `section` ("" for the top).
static void allowed_below(const char *section, char *out, size_t out_bytes) {
  size_t prefix = strlen(section), used = 0;
  out[0] = 0;
  char last[64] = "";
  for (size_t i = 0; i < config_field_count; i++) {
    const char *name = config_fields[i].name;
    if (prefix && (strncmp(name, section, prefix) != 0 || name[prefix] != '.')) continue;
    name += prefix ? prefix + 1 : 0;
    char word[64];
    snprintf(word, sizeof(word), "%.*s", (int)strcspn(name, "."), name);
    if (strcmp(word, last) == 0) continue;
    snprintf(last, sizeof(last), "%s", word);
    int added = snprintf(out + used, out_bytes - used, "%s%s", used ? ", " : "", word);
    if (added < 0 || (size_t)added >= out_bytes - used) return;
    used += (size_t)added;
  }
}

struct level {
  const yaml_node_t *mapping;
  yaml_node_pair_t *pair;
  char path[PATH_BYTES];
};

// Is the key of `pair` one that stands above it in the same mapping? The last would win, silently.
static bool is_given_twice(yaml_document_t *document, const yaml_node_t *mapping, const yaml_node_pair_t *pair) {
  const yaml_node_t *key = yaml_document_get_node(document, pair->key);
  for (const yaml_node_pair_t *above = mapping->data.mapping.pairs.start; above < pair; above++) {
    const yaml_node_t *other = yaml_document_get_node(document, above->key);
    if (other->type == YAML_SCALAR_NODE && other->data.scalar.length == key->data.scalar.length &&
        memcmp(other->data.scalar.value, key->data.scalar.value, key->data.scalar.length) == 0)
      return true;
  }
  return false;
}

static void load_pair(struct loader *loader, yaml_document_t *document, struct level *levels, uint32_t *depth) {
  struct level *level = &levels[*depth - 1];
  const yaml_node_t *key = yaml_document_get_node(document, level->pair->key);
  const yaml_node_t *value = yaml_document_get_node(document, level->pair->value);
  const yaml_node_pair_t *pair = level->pair++;
  char name[VALUE_BYTES_MAX], path[PATH_BYTES * 2], allowed[256];
  if (!scalar_text(loader, key, level->path, name)) return;
  snprintf(path, sizeof(path), "%s%s%.100s", level->path, level->path[0] ? "." : "", name);
  const struct config_field *field = config_field_find(path);
  if ((field || is_section(path)) && is_given_twice(document, level->mapping, pair)) {
    problem(loader, line_of(key), path, "is there twice");
    return;
  }
  if (field) {
    load_field(loader, document, value, field);
    return;
  }
  allowed_below(level->path, allowed, sizeof(allowed));
  if (!is_section(path)) {
    problem(loader, line_of(key), path, "unknown key; allowed here: %s", allowed);
    return;
  }
  bool is_empty = value->type == YAML_SCALAR_NODE && value->data.scalar.length == 0;
  if (is_empty) return;
  if (value->type != YAML_MAPPING_NODE || *depth == DEPTH_MAX) {
    allowed_below(path, allowed, sizeof(allowed));
    problem(loader, line_of(value), path, "must be a section with: %s", allowed);
    return;
  }
  struct level *below = &levels[(*depth)++];
  below->mapping = value;
  below->pair = value->data.mapping.pairs.start;
  snprintf(below->path, sizeof(below->path), "%.*s", PATH_BYTES - 1, path);
}

static void load_tree(struct loader *loader, yaml_document_t *document) {
  const yaml_node_t *root = yaml_document_get_root_node(document);
  if (!root || (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0)) return; // an empty file
  if (root->type != YAML_MAPPING_NODE) {
    problem(loader, line_of(root), "", "must be a mapping of keys to values");
    return;
  }
  struct level levels[DEPTH_MAX];
  uint32_t depth = 1;
  levels[0] = (struct level){.mapping = root, .pair = root->data.mapping.pairs.start, .path = ""};
  while (depth > 0) {
    struct level *level = &levels[depth - 1];
    if (level->pair == level->mapping->data.mapping.pairs.top) {
      depth--;
    } else {
      load_pair(loader, document, levels, &depth);
    }
  }
}

static void refuse_second_document(struct loader *loader, yaml_parser_t *parser, const struct config_field *field) {
  yaml_document_t document;
  const char *key = field ? field->name : "";
  if (!yaml_parser_load(parser, &document)) {
    problem(loader, parser->problem_mark.line + 1, key, "not YAML: %s",
            parser->problem ? parser->problem : "unreadable");
    return;
  }
  const yaml_node_t *root = yaml_document_get_root_node(&document);
  if (root) problem(loader, line_of(root), key, "a second document; there must be one");
  yaml_document_delete(&document);
}

// Parses `text` and hands the document on: the whole tree, or one field's node.
static void load_yaml(struct loader *loader, struct slice text, const struct config_field *field) {
  yaml_parser_t parser;
  yaml_document_t document;
  if (!yaml_parser_initialize(&parser)) abort();
  yaml_parser_set_input_string(&parser, text.ptr, text.len);
  if (!yaml_parser_load(&parser, &document)) {
    problem(loader, parser.problem_mark.line + 1, field ? field->name : "", "not YAML: %s",
            parser.problem ? parser.problem : "unreadable");
  } else {
    const yaml_node_t *root = yaml_document_get_root_node(&document);
    if (!field) {
      load_tree(loader, &document);
    } else if (root) {
      load_field(loader, &document, root, field);
    }
    yaml_document_delete(&document);
    refuse_second_document(loader, &parser, field);
  }
  yaml_parser_delete(&parser);
}

// --- sources, in order ----------------------------------------------------------------------------------------------

static void load_defaults(struct loader *loader) {
  for (size_t i = 0; i < config_field_count; i++) {
    const struct config_field *field = &config_fields[i];
    if (field->type == CONFIG_LIST || field->type == CONFIG_POLICIES) {
      load_yaml(loader, slice_from_cstr(field->initial), field);
      continue;
    }
    enum status status = config_field_set(field, field->initial, loader->options, NULL);
    ASSERT(status == STATUS_OK);
    note_source(loader, field, 0, field->initial);
  }
}

static void load_file(struct loader *loader) {
  FILE *file = fopen(loader->path, "re");
  if (!file) {
    problem(loader, 0, "", "cannot be read: %s", strerror(errno));
    return;
  }
  uint8_t *text = malloc(FILE_BYTES_MAX + 1);
  ASSERT(text);
  size_t len = fread(text, 1, FILE_BYTES_MAX + 1, file);
  if (ferror(file)) {
    problem(loader, 0, "", "cannot be read: %s", strerror(errno));
  } else if (len > FILE_BYTES_MAX) {
    problem(loader, 0, "", "larger than %u bytes", FILE_BYTES_MAX);
  } else {
    load_yaml(loader, slice_make(text, len), NULL);
  }
  free(text);
  fclose(file);
}

static void load_variable(struct loader *loader, const char *variable, const char *value) {
  char name[96];
  for (size_t i = 0; i < config_field_count; i++) {
    const struct config_field *field = &config_fields[i];
    config_field_variable(field, name, sizeof(name));
    if (strcmp(name, variable) != 0) continue;
    if (field->type == CONFIG_LIST || field->type == CONFIG_POLICIES) {
      load_yaml(loader, slice_from_cstr(value), field);
      return;
    }
    struct error error;
    if (config_field_set(field, value, loader->options, &error)) {
      problem(loader, 0, field->name, "%s, not '%.60s'", error.text, value);
    } else {
      note_source(loader, field, 0, value);
    }
    return;
  }
  if (config_field_is_service_link(variable, value)) return;
  problem(loader, 0, "", "no key has this variable; see 'culprit config --help'");
}

static void load_environment(struct loader *loader) {
  loader->is_variable = true;
  for (char *const *variable = loader->environment; variable && *variable; variable++) {
    if (strncmp(*variable, "CULPRIT_", 8) != 0) continue;
    const char *equals = strchr(*variable, '=');
    if (!equals) continue;
    char name[96];
    snprintf(name, sizeof(name), "%.*s", (int)(equals - *variable), *variable);
    loader->path = name;
    load_variable(loader, name, equals + 1);
  }
}

// A finding of config_check: where the value of `key` was given, if it was.
static void note_finding(void *context, const char *key, const char *words) {
  struct loader *loader = context;
  const struct config_field *field = config_field_find(key);
  const char *where = field ? loader->sources[field - config_fields].where : "";
  loader->is_variable = true; // its path is all there is to say of the place
  loader->path = where[0] && strcmp(where, "default") != 0 ? where : "configuration";
  problem(loader, 0, key, "%s", words);
}

static void fill_request_ids(struct loader *loader) {
  const struct config_field *field = config_field_find("correlation.request_id_attributes");
  if (loader->options->correlation_attributes.count > 0) return;
  for (const char *const *key = correlation_default_attributes; *key; key++) {
    config_field_append(field, *key, loader->options, NULL);
  }
}

static enum status load(struct loader *loader, const char *path, char *const *environment, struct options *options,
                        struct config_problems *problems) {
  _Static_assert(FIELDS_MAX >= 64, "a source for every field");
  ASSERT(config_field_count <= FIELDS_MAX);
  *loader = (struct loader){.environment = environment, .options = options, .problems = problems};
  *options = (struct options){0};
  problems->count = 0;
  load_defaults(loader);
  ASSERT(problems->count == 0);
  if (path) {
    loader->path = path;
    load_file(loader);
  }
  load_environment(loader);
  if (problems->count == 0) config_check_whole(options, note_finding, loader);
  fill_request_ids(loader);
  if (problems->count == 0) return STATUS_OK;
  options_finish(options);
  return STATUS_INVALID;
}

enum status config_check(const char *path, char *const *environment, struct config_problems *out_problems) {
  struct loader *loader = malloc(sizeof(*loader));
  ASSERT(loader);
  struct options options;
  enum status status = load(loader, path, environment, &options, out_problems);
  if (!status) {
    config_check_files(&options, note_finding, loader);
    if (out_problems->count > 0) status = STATUS_INVALID;
    options_finish(&options);
  }
  free(loader);
  return status;
}

enum status config_load(const char *path, char *const *environment, struct options *out_options,
                        struct config_problems *out_problems) {
  struct loader *loader = malloc(sizeof(*loader));
  ASSERT(loader);
  enum status status = load(loader, path, environment, out_options, out_problems);
  free(loader);
  return status;
}

// --- printing -------------------------------------------------------------------------------------------------------

static void print_policies(const struct options *options, struct buffer *out) {
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

// Opens the sections of `name` that differ from those of the line before, and writes the last part and a colon.
static void print_key(struct buffer *out, const char *name, const char *previous) {
  size_t shared = 0;
  for (size_t i = 0; name[i] && name[i] == previous[i]; i++) {
    if (name[i] == '.') shared = i + 1;
  }
  uint32_t depth = 0;
  for (size_t i = 0; i < shared; i++) depth += name[i] == '.';
  for (const char *at = name + shared;;) {
    size_t len = strcspn(at, ".");
    buffer_printf(out, "%*s%.*s:", (int)depth * 2, "", (int)len, at);
    if (!at[len]) return;
    buffer_append_cstr(out, "\n");
    at += len + 1;
    depth++;
  }
}

static void print_value(const struct loader *loader, const struct config_field *field, struct buffer *out) {
  const struct source *source = &loader->sources[field - config_fields];
  const struct options_list *list = (const struct options_list *)((const char *)loader->options + field->offset);
  if (field->type == CONFIG_POLICIES) {
    print_policies(loader->options, out);
  } else if (field->type == CONFIG_LIST) {
    buffer_append_cstr(out, "[");
    for (uint32_t i = 0; i < list->count; i++) {
      buffer_printf(out, "%s\"%s\"", i ? ", " : "", field->secret ? "***" : list->items[i]);
    }
    buffer_append_cstr(out, "]");
  } else if (source->text[0]) {
    buffer_append_cstr(out, field->secret ? "***" : source->text);
  } else {
    buffer_append_cstr(out, "\"\"");
  }
}

enum status config_print(const char *path, char *const *environment, struct buffer *out,
                         struct config_problems *out_problems) {
  struct options options;
  struct loader *loader = malloc(sizeof(*loader));
  ASSERT(loader);
  enum status status = load(loader, path, environment, &options, out_problems);
  const char *previous = "";
  for (size_t i = 0; !status && i < config_field_count; i++) {
    const struct config_field *field = &config_fields[i];
    print_key(out, field->name, previous);
    buffer_append_cstr(out, " ");
    print_value(loader, field, out);
    buffer_printf(out, "  # %s\n", loader->sources[i].where);
    previous = field->name;
  }
  if (!status) options_finish(&options);
  free(loader);
  return status;
}

void config_describe(struct buffer *out) {
  char variable[96];
  for (size_t i = 0; i < config_field_count; i++) {
    const struct config_field *field = &config_fields[i];
    config_field_variable(field, variable, sizeof(variable));
    buffer_printf(out, "%s\n    default: %s   environment: %s\n", field->name,
                  field->initial[0] ? field->initial : "none", variable);
    if (field->allowed) buffer_printf(out, "    one of: %s\n", field->allowed);
    if (field->help[0]) buffer_printf(out, "    %s\n", field->help);
  }
}
