// SPDX-License-Identifier: Apache-2.0
//
// Every decoder is a function that makes one step: from the input that is left into the room that is given. pump() does
// the rest for all of them: it gives room in steps that double with what was really produced, up to the cap; at the cap
// it gives one byte of room outside of the buffer, and when that is used the output is too large. A step that neither
// consumed nor produced means that the input ended early.
//
// The ordinary gzip body, one member that says how long it is, is decoded in one call by libdeflate, which is over
// twice as fast, into room of that length, at most WHOLE_BYTES_MAX and at most what a body of its size can become in
// the common case; what does not fit or is not ordinary in any way goes the way above from its beginning, which has the
// words too.
//
// Contexts of zlib and zstd cost more to make than a small body costs to decode, so each thread keeps its own, made at
// the first use and freed when the thread ends.
#include "base/decompress.h"

#include <brotli/decode.h>
#include <libdeflate.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define WHOLE_BYTES_MAX     ((size_t)1 << 20)
#define WHOLE_GROWTH_MAX    32 // times its size; DEFLATE's own limit is 1032
#define STEP_BYTES_MIN      ((size_t)16 * 1024)
#define ZSTD_WINDOW_LOG_MAX 23 // 8 MiB, what RFC 8878 asks decoders for
#define ZSTD_LEVEL          1
#define GZIP_LEVEL          1
#define ZLIB_WINDOW         15
#define ZLIB_GZIP           16 // added to the window: gzip instead of zlib framing
// A decoder that a hostile frame made larger than this is not kept.
#define DECODER_KEEP_BYTES ((size_t)1 << 20)

struct contexts {
  ZSTD_CCtx *zstd_encoder;
  ZSTD_DCtx *zstd_decoder;
  z_stream inflater;
  z_stream deflater;
  struct libdeflate_decompressor *whole;
  bool inflater_made;
  bool deflater_made;
};

static pthread_key_t contexts_key;
static pthread_once_t contexts_once = PTHREAD_ONCE_INIT;

static void free_contexts(void *argument) {
  struct contexts *contexts = argument;
  ZSTD_freeCCtx(contexts->zstd_encoder);
  ZSTD_freeDCtx(contexts->zstd_decoder);
  if (contexts->whole) libdeflate_free_decompressor(contexts->whole);
  if (contexts->inflater_made) inflateEnd(&contexts->inflater);
  if (contexts->deflater_made) deflateEnd(&contexts->deflater);
  free(contexts);
}

static void make_contexts_key(void) {
  ASSERT(pthread_key_create(&contexts_key, free_contexts) == 0);
}

// This thread's contexts; NULL without memory.
static struct contexts *thread_contexts(void) {
  ASSERT(pthread_once(&contexts_once, make_contexts_key) == 0);
  struct contexts *contexts = pthread_getspecific(contexts_key);
  if (contexts) return contexts;
  contexts = calloc(1, sizeof *contexts);
  if (contexts && pthread_setspecific(contexts_key, contexts) != 0) {
    free(contexts);
    contexts = NULL;
  }
  return contexts;
}

// Ready for a new stream, or NULL without memory.
static z_stream *thread_inflater(int window_bits) {
  struct contexts *contexts = thread_contexts();
  if (!contexts) return NULL;
  if (!contexts->inflater_made) {
    contexts->inflater = (z_stream){0};
    if (inflateInit2(&contexts->inflater, window_bits) != Z_OK) return NULL;
    contexts->inflater_made = true;
  }
  ASSERT(inflateReset2(&contexts->inflater, window_bits) == Z_OK);
  return &contexts->inflater;
}

