// SPDX-License-Identifier: Apache-2.0
//
// Power cuts. Everything the journal does to its directory is recorded, with the answers it gave in between. Then, for
// every moment, the directory is built as a power cut then could have left it: what was synced is there; of what was
// written since, each sector may or may not be; names made or removed since the last sync of the directory may or may
// not. The journal must open, hold every record acknowledged before that moment, hold nothing it was never given, and
// go on.
#include "tests/unit/store/journal_fixture.h"

enum event_kind {
  EVENT_CREATE,
  EVENT_WRITE,
  EVENT_TRUNCATE,
  EVENT_SYNC,
  EVENT_SYNC_DIRECTORY,
  EVENT_UNLINK,
  EVENT_ACK
};

struct event {
  enum event_kind kind;
  uint64_t name; // of the segment; EVENT_ACK: the record's number
  uint64_t offset, len;
  uint8_t *bytes;
};

enum { EVENTS_MAX = 4096, FILES_MAX = 256, DESCRIPTORS_MAX = 1024, FILE_BYTES_MAX = 64 << 10, SECTOR = 512 };

struct recorder {
  struct journal_io io;
  struct fixture *fixture;
  struct mutex mutex;
  struct event events[EVENTS_MAX];
  uint32_t count;
  uint64_t names[DESCRIPTORS_MAX];   // of open descriptors; 0: not a segment
  uint32_t datasyncs, fail_datasync; // the number of a datasync that fails (after having done nothing)
};

static uint64_t name_of(const struct recorder *recorder, const char *path) {
  size_t len = strlen(recorder->fixture->directory);
  if (strncmp(path, recorder->fixture->directory, len) != 0 || !strstr(path, ".seg")) return 0;
  return strtoull(path + len + 1, NULL, 16);
}

static void note(struct recorder *recorder, struct event event) {
  mutex_lock(&recorder->mutex);
  assert_true(recorder->count < EVENTS_MAX);
  recorder->events[recorder->count++] = event;
  mutex_unlock(&recorder->mutex);
}

static int rec_open(void *context, const char *path, int flags, int mode) {
  struct recorder *recorder = context;
  int fd = journal_io_system()->open(NULL, path, flags, mode);
  uint64_t name = name_of(recorder, path);
  if (fd >= 0) {
    assert_true(fd < DESCRIPTORS_MAX);
    mutex_lock(&recorder->mutex);
    recorder->names[fd] = name;
    mutex_unlock(&recorder->mutex);
    if (name && flags & O_CREAT) note(recorder, (struct event){.kind = EVENT_CREATE, .name = name});
  }
  return fd;
}
static int rec_close(void *context, int fd) {
  (void)context;
  return journal_io_system()->close(NULL, fd);
}
static uint64_t name_of_fd(struct recorder *recorder, int fd) {
  mutex_lock(&recorder->mutex);
  uint64_t name = recorder->names[fd];
  mutex_unlock(&recorder->mutex);
  return name;
}
static ssize_t rec_pwritev(void *context, int fd, const struct iovec *iov, int count, off_t offset) {
  struct recorder *recorder = context;
  uint64_t name = name_of_fd(recorder, fd);
  if (name) {
    struct event event = {.kind = EVENT_WRITE, .name = name, .offset = (uint64_t)offset};
    for (int i = 0; i < count; i++) event.len += iov[i].iov_len;
    event.bytes = malloc(event.len);
    uint8_t *to = event.bytes;
    for (int i = 0; i < count; to += iov[i].iov_len, i++) memcpy(to, iov[i].iov_base, iov[i].iov_len);
    note(recorder, event);
  }
  return journal_io_system()->pwritev(NULL, fd, iov, count, offset);
}
static ssize_t rec_pread(void *context, int fd, void *out, size_t len, off_t offset) {
  (void)context;
  return journal_io_system()->pread(NULL, fd, out, len, offset);
}
static int rec_datasync(void *context, int fd) {
  struct recorder *recorder = context;
  uint64_t name = name_of_fd(recorder, fd);
  mutex_lock(&recorder->mutex);
  bool fails = name && ++recorder->datasyncs == recorder->fail_datasync;
  mutex_unlock(&recorder->mutex);
  if (fails) return -EIO;
  int result = journal_io_system()->datasync(NULL, fd);
  if (name) note(recorder, (struct event){.kind = EVENT_SYNC, .name = name});
  return result;
}
static int rec_sync_directory(void *context, const char *path) {
  struct recorder *recorder = context;
  if (strcmp(path, recorder->fixture->directory) == 0) note(recorder, (struct event){.kind = EVENT_SYNC_DIRECTORY});
  return journal_io_system()->sync_directory(NULL, path);
}
static int rec_reserve(void *context, int fd, off_t offset, off_t len) {
  (void)context;
  return journal_io_system()->reserve(NULL, fd, offset, len);
}
static int rec_truncate(void *context, int fd, off_t len) {
  struct recorder *recorder = context;
  uint64_t name = name_of_fd(recorder, fd);
  if (name) note(recorder, (struct event){.kind = EVENT_TRUNCATE, .name = name, .len = (uint64_t)len});
  return journal_io_system()->truncate(NULL, fd, len);
}
static int rec_unlink(void *context, const char *path) {
  struct recorder *recorder = context;
  uint64_t name = name_of(recorder, path);
  if (name) note(recorder, (struct event){.kind = EVENT_UNLINK, .name = name});
  return journal_io_system()->unlink(NULL, path);
}

