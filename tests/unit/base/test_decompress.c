// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <zlib.h>
#include <zstd.h>

#include "base/decompress.h"
#include "base/thread.h"

#define CAP ((size_t)1 << 20)

// Made by brotli 1.0.9, quality 11: "hello, hello, hello\n", and a million times "a".
static const uint8_t brotli_hello[] = {0x8B, 0x09, 0x80, 0x68, 0x65, 0x6C, 0x6C, 0x6F, 0x2C, 0x20, 0x68, 0x65,
                                       0x6C, 0x6C, 0x6F, 0x2C, 0x20, 0x68, 0x65, 0x6C, 0x6C, 0x6F, 0x0A, 0x03};
static const uint8_t brotli_million[] = {0x5B, 0x3F, 0x42, 0x8F, 0x5F, 0x22, 0x2C,
                                         0x1E, 0x0B, 0x04, 0xF2, 0x73, 0x1E, 0x00};
#define HELLO "hello, hello, hello\n"

// A body like those that come: half repetition, half noise.
static struct slice make_body(size_t len) {
  uint8_t *bytes = malloc(len);
  assert_non_null(bytes);
  uint32_t noise = 1;
  for (size_t i = 0; i < len; i++) {
    noise = noise * 1664525 + 1013904223;
    bytes[i] = i % 64 < 32 ? (uint8_t)(i % 64) : (uint8_t)(noise >> 24);
  }
  return slice_make(bytes, len);
}

// zlib framing, or with window_bits < 0 a raw stream.
static void deflate_all(struct slice body, int window_bits, struct buffer *out) {
  z_stream z = {0};
  assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
  uLong bound = deflateBound(&z, body.len);
  z.next_out = buffer_reserve(out, bound);
  z.avail_out = (uInt)bound;
  z.next_in = (uint8_t *)(uintptr_t)body.ptr;
  z.avail_in = (uInt)body.len;
  assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
  out->len += z.total_out;
  deflateEnd(&z);
}

struct sample {
  const char *name;
  enum encoding encoding;
  struct buffer packed;
  struct slice body;
};
#define SAMPLES 6

static void make_samples(struct sample samples[SAMPLES]) {
  struct slice body = make_body(20000);
  static const struct {
    const char *name;
    enum encoding encoding;
  } kinds[SAMPLES] = {{"gzip", ENCODING_GZIP}, {"zlib", ENCODING_DEFLATE},          {"raw", ENCODING_DEFLATE},
                      {"zstd", ENCODING_ZSTD}, {"two gzip members", ENCODING_GZIP}, {"brotli", ENCODING_BROTLI}};
  for (size_t i = 0; i < SAMPLES; i++) {
    samples[i] = (struct sample){.name = kinds[i].name, .encoding = kinds[i].encoding, .body = body};
    buffer_init(&samples[i].packed, CAP);
  }
  assert_int_equal(compress_gzip(body, &samples[0].packed), STATUS_OK);
  deflate_all(body, 15, &samples[1].packed);
  deflate_all(body, -15, &samples[2].packed);
  assert_int_equal(compress_zstd(body, &samples[3].packed), STATUS_OK);
  assert_int_equal(compress_gzip(slice_sub(body, 0, 7000), &samples[4].packed), STATUS_OK);
  assert_int_equal(compress_gzip(slice_skip(body, 7000), &samples[4].packed), STATUS_OK);
  samples[5].body = SLICE_LITERAL(HELLO);
  assert_int_equal(buffer_append(&samples[5].packed, brotli_hello, sizeof brotli_hello), STATUS_OK);
}

static void free_samples(struct sample samples[SAMPLES]) {
  free((void *)(uintptr_t)samples[0].body.ptr);
  for (size_t i = 0; i < SAMPLES; i++) buffer_finish(&samples[i].packed);
}

static void test_names(void **state) {
  (void)state;
  static const struct {
    const char *name;
    enum encoding encoding;
  } names[] = {{"", ENCODING_IDENTITY},   {"Identity", ENCODING_IDENTITY}, {"GZIP", ENCODING_GZIP},
               {"x-gzip", ENCODING_GZIP}, {"deflate", ENCODING_DEFLATE},   {"zstd", ENCODING_ZSTD},
               {"br", ENCODING_BROTLI}};
  enum encoding encoding = ENCODING_GZIP;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    assert_true(encoding_parse(slice_from_cstr(names[i].name), &encoding));
    assert_int_equal(encoding, names[i].encoding);
  }
  for (int i = ENCODING_IDENTITY; i <= ENCODING_BROTLI; i++) {
    assert_true(encoding_parse(slice_from_cstr(encoding_name((enum encoding)i)), &encoding));
    assert_int_equal(encoding, i);
  }
  assert_false(encoding_parse(SLICE_LITERAL("snappy"), &encoding));
  assert_false(encoding_parse(SLICE_LITERAL("gzip, gzip"), &encoding));
}