static z_stream *thread_deflater(void) {
  struct contexts *contexts = thread_contexts();
  if (!contexts) return NULL;
  if (!contexts->deflater_made) {
    contexts->deflater = (z_stream){0};
    int window_bits = ZLIB_WINDOW + ZLIB_GZIP;
    if (deflateInit2(&contexts->deflater, GZIP_LEVEL, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
      return NULL;
    contexts->deflater_made = true;
  }
  ASSERT(deflateReset(&contexts->deflater) == Z_OK);
  return &contexts->deflater;
}

static ZSTD_DCtx *thread_zstd_decoder(void) {
  struct contexts *contexts = thread_contexts();
  if (!contexts) return NULL;
  if (contexts->zstd_decoder && ZSTD_sizeof_DCtx(contexts->zstd_decoder) > DECODER_KEEP_BYTES) {
    ZSTD_freeDCtx(contexts->zstd_decoder);
    contexts->zstd_decoder = NULL;
  }
  if (!contexts->zstd_decoder) contexts->zstd_decoder = ZSTD_createDCtx();
  if (!contexts->zstd_decoder) return NULL;
  ASSERT(!ZSTD_isError(ZSTD_DCtx_reset(contexts->zstd_decoder, ZSTD_reset_session_and_parameters)));
  ASSERT(!ZSTD_isError(ZSTD_DCtx_setParameter(contexts->zstd_decoder, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX)));
  return contexts->zstd_decoder;
}

static ZSTD_CCtx *thread_zstd_encoder(void) {
  struct contexts *contexts = thread_contexts();
  if (!contexts) return NULL;
  if (contexts->zstd_encoder) return contexts->zstd_encoder;
  ZSTD_CCtx *encoder = ZSTD_createCCtx();
  if (!encoder) return NULL;
  ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(encoder, ZSTD_c_compressionLevel, ZSTD_LEVEL)));
  ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(encoder, ZSTD_c_contentSizeFlag, 1)));
  ASSERT(!ZSTD_isError(ZSTD_CCtx_setParameter(encoder, ZSTD_c_checksumFlag, 0)));
  contexts->zstd_encoder = encoder;
  return encoder;
}

struct stream {
  const uint8_t *in;
  size_t in_len;
  uint8_t *out;
  size_t out_len;
};

enum step { STEP_MORE, STEP_DONE, STEP_DAMAGED };

// Consumes from stream->in, produces to stream->out, moving both.
typedef enum step (*step_function)(void *decoder, struct stream *stream);

static enum step step_inflate(void *decoder, struct stream *stream) {
  z_stream *z = decoder;
  uInt in_len = stream->in_len > INT_MAX ? INT_MAX : (uInt)stream->in_len;
  uInt out_len = stream->out_len > INT_MAX ? INT_MAX : (uInt)stream->out_len;
  z->next_in = (uint8_t *)(uintptr_t)stream->in; // zlib does not write there
  z->avail_in = in_len;
  z->next_out = stream->out;
  z->avail_out = out_len;
  int result = inflate(z, Z_NO_FLUSH);
  stream->in += in_len - z->avail_in;
  stream->in_len -= in_len - z->avail_in;
  stream->out += out_len - z->avail_out;
  stream->out_len -= out_len - z->avail_out;
  if (result == Z_STREAM_END) return STEP_DONE;
  return result == Z_OK || result == Z_BUF_ERROR ? STEP_MORE : STEP_DAMAGED;
}

// RFC 1952, 2.2: a gzip file is a series of members.
static enum step step_gzip(void *decoder, struct stream *stream) {
  enum step step = step_inflate(decoder, stream);
  if (step != STEP_DONE || stream->in_len < 2 || stream->in[0] != 0x1F || stream->in[1] != 0x8B) return step;
  ASSERT(inflateReset(decoder) == Z_OK);
  return STEP_MORE;
}

static enum step step_zstd(void *decoder, struct stream *stream) {
  ZSTD_inBuffer in = {stream->in, stream->in_len, 0};
  ZSTD_outBuffer out = {stream->out, stream->out_len, 0};
  size_t result = ZSTD_decompressStream(decoder, &out, &in);
  stream->in += in.pos;
  stream->in_len -= in.pos;
  stream->out += out.pos;
  stream->out_len -= out.pos;
  if (ZSTD_isError(result)) return STEP_DAMAGED;
  return result == 0 ? STEP_DONE : STEP_MORE;
}

static enum step step_brotli(void *decoder, struct stream *stream) {
  switch (BrotliDecoderDecompressStream(decoder, &stream->in_len, &stream->in, &stream->out_len, &stream->out, NULL)) {
  case BROTLI_DECODER_RESULT_SUCCESS: return STEP_DONE;
  case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
  case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT: return STEP_MORE;
  default: return STEP_DAMAGED;
  }
}

struct job {
  const char *name; // of the encoding, for the words of an error
  step_function step;
  void *decoder;
};

