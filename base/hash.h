// SPDX-License-Identifier: Apache-2.0
//
// Hashes: XXH3-64 for checksums and keys, seeded where an attacker could choose the input; MD5 and random bytes through
// libcrypto. Pure functions, any thread.
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include <stdint.h>

#include "base/slice.h"

uint64_t hash_xxh3(struct slice bytes);
uint64_t hash_xxh3_seeded(struct slice bytes, uint64_t seed);

// MD5 over pieces; for grouping hashes (Sentry's format), never for security.
struct hash_md5 {
  uint64_t context[12]; // plain data: a copy goes on by itself
};
void hash_md5_init(struct hash_md5 *md5);
void hash_md5_update(struct hash_md5 *md5, struct slice bytes);
// Writes 32 lower-case hex digits and a NUL.
void hash_md5_finish(struct hash_md5 *md5, char out_hex[33]);

// From the operating system's generator (RAND_bytes); aborts when there is none.
void random_bytes(void *out, size_t len);
uint64_t random_u64(void);

#endif
