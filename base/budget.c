// SPDX-License-Identifier: Apache-2.0
//
// One atomic sum. A charge is a compare-and-swap loop, not an add that is taken back, so that a refused giant never
// makes others fail for a moment.
#include "base/budget.h"

void budget_init(struct budget *budget, uint64_t max_bytes) {
  atomic_u64_set(&budget->used_bytes, 0);
  atomic_u64_set(&budget->max_bytes, max_bytes);
}

bool budget_charge(struct budget *budget, uint64_t bytes) {
  uint64_t used = atomic_u64_get_relaxed(&budget->used_bytes);
  uint64_t max = atomic_u64_get_relaxed(&budget->max_bytes);
  do {
    if (used > max || bytes > max - used) return false;
  } while (!atomic_u64_swap_if(&budget->used_bytes, &used, used + bytes));
  return true;
}

void budget_release(struct budget *budget, uint64_t bytes) {
  uint64_t before = atomic_u64_sub(&budget->used_bytes, bytes);
  ASSERT(before >= bytes);
}

uint64_t budget_used(const struct budget *budget) {
  return atomic_u64_get(&budget->used_bytes);
}

uint64_t budget_max(const struct budget *budget) {
  return atomic_u64_get_relaxed(&budget->max_bytes);
}

void budget_set_max(struct budget *budget, uint64_t max_bytes) {
  atomic_u64_set(&budget->max_bytes, max_bytes);
}
