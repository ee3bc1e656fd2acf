// SPDX-License-Identifier: Apache-2.0
//
// What other threads hand to one thread that sleeps in epoll: a list without a lock that knows whether its taker
// sleeps, so that a wake-up is paid for once per sleep and not once per post.
//
// Any thread pushes; one thread takes, and says when it goes to sleep. A post is its owner's memory, the inbox's from
// the push to the take.
#ifndef NET_HTTP_INBOX_H
#define NET_HTTP_INBOX_H

#include <stdbool.h>

#include "base/thread.h"

enum http_inbox_kind { HTTP_INBOX_CONNECTION, HTTP_INBOX_REPLY };

struct http_inbox_post {
  struct http_inbox_post *next;
  enum http_inbox_kind kind;
};

struct http_inbox {
  struct atomic_u64 first; // the newest post; 0: none; 1: none, and the taker sleeps
};

void http_inbox_init(struct http_inbox *inbox);
// True when the taker sleeps: wake it. False for everybody else until it sleeps again.
bool http_inbox_push(struct http_inbox *inbox, struct http_inbox_post *post);
// All there is, the oldest first, linked by next; NULL when there is nothing. The taker is awake from now on.
struct http_inbox_post *http_inbox_take(struct http_inbox *inbox);
// The taker is about to sleep; false: something is there, do not.
bool http_inbox_sleep(struct http_inbox *inbox);

#endif
