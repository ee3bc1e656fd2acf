-- SPDX-License-Identifier: Apache-2.0
-- How events were grouped before, and issues that are merged and split.

-- Texts of rules by the MD5 of the text.
CREATE TABLE rule_text (
  digest BLOB NOT NULL UNIQUE,
  text TEXT NOT NULL
) STRICT;

-- By what the events of a project are and were grouped (store/grouping_history).
CREATE TABLE grouping_setup (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- the last one given is the version of the whole table
  project_id INTEGER NOT NULL,          -- 0: of every project that has no rows of its own
  algorithm TEXT NOT NULL,
  builtin_enhancements BLOB,            -- digests in rule_text; NULL: no text
  builtin_fingerprinting BLOB,
  enhancements BLOB,
  fingerprinting BLOB,
  since_ns INTEGER NOT NULL,
  until_ns INTEGER                      -- NULL: in force
) STRICT;
CREATE INDEX grouping_setup_project ON grouping_setup (project_id, id);

-- Events of one issue that have the same hashes: the least that can be split off. What is over the bound of parts is
-- counted in its issue alone, as part 0.
CREATE TABLE issue_part (
  id INTEGER PRIMARY KEY,
  issue_id INTEGER NOT NULL,
  hashes BLOB NOT NULL, -- 16 bytes each, in the order of the events
  count INTEGER NOT NULL,
  first_seen_ns INTEGER NOT NULL,
  last_seen_ns INTEGER NOT NULL,
  title TEXT NOT NULL,  -- of the newest event, like the rest
  type TEXT,
  value TEXT,
  culprit TEXT,
  level TEXT,
  platform TEXT
) STRICT;
CREATE UNIQUE INDEX issue_part_hashes ON issue_part (issue_id, hashes);

-- Issues that are gone into another one. Where they lead is never itself such an issue.
CREATE TABLE issue_merged (
  id INTEGER PRIMARY KEY, -- theirs, never given again
  project_id INTEGER NOT NULL,
  number INTEGER NOT NULL,
  issue_id INTEGER NOT NULL
) STRICT;
CREATE INDEX issue_merged_issue ON issue_merged (issue_id);
CREATE INDEX issue_merged_number ON issue_merged (project_id, number);
CREATE INDEX issue_number ON issue (project_id, number);
CREATE INDEX issue_without_events ON issue (last_seen_ns) WHERE stored = 0;

ALTER TABLE event ADD COLUMN part_id INTEGER NOT NULL DEFAULT 0;
ALTER TABLE issue_hash ADD COLUMN split INTEGER NOT NULL DEFAULT 0; -- number of the split that put it here
ALTER TABLE issue_hash ADD COLUMN merged_from INTEGER;              -- the issue in issue_merged it came with
ALTER TABLE issue_history ADD COLUMN detail TEXT;                   -- the other issue's short id

-- What is there becomes one part an issue, under the hash that made it.
INSERT INTO issue_part (issue_id, hashes, count, first_seen_ns, last_seen_ns, title, type, value, culprit, level,
  platform)
SELECT i.id, h.hash, i.count, i.first_seen_ns, i.last_seen_ns, i.title, i.type, i.value, i.culprit, i.level, i.platform
FROM issue AS i JOIN issue_hash AS h ON h.project_id = i.project_id AND h.hash = (SELECT hash FROM issue_hash
  WHERE issue_id = i.id AND algorithm <> 'culprit-overflow' ORDER BY created_ns, variant LIMIT 1);
UPDATE event SET part_id = coalesce((SELECT id FROM issue_part AS p WHERE p.issue_id = event.issue_id), 0);

CREATE TABLE issue_part_hour (
  issue_id INTEGER NOT NULL,
  hour INTEGER NOT NULL, -- hours since 1970
  part_id INTEGER NOT NULL,
  count INTEGER NOT NULL,
  PRIMARY KEY (issue_id, hour, part_id)
) STRICT, WITHOUT ROWID;
INSERT INTO issue_part_hour (issue_id, hour, part_id, count)
SELECT h.issue_id, h.hour, coalesce((SELECT id FROM issue_part AS p WHERE p.issue_id = h.issue_id), 0), h.count
FROM issue_hour AS h;
DROP TABLE issue_hour;
ALTER TABLE issue_part_hour RENAME TO issue_hour;
