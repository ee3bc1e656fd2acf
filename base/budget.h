// SPDX-License-Identifier: Apache-2.0
//
// A byte budget shared by threads: what is in flight is charged before it is allocated and given back when it ends.
// Used for memory.max_bytes. Any thread may call; lock-free.
#ifndef BASE_BUDGET_H
#define BASE_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

#include "base/thread.h"

struct budget {
  struct atomic_u64 used_bytes;
  struct atomic_u64 max_bytes;
};

void budget_init(struct budget *budget, uint64_t max_bytes);
// False, and nothing charged, when it would pass the maximum.
bool budget_charge(struct budget *budget, uint64_t bytes);
void budget_release(struct budget *budget, uint64_t bytes);
uint64_t budget_used(const struct budget *budget);
uint64_t budget_max(const struct budget *budget);
// What is charged already stays charged, also when it is more than the new maximum.
void budget_set_max(struct budget *budget, uint64_t max_bytes);

#endif
