// SPDX-License-Identifier: Apache-2.0
//
// How it works: an index file is a head and blocks of sorted entries. In a block, keys are written relative to the
// block's first key and record offsets in units of 8 bytes, each with as many bytes as the block needs: some 10 bytes
// an entry for a full segment, 11 for a small one. Every block has its own checksum, so that a look-up reads and checks
// only the few blocks it touches. Keys are hashes, evenly spread: guessing the block from the key (interpolation) finds
// it in two or three reads; should the guesses stay bad, halving takes over.
//
//   head, 64 bytes                                 block, 4096 bytes (the last one: as long as it needs)
//      0  u64 magic                                   0  u64 checksum of the rest of the block
//      8  u32 version                                 8  u64 first key
//     12  u32 block count                            16  u16 entry count
//     16  u64 entry count                            18  u8 key bytes, u8 offset bytes, u32 zero
//     24  u64 first sequence of the segment          24  entries: key - first key, record offset / 8
//     32  u64 bytes of the file
//     40  16  zero
//     56  u64 checksum of the 56 before
//
// Numbers are little-endian, checksums XXH3-64. Entries are in order of key, then offset, without duplicates.
//
// The builder is the same thing in memory while a segment grows: entries in order of arrival, chained by hash of the
// key.
#include "store/segment_index.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "store/little_endian.h"

#define MAGIC            UINT64_C(0x3158444e494c5543) // "CULINDX1"
#define VERSION          1
#define PATH_BYTES       4096
#define TRACE_KEY_SEED   UINT64_C(0x7472616365206964)
#define REQUEST_KEY_SEED UINT64_C(0x7265717565737420)

enum { HEAD_BYTES = 64, BLOCK_BYTES = 4096, BLOCK_HEAD_BYTES = 24, GUESSES_MAX = 6 };

uint64_t segment_index_trace_key(const uint8_t trace_id[16]) {
  return hash_xxh3_seeded(slice_make(trace_id, 16), TRACE_KEY_SEED);
}

uint64_t segment_index_request_key(struct slice request_id) {
  return hash_xxh3_seeded(request_id, REQUEST_KEY_SEED);
}

// --- building --------------------------------------------------------------------------------------------------------

#define NO_ENTRY UINT32_MAX

struct builder_entry {
  uint64_t key;
  uint32_t offset_units;
  uint32_t next; // of the same slot, newer to older
};

struct segment_index_builder {
  struct builder_entry *entries;
  uint32_t *slots; // as many as there is room for entries, 2 to the power of slot_bits
  uint32_t count, capacity, entries_max;
  unsigned slot_bits;
  uint64_t mix; // random: clients choose trace ids, not slots
};

struct segment_index_builder *segment_index_builder_create(uint32_t entries_max) {
  ASSERT(entries_max > 0 && entries_max < NO_ENTRY / 2);
  struct segment_index_builder *builder = calloc(1, sizeof(*builder));
  if (!builder) return NULL;
  builder->entries_max = entries_max;
  builder->mix = random_u64() | 1;
  return builder;
}

void segment_index_builder_destroy(struct segment_index_builder *builder) {
  if (!builder) return;
  free(builder->entries);
  free(builder->slots);
  free(builder);
}

void segment_index_builder_clear(struct segment_index_builder *builder) {
  builder->count = 0;
  if (builder->slots) memset(builder->slots, 0xff, builder->capacity * sizeof(*builder->slots));
}

uint32_t segment_index_builder_count(const struct segment_index_builder *builder) {
  return builder->count;
}

static uint32_t *slot_of(const struct segment_index_builder *builder, uint64_t key) {
  return &builder->slots[(key * builder->mix) >> (64 - builder->slot_bits)];
}

static void chain(struct segment_index_builder *builder, uint32_t index) {
  struct builder_entry *entry = &builder->entries[index];
  uint32_t *slot = slot_of(builder, entry->key);
  entry->next = *slot;
  *slot = index;
}

