// SPDX-License-Identifier: Apache-2.0
//
// A bounded queue of pointers that moves ownership between threads. Any number of producers and consumers.
#ifndef BASE_QUEUE_H
#define BASE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct queue;

struct queue *queue_create(size_t items_max);
// The queue must be empty (the owner of the items drains it first).
void queue_destroy(struct queue *queue);
// False when full or closed; the item stays the caller's.
bool queue_push(struct queue *queue, void *item);
// NULL after timeout_ns, or at once when the queue is closed and empty. timeout_ns 0 does not wait.
void *queue_pop(struct queue *queue, uint64_t timeout_ns);
// Refuses further items and wakes every waiter; what is inside can still be popped.
void queue_close(struct queue *queue);
size_t queue_count(struct queue *queue);

#endif
