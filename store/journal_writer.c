// SPDX-License-Identifier: Apache-2.0
//
// How it works: the writer takes the whole queue, and commits it group by group. A group is what fits the active
// segment and one pwritev: it is numbered, written, synced (mode always), published, answered. While one group syncs,
// the next queue fills: that is the group commit.
//
//   queue ──take──> [r r r r r] ──number, pwritev──> segment ──fdatasync──> publish durable_sequence ──> acks
//                        │                                          │
//                        └──────── once more on a new segment <── failure: retire the segment
//
// Under load a request is nearly always on its way while another one is queued. A commit waits for it a little, so that
// the two share a write, a sync and the wake-ups; who sends one request at a time never waits for anything but the
// disk.
//
// Readers that wait for news are told at most every NEWS_NS, so that under load a commit costs no wake-up of each.
//
// A group that fails twice is answered STATUS_UNAVAILABLE, together with the rest of what was taken; the journal is
// then `failed`, and journal_append lets one record a second through, which tries a new segment.
#include "store/journal_internal.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"

enum { GROUP_RECORDS_MAX = 512 };
#define GROUP_BYTES_MAX (UINT64_C(8) << 20)
#define RETRY_PAUSE_NS  (250 * NS_PER_MS)
#define NEWS_NS         (5 * NS_PER_MS)

struct group {
  struct journal_pending *first;
  uint32_t count;
  uint64_t bytes, keys;
  uint64_t first_sequence;
  struct journal_location location; // of the first record
};

// Is there room in the active segment for one more record? An empty segment takes any.
static bool fits(const struct journal *journal, const struct journal_segment_state *active, const struct group *group,
                 const struct journal_pending *pending) {
  uint64_t end = active->end + group->bytes;
  if (end == JOURNAL_SEGMENT_HEADER_BYTES) return end + pending->bytes <= journal->active_capacity;
  if (end + pending->bytes > journal->active_capacity) return false;
  uint32_t keys_max = journal->options.segment_keys_max;
  return keys_max == 0 || journal->active_keys + group->keys + pending->key_count <= keys_max;
}

static struct journal_segment_state active_segment(struct journal *journal) {
  mutex_lock(&journal->mutex);
  struct journal_segment_state active = journal->segments[journal->segment_count - 1];
  mutex_unlock(&journal->mutex);
  return active;
}

// Makes sure the first record has a segment, then gathers what goes with it. 0 or -errno.
static int group_gather(struct journal *journal, struct journal_pending *first, struct group *out_group,
                        struct iovec *iov) {
  struct group group = {.first = first};
  if (journal->active_fd >= 0) {
    struct journal_segment_state active = active_segment(journal);
    if (!fits(journal, &active, &group, first)) journal_segment_seal(journal);
  }
  if (journal->active_fd < 0) {
    int result = journal_segment_create(journal, first->bytes);
    if (result < 0) return result;
  }
  struct journal_segment_state active = active_segment(journal);
  group.first_sequence = journal->next_sequence;
  group.location = (struct journal_location){.segment = active.first_sequence, .offset = active.end};
  for (struct journal_pending *pending = first; pending; pending = pending->next) {
    if (group.count == GROUP_RECORDS_MAX || (group.count > 0 && group.bytes + pending->bytes > GROUP_BYTES_MAX)) break;
    if (!fits(journal, &active, &group, pending)) break;
    journal_format_finish_record(pending->record, group.first_sequence + group.count, active.salt);
    iov[group.count++] = (struct iovec){pending->record, pending->bytes};
    group.bytes += pending->bytes;
    group.keys += pending->key_count;
  }
  ASSERT(group.count > 0);
  *out_group = group;
  return 0;
}

// Changes iov as it goes.
static int write_fully(const struct journal *journal, struct iovec *iov, uint32_t count, uint64_t offset) {
  const struct journal_io *io = journal->io;
  while (count > 0) {
    ssize_t result = io->pwritev(io->context, journal->active_fd, iov, (int)count, (off_t)offset);
    if (result <= 0) return result < 0 ? (int)result : -ENOSPC;
    size_t written = (size_t)result;
    offset += written;
    for (; count > 0 && written >= iov->iov_len; iov++, count--) written -= iov->iov_len;
    if (count > 0) {
      iov->iov_base = (uint8_t *)iov->iov_base + written;
      iov->iov_len -= written;
    }
  }
  return 0;
}