static bool grow(struct segment_index_builder *builder) {
  unsigned slot_bits = builder->slot_bits ? builder->slot_bits + 1 : 10;
  uint32_t capacity = UINT32_C(1) << slot_bits;
  struct builder_entry *entries = realloc(builder->entries, capacity * sizeof(*entries));
  if (!entries) return false;
  builder->entries = entries;
  uint32_t *slots = malloc(capacity * sizeof(*slots));
  if (!slots) return false;
  free(builder->slots);
  builder->slots = slots;
  builder->capacity = capacity;
  builder->slot_bits = slot_bits;
  memset(slots, 0xff, capacity * sizeof(*slots));
  for (uint32_t i = 0; i < builder->count; i++) chain(builder, i);
  return true;
}

bool segment_index_builder_add(struct segment_index_builder *builder, uint64_t key, uint64_t record_offset) {
  ASSERT(record_offset % 8 == 0 && record_offset / 8 <= UINT32_MAX);
  uint32_t units = (uint32_t)(record_offset / 8);
  if (builder->count > 0) {
    // A key that a record has twice is added once: the records come in order, so it is the newest of its chain.
    uint32_t index = *slot_of(builder, key);
    for (; index != NO_ENTRY && builder->entries[index].offset_units == units; index = builder->entries[index].next)
      if (builder->entries[index].key == key) return true;
  }
  if (builder->count == builder->entries_max) return false;
  if (builder->count == builder->capacity && !grow(builder)) return false;
  builder->entries[builder->count] = (struct builder_entry){.key = key, .offset_units = units};
  chain(builder, builder->count++);
  return true;
}

static int compare_offsets(const void *left, const void *right) {
  const uint64_t *a = left, *b = right;
  return (*a > *b) - (*a < *b);
}

uint32_t segment_index_builder_find(const struct segment_index_builder *builder, uint64_t key, uint64_t *out_offsets,
                                    uint32_t max) {
  if (builder->count == 0) return 0;
  uint32_t found = 0, filled = 0;
  uint64_t last = UINT64_MAX;
  for (uint32_t i = *slot_of(builder, key); i != NO_ENTRY; i = builder->entries[i].next) {
    const struct builder_entry *entry = &builder->entries[i];
    uint64_t offset = (uint64_t)entry->offset_units * 8;
    if (entry->key != key || offset == last) continue;
    last = offset;
    if (filled < max) out_offsets[filled++] = offset;
    found++;
  }
  if (filled > 1) qsort(out_offsets, filled, sizeof(*out_offsets), compare_offsets);
  return found;
}

void segment_index_builder_each(const struct segment_index_builder *builder, void (*each)(void *context, uint64_t key),
                                void *context) {
  for (uint32_t i = 0; i < builder->count; i++) each(context, builder->entries[i].key);
}

// --- writing ---------------------------------------------------------------------------------------------------------

static void make_path(const char *directory, uint64_t first_sequence, const char *ending, char out_path[PATH_BYTES]) {
  int len = snprintf(out_path, PATH_BYTES, "%s/%016" PRIx64 "%s", directory, first_sequence, ending);
  ASSERT(len > 0 && len < PATH_BYTES);
}

static int compare_entries(const void *left, const void *right) {
  const struct segment_index_entry *a = left, *b = right;
  if (a->key != b->key) return a->key < b->key ? -1 : 1;
  return (a->offset_units > b->offset_units) - (a->offset_units < b->offset_units);
}

// A sorted copy without duplicates, so that the builder can be searched meanwhile. NULL without memory.
static struct segment_index_entry *sorted_entries(const struct segment_index_builder *builder, uint32_t *out_count) {
  struct segment_index_entry *entries = malloc((builder->count + (size_t)1) * sizeof(*entries));
  if (!entries) return NULL;
  for (uint32_t i = 0; i < builder->count; i++)
    entries[i] = (struct segment_index_entry){builder->entries[i].key, builder->entries[i].offset_units};
  qsort(entries, builder->count, sizeof(*entries), compare_entries);
  uint32_t count = 0;
  for (uint32_t i = 0; i < builder->count; i++)
    if (count == 0 || compare_entries(&entries[count - 1], &entries[i]) != 0) entries[count++] = entries[i];
  *out_count = count;
  return entries;
}

