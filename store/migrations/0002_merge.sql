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
