// SPDX-License-Identifier: Apache-2.0
//
// The table of codes; the answers themselves are tested through the doors.
#include "receiver/reply.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_codes(void **state) {
  (void)state;
  const struct {
    enum status status;
    uint32_t http;
    enum grpc_code grpc;
  } cases[] = {
      {STATUS_OK, 200, GRPC_CODE_OK},
      {STATUS_INVALID, 400, GRPC_CODE_INVALID_ARGUMENT},
      {STATUS_UNAUTHENTICATED, 401, GRPC_CODE_UNAUTHENTICATED},
      {STATUS_PERMISSION_DENIED, 403, GRPC_CODE_PERMISSION_DENIED},
      {STATUS_NOT_FOUND, 404, GRPC_CODE_NOT_FOUND},
      {STATUS_METHOD, 405, GRPC_CODE_UNIMPLEMENTED},
      {STATUS_CONFLICT, 409, GRPC_CODE_FAILED_PRECONDITION},
      {STATUS_TOO_LARGE, 413, GRPC_CODE_RESOURCE_EXHAUSTED},
      {STATUS_NO_MEMORY, 413, GRPC_CODE_RESOURCE_EXHAUSTED},
      {STATUS_UNSUPPORTED, 415, GRPC_CODE_UNIMPLEMENTED},
      {STATUS_RATE_LIMITED, 429, GRPC_CODE_RESOURCE_EXHAUSTED},
      {STATUS_INTERNAL, 500, GRPC_CODE_INTERNAL},
      {STATUS_CORRUPT, 500, GRPC_CODE_INTERNAL},
      {STATUS_UNAVAILABLE, 503, GRPC_CODE_UNAVAILABLE},
      {STATUS_IO, 503, GRPC_CODE_UNAVAILABLE},
      {STATUS_TIMEOUT, 504, GRPC_CODE_DEADLINE_EXCEEDED},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_int_equal(reply_http_code(cases[i].status), cases[i].http);
    assert_int_equal(reply_grpc_code(cases[i].status), cases[i].grpc);
  }
}

// A hint exactly where OTLP lets clients retry: 429, 502, 503, 504.
static void test_retryable_codes(void **state) {
  (void)state;
  for (unsigned status = STATUS_INVALID; status <= STATUS_INTERNAL; status++) {
    uint32_t code = reply_http_code((enum status)status);
    assert_int_equal(reply_is_retryable((enum status)status), code == 429 || code == 503 || code == 504);
  }
}

static void test_retry_hints_spread(void **state) {
  (void)state;
  uint32_t seen = 0;
  for (int i = 0; i < 1000; i++) {
    uint32_t seconds = reply_retry_seconds();
    assert_in_range(seconds, 1, 5);
    seen |= 1u << seconds;
  }
  assert_int_equal(seen, 0x3e);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_codes),
      cmocka_unit_test(test_retryable_codes),
      cmocka_unit_test(test_retry_hints_spread),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