static unsigned bytes_for(uint64_t value) {
  unsigned bytes = 1;
  for (; value > 0xff; value >>= 8) bytes++;
  return bytes;
}

// Encodes as many entries as one block takes; returns how many, *out_len bytes.
static uint32_t encode_block(const struct segment_index_entry *entries, uint32_t count, uint8_t out[BLOCK_BYTES],
                             size_t *out_len) {
  uint32_t taken = 0;
  unsigned key_bytes = 1, offset_bytes = 1;
  for (; taken < count; taken++) {
    unsigned more_key = bytes_for(entries[taken].key - entries[0].key);
    unsigned more_offset = bytes_for(entries[taken].offset_units);
    if (more_key < key_bytes) more_key = key_bytes;
    if (more_offset < offset_bytes) more_offset = offset_bytes;
    if ((taken + 1) * (more_key + more_offset) > BLOCK_BYTES - BLOCK_HEAD_BYTES) break;
    key_bytes = more_key;
    offset_bytes = more_offset;
  }
  memset(out, 0, BLOCK_BYTES);
  little_endian_put_u64(out + 8, entries[0].key);
  little_endian_put_u16(out + 16, (uint16_t)taken);
  out[18] = (uint8_t)key_bytes;
  out[19] = (uint8_t)offset_bytes;
  uint8_t *to = out + BLOCK_HEAD_BYTES;
  for (uint32_t i = 0; i < taken; i++, to += key_bytes + offset_bytes) {
    little_endian_put(to, entries[i].key - entries[0].key, key_bytes);
    little_endian_put(to + key_bytes, entries[i].offset_units, offset_bytes);
  }
  *out_len = taken < count ? BLOCK_BYTES : (size_t)(to - out);
  little_endian_put_u64(out, hash_xxh3(slice_make(out + 8, *out_len - 8)));
  return taken;
}

struct head {
  uint32_t block_count;
  uint64_t entry_count, first_sequence, file_bytes;
};

static void encode_head(const struct head *head, uint8_t out[HEAD_BYTES]) {
  memset(out, 0, HEAD_BYTES);
  little_endian_put_u64(out, MAGIC);
  little_endian_put_u32(out + 8, VERSION);
  little_endian_put_u32(out + 12, head->block_count);
  little_endian_put_u64(out + 16, head->entry_count);
  little_endian_put_u64(out + 24, head->first_sequence);
  little_endian_put_u64(out + 32, head->file_bytes);
  little_endian_put_u64(out + 56, hash_xxh3(slice_make(out, 56)));
}

static bool write_blocks(FILE *file, const struct segment_index_entry *entries, struct head *head) {
  uint8_t bytes[BLOCK_BYTES];
  encode_head(head, bytes); // a place for it; written again when the counts are known
  if (fwrite(bytes, HEAD_BYTES, 1, file) != 1) return false;
  head->file_bytes = HEAD_BYTES;
  for (uint64_t done = 0; done < head->entry_count;) {
    size_t len;
    done += encode_block(entries + done, (uint32_t)(head->entry_count - done), bytes, &len);
    if (fwrite(bytes, len, 1, file) != 1) return false;
    head->block_count++;
    head->file_bytes += len;
  }
  encode_head(head, bytes);
  return fseek(file, 0, SEEK_SET) == 0 && fwrite(bytes, HEAD_BYTES, 1, file) == 1 && fflush(file) == 0 &&
         fdatasync(fileno(file)) == 0;
}

static bool sync_directory(const char *directory) {
  int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  bool synced = fsync(fd) == 0;
  close(fd);
  return synced;
}

enum status segment_index_write(const struct segment_index_builder *builder, const char *directory,
                                uint64_t first_sequence, struct error *error) {
  struct head head = {.first_sequence = first_sequence};
  uint32_t count;
  struct segment_index_entry *entries = sorted_entries(builder, &count);
  if (!entries) return error_set(error, STATUS_NO_MEMORY, "no memory to sort an index");
  head.entry_count = count;
  char path[PATH_BYTES], temporary[PATH_BYTES];
  make_path(directory, first_sequence, ".idx", path);
  make_path(directory, first_sequence, ".idx.new", temporary);
  FILE *file = fopen(temporary, "wbe");
  bool written = file && write_blocks(file, entries, &head);
  int reason = errno;
  if (file && fclose(file) != 0) written = false;
  if (written && (rename(temporary, path) != 0 || !sync_directory(directory))) {
    reason = errno;
    written = false;
  }
  free(entries);
  if (written) return STATUS_OK;
  unlink(temporary);
  return error_set(error, STATUS_IO, "cannot write %s: %s", path, strerror(reason));
}

