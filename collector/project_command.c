// SPDX-License-Identifier: Apache-2.0
//
// How it works: the configuration says where the data are; the database is opened as a second process (SQLite's
// write-ahead log allows it, transactions are short). The address in a DSN is the one in listening.json while culprit
// runs, which has the port that was chosen, else the configured one.
#include "collector/project_command.h"

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json.h"
#include "collector/config.h"
#include "collector/project_directory.h"
#include "collector/rules_file.h"
#include "store/project_settings.h"

enum { CODE_OK = 0, CODE_FAILED = 1, CODE_USAGE = 2, PROJECTS_MAX = 10000, PATH_BYTES = 4096, ADDRESS_BYTES = 300 };
#define ARENA_BYTES_MAX ((size_t)8 << 20) // of the rules in force, the program's own included

static const char usage[] =
    "usage: culprit project create|key [-c FILE] NAME\n"
    "       culprit project revoke [-c FILE] NAME KEY\n"
    "       culprit project list [-c FILE]\n"
    "       culprit project rules [-c FILE] NAME [--stack FILE] [--fingerprint FILE]\n\n"
    "Projects that Sentry SDKs send to, their DSNs and their grouping rules. A running culprit follows within a "
    "second.\n\n"
    "  create NAME         a new project with a key; prints its DSN\n"
    "  list                every project: number, name, DSN\n"
    "  key NAME            another key for a project; prints the DSN that has it\n"
    "  revoke NAME KEY     a key is refused from now on\n"
    "  rules NAME          prints a project's own rules, or sets those that are given\n"
    "  --stack FILE        its stack-trace rules; '-' for standard input, an empty file for none\n"
    "  --fingerprint FILE  its fingerprint rules\n"
    "  -c, --config FILE   YAML configuration, as for 'serve': it says where the data are\n"
    "  --help              this text\n";

struct context {
  struct options options;
  struct database *database;
  char address[ADDRESS_BYTES];
  const char *name, *key, *stack_path, *fingerprint_path;
};

static void read_address(struct context *context) {
  snprintf(context->address, sizeof(context->address), "%s", context->options.listen_http);
  char path[PATH_BYTES], text[4096];
  snprintf(path, sizeof(path), "%s/listening.json", context->options.data_dir);
  FILE *file = fopen(path, "re");
  if (!file) return;
  size_t len = fread(text, 1, sizeof(text), file);
  fclose(file);
  struct json_parser *parser = json_parser_create(sizeof(text));
  struct json_value root;
  if (parser && json_parse(parser, slice_make(text, len), &root, NULL) == STATUS_OK) {
    struct slice http = json_string(json_get(root, "http"));
    if (http.len > 0) snprintf(context->address, sizeof(context->address), "%.*s", SLICE_PRINTF(http));
  }
  json_parser_destroy(parser);
}

static void print_dsn(const struct context *context, const struct project *project, const char *key) {
  char url[PROJECT_DIRECTORY_URL_BYTES_MAX], dsn[PROJECT_DIRECTORY_DSN_BYTES_MAX];
  project_directory_format_url(&context->options, context->address, url);
  project_directory_format_dsn(url, project->id, key, dsn);
  puts(dsn);
}

static enum status list(struct context *context, struct error *error) {
  struct project *projects = calloc(PROJECTS_MAX, sizeof(*projects));
  ASSERT(projects);
  uint32_t count = 0;
  enum status status = project_store_list(context->database, projects, PROJECTS_MAX, &count, error);
  for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
    printf("%-4" PRIu32 "  %-20s  ", projects[i].id, projects[i].slug);
    if (projects[i].key[0]) {
      print_dsn(context, &projects[i], projects[i].key);
    } else {
      puts("-");
    }
  }
  free(projects);
  return status;
}

static enum status create(struct context *context, struct error *error) {
  struct project project;
  enum status status =
      project_store_create(context->database, clock_system(), slice_from_cstr(context->name), &project, error);
  if (status == STATUS_OK) print_dsn(context, &project, project.key);
  return status;
}

static enum status find(struct context *context, struct project *out_project, struct error *error) {
  struct connection *reader = database_read_begin(context->database, error);
  if (!reader) return STATUS_UNAVAILABLE;
  struct project_row row = {0};
  bool found = project_store_find(reader, slice_from_cstr(context->name), &row);
  enum status status = database_read_end(context->database, reader, error);
  if (status != STATUS_OK) return status;
  *out_project = (struct project){.id = row.id};
  return found ? STATUS_OK : error_set(error, STATUS_NOT_FOUND, "there is no project \"%s\"", context->name);
}

static enum status add_key(struct context *context, struct error *error) {
  struct project project;
  char key[PROJECT_STORE_KEY_BYTES + 1];
  enum status status = find(context, &project, error);
  if (status == STATUS_OK) status = project_store_add_key(context->database, clock_system(), project.id, key, error);
  if (status == STATUS_OK) print_dsn(context, &project, key);
  return status;
}

static enum status revoke_key(struct context *context, struct error *error) {
  struct project project;
  enum status status = find(context, &project, error);
  if (status != STATUS_OK) return status;
  return project_store_set_key_active(context->database, project.id, slice_from_cstr(context->key), false, error);
}

static enum status print_rules(struct context *context, uint32_t project, struct error *error) {
  struct arena arena;
  arena_init(&arena, ARENA_BYTES_MAX);
  struct project_settings settings = {0};
  struct connection *reader = database_read_begin(context->database, error);
  enum status status = STATUS_UNAVAILABLE;
  if (reader) {
    project_settings_read_rules(reader, project, &arena, &settings);
    status = database_read_end(context->database, reader, error);
  }
  if (status == STATUS_OK) {
    printf("# stack-trace rules\n%.*s\n", SLICE_PRINTF(settings.enhancements));
    printf("# fingerprint rules\n%.*s\n", SLICE_PRINTF(settings.fingerprint_rules));
  }
  arena_finish(&arena);
  return status;
}

