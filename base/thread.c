// SPDX-License-Identifier: Apache-2.0
//
// Thin names over pthreads. Mutexes are of the error-checking kind: locking twice or unlocking another thread's mutex
// is a failed assertion instead of a hang.
#include "base/thread.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREAD_NAME_MAX 15
#define SLICE_SHORT_NS  UINT64_C(100000) // the least that Linux grants
#define NS_PER_SECOND   UINT64_C(1000000000)

void mutex_init(struct mutex *mutex) {
  pthread_mutexattr_t attributes;
  ASSERT(pthread_mutexattr_init(&attributes) == 0);
  ASSERT(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK) == 0);
  ASSERT(pthread_mutex_init(&mutex->native, &attributes) == 0);
  ASSERT(pthread_mutexattr_destroy(&attributes) == 0);
}

void mutex_finish(struct mutex *mutex) {
  ASSERT(pthread_mutex_destroy(&mutex->native) == 0);
}

void mutex_lock(struct mutex *mutex) {
  ASSERT(pthread_mutex_lock(&mutex->native) == 0);
}

void mutex_unlock(struct mutex *mutex) {
  ASSERT(pthread_mutex_unlock(&mutex->native) == 0);
}

void condition_init(struct condition *condition) {
  pthread_condattr_t attributes;
  ASSERT(pthread_condattr_init(&attributes) == 0);
  ASSERT(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
  ASSERT(pthread_cond_init(&condition->native, &attributes) == 0);
  ASSERT(pthread_condattr_destroy(&attributes) == 0);
}

void condition_finish(struct condition *condition) {
  ASSERT(pthread_cond_destroy(&condition->native) == 0);
}

void condition_wait(struct condition *condition, struct mutex *mutex) {
  ASSERT(pthread_cond_wait(&condition->native, &mutex->native) == 0);
}

bool condition_wait_for(struct condition *condition, struct mutex *mutex, uint64_t timeout_ns) {
  struct timespec until;
  ASSERT(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
  uint64_t ns = (uint64_t)until.tv_nsec + timeout_ns % NS_PER_SECOND;
  until.tv_sec += (time_t)(timeout_ns / NS_PER_SECOND + ns / NS_PER_SECOND);
  until.tv_nsec = (long)(ns % NS_PER_SECOND);
  int result = pthread_cond_timedwait(&condition->native, &mutex->native, &until);
  ASSERT(result == 0 || result == ETIMEDOUT);
  return result == 0;
}

void condition_signal(struct condition *condition) {
  ASSERT(pthread_cond_signal(&condition->native) == 0);
}

void condition_broadcast(struct condition *condition) {
  ASSERT(pthread_cond_broadcast(&condition->native) == 0);
}

// What the new thread needs; it frees it.
struct start {
  void (*run)(void *context);
  void *context;
  char name[THREAD_NAME_MAX + 1];
};

static void *thread_main(void *argument) {
  struct start start = *(struct start *)argument;
  free(argument);
  pthread_setname_np(pthread_self(), start.name);
  start.run(start.context);
  return NULL;
}

enum status thread_start(struct thread *thread, const char *name, void (*run)(void *context), void *context) {
  ASSERT(strlen(name) <= THREAD_NAME_MAX);
  thread->running = false;
  struct start *start = malloc(sizeof *start);
  if (!start) return STATUS_UNAVAILABLE;
  *start = (struct start){.run = run, .context = context};
  memcpy(start->name, name, strlen(name));

  // A new thread inherits the mask: block everything before it exists, so that there is no moment without.
  sigset_t all, before;
  sigfillset(&all);
  ASSERT(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
  int result = pthread_create(&thread->native, NULL, thread_main, start);
  ASSERT(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
  if (result != 0) {
    free(start);
    return STATUS_UNAVAILABLE;
  }
  thread->running = true;
  return STATUS_OK;
}

// struct sched_attr in its first version; glibc of Debian 12 has none.
struct scheduling {
  uint32_t size, policy;
  uint64_t flags;
  int32_t nice;
  uint32_t priority;
  uint64_t runtime_ns, deadline_ns, period_ns;
};
static_assert(sizeof(struct scheduling) == 48, "SCHED_ATTR_SIZE_VER0");

// EEVDF lets a thread that wakes interrupt one with a longer slice. Kernels that do not know of it ignore the runtime
// of a thread that is not a deadline one.
void thread_run_promptly(void) {
  struct scheduling scheduling = {.size = sizeof scheduling};
  if (syscall(SYS_sched_getattr, 0, &scheduling, sizeof scheduling, 0) != 0) return;
  scheduling.size = sizeof scheduling;
  scheduling.flags = 0;
  scheduling.runtime_ns = SLICE_SHORT_NS;
  (void)syscall(SYS_sched_setattr, 0, &scheduling, 0); // a container may forbid it: then not
}

void thread_join(struct thread *thread) {
  if (!thread->running) return;
  ASSERT(pthread_join(thread->native, NULL) == 0);
  thread->running = false;
}
