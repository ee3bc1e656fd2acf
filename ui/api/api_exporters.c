// SPDX-License-Identifier: Apache-2.0
//
// The exporter does it in its own time; the answer says how many dead letters there are.
#include "ui/api/api_exporters.h"

#include "ui/api/api_answer.h"

static enum status resend(struct api_answer *answer) {
  enum status status = api_answer_check_origin(answer);
  if (status) return status;
  uint64_t count = 0;
  struct slice name = http_request_capture(answer->request, 0);
  status = answer->ui->resend(answer->ui->context, name, &count);
  if (status) return api_answer_fail(answer, status, NULL, "no exporter \"%.*s\" is running", SLICE_PRINTF(name));
  json_begin_object(&answer->json);
  api_answer_number(answer, "dead_letters", count);
  json_end_object(&answer->json);
  return STATUS_OK;
}

void api_exporters_resend(void *context, struct http_request *request) {
  static const char *const parameters[] = {NULL};
  api_answer_run(context, request, parameters, resend);
}
