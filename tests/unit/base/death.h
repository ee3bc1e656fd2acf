// SPDX-License-Identifier: Apache-2.0
//
// Checks that a failed assertion ends the program: runs `run` in a child, without its words on standard error.
#ifndef TESTS_UNIT_BASE_DEATH_H
#define TESTS_UNIT_BASE_DEATH_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static inline bool dies(void (*run)(void)) {
  pid_t child = fork();
  if (child == 0) {
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDERR_FILENO);
    run();
    _exit(0);
  }
  int result = 0;
  return child > 0 && waitpid(child, &result, 0) == child && WIFSIGNALED(result) && WTERMSIG(result) == SIGABRT;
}

#endif
