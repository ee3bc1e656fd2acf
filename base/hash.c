// SPDX-License-Identifier: Apache-2.0
//
// One-line doors to xxHash and libcrypto.
#include "base/hash.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <xxhash.h>

#include "base/status.h"

#define MD5_BYTES 16

uint64_t hash_xxh3(struct slice bytes) {
  return XXH3_64bits(bytes.ptr, bytes.len);
}

uint64_t hash_xxh3_seeded(struct slice bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.ptr, bytes.len, seed);
}

void hash_md5_init(struct hash_md5 *md5) {
  EVP_MD_CTX *context = EVP_MD_CTX_new();
  ASSERT(context != NULL);
  ASSERT(EVP_DigestInit_ex(context, EVP_md5(), NULL) == 1);
  md5->context = context;
}

void hash_md5_update(struct hash_md5 *md5, struct slice bytes) {
  ASSERT(EVP_DigestUpdate(md5->context, bytes.ptr, bytes.len) == 1);
}

void hash_md5_finish(struct hash_md5 *md5, char out_hex[33]) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned len = 0;
  ASSERT(EVP_DigestFinal_ex(md5->context, digest, &len) == 1 && len == MD5_BYTES);
  EVP_MD_CTX_free(md5->context);
  md5->context = NULL;
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
