// SPDX-License-Identifier: Apache-2.0
//
// Threads, locks and atomics: the only header of the tree that knows pthreads and <stdatomic.h>. Locks are held for a
// few lines and never across a call into another module. Every function aborts on misuse (ASSERT), none returns an
// error except thread_start.
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct mutex {
  pthread_mutex_t native;
};
void mutex_init(struct mutex *mutex);
void mutex_finish(struct mutex *mutex);
void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

// Waits measure CLOCK_MONOTONIC.
struct condition {
  pthread_cond_t native;
};
void condition_init(struct condition *condition);
void condition_finish(struct condition *condition);
void condition_wait(struct condition *condition, struct mutex *mutex);
// False when timeout_ns passed without a wake-up. Spurious wake-ups happen: check the predicate.
bool condition_wait_for(struct condition *condition, struct mutex *mutex, uint64_t timeout_ns);
void condition_signal(struct condition *condition);
void condition_broadcast(struct condition *condition);

// A named thread. Signals are blocked in every thread started here; main alone handles them.
struct thread {
  pthread_t native;
  bool running;
};
// name: at most 15 bytes, seen in top and gdb. STATUS_UNAVAILABLE when the system has no thread to give.
enum status thread_start(struct thread *thread, const char *name, void (*run)(void *context), void *context);
// For a thread that works in short bursts which others wait for: asks the scheduler to let the calling thread run as
// soon as it wakes, in exchange for short turns (Linux 6.12 and later; no privilege is needed). Elsewhere nothing
// happens.
void thread_run_promptly(void);
// Waits for the end; nothing when it never started.
void thread_join(struct thread *thread);

// Atomic counters and flags; all are sequentially consistent unless the name says relaxed.
struct atomic_u64 {
  _Atomic uint64_t value;
};
static inline uint64_t atomic_u64_get(const struct atomic_u64 *a) {
  return atomic_load(&((struct atomic_u64 *)(uintptr_t)a)->value);
}
static inline void atomic_u64_set(struct atomic_u64 *a, uint64_t value) {
  atomic_store(&a->value, value);
}
// Returns the value before the addition.
static inline uint64_t atomic_u64_add(struct atomic_u64 *a, uint64_t n) {
  return atomic_fetch_add(&a->value, n);
}
static inline uint64_t atomic_u64_sub(struct atomic_u64 *a, uint64_t n) {
  return atomic_fetch_sub(&a->value, n);
}
static inline void atomic_u64_add_relaxed(struct atomic_u64 *a, uint64_t n) {
  atomic_fetch_add_explicit(&a->value, n, memory_order_relaxed);
}
static inline uint64_t atomic_u64_get_relaxed(const struct atomic_u64 *a) {
  return atomic_load_explicit(&((struct atomic_u64 *)(uintptr_t)a)->value, memory_order_relaxed);
}
// Sets `desired` if the value is *expected; else stores what it is into *expected and returns false.
static inline bool atomic_u64_swap_if(struct atomic_u64 *a, uint64_t *expected, uint64_t desired) {
  return atomic_compare_exchange_strong(&a->value, expected, desired);
}

struct atomic_bool_box {
  _Atomic bool value;
};
static inline bool atomic_bool_get(const struct atomic_bool_box *a) {
  return atomic_load(&((struct atomic_bool_box *)(uintptr_t)a)->value);
}
static inline void atomic_bool_set(struct atomic_bool_box *a, bool value) {
  atomic_store(&a->value, value);
}

#endif