struct crash_append {
  struct recorder *recorder;
  uint32_t id;
};
static void crash_ack(void *context, enum status status, uint64_t sequence, struct journal_location location) {
  struct crash_append *append = context;
  if (status == STATUS_OK) note(append->recorder, (struct event){.kind = EVENT_ACK, .name = append->id});
  struct fixture_append *inner = malloc(sizeof(*inner));
  *inner = (struct fixture_append){append->recorder->fixture, append->id};
  fixture_ack(inner, status, sequence, location);
  free(append);
}
static void append(struct recorder *recorder, struct journal *journal, uint32_t id) {
  uint8_t body[8192], section[64];
  struct crash_append *context = malloc(sizeof(*context));
  *context = (struct crash_append){recorder, id};
  struct journal_entry entry = {
      .kind = JOURNAL_TRACES,
      .project = id,
      .item_count = id + 1,
      .received_ns = UINT64_C(1700000000000000000) + id,
      .origin_sequence = id + 1000,
      .section = slice_make(section, fixture_section(id, section)),
      .body = slice_make(body, fixture_body(id, body)),
  };
  struct error error;
  assert_int_equal(journal_append(journal, &entry, crash_ack, context, &error), STATUS_OK);
}

// --- building the directory after a power cut ------------------------------------------------------------------------

enum image { IMAGE_NOTHING_UNSYNCED, IMAGE_EVERYTHING, IMAGE_RANDOM, IMAGE_RANDOM_AGAIN, IMAGES };

struct file {
  uint64_t name;
  bool exists;         // now, for the running system
  bool durable_exists; // on the disk
  uint8_t now[FILE_BYTES_MAX], durable[FILE_BYTES_MAX];
  uint64_t now_bytes, durable_bytes;
};

static uint32_t next_random(uint64_t *seed) {
  *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (uint32_t)(*seed >> 33);
}

static struct file *file_of(struct file *files, uint32_t *count, uint64_t name) {
  for (uint32_t i = 0; i < *count; i++)
    if (files[i].name == name) return &files[i];
  assert_true(*count < FILES_MAX);
  memset(&files[*count], 0, sizeof(*files));
  files[*count].name = name;
  return &files[(*count)++];
}

static void play(struct file *files, uint32_t *count, const struct event *event) {
  struct file *file =
      event->kind < EVENT_ACK && event->kind != EVENT_SYNC_DIRECTORY ? file_of(files, count, event->name) : NULL;
  switch (event->kind) {
  case EVENT_CREATE: file->exists = true; break;
  case EVENT_UNLINK: file->exists = false; break;
  case EVENT_WRITE:
    assert_true(event->offset + event->len <= FILE_BYTES_MAX);
    memcpy(file->now + event->offset, event->bytes, event->len);
    if (event->offset + event->len > file->now_bytes) file->now_bytes = event->offset + event->len;
    break;
  case EVENT_TRUNCATE:
    if (event->len < file->now_bytes) memset(file->now + event->len, 0, file->now_bytes - event->len);
    file->now_bytes = event->len;
    break;
  case EVENT_SYNC:
    memcpy(file->durable, file->now, FILE_BYTES_MAX);
    file->durable_bytes = file->now_bytes;
    break;
  case EVENT_SYNC_DIRECTORY:
    for (uint32_t i = 0; i < *count; i++) files[i].durable_exists = files[i].exists;
    break;
  case EVENT_ACK: break;
  }
}

static void write_file(const struct file *file, const char *directory, enum image image, uint64_t *seed) {
  uint8_t bytes[FILE_BYTES_MAX];
  uint64_t len = file->durable_bytes;
  memcpy(bytes, file->durable, sizeof(bytes));
  bool random = image >= IMAGE_RANDOM;
  if (image == IMAGE_EVERYTHING || (random && next_random(seed) % 2)) len = file->now_bytes;
  for (uint64_t at = 0; at < FILE_BYTES_MAX; at += SECTOR)
    if (image == IMAGE_EVERYTHING || (random && next_random(seed) % 2)) memcpy(bytes + at, file->now + at, SECTOR);
  if (len < FILE_BYTES_MAX) memset(bytes + len, 0, FILE_BYTES_MAX - len);
  char path[256];
  snprintf(path, sizeof(path), "%s/%016" PRIx64 ".seg", directory, file->name);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes, len), len);
  close(fd);
}