static enum status pump(const struct job *job, struct slice input, struct buffer *out, struct error *error) {
  size_t start = out->len;
  struct stream stream = {.in = input.ptr, .in_len = input.len};
  for (;;) {
    uint8_t over_the_cap;
    size_t room = out->max_bytes - out->len;
    size_t chunk = out->len - start < STEP_BYTES_MIN ? STEP_BYTES_MIN : out->len - start;
    if (chunk > room) chunk = room;
    stream.out = chunk > 0 ? buffer_reserve(out, chunk) : &over_the_cap;
    stream.out_len = chunk > 0 ? chunk : 1;
    if (!stream.out) return error_set(error, STATUS_NO_MEMORY, "no memory to decode a %s body", job->name);

    size_t in_before = stream.in_len, out_before = stream.out_len;
    enum step step = job->step(job->decoder, &stream);
    size_t produced = out_before - stream.out_len;
    if (step == STEP_DAMAGED) return error_set(error, STATUS_INVALID, "damaged %s body", job->name);
    if (chunk == 0 && produced > 0) {
      out->failed = true;
      return error_set(error, STATUS_TOO_LARGE, "%s body of more than %zu bytes when decoded", job->name,
                       out->max_bytes - start);
    }
    out->len += produced;
    if (step == STEP_DONE && stream.in_len > 0) {
      return error_set(error, STATUS_INVALID, "%zu stray bytes behind the %s body", stream.in_len, job->name);
    }
    if (step == STEP_DONE) return STATUS_OK;
    if (stream.in_len == in_before && produced == 0) {
      return error_set(error, STATUS_INVALID, "%s body ends early", job->name);
    }
  }
}

static enum status run_inflate(int window_bits, const char *name, struct slice input, struct buffer *out,
                               struct error *error) {
  step_function step = window_bits > ZLIB_WINDOW ? step_gzip : step_inflate;
  struct job job = {name, step, thread_inflater(window_bits)};
  if (!job.decoder) return error_set(error, STATUS_NO_MEMORY, "no memory to decode a %s body", name);
  return pump(&job, input, out, error);
}

// True when the whole body was decoded and appended.
static bool decode_whole_gzip(struct slice input, struct buffer *out) {
  if (input.len < 18) return false;
  size_t len = 0; // ISIZE, RFC 1952, 2.3.1
  for (size_t i = 0; i < 4; i++) len |= (size_t)input.ptr[input.len - 4 + i] << 8 * i;
  size_t room = out->max_bytes - out->len;
  if (len == 0 || len > WHOLE_BYTES_MAX || len > room || len / WHOLE_GROWTH_MAX > input.len) return false;
  struct contexts *contexts = thread_contexts();
  if (contexts && !contexts->whole) contexts->whole = libdeflate_alloc_decompressor();
  uint8_t *to = contexts && contexts->whole ? buffer_reserve(out, len) : NULL;
  if (!to) return false;
  size_t consumed = 0, produced = 0;
  enum libdeflate_result result =
      libdeflate_gzip_decompress_ex(contexts->whole, input.ptr, input.len, to, len, &consumed, &produced);
  if (result != LIBDEFLATE_SUCCESS || consumed != input.len) return false;
  out->len += produced;
  return true;
}

static enum status run_gzip(struct slice input, struct buffer *out, struct error *error) {
  if (decode_whole_gzip(input, out)) return STATUS_OK;
  return run_inflate(ZLIB_WINDOW + ZLIB_GZIP, "gzip", input, out, error);
}

// "deflate" means zlib framing (RFC 9110, 8.4.1.2), but some clients send the raw stream. Two bytes tell them apart
// nearly always; a raw stream may start with what looks like a zlib header, so that one is tried as raw when it fails
// as zlib.
static enum status run_deflate(struct slice input, struct buffer *out, struct error *error) {
  size_t start = out->len;
  bool zlib = input.len >= 2 && (input.ptr[0] & 0x0F) == Z_DEFLATED && input.ptr[0] >> 4 <= 7 &&
              (input.ptr[0] << 8 | input.ptr[1]) % 31 == 0;
  if (!zlib) return run_inflate(-ZLIB_WINDOW, "deflate", input, out, error);
  enum status status = run_inflate(ZLIB_WINDOW, "deflate", input, out, error);
  if (status != STATUS_INVALID) return status;
  out->len = start;
  return run_inflate(-ZLIB_WINDOW, "deflate", input, out, NULL) == STATUS_OK ? STATUS_OK : STATUS_INVALID;
}

static enum status run_zstd(struct slice input, struct buffer *out, struct error *error) {
  struct job job = {"zstd", step_zstd, thread_zstd_decoder()};
  if (!job.decoder) return error_set(error, STATUS_NO_MEMORY, "no memory to decode a zstd body");
  return pump(&job, input, out, error);
}

static enum status run_brotli(struct slice input, struct buffer *out, struct error *error) {
  BrotliDecoderState *decoder = BrotliDecoderCreateInstance(NULL, NULL, NULL);
  if (!decoder) return error_set(error, STATUS_NO_MEMORY, "no memory to decode a brotli body");
  struct job job = {"brotli", step_brotli, decoder};
  enum status status = pump(&job, input, out, error);
  BrotliDecoderDestroyInstance(decoder);
  return status;
}