// A file that was asked for, checked, as a member of the change.
static enum status add_rules(const char *path, enum grouping_check_kind kind, struct buffer *text, uint32_t *members,
                             struct error *error) {
  if (!path) return STATUS_OK;
  uint32_t rules = 0;
  enum status status = rules_file_check(path, kind, text, stderr, &rules);
  if (status != STATUS_OK) return error_set(error, status, "%s: these rules cannot be used; nothing was changed", path);
  *members |= 1u << (kind == GROUPING_CHECK_STACK ? PROJECT_SET_ENHANCEMENTS : PROJECT_SET_FINGERPRINT_RULES);
  printf("%s: %" PRIu32 " rules\n", path, rules);
  return STATUS_OK;
}

static enum status rules(struct context *context, struct error *error) {
  struct project project;
  enum status status = find(context, &project, error);
  if (status != STATUS_OK) return status;
  if (!context->stack_path && !context->fingerprint_path) return print_rules(context, project.id, error);
  struct buffer texts[2];
  uint32_t members = 0;
  for (int i = 0; i < 2; i++) buffer_init(&texts[i], PROJECT_SETTINGS_RULES_BYTES_MAX);
  status = add_rules(context->stack_path, GROUPING_CHECK_STACK, &texts[0], &members, error);
  if (status == STATUS_OK)
    status = add_rules(context->fingerprint_path, GROUPING_CHECK_FINGERPRINT, &texts[1], &members, error);
  if (status == STATUS_OK) {
    const struct project_settings settings = {.enhancements = buffer_slice(&texts[0]),
                                              .fingerprint_rules = buffer_slice(&texts[1])};
    const struct project_settings_change change = {.project = project.id, .members = members, .settings = &settings};
    status = project_settings_change(context->database, clock_system(), &change, error);
  }
  for (int i = 0; i < 2; i++) buffer_finish(&texts[i]);
  return status;
}

static const struct action {
  const char *name;
  int arguments; // behind the name
  bool takes_rules;
  enum status (*run)(struct context *context, struct error *error);
} actions[] = {
    {"list", 0, false, list},         {"create", 1, false, create}, {"key", 1, false, add_key},
    {"revoke", 2, false, revoke_key}, {"rules", 1, true, rules},
};

// Only a project is made where nothing is yet, for the first start; a list of a new directory's would name a key that
// no running culprit knows.
static enum status open_data(struct context *context, bool creates, struct error *error) {
  char path[PATH_BYTES];
  if (creates && mkdir(context->options.data_dir, 0700) != 0 && errno != EEXIST) {
    return error_set(error, STATUS_IO, "%s: %s", context->options.data_dir, strerror(errno));
  }
  int len = snprintf(path, sizeof(path), "%s/culprit.db", context->options.data_dir);
  if (len < 0 || len >= PATH_BYTES) return error_set(error, STATUS_INVALID, "data_dir: the path is too long");
  if (!creates && access(path, F_OK) != 0) {
    return error_set(error, STATUS_NOT_FOUND,
                     "%s: %s; start this where culprit runs, or with its configuration (-c) or CULPRIT_DATA_DIR", path,
                     strerror(errno));
  }
  struct database_options options = {
      .path = path, .bytes_max = context->options.store_max_bytes, .clock = clock_system()};
  enum status status = database_open(&options, &context->database, error);
  struct project first;
  if (status == STATUS_OK) status = project_store_ensure_default(context->database, clock_system(), &first, error);
  read_address(context);
  return status;
}

static int run(const struct action *action, struct context *context, const char *config) {
  struct config_problems problems;
  if (config_load(config, environ, &context->options, &problems)) {
    for (uint32_t i = 0; i < problems.count; i++) fprintf(stderr, "%s\n", problems.items[i].text);
    return CODE_FAILED;
  }
  struct error error = {""};
  enum status status = open_data(context, action->run == create, &error);
  if (status == STATUS_OK) status = action->run(context, &error);
  if (status != STATUS_OK) fprintf(stderr, "culprit project %s: %s\n", action->name, error.text);
  if (context->database) database_close(context->database);
  options_finish(&context->options);
  return status == STATUS_OK ? CODE_OK : CODE_FAILED;
}

int project_command_main(int argc, char **argv) {
  static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                          {"stack", required_argument, NULL, 's'},
                                          {"fingerprint", required_argument, NULL, 'f'},
                                          {"help", no_argument, NULL, 'h'},
                                          {NULL, 0, NULL, 0}};
  struct context context = {0};
  const char *config = NULL;
  for (int letter; (letter = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
    if (letter == 'c') {
      config = optarg;
    } else if (letter == 's') {
      context.stack_path = optarg;
    } else if (letter == 'f') {
      context.fingerprint_path = optarg;
    } else {
      fputs(usage, letter == 'h' ? stdout : stderr);
      return letter == 'h' ? CODE_OK : CODE_USAGE;
    }
  }
  const char *name = optind < argc ? argv[optind] : "";
  size_t i = 0;
  while (i < sizeof(actions) / sizeof(actions[0]) && strcmp(actions[i].name, name) != 0) i++;
  bool known = i < sizeof(actions) / sizeof(actions[0]) && argc - optind - 1 == actions[i].arguments;
  if (!known || ((context.stack_path || context.fingerprint_path) && !actions[i].takes_rules)) {
    fputs(usage, stderr);
    return CODE_USAGE;
  }
  if (actions[i].arguments > 0) context.name = argv[optind + 1];
  if (actions[i].arguments > 1) context.key = argv[optind + 2];
  return run(&actions[i], &context, config);
}