// Decoded behind what the buffer held, exactly, also with a cap that leaves not one byte more.
static void test_round_trip_up_to_the_cap(void **state) {
  (void)state;
  struct sample samples[SAMPLES];
  make_samples(samples);
  for (size_t i = 0; i < SAMPLES; i++) {
    struct sample *sample = &samples[i];
    struct error error;
    struct buffer out;
    buffer_init(&out, 4 + sample->body.len);
    assert_int_equal(buffer_append_cstr(&out, "head"), STATUS_OK);
    assert_int_equal(decompress(sample->encoding, buffer_slice(&sample->packed), &out, &error), STATUS_OK);
    assert_int_equal(out.len, 4 + sample->body.len);
    assert_memory_equal(out.ptr, "head", 4);
    assert_memory_equal(out.ptr + 4, sample->body.ptr, sample->body.len);
    buffer_finish(&out);

    buffer_init(&out, 3 + sample->body.len); // one byte too small
    assert_int_equal(buffer_append_cstr(&out, "head"), STATUS_OK);
    assert_int_equal(decompress(sample->encoding, buffer_slice(&sample->packed), &out, &error), STATUS_TOO_LARGE);
    assert_true(out.len == 4 && memcmp(out.ptr, "head", 4) == 0 && out.capacity <= out.max_bytes);
    assert_non_null(strstr(error.text, "more than"));
    buffer_finish(&out);
  }
  free_samples(samples);
}

static void test_truncated_and_followed_by_junk(void **state) {
  (void)state;
  struct sample samples[SAMPLES];
  make_samples(samples);
  struct buffer out;
  buffer_init(&out, CAP);
  for (size_t i = 0; i < SAMPLES; i++) {
    struct slice packed = buffer_slice(&samples[i].packed);
    struct error error;
    size_t whole_member = 0; // of two members the first alone is a whole body
    if (i == 4) {
      struct buffer first;
      buffer_init(&first, CAP);
      assert_int_equal(compress_gzip(slice_sub(samples[i].body, 0, 7000), &first), STATUS_OK);
      whole_member = first.len;
      buffer_finish(&first);
    }
    for (size_t len = 0; len < packed.len; len += len < 64 || packed.len - len < 64 ? 1 : 61) {
      if (len == whole_member && i == 4) continue;
      assert_int_equal(decompress(samples[i].encoding, slice_sub(packed, 0, len), &out, &error), STATUS_INVALID);
      assert_int_equal(out.len, 0);
    }
    assert_int_equal(buffer_append_byte(&samples[i].packed, 'j'), STATUS_OK);
    enum status status = decompress(samples[i].encoding, buffer_slice(&samples[i].packed), &out, &error);
    assert_int_equal(status, STATUS_INVALID);
    assert_non_null(strstr(error.text, "1 stray byte"));
    assert_int_equal(out.len, 0);
  }
  buffer_finish(&out);
  free_samples(samples);
}

// Any flipped byte: some status, never more than the cap. gzip, zlib checksums make it an error; the others may not
// notice.
static void test_damaged(void **state) {
  (void)state;
  struct sample samples[SAMPLES];
  make_samples(samples);
  struct buffer out;
  buffer_init(&out, 100000);
  for (size_t i = 0; i < SAMPLES; i++) {
    for (size_t at = 0; at < samples[i].packed.len; at += at < 64 ? 1 : 37) {
      samples[i].packed.ptr[at] ^= 0x55;
      struct error error;
      buffer_clear(&out);
      enum status status = decompress(samples[i].encoding, buffer_slice(&samples[i].packed), &out, &error);
      assert_true(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_TOO_LARGE);
      if (status != STATUS_OK) assert_int_equal(out.len, 0);
      bool in_gzip_header = samples[i].encoding == ENCODING_GZIP && at < 10;
      if (samples[i].encoding == ENCODING_GZIP && !in_gzip_header) assert_int_not_equal(status, STATUS_OK);
      samples[i].packed.ptr[at] ^= 0x55;
    }
  }
  buffer_finish(&out);
  free_samples(samples);
}