static int write_and_sync(struct journal *journal, const struct group *group, struct iovec *iov) {
  const struct journal_io *io = journal->io;
  uint64_t start = clock_monotonic_ns(journal->options.clock);
  int result = write_fully(journal, iov, group->count, group->location.offset);
  if (result == 0 && journal->options.sync == JOURNAL_SYNC_ALWAYS) {
    result = io->datasync(io->context, journal->active_fd);
    if (result < 0) metrics_add(journal->sync_errors_metric, 1);
  }
  uint64_t now = clock_monotonic_ns(journal->options.clock);
  if (journal->commit_seconds) metrics_observe_ns(journal->commit_seconds, now - start);
  if (result == 0 && journal->options.sync != JOURNAL_SYNC_ALWAYS && !journal->unsynced) {
    journal->unsynced = true;
    journal->sync_due_ns = now + journal->options.sync_interval_ns;
  }
  return result;
}

// Mutex held. True: the readers are to be told now. Waits are by the system's clock, whatever the journal's is.
static bool note_news(struct journal *journal) {
  uint64_t now = clock_monotonic_ns(clock_system());
  journal->news_held = now < journal->news_due_ns;
  if (!journal->news_held) journal->news_due_ns = now + NEWS_NS;
  return !journal->news_held;
}

static void publish(struct journal *journal, const struct group *group) {
  uint64_t last = group->first_sequence + group->count - 1, oldest = UINT64_MAX, newest = 0;
  const struct journal_pending *pending = group->first;
  for (uint32_t i = 0; i < group->count; i++, pending = pending->next) {
    if (pending->received_ns < oldest) oldest = pending->received_ns;
    if (pending->received_ns > newest) newest = pending->received_ns;
  }
  journal->next_sequence = last + 1;
  journal->active_keys += group->keys;
  metrics_add(journal->records_metric, group->count);
  metrics_add(journal->commits_metric, 1);

  mutex_lock(&journal->mutex);
  struct journal_segment_state *active = &journal->segments[journal->segment_count - 1];
  bool was_empty = active->last_sequence == 0;
  if (was_empty || oldest < active->first_received_ns) active->first_received_ns = oldest;
  if (was_empty || newest > active->last_received_ns) active->last_received_ns = newest;
  active->last_sequence = last;
  active->end += group->bytes;
  journal->bytes += group->bytes;
  journal->pending_bytes -= group->bytes;
  journal->durable_sequence = last;
  if (journal->options.sync == JOURNAL_SYNC_ALWAYS) journal->synced_sequence = last;
  bool failed_before = journal->failed;
  journal->failed = false;
  journal_segment_update_metrics(journal);
  bool tells = note_news(journal);
  mutex_unlock(&journal->mutex);
  if (tells) condition_broadcast(&journal->news); // who is woken finds the mutex free
  if (failed_before) log_write(LOG_INFO, "journal", "writing again", LOG_FIELDS(log_text("journal", journal->name)));
}

// Answers and ends them; returns what follows. A flush ends after the answers.
static struct journal_pending *acknowledge(struct journal *journal, const struct group *group, enum status status) {
  const struct journal_pending *pending = group->first;
  struct journal_location location = group->location;
  for (uint32_t i = 0; i < group->count; i++, pending = pending->next) {
    if (pending->ack) pending->ack(pending->context, status, status ? 0 : group->first_sequence + i, location);
    location.offset += status ? 0 : pending->bytes;
  }
  struct journal_pending *rest = journal_pending_end(journal, group->first, group->count);
  mutex_lock(&journal->mutex);
  journal->ticket_done += group->count;
  if (status || journal->options.sync == JOURNAL_SYNC_ALWAYS) journal->ticket_synced = journal->ticket_done;
  condition_broadcast(&journal->durable);
  mutex_unlock(&journal->mutex);
  return rest;
}

// Notes the failure. True: pause is over, try the same records again; false: refuse them.
static bool note_failure(struct journal *journal) {
  mutex_lock(&journal->mutex);
  journal->failed = true;
  journal->probe_at_ns = clock_monotonic_ns(journal->options.clock) + NS_PER_S;
  journal->failures++;
  condition_broadcast(&journal->durable);
  if (journal->options.keep_trying && !journal->closing)
    condition_wait_for(&journal->work, &journal->mutex, RETRY_PAUSE_NS);
  bool again = journal->options.keep_trying && !journal->closing;
  mutex_unlock(&journal->mutex);
  return again;
}

static void refuse(struct journal *journal, struct journal_pending *list) {
  struct group group = {.first = list};
  for (struct journal_pending *pending = list; pending; pending = pending->next, group.count++)
    group.bytes += pending->bytes;
  mutex_lock(&journal->mutex);
  journal->pending_bytes -= group.bytes;
  mutex_unlock(&journal->mutex);
  acknowledge(journal, &group, STATUS_UNAVAILABLE);
}