bool encoding_parse(struct slice name, enum encoding *out_encoding) {
  static const struct {
    const char *name;
    enum encoding encoding;
  } names[] = {
      {"", ENCODING_IDENTITY},   {"identity", ENCODING_IDENTITY}, {"gzip", ENCODING_GZIP},
      {"x-gzip", ENCODING_GZIP}, {"deflate", ENCODING_DEFLATE},   {"zstd", ENCODING_ZSTD},
      {"br", ENCODING_BROTLI},
  };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    if (!slice_equal_ignore_case(name, slice_from_cstr(names[i].name))) continue;
    *out_encoding = names[i].encoding;
    return true;
  }
  return false;
}

const char *encoding_name(enum encoding encoding) {
  switch (encoding) {
  case ENCODING_IDENTITY: return "identity";
  case ENCODING_GZIP: return "gzip";
  case ENCODING_DEFLATE: return "deflate";
  case ENCODING_ZSTD: return "zstd";
  case ENCODING_BROTLI: return "br";
  }
  return "unknown";
}

enum status decompress(enum encoding encoding, struct slice input, struct buffer *out, struct error *error) {
  size_t start = out->len;
  enum status status = STATUS_UNSUPPORTED;
  if (!input.ptr) input = SLICE_LITERAL(""); // so that decoders may move the pointer
  switch (encoding) {
  case ENCODING_IDENTITY:
    status = buffer_append_slice(out, input);
    if (status != STATUS_OK) error_set(error, status, "body of %zu bytes is too large", input.len);
    break;
  case ENCODING_GZIP: status = run_gzip(input, out, error); break;
  case ENCODING_DEFLATE: status = run_deflate(input, out, error); break;
  case ENCODING_ZSTD: status = run_zstd(input, out, error); break;
  case ENCODING_BROTLI: status = run_brotli(input, out, error); break;
  }
  if (status != STATUS_OK) out->len = start;
  return status;
}

// Room for an encoder: its worst case, or what the cap leaves. NULL when there is none.
static uint8_t *encoder_room(struct buffer *out, size_t bound, size_t *out_room) {
  size_t room = out->max_bytes - out->len;
  *out_room = bound < room ? bound : room;
  if (*out_room == 0) out->failed = true;
  return *out_room > 0 ? buffer_reserve(out, *out_room) : NULL;
}

enum status compress_gzip(struct slice input, struct buffer *out) {
  z_stream *z = thread_deflater();
  if (!z) return STATUS_NO_MEMORY;
  size_t room;
  uint8_t *to = input.len <= INT_MAX ? encoder_room(out, deflateBound(z, input.len), &room) : NULL;
  if (!to) return STATUS_TOO_LARGE;
  if (room > INT_MAX) room = INT_MAX;
  z->next_in = (uint8_t *)(uintptr_t)input.ptr; // zlib does not write there
  z->avail_in = (uInt)input.len;
  z->next_out = to;
  z->avail_out = (uInt)room;
  if (deflate(z, Z_FINISH) != Z_STREAM_END) {
    out->failed = true;
    return STATUS_TOO_LARGE;
  }
  out->len += room - z->avail_out;
  return STATUS_OK;
}

enum status compress_zstd(struct slice input, struct buffer *out) {
  ZSTD_CCtx *encoder = thread_zstd_encoder();
  if (!encoder) return STATUS_NO_MEMORY;
  size_t room;
  uint8_t *to = encoder_room(out, ZSTD_compressBound(input.len), &room);
  size_t len = to ? ZSTD_compress2(encoder, to, room, input.ptr, input.len) : 0;
  if (!to || ZSTD_isError(len)) {
    out->failed = true;
    return STATUS_TOO_LARGE;
  }
  out->len += len;
  return STATUS_OK;
}

enum status decompress_zstd_exact(struct slice input, uint8_t *out, size_t out_len) {
  ZSTD_DCtx *decoder = thread_zstd_decoder();
  if (!decoder) return STATUS_NO_MEMORY;
  if (ZSTD_findFrameCompressedSize(input.ptr, input.len) != input.len) return STATUS_CORRUPT;
  size_t len = ZSTD_decompressDCtx(decoder, out, out_len, input.ptr, input.len);
  return !ZSTD_isError(len) && len == out_len ? STATUS_OK : STATUS_CORRUPT;
}
