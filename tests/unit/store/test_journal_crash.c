// SPDX-License-Identifier: Apache-2.0
//
// Power cuts. Everything the journal does to its directory is recorded, with the answers it gave in between. Then, for
// every moment, the directory is built as a power cut then could have left it: what was synced is there; of what was
// written since, each sector may or may not be; names made or removed since the last sync of the directory may or may
// not. Files that are written over (spare segments) hold what was there before where nothing was synced. The journal
// must open, hold every record acknowledged before that moment, hold nothing it was never given, and go on.
#include <dirent.h>

#include "tests/unit/store/journal_fixture.h"

enum event_kind {
  EVENT_CREATE,
  EVENT_WRITE,
  EVENT_TRUNCATE,
  EVENT_SYNC,
  EVENT_SYNC_DIRECTORY,
  EVENT_UNLINK,
  EVENT_RENAME,
  EVENT_ACK
};

struct event {
  enum event_kind kind;
  uint32_t file; // its number; EVENT_ACK: the record's
  uint64_t name; // EVENT_CREATE, EVENT_RENAME
  uint64_t offset, len;
  uint8_t *bytes;
};

enum { EVENTS_MAX = 4096, FILES_MAX = 256, DESCRIPTORS_MAX = 1024, FILE_BYTES_MAX = 64 << 10, SECTOR = 512 };
#define SPARE (UINT64_C(1) << 63) // in a name: "<number>.spare" instead of "<number>.seg"

struct recorder {
  struct journal_io io;
  struct fixture *fixture;
  struct mutex mutex;
  struct event events[EVENTS_MAX];
  uint32_t count;
  uint64_t names[FILES_MAX]; // by file, as it is called now; 0: it is gone. File 0 is none
  uint32_t file_count;
  uint32_t files[DESCRIPTORS_MAX];   // of open descriptors; 0: not a segment
  uint32_t datasyncs, fail_datasync; // the number of a datasync that fails (after having done nothing)
};

static uint64_t name_of(const struct recorder *recorder, const char *path) {
  size_t len = strlen(recorder->fixture->directory);
  bool spare = strstr(path, ".spare") != NULL;
  if (strncmp(path, recorder->fixture->directory, len) != 0 || (!spare && !strstr(path, ".seg"))) return 0;
  return strtoull(path + len + 1, NULL, 16) | (spare ? SPARE : 0);
}

// The file of that name; met for the first time, it gets a number.
static uint32_t file_named(struct recorder *recorder, uint64_t name) {
  if (name == 0) return 0;
  mutex_lock(&recorder->mutex);
  uint32_t file = 1;
  while (file <= recorder->file_count && recorder->names[file] != name) file++;
  if (file > recorder->file_count) {
    assert_true(file < FILES_MAX);
    recorder->names[file] = name;
    recorder->file_count = file;
  }
  mutex_unlock(&recorder->mutex);
  return file;
}

