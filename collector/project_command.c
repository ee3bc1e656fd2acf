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
#include "store/project_store.h"

enum { CODE_OK = 0, CODE_FAILED = 1, CODE_USAGE = 2, PROJECTS_MAX = 10000, PATH_BYTES = 4096, ADDRESS_BYTES = 300 };

static const char usage[] = "usage: culprit project create|key [-c FILE] NAME\n"
                            "       culprit project list [-c FILE]\n\n"
                            "Projects that Sentry SDKs send to, and their DSNs.\n\n"
                            "  create NAME         a new project with a key; prints its DSN\n"
                            "  list                every project: number, name, DSN\n"
                            "  key NAME            another key for a project; prints the DSN that has it\n"
                            "  -c, --config FILE   YAML configuration, as for 'serve': it says where the data are\n"
                            "  --help              this text\n";

struct context {
  struct options options;
  struct database *database;
  char address[ADDRESS_BYTES];
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

static enum status create(struct context *context, const char *name, struct error *error) {
  struct project project;
  enum status status = project_store_create(context->database, clock_system(), slice_from_cstr(name), &project, error);
  if (status == STATUS_OK) print_dsn(context, &project, project.key);
  return status;
}

static enum status add_key(struct context *context, const char *name, struct error *error) {
  struct project *projects = calloc(PROJECTS_MAX, sizeof(*projects));
  ASSERT(projects);
  uint32_t count = 0, i = 0;
  enum status status = project_store_list(context->database, projects, PROJECTS_MAX, &count, error);
  while (i < count && strcmp(projects[i].slug, name) != 0) i++;
  if (status == STATUS_OK && i == count)
    status = error_set(error, STATUS_NOT_FOUND, "there is no project \"%s\"", name);
  char key[PROJECT_STORE_KEY_BYTES + 1];
  if (status == STATUS_OK) {
    status = project_store_add_key(context->database, clock_system(), projects[i].id, key, error);
  }
  if (status == STATUS_OK) print_dsn(context, &projects[i], key);
  free(projects);
  return status;
}

static enum status open_data(struct context *context, struct error *error) {
  char path[PATH_BYTES];
  if (mkdir(context->options.data_dir, 0700) != 0 && errno != EEXIST) {
    return error_set(error, STATUS_IO, "%s: %s", context->options.data_dir, strerror(errno));
  }
  int len = snprintf(path, sizeof(path), "%s/culprit.db", context->options.data_dir);
  if (len < 0 || len >= PATH_BYTES) return error_set(error, STATUS_INVALID, "data_dir: the path is too long");
  struct database_options options = {
      .path = path, .bytes_max = context->options.store_max_bytes, .clock = clock_system()};
  enum status status = database_open(&options, &context->database, error);
  struct project first;
  if (status == STATUS_OK) status = project_store_ensure_default(context->database, clock_system(), &first, error);
  read_address(context);
  return status;
}

static int run(const char *action, const char *name, const char *config) {
  struct context context = {0};
  struct config_problems problems;
  if (config_load(config, environ, &context.options, &problems)) {
    for (uint32_t i = 0; i < problems.count; i++) fprintf(stderr, "%s\n", problems.items[i].text);
    return CODE_FAILED;
  }
  struct error error = {""};
  enum status status = open_data(&context, &error);
  if (status == STATUS_OK) {
    status = strcmp(action, "list") == 0     ? list(&context, &error)
             : strcmp(action, "create") == 0 ? create(&context, name, &error)
                                             : add_key(&context, name, &error);
  }
  if (status != STATUS_OK) fprintf(stderr, "culprit project %s: %s\n", action, error.text);
  if (context.database) database_close(context.database);
  options_finish(&context.options);
  return status == STATUS_OK ? CODE_OK : CODE_FAILED;
}

int project_command_main(int argc, char **argv) {
  static const struct option options[] = {
      {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
  const char *config = NULL;
  for (int letter; (letter = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
    if (letter == 'c') {
      config = optarg;
    } else {
      fputs(usage, letter == 'h' ? stdout : stderr);
      return letter == 'h' ? CODE_OK : CODE_USAGE;
    }
  }
  const char *action = optind < argc ? argv[optind] : "";
  bool is_list = strcmp(action, "list") == 0;
  bool known = is_list || strcmp(action, "create") == 0 || strcmp(action, "key") == 0;
  if (!known || argc - optind != (is_list ? 1 : 2)) {
    fputs(usage, stderr);
    return CODE_USAGE;
  }
  return run(action, is_list ? "" : argv[optind + 1], config);
}
