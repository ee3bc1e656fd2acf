// SPDX-License-Identifier: Apache-2.0
//
// The command line: one line of the table below per command.
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "collector/collector.h"
#include "collector/config.h"
#include "collector/demo.h"
#include "collector/explain.h"
#include "collector/project_command.h"
#include "collector/rules_command.h"

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct command {
  const char *name, *arguments, *summary, *help;
  int (*run)(const struct command *command, int argc, char **argv);
};

static void print_help(const struct command *command) {
  printf("usage: culprit %s%s%s\n\n%s\n%s", command->name, command->arguments[0] ? " " : "", command->arguments,
         command->summary, command->help);
}

// -c FILE, --config FILE, --help. Returns false when the command is over, with *out_code.
static bool parse_config_option(const struct command *command, int argc, char **argv, const char **out_path,
                                int *out_code) {
  static const struct option options[] = {
      {"config", required_argument, NULL, 'c'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
  *out_path = NULL;
  *out_code = EXIT_USAGE;
  for (int letter; (letter = getopt_long(argc, argv, "c:h", options, NULL)) != -1;) {
    if (letter == 'c') {
      *out_path = optarg;
    } else if (letter == 'h') {
      print_help(command);
      *out_code = EXIT_OK;
      return false;
    } else {
      fprintf(stderr, "see 'culprit %s --help'\n", command->name);
      return false;
    }
  }
  if (optind < argc) {
    fprintf(stderr, "culprit %s: unexpected argument '%s'; see 'culprit %s --help'\n", command->name, argv[optind],
            command->name);
    return false;
  }
  return true;
}

static int print_problems(const struct config_problems *problems) {
  for (uint32_t i = 0; i < problems->count; i++) fprintf(stderr, "%s\n", problems->items[i].text);
  return EXIT_FAILED;
}

// --- serve ----------------------------------------------------------------------------------------------------------

static void print_addresses(const struct collector_addresses *addresses, const struct options *options) {
  const char *http = options->tls_http.cert_file[0] ? "https" : "http";
  const char *ui = options->tls_ui.cert_file[0] ? "https" : "http";
  printf("culprit " CULPRIT_VERSION ", data in %s\n\n"
         "  web UI      %s://%s\n"
         "  OTLP/gRPC   %s\n"
         "  OTLP/HTTP   %s://%s\n\n"
         "Point an application at it:\n\n"
         "  export OTEL_EXPORTER_OTLP_ENDPOINT=%s://%s\n"
         "  export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n\n"
         "or one that has a Sentry SDK:\n\n"
         "  export SENTRY_DSN=%s\n\n",
         options->data_dir, ui, addresses->ui, addresses->grpc, http, addresses->http, http, addresses->http,
         addresses->sentry_dsn);
  fflush(stdout);
}

// What tells one version of the configuration file from the next; all zero when there is none.
struct file_version {
  dev_t device;
  ino_t inode;
  off_t bytes;
  struct timespec changed;
};

static struct file_version version_of(const char *path) {
  struct stat file;
  if (!path || stat(path, &file) != 0) return (struct file_version){0};
  return (struct file_version){
      .device = file.st_dev, .inode = file.st_ino, .bytes = file.st_size, .changed = file.st_mtim};
}

static bool is_same_version(const struct file_version *a, const struct file_version *b) {
  return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
         a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

// A configuration that is wrong changes nothing. *loaded is what was read last, to compare the next one with.
static void reload(struct collector *collector, const char *path, struct options *loaded) {
  struct options fresh;
  struct config_problems problems;
  if (config_load(path, environ, &fresh, &problems)) {
    for (uint32_t i = 0; i < problems.count; i++) {
      log_write(LOG_ERROR, "reload", "the configuration is wrong and was not taken",
                LOG_FIELDS(log_text("problem", problems.items[i].text)));
    }
    return;
  }
  collector_reload(collector, loaded, &fresh);
  options_finish(loaded);
  *loaded = fresh;
}

// Waits for SIGTERM or SIGINT; SIGHUP and another version of the file reload.
static void wait_for_end(struct collector *collector, const sigset_t *signals, const char *path,
                         struct options *loaded) {
  struct file_version version = version_of(path);
  for (;;) {
    struct timespec second = {.tv_sec = 1};
    int signal_number = sigtimedwait(signals, NULL, &second);
    if (signal_number == SIGTERM || signal_number == SIGINT) return;
    struct file_version newest = version_of(path);
    // A file that is away is being replaced.
    bool is_changed = newest.inode != 0 && !is_same_version(&version, &newest);
    if (is_changed) version = newest;
    if (is_changed || signal_number == SIGHUP) reload(collector, path, loaded);
  }
}

// glibc gives nearly every thread a heap of its own, and each keeps what it once used. One a core is enough to keep the
// threads out of each other's way. A heap keeps a few MiB at its end, so that the payload of each request is not asked
// of the system, zeroed and given back: nine in ten page faults at full speed.
static void set_up_heaps(void) {
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  mallopt(M_ARENA_MAX, cores < 2 ? 2 : cores > 64 ? 64 : (int)cores);
  mallopt(M_MMAP_THRESHOLD, 2 << 20);
  mallopt(M_TRIM_THRESHOLD, 8 << 20);
  mallopt(M_TOP_PAD, 256 << 10);
}

static int serve(const struct command *command, int argc, char **argv) {
  const char *path;
  int code;
  if (!parse_config_option(command, argc, argv, &path, &code)) return code;
  set_up_heaps();
  struct options options, loaded; // `loaded` is read again while the other stays as it was at the start
  struct config_problems problems;
  if (config_load(path, environ, &options, &problems)) return print_problems(&problems);
  if (config_load(path, environ, &loaded, &problems)) {
    options_finish(&options);
    return print_problems(&problems);
  }

  // Blocked here and so in every thread: main waits for them.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGHUP);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  signal(SIGPIPE, SIG_IGN);

  struct collector *collector;
  struct error error;
  if (collector_start(&options, &collector, &error)) {
    fprintf(stderr, "culprit: %s\n", error.text);
    options_finish(&loaded);
    options_finish(&options);
    return EXIT_FAILED;
  }
  struct collector_addresses addresses;
  collector_get_addresses(collector, &addresses);
  print_addresses(&addresses, &options);
  wait_for_end(collector, &signals, path, &loaded);
  struct intake_balance balance;
  collector_stop(collector, &balance);
  uint64_t refused = balance.refused + balance.rejected;
  printf("balance: received %" PRIu64 " = stored %" PRIu64 " + refused %" PRIu64 "\n", balance.received, balance.stored,
         refused);
  options_finish(&loaded);
  options_finish(&options);
  return balance.received == balance.stored + refused ? EXIT_OK : EXIT_FAILED;
}

// --- check, config, version -----------------------------------------------------------------------------------------

static int check(const struct command *command, int argc, char **argv) {
  const char *path;
  int code;
  if (!parse_config_option(command, argc, argv, &path, &code)) return code;
  struct config_problems problems;
  if (config_check(path, environ, &problems)) return print_problems(&problems);
  printf("%s: ok\n", path ? path : "configuration");
  return EXIT_OK;
}

static int config(const struct command *command, int argc, char **argv) {
  const char *path;
  int code;
  if (!parse_config_option(command, argc, argv, &path, &code)) {
    if (code != EXIT_OK) return code;
    struct buffer keys;
    buffer_init(&keys, 1 << 20);
    config_describe(&keys);
    printf("\nKeys:\n\n%.*s", SLICE_PRINTF(buffer_slice(&keys)));
    buffer_finish(&keys);
    return code;
  }
  struct config_problems problems;
  struct buffer text;
  buffer_init(&text, 1 << 20);
  enum status status = config_print(path, environ, &text, &problems);
  if (!status) printf("%.*s", SLICE_PRINTF(buffer_slice(&text)));
  buffer_finish(&text);
  return status ? print_problems(&problems) : EXIT_OK;
}

static int version(const struct command *command, int argc, char **argv) {
  const char *path;
  int code;
  if (!parse_config_option(command, argc, argv, &path, &code)) return code;
  puts("culprit " CULPRIT_VERSION);
  return EXIT_OK;
}

static int demo(const struct command *command, int argc, char **argv) {
  if (argc > 1 && strcmp(argv[1], "--help") == 0) {
    print_help(command);
    return EXIT_OK;
  }
  return demo_main(argc, argv);
}

static int explain(const struct command *command, int argc, char **argv) {
  (void)command;
  return explain_main(argc, argv);
}

static int project(const struct command *command, int argc, char **argv) {
  (void)command;
  return project_command_main(argc, argv);
}

static int rules(const struct command *command, int argc, char **argv) {
  (void)command;
  return rules_command_main(argc, argv);
}

// --- the table ------------------------------------------------------------------------------------------------------

static const struct command commands[] = {
    {"serve", "[-c FILE]", "Runs the collector until SIGTERM or SIGINT.",
     "\n  -c, --config FILE   YAML configuration; without it the defaults and CULPRIT_… variables\n"
     "  --help              this text\n\nAll keys: culprit config --help\n",
     serve},
    {"check", "[-c FILE]", "Reads the configuration as 'serve' does, and says what is wrong with it, and where.",
     "\n  -c, --config FILE   YAML configuration\n  --help              this text\n", check},
    {"config", "[-c FILE]", "Prints the effective configuration, each value with where it comes from.",
     "\n  -c, --config FILE   YAML configuration\n  --help              this text, and every key\n", config},
    {"demo", "[--endpoint URL] [--seconds N] [--rate N]",
     "Sends a minute of realistic traffic to a running instance: services, traces, logs, request ids, exceptions.",
     "\n  --endpoint URL   OTLP/HTTP base; default: the instance with this directory's data or CULPRIT_DATA_DIR,\n"
     "                   else http://127.0.0.1:4318\n"
     "  --seconds N      how long, 1 to 3600, default 60\n"
     "  --rate N         requests a second, 1 to 1000, default 20\n"
     "  --help           this text\n",
     demo},
    {"explain", "event|stack|message …", "Says what the inbox would make of an event, a stack trace or a message.", "",
     explain},
    {"project", "create|list|key|revoke|rules …", "Projects that Sentry SDKs send to, their DSNs and grouping rules.",
     "", project},
    {"rules", "check|explain …", "Says what is wrong in files of grouping rules, and what rules make of events.", "",
     rules},
    {"version", "", "Prints the version.", "\n  --help   this text\n", version},
};

static void usage(FILE *to) {
  fprintf(to, "usage: culprit <command> [arguments]\n\n");
  for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
    fprintf(to, "  %-8s  %s\n", commands[i].name, commands[i].summary);
  }
  fprintf(to, "\n'culprit <command> --help' says more.\n");
}

// A journal file must never become descriptor 2, where log lines go.
static void open_standard_descriptors(void) {
  int fd;
  do fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  if (fd > STDERR_FILENO) close(fd);
}

// As many descriptors as the system allows: gRPC core stops accepting for good when they run out.
static void raise_descriptor_limit(void) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

int main(int argc, char **argv) {
  open_standard_descriptors();
  raise_descriptor_limit();
  if (argc < 2) {
    usage(stderr);
    return EXIT_USAGE;
  }
  if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
    usage(stdout);
    return EXIT_OK;
  }
  const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
  for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
    if (strcmp(commands[i].name, name) != 0) continue;
    char full_name[32]; // what getopt calls the program
    snprintf(full_name, sizeof(full_name), "culprit %s", name);
    argv[1] = full_name;
    return commands[i].run(&commands[i], argc - 1, argv + 1);
  }
  fprintf(stderr, "culprit: unknown command '%s'\n\n", argv[1]);
  usage(stderr);
  return EXIT_USAGE;
}