// A small body that wants to become a large one costs no more memory than the cap.
static void test_bombs(void **state) {
  (void)state;
  struct slice zeros = slice_make(calloc(1, 4 << 20), 4 << 20);
  struct buffer packed[4], out;
  for (size_t i = 0; i < 4; i++) buffer_init(&packed[i], 8 * CAP);
  assert_int_equal(compress_gzip(zeros, &packed[0]), STATUS_OK);
  deflate_all(zeros, 15, &packed[1]);
  assert_int_equal(compress_zstd(zeros, &packed[2]), STATUS_OK);
  assert_int_equal(buffer_append(&packed[3], brotli_million, sizeof brotli_million), STATUS_OK);
  for (size_t i = 0; i < 4; i++) {
    buffer_init(&out, 50000);
    assert_int_equal(decompress((enum encoding)(ENCODING_GZIP + i), buffer_slice(&packed[i]), &out, NULL),
                     STATUS_TOO_LARGE);
    assert_true(out.capacity <= 50000 && out.len == 0);
    buffer_finish(&out);
    buffer_finish(&packed[i]);
  }
  buffer_init(&out, 2 * CAP);
  assert_int_equal(decompress(ENCODING_BROTLI, slice_make(brotli_million, sizeof brotli_million), &out, NULL),
                   STATUS_OK);
  assert_int_equal(out.len, 1000000);
  buffer_finish(&out);
  free((void *)(uintptr_t)zeros.ptr);
}

// RFC 8878, 3.1.1: a frame that claims 2^40 bytes and holds five; and one with a window of 128 MiB.
static void test_zstd_claims(void **state) {
  (void)state;
  static const uint8_t liar[] = {0x28, 0xB5, 0x2F, 0xFD, 0xC0, 0x58, 0,   0,   0,   0,   0,
                                 1,    0,    0,    0x29, 0,    0,    'h', 'e', 'l', 'l', 'o'};
  struct buffer out;
  buffer_init(&out, (size_t)1 << 41);
  assert_int_equal(decompress(ENCODING_ZSTD, slice_make(liar, sizeof liar), &out, NULL), STATUS_INVALID);
  assert_true(out.capacity <= 1 << 20);
  buffer_finish(&out);

  ZSTD_CCtx *encoder = ZSTD_createCCtx();
  for (int window_log = 22; window_log <= 24; window_log++) {
    uint8_t packed[256];
    ZSTD_outBuffer to = {packed, sizeof packed, 0};
    ZSTD_inBuffer part = {"hello", 5, 0}, end = {"", 0, 0};
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(encoder, ZSTD_c_windowLog, window_log)));
    assert_int_equal(ZSTD_compressStream2(encoder, &to, &part, ZSTD_e_flush), 0);
    assert_int_equal(ZSTD_compressStream2(encoder, &to, &end, ZSTD_e_end), 0);
    buffer_init(&out, CAP);
    enum status status = decompress(ENCODING_ZSTD, slice_make(packed, to.pos), &out, NULL);
    assert_int_equal(status, window_log <= 23 ? STATUS_OK : STATUS_INVALID);
    buffer_finish(&out);
  }
  ZSTD_freeCCtx(encoder);
}

static void test_empty_and_identity(void **state) {
  (void)state;
  struct buffer packed, out;
  buffer_init(&packed, CAP);
  buffer_init(&out, 5);
  assert_int_equal(decompress(ENCODING_IDENTITY, SLICE_LITERAL("hello"), &out, NULL), STATUS_OK);
  assert_int_equal(decompress(ENCODING_IDENTITY, SLICE_LITERAL("!"), &out, NULL), STATUS_TOO_LARGE);
  assert_true(out.len == 5 && memcmp(out.ptr, "hello", 5) == 0);
  assert_int_equal(decompress(ENCODING_IDENTITY, slice_make(NULL, 0), &out, NULL), STATUS_OK);
  // An encoder's output of nothing is something, nothing is not.
  assert_int_equal(compress_gzip(slice_make(NULL, 0), &packed), STATUS_OK);
  assert_true(packed.len > 0);
  assert_int_equal(decompress(ENCODING_GZIP, buffer_slice(&packed), &out, NULL), STATUS_OK); // fits a full buffer
  buffer_clear(&packed);
  assert_int_equal(compress_zstd(slice_make(NULL, 0), &packed), STATUS_OK);
  assert_int_equal(decompress(ENCODING_ZSTD, buffer_slice(&packed), &out, NULL), STATUS_OK);
  for (int i = ENCODING_GZIP; i <= ENCODING_BROTLI; i++) {
    assert_int_equal(decompress((enum encoding)i, slice_make(NULL, 0), &out, NULL), STATUS_INVALID);
  }
  assert_int_equal(out.len, 5);
  buffer_finish(&packed);
  buffer_finish(&out);
}

