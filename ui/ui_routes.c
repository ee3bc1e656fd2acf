// SPDX-License-Identifier: Apache-2.0
//
// The table of routes of the UI port. More special paths come first, the pages last.
#include "ui/ui_routes.h"

#include "ui/api/api_answer.h"
#include "ui/api/api_attachments.h"
#include "ui/api/api_events.h"
#include "ui/api/api_exporters.h"
#include "ui/api/api_feedback.h"
#include "ui/api/api_health.h"
#include "ui/api/api_issues.h"
#include "ui/api/api_merge.h"
#include "ui/api/api_projects.h"
#include "ui/api/api_requests.h"
#include "ui/api/api_status.h"
#include "ui/web_assets.h"

static const struct http_route routes[] = {
    {HTTP_GET, "/api/v1/issues", api_issues_list, NULL},
    {HTTP_GET, "/api/v1/issues/{}", api_issues_get, NULL},
    {HTTP_PATCH, "/api/v1/issues/{}", api_issues_patch, NULL},
    {HTTP_GET, "/api/v1/issues/{}/events", api_events_list, NULL},
    {HTTP_POST, "/api/v1/issues/{}/merge", api_merge_post, NULL},
    {HTTP_POST, "/api/v1/issues/{}/unmerge", api_merge_post_undo, NULL},
    {HTTP_GET, "/api/v1/issues/{}/feedback", api_feedback_of_issue, NULL},
    {HTTP_GET, "/api/v1/feedback", api_feedback_list, NULL},
    {HTTP_GET, "/api/v1/events/{}", api_events_get, NULL},
    {HTTP_GET, "/api/v1/events/{}/attachments", api_attachments_list, NULL},
    {HTTP_GET, "/api/v1/events/{}/attachments/{}", api_attachments_get, NULL},
    {HTTP_GET, "/api/v1/requests/{}", api_requests_get, NULL},
    {HTTP_GET, "/api/v1/projects", api_projects_list, NULL},
    {HTTP_POST, "/api/v1/projects", api_projects_post, NULL},
    {HTTP_GET, "/api/v1/projects/{}", api_projects_get, NULL},
    {HTTP_PATCH, "/api/v1/projects/{}", api_projects_patch, NULL},
    {HTTP_POST, "/api/v1/projects/{}/keys", api_projects_post_key, NULL},
    {HTTP_PATCH, "/api/v1/projects/{}/keys/{}", api_projects_patch_key, NULL},
    {HTTP_DELETE, "/api/v1/projects/{}/keys/{}", api_projects_delete_key, NULL},
    {HTTP_GET, "/api/v1/status", api_status_get, NULL},
    {HTTP_POST, "/api/v1/exporters/{}/resend", api_exporters_resend, NULL},
    {HTTP_GET, "/metrics", api_health_metrics, NULL},
    {HTTP_GET, "/health", api_health_ready, NULL},
    {HTTP_GET, "/health/ready", api_health_ready, NULL},
    {HTTP_GET, "/health/live", api_health_live, NULL},
    {HTTP_HEAD, "/health", api_health_ready, NULL},
    {HTTP_HEAD, "/health/ready", api_health_ready, NULL},
    {HTTP_HEAD, "/health/live", api_health_live, NULL},
    {HTTP_GET, "/{*}", web_assets_handle, NULL},
    {HTTP_HEAD, "/{*}", web_assets_handle, NULL},
};

size_t ui_routes_fill(const struct ui_options *options, struct http_route out_routes[UI_ROUTES_MAX]) {
  size_t count = sizeof routes / sizeof routes[0];
  ASSERT(count <= UI_ROUTES_MAX);
  for (size_t i = 0; i < count; i++) {
    out_routes[i] = routes[i];
    // The struct is only read: http_route has one pointer type for all its users.
    out_routes[i].context = (void *)(uintptr_t)options;
  }
  return count;
}

void ui_routes_refuse(void *context, struct http_request *request, enum status status, const char *text) {
  (void)context;
  api_answer_refuse(request, status, NULL, text);
}