// --- reading ---------------------------------------------------------------------------------------------------------

struct index_file {
  int fd;
  struct head head;
};

struct block {
  uint8_t bytes[BLOCK_BYTES];
  uint32_t count;
  unsigned key_bytes, offset_bytes;
  uint64_t first_key;
};

static bool read_at(int fd, uint8_t *to, size_t len, uint64_t offset) {
  while (len > 0) {
    ssize_t got = pread(fd, to, len, (off_t)offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    len -= (size_t)got;
    offset += (uint64_t)got;
  }
  return true;
}

// STATUS_NOT_FOUND, STATUS_IO without a descriptor, STATUS_CORRUPT.
static enum status open_file(const char *directory, uint64_t first_sequence, struct index_file *out_file) {
  char path[PATH_BYTES];
  make_path(directory, first_sequence, ".idx", path);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
  uint8_t bytes[HEAD_BYTES];
  struct stat file;
  bool sound = read_at(fd, bytes, sizeof(bytes), 0) && fstat(fd, &file) == 0 && little_endian_get_u64(bytes) == MAGIC &&
               little_endian_get_u32(bytes + 8) == VERSION &&
               little_endian_get_u64(bytes + 56) == hash_xxh3(slice_make(bytes, 56));
  struct head head = {.block_count = little_endian_get_u32(bytes + 12),
                      .entry_count = little_endian_get_u64(bytes + 16),
                      .first_sequence = little_endian_get_u64(bytes + 24),
                      .file_bytes = little_endian_get_u64(bytes + 32)};
  if (sound) {
    uint64_t least = head.block_count == 0 ? 0 : (uint64_t)(head.block_count - 1) * BLOCK_BYTES + BLOCK_HEAD_BYTES;
    uint64_t most = (uint64_t)head.block_count * BLOCK_BYTES;
    sound = head.first_sequence == first_sequence && (uint64_t)file.st_size == head.file_bytes &&
            head.file_bytes >= HEAD_BYTES + least && head.file_bytes <= HEAD_BYTES + most;
  }
  if (!sound) {
    close(fd);
    return STATUS_CORRUPT;
  }
  *out_file = (struct index_file){.fd = fd, .head = head};
  return STATUS_OK;
}

static bool read_block(const struct index_file *file, uint32_t index, struct block *block) {
  uint64_t offset = HEAD_BYTES + (uint64_t)index * BLOCK_BYTES;
  uint64_t left = file->head.file_bytes - offset;
  size_t len = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
  if (len < BLOCK_HEAD_BYTES || !read_at(file->fd, block->bytes, len, offset)) return false;
  if (little_endian_get_u64(block->bytes) != hash_xxh3(slice_make(block->bytes + 8, len - 8))) return false;
  block->first_key = little_endian_get_u64(block->bytes + 8);
  block->count = little_endian_get_u16(block->bytes + 16);
  block->key_bytes = block->bytes[18];
  block->offset_bytes = block->bytes[19];
  return block->count > 0 && block->key_bytes >= 1 && block->key_bytes <= 8 && block->offset_bytes >= 1 &&
         block->offset_bytes <= 4 &&
         BLOCK_HEAD_BYTES + (size_t)block->count * (block->key_bytes + block->offset_bytes) <= len;
}

static struct segment_index_entry entry_of(const struct block *block, uint32_t index) {
  const uint8_t *from = block->bytes + BLOCK_HEAD_BYTES + (size_t)index * (block->key_bytes + block->offset_bytes);
  return (struct segment_index_entry){
      .key = block->first_key + little_endian_get(from, block->key_bytes),
      .offset_units = (uint32_t)little_endian_get(from + block->key_bytes, block->offset_bytes),
  };
}

// Where between low and high the key should be, its place among the keys taken for its place among the blocks.
static uint32_t guess(uint32_t low, uint32_t high, uint64_t low_key, uint64_t high_key, uint64_t key) {
  if (key <= low_key || high_key <= low_key) return low;
  if (key >= high_key) return high - 1;
  double part = (double)(key - low_key) / (double)(high_key - low_key);
  uint32_t at = low + (uint32_t)(part * (double)(high - low));
  return at < high ? at : high - 1;
}

// The last block whose first key is below `key` (entries with the key begin there or in the next one), or block 0.
static bool find_block(const struct index_file *file, uint64_t key, struct block *block, uint32_t *out_index) {
  uint32_t low = 0, high = file->head.block_count; // first keys: below low, less than key; from high on, not less
  uint64_t low_key = 0, high_key = UINT64_MAX;
  for (uint32_t round = 0; low < high; round++) {
    uint32_t middle = round < GUESSES_MAX ? guess(low, high, low_key, high_key, key) : low + (high - low) / 2;
    if (!read_block(file, middle, block)) return false;
    if (block->first_key < key) {
      low = middle + 1;
      low_key = block->first_key;
    } else {
      high = middle;
      high_key = block->first_key;
    }
  }
  *out_index = low > 0 ? low - 1 : 0;
  return read_block(file, *out_index, block);
}

// The first entry of the block with a key not below `key`; block->count when there is none.
static uint32_t find_entry(const struct block *block, uint64_t key) {
  uint32_t low = 0, high = block->count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (entry_of(block, middle).key < key)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

enum status segment_index_find(const char *directory, uint64_t first_sequence, uint64_t key, uint64_t *out_offsets,
                               uint32_t max, uint32_t *out_count) {
  struct index_file file;
  enum status status = open_file(directory, first_sequence, &file);
  if (status != STATUS_OK) return status;
  uint32_t found = 0;
  if (file.head.block_count > 0) {
    struct block block;
    uint32_t index;
    if (!find_block(&file, key, &block, &index)) status = STATUS_CORRUPT;
    uint32_t at = status == STATUS_OK ? find_entry(&block, key) : 0;
    while (status == STATUS_OK) {
      if (at == block.count) {
        if (++index == file.head.block_count) break;
        if (!read_block(&file, index, &block)) status = STATUS_CORRUPT;
        at = 0;
        continue;
      }
      struct segment_index_entry entry = entry_of(&block, at++);
      if (entry.key != key) break;
      if (found < max) out_offsets[found] = (uint64_t)entry.offset_units * 8;
      found++;
    }
  }
  close(file.fd);
  if (status == STATUS_OK) *out_count = found;
  return status;
}

enum status segment_index_each(const char *directory, uint64_t first_sequence,
                               void (*each)(void *context, uint64_t key), void *context) {
  struct index_file file;
  enum status status = open_file(directory, first_sequence, &file);
  if (status != STATUS_OK) return status;
  uint64_t entries = 0, last = 0;
  for (uint32_t index = 0; index < file.head.block_count && status == STATUS_OK; index++) {
    struct block block;
    if (!read_block(&file, index, &block)) {
      status = STATUS_CORRUPT;
      break;
    }
    for (uint32_t i = 0; i < block.count; i++, entries++) {
      uint64_t key = entry_of(&block, i).key;
      if (key < last) status = STATUS_CORRUPT;
      if (each && (entries == 0 || key != last)) each(context, key);
      last = key;
    }
  }
  if (status == STATUS_OK && entries != file.head.entry_count) status = STATUS_CORRUPT;
  close(file.fd);
  return status;
}

enum status segment_index_check(const char *directory, uint64_t first_sequence) {
  return segment_index_each(directory, first_sequence, NULL, NULL);
}

bool segment_index_exists(const char *directory, uint64_t first_sequence) {
  struct index_file file;
  if (open_file(directory, first_sequence, &file) != STATUS_OK) return false;
  close(file.fd);
  return true;
}

void segment_index_delete(const char *directory, uint64_t first_sequence) {
  char path[PATH_BYTES];
  make_path(directory, first_sequence, ".idx", path);
  unlink(path);
}