static void call_file(struct recorder *recorder, uint32_t file, uint64_t name) {
  mutex_lock(&recorder->mutex);
  recorder->names[file] = name;
  mutex_unlock(&recorder->mutex);
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
  if (fd < 0) return fd;
  assert_true(fd < DESCRIPTORS_MAX);
  uint64_t name = name_of(recorder, path);
  uint32_t file = file_named(recorder, name);
  mutex_lock(&recorder->mutex);
  recorder->files[fd] = file;
  mutex_unlock(&recorder->mutex);
  if (file && flags & O_CREAT) note(recorder, (struct event){.kind = EVENT_CREATE, .file = file, .name = name});
  return fd;
}
static int rec_close(void *context, int fd) {
  (void)context;
  return journal_io_system()->close(NULL, fd);
}
static uint32_t file_of_fd(struct recorder *recorder, int fd) {
  mutex_lock(&recorder->mutex);
  uint32_t file = recorder->files[fd];
  mutex_unlock(&recorder->mutex);
  return file;
}
static ssize_t rec_pwritev(void *context, int fd, const struct iovec *iov, int count, off_t offset) {
  struct recorder *recorder = context;
  uint32_t file = file_of_fd(recorder, fd);
  if (file) {
    struct event event = {.kind = EVENT_WRITE, .file = file, .offset = (uint64_t)offset};
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
  uint32_t file = file_of_fd(recorder, fd);
  mutex_lock(&recorder->mutex);
  bool fails = file && ++recorder->datasyncs == recorder->fail_datasync;
  mutex_unlock(&recorder->mutex);
  if (fails) return -EIO;
  int result = journal_io_system()->datasync(NULL, fd);
  if (file) note(recorder, (struct event){.kind = EVENT_SYNC, .file = file});
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
  uint32_t file = file_of_fd(recorder, fd);
  if (file) note(recorder, (struct event){.kind = EVENT_TRUNCATE, .file = file, .len = (uint64_t)len});
  return journal_io_system()->truncate(NULL, fd, len);
}
static int rec_unlink(void *context, const char *path) {
  struct recorder *recorder = context;
  int result = journal_io_system()->unlink(NULL, path);
  uint32_t file = result == 0 ? file_named(recorder, name_of(recorder, path)) : 0;
  if (file) note(recorder, (struct event){.kind = EVENT_UNLINK, .file = file});
  if (file) call_file(recorder, file, 0);
  return result;
}
static int rec_rename(void *context, const char *from, const char *to) {
  struct recorder *recorder = context;
  int result = journal_io_system()->rename(NULL, from, to);
  if (result < 0) return result;
  uint32_t file = file_named(recorder, name_of(recorder, from));
  uint64_t name = name_of(recorder, to);
  note(recorder, (struct event){.kind = EVENT_RENAME, .file = file, .name = name});
  call_file(recorder, file, name);
  return 0;
}

struct crash_append {
  struct recorder *recorder;
  uint32_t id;
};
static void crash_ack(void *context, enum status status, uint64_t sequence, struct journal_location location) {
  struct crash_append *append = context;
  if (status == STATUS_OK) note(append->recorder, (struct event){.kind = EVENT_ACK, .file = append->id});
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
  uint64_t name, durable_name; // now, for the running system, and on the disk; 0: there is none
  uint8_t now[FILE_BYTES_MAX], durable[FILE_BYTES_MAX];
  uint64_t now_bytes, durable_bytes;
};

static uint32_t next_random(uint64_t *seed) {
  *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (uint32_t)(*seed >> 33);
}

static void play(struct file *files, const struct event *event) {
  struct file *file = event->kind < EVENT_ACK && event->kind != EVENT_SYNC_DIRECTORY ? &files[event->file] : NULL;
  switch (event->kind) {
  case EVENT_CREATE:
  case EVENT_RENAME: file->name = event->name; break;
  case EVENT_UNLINK: file->name = 0; break;
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
    for (uint32_t i = 0; i < FILES_MAX; i++) files[i].durable_name = files[i].name;
    break;
  case EVENT_ACK: break;
  }
}

static void write_file(const struct file *file, uint64_t name, const char *directory, enum image image,
                       uint64_t *seed) {
  uint8_t bytes[FILE_BYTES_MAX];
  uint64_t len = file->durable_bytes;
  memcpy(bytes, file->durable, sizeof(bytes));
  bool random = image >= IMAGE_RANDOM;
  if (image == IMAGE_EVERYTHING || (random && next_random(seed) % 2)) len = file->now_bytes;
  for (uint64_t at = 0; at < FILE_BYTES_MAX; at += SECTOR)
    if (image == IMAGE_EVERYTHING || (random && next_random(seed) % 2)) memcpy(bytes + at, file->now + at, SECTOR);
  if (len < FILE_BYTES_MAX) memset(bytes + len, 0, FILE_BYTES_MAX - len);
  char path[256];
  snprintf(path, sizeof(path), "%s/%016" PRIx64 ".%s", directory, name & ~SPARE, name & SPARE ? "spare" : "seg");
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes, len), len);
  close(fd);
}

