-- SPDX-License-Identifier: Apache-2.0
-- The list of one project's issues, the last seen first.
CREATE INDEX issue_project_last_seen ON issue (project_id, last_seen_ns);