static void build(const struct file *files, uint32_t count, const char *directory, enum image image, uint64_t *seed) {
  for (uint32_t i = 0; i < count; i++) {
    bool there = files[i].durable_exists;
    if (files[i].exists != there) {
      if (image == IMAGE_EVERYTHING) there = files[i].exists;
      if (image >= IMAGE_RANDOM) there = next_random(seed) % 2;
    }
    if (there) write_file(&files[i], directory, image, seed);
  }
}

// --- the scenario and its check --------------------------------------------------------------------------------------

#define GRIEVE(...)                                                                                                    \
  do {                                                                                                                 \
    printf("# " __VA_ARGS__);                                                                                          \
    printf("\n");                                                                                                      \
    fail();                                                                                                            \
  } while (0)

// The images are looked at without syncing: nothing is cut there.
static int no_sync(void *context, int fd) {
  (void)context;
  (void)fd;
  return 0;
}
static int no_sync_directory(void *context, const char *path) {
  (void)context;
  (void)path;
  return 0;
}

// deleted: records that may be gone, as their segments were deleted on purpose.
static void check_image(struct recorder *recorder, uint32_t moment, uint32_t image, struct fixture *there,
                        uint32_t deleted_below) {
  struct journal_options options = fixture_options(there);
  struct journal_io io = *journal_io_system();
  io.datasync = no_sync;
  io.sync_directory = no_sync_directory;
  options.io = &io;
  struct journal *journal = fixture_open(&options);
  for (int pass = 0; pass < 2; pass++) {
    fixture_read_all(there, journal, 1); // also: every record is one of ours, and none comes twice
    for (uint32_t i = 0; i < moment; i++) {
      const struct event *event = &recorder->events[i];
      if (event->kind != EVENT_ACK || event->name < deleted_below) continue;
      if (!there->seen[event->name])
        GRIEVE("moment %u, image %u, pass %d: record %u was acknowledged and is lost", moment, image, pass,
               (unsigned)event->name);
    }

    for (uint32_t id = 0; id < FIXTURE_IDS_MAX - 2; id++)
      if (there->seen[id] && recorder->fixture->answers[id] == 0) GRIEVE("record %u was never given", id);
    // It goes on, and what it writes now is there after another start.
    uint32_t id = FIXTURE_IDS_MAX - 2 + (uint32_t)pass;
    assert_true(fixture_append_wait(there, journal, id));
    journal_close(journal);
    journal = fixture_open(&options);
  }
  fixture_read_all(there, journal, 1);
  assert_int_equal(there->seen[FIXTURE_IDS_MAX - 2] + there->seen[FIXTURE_IDS_MAX - 1], 2);
  journal_close(journal);
}

static void check_every_moment(struct recorder *recorder, uint32_t delete_event, uint32_t deleted_below) {
  struct file *files = malloc(FILES_MAX * sizeof(*files));
  uint32_t file_count = 0;
  uint64_t seed = 7;
  for (uint32_t moment = 0; moment <= recorder->count; moment++) {
    if (moment > 0) play(files, &file_count, &recorder->events[moment - 1]);
    for (uint32_t image = 0; image < IMAGES; image++) {
      struct fixture *there = malloc(sizeof(*there));
      fixture_init_in_memory(there);
      char command[512];
      snprintf(command, sizeof(command), "%s/data", there->root);
      assert_int_equal(mkdir(command, 0700), 0);
      assert_int_equal(mkdir(there->directory, 0700), 0);
      build(files, file_count, there->directory, (enum image)image, &seed);
      check_image(recorder, moment, image, there, moment > delete_event ? deleted_below : 0);
      fixture_finish(there);
      free(there);
    }
  }
  free(files);
}

static void recorder_init(struct recorder *recorder, struct fixture *fixture) {
  memset(recorder, 0, sizeof(*recorder));
  recorder->fixture = fixture;
  recorder->io = (struct journal_io){recorder,     rec_open,           rec_close,   rec_pwritev,  rec_pread,
                                     rec_datasync, rec_sync_directory, rec_reserve, rec_truncate, rec_unlink};
  mutex_init(&recorder->mutex);
}

static void recorder_finish(struct recorder *recorder) {
  for (uint32_t i = 0; i < recorder->count; i++) free(recorder->events[i].bytes);
  mutex_finish(&recorder->mutex);
  free(recorder);
}