static void test_encoders_respect_the_cap(void **state) {
  (void)state;
  struct slice body = make_body(10000);
  enum status (*const encoders[])(struct slice, struct buffer *) = {compress_gzip, compress_zstd};
  for (size_t i = 0; i < 2; i++) {
    struct buffer out;
    buffer_init(&out, CAP);
    assert_int_equal(encoders[i](body, &out), STATUS_OK);
    size_t packed_len = out.len;
    buffer_finish(&out);
    static const size_t caps[] = {1, 100, 3000};
    for (size_t j = 0; j < 3; j++) {
      buffer_init(&out, caps[j]);
      assert_int_equal(buffer_append_byte(&out, 'x'), STATUS_OK);
      assert_int_equal(encoders[i](body, &out), STATUS_TOO_LARGE);
      assert_true(out.failed && out.len == 1 && out.ptr[0] == 'x');
      buffer_finish(&out);
    }
    buffer_init(&out, packed_len + 100);
    assert_int_equal(encoders[i](body, &out), STATUS_OK); // below the worst case, but it fits
    assert_int_equal(out.len, packed_len);
    buffer_finish(&out);
  }
  free((void *)(uintptr_t)body.ptr);
}

static void test_zstd_exact(void **state) {
  (void)state;
  struct slice body = make_body(5000);
  struct buffer packed;
  uint8_t out[5001];
  buffer_init(&packed, CAP);
  assert_int_equal(compress_zstd(body, &packed), STATUS_OK);
  assert_int_equal(ZSTD_getFrameContentSize(packed.ptr, packed.len), 5000);
  struct slice frame = buffer_slice(&packed);
  assert_int_equal(decompress_zstd_exact(frame, out, 5000), STATUS_OK);
  assert_memory_equal(out, body.ptr, 5000);
  assert_int_equal(decompress_zstd_exact(frame, out, 5001), STATUS_CORRUPT);
  assert_int_equal(decompress_zstd_exact(frame, out, 4999), STATUS_CORRUPT);
  assert_int_equal(decompress_zstd_exact(slice_sub(frame, 0, frame.len - 1), out, 5000), STATUS_CORRUPT);
  assert_int_equal(decompress_zstd_exact(slice_make(NULL, 0), out, 0), STATUS_CORRUPT);
  assert_int_equal(decompress_zstd_exact(SLICE_LITERAL("junk and more of it"), out, 5000), STATUS_CORRUPT);
  assert_int_equal(compress_zstd(slice_make(NULL, 0), &packed), STATUS_OK); // a second frame behind the first
  assert_int_equal(decompress_zstd_exact(buffer_slice(&packed), out, 5000), STATUS_CORRUPT);
  assert_int_equal(decompress_zstd_exact(frame, out, 5000), STATUS_OK); // failures leave nothing behind
  buffer_finish(&packed);
  free((void *)(uintptr_t)body.ptr);
}

static void round_trips(void *context) {
  struct sample *samples = context;
  for (size_t round = 0; round < 20 * SAMPLES; round++) {
    struct sample *sample = &samples[round % SAMPLES];
    struct buffer packed, out;
    buffer_init(&packed, CAP);
    buffer_init(&out, CAP);
    if (decompress(sample->encoding, buffer_slice(&sample->packed), &out, NULL) != STATUS_OK) abort();
    if (!slice_equal(buffer_slice(&out), sample->body)) abort();
    if (compress_zstd(sample->body, &packed) != STATUS_OK) abort();
    if (decompress_zstd_exact(buffer_slice(&packed), out.ptr, sample->body.len) != STATUS_OK) abort();
    buffer_clear(&packed);
    if (compress_gzip(sample->body, &packed) != STATUS_OK) abort();
    buffer_finish(&packed);
    buffer_finish(&out);
  }
}

static void test_threads(void **state) {
  (void)state;
  struct sample samples[SAMPLES];
  struct thread threads[4];
  make_samples(samples);
  for (int i = 0; i < 4; i++) assert_int_equal(thread_start(&threads[i], "decoder", round_trips, samples), STATUS_OK);
  for (int i = 0; i < 4; i++) thread_join(&threads[i]);
  free_samples(samples);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names),
      cmocka_unit_test(test_round_trip_up_to_the_cap),
      cmocka_unit_test(test_truncated_and_followed_by_junk),
      cmocka_unit_test(test_damaged),
      cmocka_unit_test(test_bombs),
      cmocka_unit_test(test_zstd_claims),
      cmocka_unit_test(test_empty_and_identity),
      cmocka_unit_test(test_encoders_respect_the_cap),
      cmocka_unit_test(test_zstd_exact),
      cmocka_unit_test(test_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
