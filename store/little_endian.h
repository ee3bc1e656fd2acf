// SPDX-License-Identifier: Apache-2.0
//
// Fixed-width numbers in files, little-endian whatever the machine; unaligned addresses are fine. Pure functions.
#ifndef STORE_LITTLE_ENDIAN_H
#define STORE_LITTLE_ENDIAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void little_endian_put_u16(uint8_t *to, uint16_t value) {
  value = htole16(value);
  memcpy(to, &value, sizeof(value));
}
static inline void little_endian_put_u32(uint8_t *to, uint32_t value) {
  value = htole32(value);
  memcpy(to, &value, sizeof(value));
}
static inline void little_endian_put_u64(uint8_t *to, uint64_t value) {
  value = htole64(value);
  memcpy(to, &value, sizeof(value));
}
static inline uint16_t little_endian_get_u16(const uint8_t *from) {
  uint16_t value;
  memcpy(&value, from, sizeof(value));
  return le16toh(value);
}
static inline uint32_t little_endian_get_u32(const uint8_t *from) {
  uint32_t value;
  memcpy(&value, from, sizeof(value));
  return le32toh(value);
}
static inline uint64_t little_endian_get_u64(const uint8_t *from) {
  uint64_t value;
  memcpy(&value, from, sizeof(value));
  return le64toh(value);
}
// The low `width` bytes (0 to 8) of value.
static inline void little_endian_put(uint8_t *to, uint64_t value, unsigned width) {
  for (unsigned i = 0; i < width; i++) to[i] = (uint8_t)(value >> (8 * i));
}
static inline uint64_t little_endian_get(const uint8_t *from, unsigned width) {
  uint64_t value = 0;
  for (unsigned i = 0; i < width; i++) value |= (uint64_t)from[i] << (8 * i);
  return value;
}

#endif
