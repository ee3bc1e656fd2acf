-- SPDX-License-Identifier: Apache-2.0
-- What is set for one project and differs from the configuration.

-- A row per project that has settings of its own.
CREATE TABLE project_settings (
  project_id INTEGER PRIMARY KEY,
  version INTEGER NOT NULL,  -- of project_version, when this row was last changed
  scrub_enabled INTEGER,     -- 0 or 1; NULL: as configured, here and below
  scrub_defaults INTEGER,
  scrub_ip_addresses INTEGER,
  scrub_sensitive_keys TEXT, -- a JSON array of texts
  scrub_safe_keys TEXT,
  events_per_minute INTEGER NOT NULL DEFAULT 0, -- 0: no limit
  transactions_per_minute INTEGER NOT NULL DEFAULT 0,
  logs_per_minute INTEGER NOT NULL DEFAULT 0
) STRICT;

-- One row, counted up by every change of projects, keys and settings: who has a copy asks for this alone.
CREATE TABLE project_version (
  id INTEGER PRIMARY KEY,
  version INTEGER NOT NULL
) STRICT;
INSERT INTO project_version (id, version) VALUES (1, 1);