// Rolls, closes, reopens, deletes; single records and groups; optionally one sync fails.
static void run(uint32_t fail_datasync) {
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init_in_memory(fixture);
  struct recorder *recorder = malloc(sizeof(*recorder));
  recorder_init(recorder, fixture);
  recorder->fail_datasync = fail_datasync;
  struct journal_options options = fixture_options(fixture);
  options.io = &recorder->io;
  struct journal *journal = fixture_open(&options);
  uint32_t id = 0;
  for (; id < 12; id++) {
    append(recorder, journal, id);
    if (id % 4 < 2) journal_flush(journal);
  }
  journal_close(journal);
  journal = fixture_open(&options);
  for (; id < 30; id++) {
    append(recorder, journal, id);
    if (id % 5 == 0) journal_flush(journal);
  }
  journal_flush(journal);
  struct journal_segment segments[8];
  assert_true(journal_segments(journal, segments, 8) >= 2);
  uint32_t deleted_below = 0;
  for (uint32_t i = 0; i < id; i++)
    if (fixture->sequence[i] <= segments[0].last_sequence) deleted_below = i + 1;
  uint32_t delete_event = recorder->count;
  assert_int_equal(journal_delete_before(journal, segments[0].last_sequence + 1), 1);
  for (; id < 36; id++) append(recorder, journal, id);
  journal_close(journal);
  for (uint32_t i = 0; i < id; i++) assert_int_equal(fixture->answers[i], 1);
  check_every_moment(recorder, delete_event, deleted_below);
  recorder_finish(recorder);
  fixture_finish(fixture);
  free(fixture);
}

static void a_power_cut_loses_nothing_acknowledged(void **state) {
  (void)state;
  run(0);
}
static void nor_after_a_failed_sync(void **state) {
  (void)state;
  run(4);
}
static void nor_after_a_failed_sync_of_a_header(void **state) {
  (void)state;
  run(1);
}

// A power cut during recovery: the recorded events are those of a recovery with a torn tail to cut.
static void recovery_may_be_cut_short(void **state) {
  (void)state;
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init_in_memory(fixture);
  struct journal_options options = fixture_options(fixture);
  struct journal *journal = fixture_open(&options);
  struct recorder *recorder = malloc(sizeof(*recorder));
  recorder_init(recorder, fixture);
  for (uint32_t id = 0; id < 10; id++) append(recorder, journal, id); // notes the answers only
  journal_flush(journal);
  struct journal_segment segment;
  assert_int_equal(journal_segments(journal, &segment, 1), 1);
  journal_close(journal);
  // Tear the last record; it was acknowledged once, but a tail is a tail.
  char path[256];
  uint64_t bytes = fixture_first_file(fixture, path, segment.first_sequence);
  assert_int_equal(truncate(path, (off_t)(bytes - 8)), 0);
  struct event content = {
      .kind = EVENT_WRITE, .name = segment.first_sequence, .len = bytes - 8, .bytes = malloc(bytes)};
  int fd = open(path, O_RDONLY);
  assert_int_equal(read(fd, content.bytes, bytes - 8), bytes - 8);
  close(fd);
  recorder->count--; // the answer to the torn record
  note(recorder, (struct event){.kind = EVENT_CREATE, .name = segment.first_sequence});
  note(recorder, content);
  note(recorder, (struct event){.kind = EVENT_SYNC, .name = segment.first_sequence});
  note(recorder, (struct event){.kind = EVENT_SYNC_DIRECTORY});
  uint32_t before = recorder->count;
  options.io = &recorder->io;
  journal = fixture_open(&options);
  append(recorder, journal, 20);
  journal_close(journal);
  // From before the recovery on.
  struct file *files = malloc(FILES_MAX * sizeof(*files));
  uint32_t file_count = 0;
  uint64_t seed = 9;
  for (uint32_t moment = 1; moment <= recorder->count; moment++) {
    play(files, &file_count, &recorder->events[moment - 1]);
    for (uint32_t image = 0; image < IMAGES && moment >= before; image++) {
      struct fixture *there = malloc(sizeof(*there));
      fixture_init_in_memory(there);
      snprintf(path, sizeof(path), "%s/data", there->root);
      assert_int_equal(mkdir(path, 0700), 0);
      assert_int_equal(mkdir(there->directory, 0700), 0);
      build(files, file_count, there->directory, (enum image)image, &seed);
      check_image(recorder, moment, image, there, 0);
      fixture_finish(there);
      free(there);
    }
  }
  free(files);
  recorder_finish(recorder);
  fixture_finish(fixture);
  free(fixture);
}

int main(void) {
  fixture_silence();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_power_cut_loses_nothing_acknowledged),
      cmocka_unit_test(nor_after_a_failed_sync),
      cmocka_unit_test(nor_after_a_failed_sync_of_a_header),
      cmocka_unit_test(recovery_may_be_cut_short),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
