// SPDX-License-Identifier: Apache-2.0
//
// One-line doors to xxHash and libcrypto. Of MD5 the functions that work on a context of one's own: the newer ones look
// for a provider and take memory for each hash, which costs more than hashing a few hundred bytes.
#include "base/hash.h"

#define OPENSSL_SUPPRESS_DEPRECATED
#include <assert.h>
#include <limits.h>
#include <openssl/md5.h>
#include <openssl/rand.h>
#include <xxhash.h>

#include "base/status.h"

#define MD5_BYTES MD5_DIGEST_LENGTH
static_assert(sizeof(MD5_CTX) <= sizeof(struct hash_md5), "OpenSSL's context fits");
static_assert(_Alignof(MD5_CTX) <= _Alignof(struct hash_md5), "OpenSSL's context may lie there");

uint64_t hash_xxh3(struct slice bytes) {
  return XXH3_64bits(bytes.ptr, bytes.len);
}

uint64_t hash_xxh3_seeded(struct slice bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.ptr, bytes.len, seed);
}

void hash_md5_init(struct hash_md5 *md5) {
  ASSERT(MD5_Init((MD5_CTX *)md5->context) == 1);
}

void hash_md5_update(struct hash_md5 *md5, struct slice bytes) {
  ASSERT(MD5_Update((MD5_CTX *)md5->context, bytes.ptr, bytes.len) == 1);
}

void hash_md5_finish(struct hash_md5 *md5, char out_hex[33]) {
  uint8_t digest[MD5_BYTES];
  ASSERT(MD5_Final(digest, (MD5_CTX *)md5->context) == 1);
  slice_to_hex(slice_make(digest, MD5_BYTES), out_hex);
  out_hex[2 * MD5_BYTES] = '\0';
}

void random_bytes(void *out, size_t len) {
  ASSERT(len <= INT_MAX);
  ASSERT(RAND_bytes(out, (int)len) == 1);
}

uint64_t random_u64(void) {
  uint64_t value;
  random_bytes(&value, sizeof value);
  return value;
}
