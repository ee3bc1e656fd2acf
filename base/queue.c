// SPDX-License-Identifier: Apache-2.0
//
// A ring of pointers under one mutex and one condition. A push wakes one waiter, closing wakes all.
#include "base/queue.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/status.h"
#include "base/thread.h"

struct queue {
  struct mutex mutex;
  struct condition filled;
  size_t items_max;
  size_t first;
  size_t count;
  bool closed;
  void *items[];
};

struct queue *queue_create(size_t items_max) {
  ASSERT(items_max > 0 && items_max <= SIZE_MAX / 2 / sizeof(void *));
  struct queue *queue = calloc(1, sizeof *queue + items_max * sizeof(void *));
  ASSERT(queue != NULL);
  queue->items_max = items_max;
  mutex_init(&queue->mutex);
  condition_init(&queue->filled);
  return queue;
}

void queue_destroy(struct queue *queue) {
  if (!queue) return;
  ASSERT(queue->count == 0);
  condition_finish(&queue->filled);
  mutex_finish(&queue->mutex);
  free(queue);
}

bool queue_push(struct queue *queue, void *item) {
  ASSERT(item != NULL);
  mutex_lock(&queue->mutex);
  bool taken = !queue->closed && queue->count < queue->items_max;
  if (taken) {
    queue->items[(queue->first + queue->count) % queue->items_max] = item;
    queue->count++;
    condition_signal(&queue->filled);
  }
  mutex_unlock(&queue->mutex);
  return taken;
}

void *queue_pop(struct queue *queue, uint64_t timeout_ns) {
  uint64_t start = timeout_ns > 0 ? clock_monotonic_ns(clock_system()) : 0;
  uint64_t waited = 0;
  void *item = NULL;
  mutex_lock(&queue->mutex);
  while (queue->count == 0 && !queue->closed && waited < timeout_ns) {
    condition_wait_for(&queue->filled, &queue->mutex, timeout_ns - waited);
    waited = clock_monotonic_ns(clock_system()) - start;
  }
  if (queue->count > 0) {
    item = queue->items[queue->first];
    queue->first = (queue->first + 1) % queue->items_max;
    queue->count--;
  }
  mutex_unlock(&queue->mutex);
  return item;
}

void queue_close(struct queue *queue) {
  mutex_lock(&queue->mutex);
  queue->closed = true;
  condition_broadcast(&queue->filled);
  mutex_unlock(&queue->mutex);
}

size_t queue_count(struct queue *queue) {
  mutex_lock(&queue->mutex);
  size_t count = queue->count;
  mutex_unlock(&queue->mutex);
  return count;
}