// Commits the head of the list; returns the rest.
static struct journal_pending *commit(struct journal *journal, struct journal_pending *list) {
  int result = 0;
  for (int attempt = 0; attempt < 2; attempt++) {
    struct iovec iov[GROUP_RECORDS_MAX];
    struct group group;
    result = group_gather(journal, list, &group, iov);
    if (result == 0) {
      result = write_and_sync(journal, &group, iov);
      if (result == 0) {
        publish(journal, &group);
        return acknowledge(journal, &group, STATUS_OK);
      }
      journal_segment_retire(journal);
    }
    if (attempt == 0)
      log_write(LOG_WARN, "journal", "write or sync failed, trying once more on a new segment",
                LOG_FIELDS(log_text("journal", journal->name), log_text("error", strerror(-result))));
  }
  log_write(LOG_ERROR, "journal", "cannot write",
            LOG_FIELDS(log_text("journal", journal->name), log_text("directory", journal->directory),
                       log_text("error", strerror(-result))));
  if (note_failure(journal)) return list;
  refuse(journal, list);
  return NULL;
}

// The sync that is not part of a commit: interval, flush, close. Marks everything committed as synced.
static void sync_now(struct journal *journal) {
  int result = 0;
  if (journal->unsynced) {
    result = journal->io->datasync(journal->io->context, journal->active_fd);
    journal->unsynced = false;
  }
  mutex_lock(&journal->mutex);
  journal->ticket_synced = journal->ticket_done;
  if (result == 0)
    journal->synced_sequence = journal->durable_sequence;
  else
    journal->failures++;
  condition_broadcast(&journal->durable);
  mutex_unlock(&journal->mutex);
  if (result < 0) {
    metrics_add(journal->sync_errors_metric, 1);
    log_write(LOG_ERROR, "journal", "sync failed; the segment is given up",
              LOG_FIELDS(log_text("journal", journal->name), log_text("error", strerror(-result))));
    journal_segment_retire(journal);
  }
}

static bool interval_is_due(const struct journal *journal) {
  return journal->options.sync == JOURNAL_SYNC_INTERVAL && journal->unsynced &&
         clock_monotonic_ns(journal->options.clock) >= journal->sync_due_ns;
}

static bool flush_is_due(const struct journal *journal) { // mutex held
  return journal->flush_wanted > journal->ticket_synced && journal->ticket_done >= journal->flush_wanted;
}

// Until there is something to do; mutex held. News that was held back is told when its time has come.
static void wait_for_work(struct journal *journal) {
  while (!journal->queue_head && !journal->closing && !flush_is_due(journal) && !interval_is_due(journal)) {
    if (journal->news_held) {
      uint64_t now = clock_monotonic_ns(clock_system());
      if (now < journal->news_due_ns)
        condition_wait_for(&journal->work, &journal->mutex, journal->news_due_ns - now);
      else if (note_news(journal))
        condition_broadcast(&journal->news);
    } else if (journal->options.sync == JOURNAL_SYNC_INTERVAL && journal->unsynced) {
      condition_wait_for(&journal->work, &journal->mutex, journal->options.sync_interval_ns);
    } else {
      condition_wait(&journal->work, &journal->mutex);
    }
  }
}

// Lets the queue fill: for options.gather_ns, and while records are expected, for options.expected_wait_ns; mutex held.
static void gather(struct journal *journal) {
  const struct journal_options *options = &journal->options;
  uint64_t now = clock_monotonic_ns(clock_system());
  uint64_t end = now + options->gather_ns, expected_end = now + options->expected_wait_ns;
  for (;;) {
    uint64_t until = journal->expected > 0 && expected_end > end ? expected_end : end;
    bool is_wanted = journal->closing || journal->flush_wanted > journal->ticket_done;
    if (now >= until || is_wanted || journal->queue_bytes >= JOURNAL_GATHER_BYTES) return;
    condition_wait_for(&journal->work, &journal->mutex, until - now);
    now = clock_monotonic_ns(clock_system());
  }
}

void journal_writer_run(void *context) {
  struct journal *journal = context;
  // Where senders wait for the answers, all of them wait for this thread to come back from its sync.
  if (journal->options.gather_ns == 0) thread_run_promptly();
  for (;;) {
    mutex_lock(&journal->mutex);
    wait_for_work(journal);
    if (journal->queue_head) gather(journal);
    struct journal_pending *list = journal->queue_head;
    journal->queue_head = NULL;
    journal->queue_bytes = 0;
    journal->queue_tail = &journal->queue_head;
    bool closing = journal->closing;
    mutex_unlock(&journal->mutex);

    bool ended = closing && !list;
    while (list) list = commit(journal, list);
    mutex_lock(&journal->mutex);
    bool flush = flush_is_due(journal);
    mutex_unlock(&journal->mutex);
    if (flush || interval_is_due(journal)) sync_now(journal);
    if (ended) break;
  }
  journal_segment_seal(journal);
  mutex_lock(&journal->mutex);
  journal->ticket_synced = journal->ticket_done;
  condition_broadcast(&journal->durable);
  mutex_unlock(&journal->mutex);
}
