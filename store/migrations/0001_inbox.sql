-- SPDX-License-Identifier: Apache-2.0
-- The inbox: projects, issues, their events, and how far each reader of a journal has come.
--
-- Times are Unix nanoseconds. Ids of events, traces and spans and hashes are raw bytes. No foreign keys and no triggers:
-- one writer (store/issue_store) keeps the tables together inside one transaction.

-- Where the reader `name` of a journal goes on: the first sequence whose effects are not in this file yet.
CREATE TABLE cursor (
  name TEXT NOT NULL PRIMARY KEY,
  sequence INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE project (
  id INTEGER PRIMARY KEY,
  slug TEXT NOT NULL UNIQUE,
  created_ns INTEGER NOT NULL,
  issues_made INTEGER NOT NULL DEFAULT 0, -- the last number given to a short id
  day INTEGER NOT NULL DEFAULT 0,         -- days since 1970
  day_groups INTEGER NOT NULL DEFAULT 0   -- issues made on that day, for the cap
) STRICT;

CREATE TABLE project_key (
  key TEXT NOT NULL PRIMARY KEY, -- 32 hex digits, the public part of a DSN
  project_id INTEGER NOT NULL,
  created_ns INTEGER NOT NULL,
  active INTEGER NOT NULL DEFAULT 1
) STRICT, WITHOUT ROWID;

CREATE TABLE issue (
  id INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL,
  number INTEGER NOT NULL, -- of the short id
  status INTEGER NOT NULL DEFAULT 0,    -- enum issue_status
  substatus INTEGER NOT NULL DEFAULT 0, -- enum issue_substatus
  status_ns INTEGER NOT NULL,           -- since when
  count INTEGER NOT NULL DEFAULT 0,     -- events ever seen
  stored INTEGER NOT NULL DEFAULT 0,    -- rows in event
  first_seen_ns INTEGER NOT NULL,
  last_seen_ns INTEGER NOT NULL,
  first_row INTEGER,                    -- the event that is never evicted
  tags_overflow INTEGER NOT NULL DEFAULT 0, -- tags not counted because the issue has too many keys
  title TEXT NOT NULL,
  type TEXT,
  value TEXT,
  culprit TEXT,
  level TEXT,
  platform TEXT
) STRICT;
CREATE INDEX issue_last_seen ON issue (last_seen_ns);

-- An issue has many hashes, a hash one issue.
CREATE TABLE issue_hash (
  project_id INTEGER NOT NULL,
  hash BLOB NOT NULL,
  issue_id INTEGER NOT NULL,
  algorithm TEXT NOT NULL,
  variant TEXT NOT NULL,
  created_ns INTEGER NOT NULL,
  PRIMARY KEY (project_id, hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX issue_hash_issue ON issue_hash (issue_id);

CREATE TABLE issue_hour (
  issue_id INTEGER NOT NULL,
  hour INTEGER NOT NULL, -- hours since 1970
  count INTEGER NOT NULL,
  PRIMARY KEY (issue_id, hour)
) STRICT, WITHOUT ROWID;

-- Tag keys of an issue: every event that had the key, and how many different values are in issue_tag. What is over the
-- bounds is in `total` alone.
CREATE TABLE issue_tag_key (
  issue_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  total INTEGER NOT NULL,
  value_count INTEGER NOT NULL,
  PRIMARY KEY (issue_id, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE issue_tag (
  issue_id INTEGER NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (issue_id, key, value)
) STRICT, WITHOUT ROWID;

-- Every service and environment there is, for the filters.
CREATE TABLE known_value (
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (key, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE issue_history (
  id INTEGER PRIMARY KEY,
  issue_id INTEGER NOT NULL,
  time_ns INTEGER NOT NULL,
  kind TEXT NOT NULL
) STRICT;
CREATE INDEX issue_history_issue ON issue_history (issue_id);

CREATE TABLE event (
  id INTEGER PRIMARY KEY,
  project_id INTEGER NOT NULL,
  issue_id INTEGER NOT NULL,
  event_id BLOB NOT NULL,
  source INTEGER NOT NULL, -- enum issue_source
  timestamp_ns INTEGER NOT NULL, -- as sent
  seen_ns INTEGER NOT NULL,      -- timestamp_ns, or received_ns when that is out of bounds: the order of events
  received_ns INTEGER NOT NULL,
  duplicate_key INTEGER NOT NULL,
  trace_id BLOB,
  span_id BLOB,
  request_id TEXT,
  title TEXT NOT NULL,
  culprit TEXT,
  level TEXT,
  platform TEXT,
  service TEXT,
  environment TEXT,
  release TEXT,
  document_bytes INTEGER NOT NULL, -- of the text in `document`
  document BLOB NOT NULL           -- zstd: grouping variants as JSON, a line feed, the event as JSON
) STRICT;
CREATE UNIQUE INDEX event_event_id ON event (event_id, project_id);
CREATE INDEX event_issue ON event (issue_id, seen_ns);
CREATE INDEX event_trace ON event (trace_id) WHERE trace_id IS NOT NULL;
CREATE INDEX event_request ON event (request_id) WHERE request_id IS NOT NULL;

-- Keys (8 bytes each) of the event ids taken of late, one row a batch: a resent event is known even when its row was
-- evicted since, or was never written because newer ones of its batch pushed it out.
CREATE TABLE recent_events (
  batch INTEGER PRIMARY KEY,
  keys BLOB NOT NULL
) STRICT;
