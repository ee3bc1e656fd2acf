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
#include "collector/config_loader.h"
#include "collector/config_policy.h"
#include "processor/correlation.h"

#define FILE_BYTES_MAX (1u << 20)
#define DEPTH_MAX      8
#define PATH_BYTES     128

void config_loader_problem(struct config_loader *loader, size_t line, const char *key, const char *format, ...) {
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
static bool expand(struct config_loader *loader, size_t line, const char *key, const char *text,
                   char out[CONFIG_VALUE_BYTES_MAX]) {
  size_t len = 0;
  while (*text) {
    const char *add = text;
    size_t add_len = 1;
    if (strncmp(text, "${env:", 6) == 0) {
      const char *name = text + 6;
      const char *end = strchr(name, '}');
      if (!end) {
        config_loader_problem(loader, line, key, "${env: without a closing brace");
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
        config_loader_problem(loader, line, key,
                              "the variable %.*s is not set, and ${env:%.*s:-default} gives no default",
                              (int)(name_end - name), name, (int)(name_end - name), name);
        return false;
      }
      text = end;
    }
    if (len + add_len >= CONFIG_VALUE_BYTES_MAX) {
      config_loader_problem(loader, line, key, "longer than %d bytes", CONFIG_VALUE_BYTES_MAX);
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

size_t config_loader_line(const yaml_node_t *node) {
  return node->start_mark.line + 1;
}

bool config_loader_text(struct config_loader *loader, const yaml_node_t *node, const char *key,
                        char out[CONFIG_VALUE_BYTES_MAX]) {
  if (node->type != YAML_SCALAR_NODE) {
    config_loader_problem(loader, config_loader_line(node), key, "must be a single value");
    return false;
  }
  if (memchr(node->data.scalar.value, 0, node->data.scalar.length)) {
    config_loader_problem(loader, config_loader_line(node), key, "holds a NUL character");
    return false;
  }
  return expand(loader, config_loader_line(node), key, (const char *)node->data.scalar.value, out);
}

void config_loader_note(struct config_loader *loader, const struct config_field *field, size_t line, const char *text) {
  struct config_source *source = &loader->sources[field - config_fields];
  snprintf(source->text, sizeof(source->text), "%s", text);
  if (!loader->path) {
    snprintf(source->where, sizeof(source->where), "default");
  } else if (loader->is_variable) {
    snprintf(source->where, sizeof(source->where), "environment %.80s", loader->path);
  } else {
    snprintf(source->where, sizeof(source->where), "%.250s:%zu", loader->path, line);
  }
}

static void load_list(struct config_loader *loader, yaml_document_t *document, const yaml_node_t *node,
                      const struct config_field *field) {
  char text[CONFIG_VALUE_BYTES_MAX];
  if (node->type != YAML_SEQUENCE_NODE) {
    config_loader_problem(loader, config_loader_line(node), field->name, "must be a list, like [a, b]");
    return;
  }
  config_field_clear(field, loader->options);
  for (yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top; item++) {
    const yaml_node_t *element = yaml_document_get_node(document, *item);
    struct error error;
    if (!config_loader_text(loader, element, field->name, text)) return;
    if (config_field_append(field, text, loader->options, &error)) {
      config_loader_problem(loader, config_loader_line(element), field->name, "%s", error.text);
      return;
    }
  }
  config_loader_note(loader, field, config_loader_line(node), "");
}

// --- the tree -------------------------------------------------------------------------------------------------------

static void load_field(struct config_loader *loader, yaml_document_t *document, const yaml_node_t *node,
                       const struct config_field *field) {
  char text[CONFIG_VALUE_BYTES_MAX];
  if (field->type == CONFIG_LIST) {
    load_list(loader, document, node, field);
  } else if (field->type == CONFIG_POLICIES) {
    config_policy_load(loader, document, node, field);
  } else if (config_loader_text(loader, node, field->name, text)) {
    struct error error;
    if (config_field_set(field, text, loader->options, &error)) {
      config_loader_problem(loader, config_loader_line(node), field->name, "%s, not '%.60s'", error.text, text);
    } else {
      config_loader_note(loader, field, config_loader_line(node), text);
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

static void load_pair(struct config_loader *loader, yaml_document_t *document, struct level *levels, uint32_t *depth) {
  struct level *level = &levels[*depth - 1];
  const yaml_node_t *key = yaml_document_get_node(document, level->pair->key);
  const yaml_node_t *value = yaml_document_get_node(document, level->pair->value);
  const yaml_node_pair_t *pair = level->pair++;
  char name[CONFIG_VALUE_BYTES_MAX], path[PATH_BYTES * 2], allowed[256];
  if (!config_loader_text(loader, key, level->path, name)) return;
  snprintf(path, sizeof(path), "%s%s%.100s", level->path, level->path[0] ? "." : "", name);
  const struct config_field *field = config_field_find(path);
  if ((field || is_section(path)) && is_given_twice(document, level->mapping, pair)) {
    config_loader_problem(loader, config_loader_line(key), path, "is there twice");
    return;
  }
  if (field) {
    load_field(loader, document, value, field);
    return;
  }
  allowed_below(level->path, allowed, sizeof(allowed));
  if (!is_section(path)) {
    config_loader_problem(loader, config_loader_line(key), path, "unknown key; allowed here: %s", allowed);
    return;
  }
  bool is_empty = value->type == YAML_SCALAR_NODE && value->data.scalar.length == 0;
  if (is_empty) return;
  if (value->type != YAML_MAPPING_NODE || *depth == DEPTH_MAX) {
    allowed_below(path, allowed, sizeof(allowed));
    config_loader_problem(loader, config_loader_line(value), path, "must be a section with: %s", allowed);
    return;
  }
  struct level *below = &levels[(*depth)++];
  below->mapping = value;
  below->pair = value->data.mapping.pairs.start;
  snprintf(below->path, sizeof(below->path), "%.*s", PATH_BYTES - 1, path);
}

static void load_tree(struct config_loader *loader, yaml_document_t *document) {
  const yaml_node_t *root = yaml_document_get_root_node(document);
  if (!root || (root->type == YAML_SCALAR_NODE && root->data.scalar.length == 0)) return; // an empty file
  if (root->type != YAML_MAPPING_NODE) {
    config_loader_problem(loader, config_loader_line(root), "", "must be a mapping of keys to values");
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

static void refuse_second_document(struct config_loader *loader, yaml_parser_t *parser,
                                   const struct config_field *field) {
  yaml_document_t document;
  const char *key = field ? field->name : "";
  if (!yaml_parser_load(parser, &document)) {
    config_loader_problem(loader, parser->problem_mark.line + 1, key, "not YAML: %s",
                          parser->problem ? parser->problem : "unreadable");
    return;
  }
  const yaml_node_t *root = yaml_document_get_root_node(&document);
  if (root) config_loader_problem(loader, config_loader_line(root), key, "a second document; there must be one");
  yaml_document_delete(&document);
}

// Parses `text` and hands the document on: the whole tree, or one field's node.
static void load_yaml(struct config_loader *loader, struct slice text, const struct config_field *field) {
  yaml_parser_t parser;
  yaml_document_t document;
  if (!yaml_parser_initialize(&parser)) abort();
  yaml_parser_set_input_string(&parser, text.ptr, text.len);
  if (!yaml_parser_load(&parser, &document)) {
    config_loader_problem(loader, parser.problem_mark.line + 1, field ? field->name : "", "not YAML: %s",
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

static void load_defaults(struct config_loader *loader) {
  for (size_t i = 0; i < config_field_count; i++) {
    const struct config_field *field = &config_fields[i];
    if (field->type == CONFIG_LIST || field->type == CONFIG_POLICIES) {
      load_yaml(loader, slice_from_cstr(field->initial), field);
      continue;
    }
    enum status status = config_field_set(field, field->initial, loader->options, NULL);
    ASSERT(status == STATUS_OK);
    config_loader_note(loader, field, 0, field->initial);
  }
}

static void load_file(struct config_loader *loader) {
  FILE *file = fopen(loader->path, "re");
  if (!file) {
    config_loader_problem(loader, 0, "", "cannot be read: %s", strerror(errno));
    return;
  }
  uint8_t *text = malloc(FILE_BYTES_MAX + 1);
  ASSERT(text);
  size_t len = fread(text, 1, FILE_BYTES_MAX + 1, file);
  if (ferror(file)) {
    config_loader_problem(loader, 0, "", "cannot be read: %s", strerror(errno));
  } else if (len > FILE_BYTES_MAX) {
    config_loader_problem(loader, 0, "", "larger than %u bytes", FILE_BYTES_MAX);
  } else {
    load_yaml(loader, slice_make(text, len), NULL);
  }
  free(text);
  fclose(file);
}

static void load_variable(struct config_loader *loader, const char *variable, const char *value) {
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
      config_loader_problem(loader, 0, field->name, "%s, not '%.60s'", error.text, value);
    } else {
      config_loader_note(loader, field, 0, value);
    }
    return;
  }
  if (config_field_is_service_link(variable, value)) return;
  config_loader_problem(loader, 0, "", "no key has this variable; see 'culprit config --help'");
}

static void load_environment(struct config_loader *loader) {
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
  struct config_loader *loader = context;
  const struct config_field *field = config_field_find(key);
  const char *where = field ? loader->sources[field - config_fields].where : "";
  loader->is_variable = true; // its path is all there is to say of the place
  loader->path = where[0] && strcmp(where, "default") != 0 ? where : "configuration";
  config_loader_problem(loader, 0, key, "%s", words);
}

static void fill_request_ids(struct config_loader *loader) {
  const struct config_field *field = config_field_find("correlation.request_id_attributes");
  if (loader->options->correlation_attributes.count > 0) return;
  for (const char *const *key = correlation_default_attributes; *key; key++) {
    config_field_append(field, *key, loader->options, NULL);
  }
}

static enum status load(struct config_loader *loader, const char *path, char *const *environment,
                        struct options *options, struct config_problems *problems) {
  _Static_assert(CONFIG_FIELDS_MAX >= 64, "a source for every field");
  ASSERT(config_field_count <= CONFIG_FIELDS_MAX);
  *loader = (struct config_loader){.environment = environment, .options = options, .problems = problems};
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
  struct config_loader *loader = malloc(sizeof(*loader));
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
  struct config_loader *loader = malloc(sizeof(*loader));
  ASSERT(loader);
  enum status status = load(loader, path, environment, out_options, out_problems);
  free(loader);
  return status;
}

// --- printing -------------------------------------------------------------------------------------------------------

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

static void print_value(const struct config_loader *loader, const struct config_field *field, struct buffer *out) {
  const struct config_source *source = &loader->sources[field - config_fields];
  const struct options_list *list = (const struct options_list *)((const char *)loader->options + field->offset);
  if (field->type == CONFIG_POLICIES) {
    config_policy_print(loader->options, out);
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
  struct config_loader *loader = malloc(sizeof(*loader));
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
