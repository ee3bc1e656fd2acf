// SPDX-License-Identifier: Apache-2.0
//
// Fields of /proc/self/stat as proc(5) numbers them. The second one, the program's name in parentheses, may hold spaces
// and parentheses, so fields are counted from the last ')' on.
#include "base/process_usage.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define STAT_THREADS    20
#define STAT_START_TIME 22 // clock ticks since boot
#define STAT_VIRTUAL    23
#define STAT_RESIDENT   24 // pages

// The beginning of a file as a string; empty when it cannot be read.
static void read_file(const char *path, char *out, size_t size) {
  size_t len = 0;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd >= 0) {
    ssize_t got;
    while (len + 1 < size && (got = read(fd, out + len, size - 1 - len)) > 0) len += (size_t)got;
    close(fd);
  }
  out[len] = '\0';
}

static uint64_t stat_field(const char *stat, int number) {
  const char *at = strrchr(stat, ')');
  for (int field = 2; at && field < number; field++) at = strchr(at + 1, ' ');
  return at ? strtoull(at + 1, NULL, 10) : 0;
}

static uint64_t count_open_fds(void) {
  DIR *directory = opendir("/proc/self/fd");
  if (!directory) return 0;
  uint64_t count = 0;
  const struct dirent *entry;
  while ((entry = readdir(directory)) != NULL) count += entry->d_name[0] != '.';
  closedir(directory);
  return count > 0 ? count - 1 : 0; // without the one that is counting
}

void process_usage_read(struct process_usage *out_usage) {
  struct process_usage usage = {0};
  char stat[1024];
  read_file("/proc/self/stat", stat, sizeof stat);
  usage.threads = stat_field(stat, STAT_THREADS);
  usage.virtual_bytes = stat_field(stat, STAT_VIRTUAL);
  usage.resident_bytes = stat_field(stat, STAT_RESIDENT) * (uint64_t)sysconf(_SC_PAGESIZE);
  usage.open_fds = count_open_fds();

  struct timespec cpu, wall, boot;
  if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu) == 0) {
    usage.cpu_ns = (uint64_t)cpu.tv_sec * NS_PER_S + (uint64_t)cpu.tv_nsec;
  }
  uint64_t ticks_per_s = (uint64_t)sysconf(_SC_CLK_TCK);
  if (clock_gettime(CLOCK_REALTIME, &wall) == 0 && clock_gettime(CLOCK_BOOTTIME, &boot) == 0 && stat[0]) {
    uint64_t boot_ns = (uint64_t)(wall.tv_sec - boot.tv_sec) * NS_PER_S;
    usage.start_ns = boot_ns + stat_field(stat, STAT_START_TIME) * (NS_PER_S / ticks_per_s);
  }
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.max_fds = limit.rlim_cur;
  *out_usage = usage;
}
