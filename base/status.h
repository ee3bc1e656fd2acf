// SPDX-License-Identifier: Apache-2.0
//
// The one closed set of outcomes, and the human words that travel beside it where a person will read them. Callers
// branch on the status or on status_is_retryable(); receiver/reply is the only file that maps it to gRPC and HTTP
// codes.
#ifndef BASE_STATUS_H
#define BASE_STATUS_H

#include <stdarg.h>
#include <stdbool.h>

enum status {
  STATUS_OK = 0,
  STATUS_END,         // nothing more, an ordinary answer of iterators and readers
  STATUS_INVALID,     // malformed input; the same bytes will never be accepted
  STATUS_TOO_LARGE,   // over a size limit, before or after decompression
  STATUS_UNSUPPORTED, // an encoding, media type or feature that is not served
  STATUS_NOT_FOUND,
  STATUS_METHOD,            // the path exists, the method does not
  STATUS_UNAUTHENTICATED,   // no or unreadable credentials
  STATUS_PERMISSION_DENIED, // credentials that do not allow this
  STATUS_CONFLICT,          // the state of the thing does not allow this
  STATUS_RATE_LIMITED,      // over a rate or a quota; try again later (retryable)
  STATUS_UNAVAILABLE,       // overloaded, out of a budget, shutting down, disk full (retryable)
  STATUS_TIMEOUT,           // no answer in time (retryable)
  STATUS_NO_MEMORY,         // a budget of this call is used up
  STATUS_CORRUPT,           // stored bytes fail their checksum or contradict each other
  STATUS_IO,                // the operating system refused
  STATUS_INTERNAL,          // a fault of our own
};

// The bit callers branch on: the same call may succeed later without being changed.
static inline bool status_is_retryable(enum status status) {
  return status == STATUS_RATE_LIMITED || status == STATUS_UNAVAILABLE || status == STATUS_TIMEOUT;
}

// "invalid", "too large", …: lower-case words for logs and metric labels; never NULL.
const char *status_name(enum status status);

#define ERROR_TEXT_MAX 256

// Human words for one failure; text is NUL-terminated UTF-8, truncated to fit. Functions take `struct error *` last and
// accept NULL where the words are not wanted.
struct error {
  char text[ERROR_TEXT_MAX];
};

// Sets the words (printf) and returns `status`, so that a failure is one line: return error_set(error, STATUS_INVALID,
// …).
enum status error_set(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
// Puts words in front: "listen.grpc: " + what was there.
void error_prefix(struct error *error, const char *format, ...) __attribute__((format(printf, 2, 3)));

// Assertions check the programmer, never the input, and stay on in release builds.
#define ASSERT(condition) ((condition) ? (void)0 : assert_failed(#condition, __FILE__, __LINE__))
void assert_failed(const char *condition, const char *file, int line) __attribute__((noreturn));

#endif