static void build(const struct file *files, const char *directory, enum image image, uint64_t *seed) {
  for (uint32_t i = 0; i < FILES_MAX; i++) {
    uint64_t name = files[i].durable_name;
    bool newer = image == IMAGE_EVERYTHING || (image >= IMAGE_RANDOM && next_random(seed) % 2);
    if (newer) name = files[i].name;
    if (name) write_file(&files[i], name, directory, image, seed);
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

// No segment went to quarantine whole: a header never stands under another segment's name.
static void check_quarantine(const struct fixture *there) {
  DIR *directory = opendir(there->quarantine);
  for (struct dirent *entry; directory && (entry = readdir(directory));) assert_null(strstr(entry->d_name, ".seg"));
  if (directory) closedir(directory);
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
      if (event->kind != EVENT_ACK || event->file < deleted_below) continue;
      if (!there->seen[event->file])
        GRIEVE("moment %u, image %u, pass %d: record %u was acknowledged and is lost", moment, image, pass,
               event->file);
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
  check_quarantine(there);
}

static void check_every_moment(struct recorder *recorder, uint32_t delete_event, uint32_t deleted_below) {
  struct file *files = calloc(FILES_MAX, sizeof(*files));
  uint64_t seed = 7;
  for (uint32_t moment = 0; moment <= recorder->count; moment++) {
    if (moment > 0) play(files, &recorder->events[moment - 1]);
    for (uint32_t image = 0; image < IMAGES; image++) {
      struct fixture *there = malloc(sizeof(*there));
      fixture_init_in_memory(there);
      char command[512];
      snprintf(command, sizeof(command), "%s/data", there->root);
      assert_int_equal(mkdir(command, 0700), 0);
      assert_int_equal(mkdir(there->directory, 0700), 0);
      build(files, there->directory, (enum image)image, &seed);
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
  recorder->io =
      (struct journal_io){recorder,           rec_open,    rec_close,    rec_pwritev, rec_pread, rec_datasync,
                          rec_sync_directory, rec_reserve, rec_truncate, rec_unlink,  rec_rename};
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
  options.spare_segments_max = 2;
  struct journal *journal = fixture_open(&options);
  uint32_t id = 0;
  for (; id < 15; id++) {
    append(recorder, journal, id);
    if (id % 4 < 2) journal_flush(journal);
  }
  journal_close(journal);
  journal = fixture_open(&options);
  for (; id < 70; id++) {
    append(recorder, journal, id);
    if (id % 5 == 0) journal_flush(journal);
  }
  journal_flush(journal);
  struct journal_segment segments[8];
  uint32_t segment_count = journal_segments(journal, segments, 8);
  assert_true(segment_count >= 3);
  uint64_t last_deleted = segments[segment_count - 2].last_sequence;
  uint32_t deleted_below = 0;
  for (uint32_t i = 0; i < id; i++)
    if (fixture->sequence[i] <= last_deleted) deleted_below = i + 1;
  uint32_t delete_event = recorder->count;
  assert_int_equal(journal_delete_before(journal, last_deleted + 1), segment_count - 1);
  for (; id < 80; id++) append(recorder, journal, id);
  journal_flush(journal);
  for (; id < 130; id++) {
    append(recorder, journal, id);
    if (id % 3 == 0) journal_flush(journal);
  }
  journal_close(journal);
  for (uint32_t i = 0; i < id; i++) assert_int_equal(fixture->answers[i], 1);
  uint32_t renames = 0; // to a spare, and to a segment again
  for (uint32_t i = 0; i < recorder->count; i++) renames += recorder->events[i].kind == EVENT_RENAME;
  assert_true(renames >= 2);
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
  uint32_t file = file_named(recorder, segment.first_sequence);
  struct event content = {.kind = EVENT_WRITE, .file = file, .len = bytes - 8, .bytes = malloc(bytes)};
  int fd = open(path, O_RDONLY);
  assert_int_equal(read(fd, content.bytes, bytes - 8), bytes - 8);
  close(fd);
  recorder->count--; // the answer to the torn record
  note(recorder, (struct event){.kind = EVENT_CREATE, .file = file, .name = segment.first_sequence});
  note(recorder, content);
  note(recorder, (struct event){.kind = EVENT_SYNC, .file = file});
  note(recorder, (struct event){.kind = EVENT_SYNC_DIRECTORY});
  uint32_t before = recorder->count;
  options.io = &recorder->io;
  journal = fixture_open(&options);
  append(recorder, journal, 20);
  journal_close(journal);
  // From before the recovery on.
  struct file *files = calloc(FILES_MAX, sizeof(*files));
  uint64_t seed = 9;
  for (uint32_t moment = 1; moment <= recorder->count; moment++) {
    play(files, &recorder->events[moment - 1]);
    for (uint32_t image = 0; image < IMAGES && moment >= before; image++) {
      struct fixture *there = malloc(sizeof(*there));
      fixture_init_in_memory(there);
      snprintf(path, sizeof(path), "%s/data", there->root);
      assert_int_equal(mkdir(path, 0700), 0);
      assert_int_equal(mkdir(there->directory, 0700), 0);
      build(files, there->directory, (enum image)image, &seed);
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
