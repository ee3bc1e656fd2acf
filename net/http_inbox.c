// SPDX-License-Identifier: Apache-2.0
//
// How it works: a stack that is taken as a whole (so no ABA) and turned round. "Asleep" is a value of its head, which
// makes "nothing came and I sleep" one compare and swap, and lets exactly one push see it.
#include "net/http_inbox.h"

#include <stddef.h>

#include "base/status.h"

#define NOTHING UINT64_C(0)
#define ASLEEP  UINT64_C(1)

void http_inbox_init(struct http_inbox *inbox) {
  atomic_u64_set(&inbox->first, NOTHING);
}

static struct http_inbox_post *post_at(uint64_t first) {
  return first == ASLEEP ? NULL : (struct http_inbox_post *)(uintptr_t)first;
}

bool http_inbox_push(struct http_inbox *inbox, struct http_inbox_post *post) {
  uint64_t first = atomic_u64_get(&inbox->first);
  do {
    post->next = post_at(first);
  } while (!atomic_u64_swap_if(&inbox->first, &first, (uint64_t)(uintptr_t)post));
  return first == ASLEEP;
}

struct http_inbox_post *http_inbox_take(struct http_inbox *inbox) {
  uint64_t first = atomic_u64_get(&inbox->first);
  if (first == NOTHING) return NULL;
  while (!atomic_u64_swap_if(&inbox->first, &first, NOTHING)) {
  }
  struct http_inbox_post *oldest = NULL;
  for (struct http_inbox_post *post = post_at(first), *next = NULL; post; post = next) {
    next = post->next;
    post->next = oldest;
    oldest = post;
  }
  return oldest;
}

bool http_inbox_sleep(struct http_inbox *inbox) {
  uint64_t first = NOTHING;
  return atomic_u64_swap_if(&inbox->first, &first, ASLEEP) || first == ASLEEP;
}
