-- SPDX-License-Identifier: Apache-2.0
-- What comes beside events: attachments, what people said, what SDKs say they threw away. Written by store/item_writer in
-- the transaction of the events and the cursor.

-- Attachments of events, stored here or not (yet). Deleted with their event's row, by age, and stripped of their data,
-- oldest first, when the budget is used up.
CREATE TABLE attachment (
  id INTEGER PRIMARY KEY, -- in the order they came
  project_id INTEGER NOT NULL,
  event_id BLOB NOT NULL,
  content_key INTEGER NOT NULL, -- hash of name, length and bytes: sent again it changes nothing
  received_ns INTEGER NOT NULL,
  filename TEXT,
  content_type TEXT,
  attachment_type TEXT,
  bytes INTEGER NOT NULL,        -- as sent
  reason TEXT,                   -- why there is no data; NULL: there is
  stored_bytes INTEGER NOT NULL, -- of `data`
  is_zstd INTEGER NOT NULL,      -- `data` is a zstd frame
  data BLOB
) STRICT;
CREATE UNIQUE INDEX attachment_event ON attachment (event_id, project_id, content_key);
CREATE INDEX attachment_stored ON attachment (id, stored_bytes) WHERE stored_bytes > 0;

CREATE TABLE feedback (
  id INTEGER PRIMARY KEY, -- in the order they came
  project_id INTEGER NOT NULL,
  feedback_id BLOB NOT NULL,
  event_id BLOB,    -- of the event it is about
  issue_id INTEGER, -- of that event, remembered for when its row is gone
  is_report INTEGER NOT NULL,
  time_ns INTEGER NOT NULL,
  received_ns INTEGER NOT NULL,
  name TEXT,
  email TEXT,
  message TEXT NOT NULL,
  url TEXT
) STRICT;
CREATE UNIQUE INDEX feedback_feedback_id ON feedback (feedback_id, project_id);
CREATE INDEX feedback_event ON feedback (event_id, project_id) WHERE event_id IS NOT NULL;
CREATE INDEX feedback_issue ON feedback (issue_id) WHERE issue_id IS NOT NULL;
CREATE INDEX feedback_untied ON feedback (event_id, project_id) WHERE issue_id IS NULL AND event_id IS NOT NULL;
CREATE INDEX feedback_project ON feedback (project_id, id);

-- What SDKs say they threw away, by the hour it was told.
CREATE TABLE discarded (
  hour INTEGER NOT NULL, -- hours since 1970
  project_id INTEGER NOT NULL,
  reason TEXT NOT NULL,
  category TEXT NOT NULL,
  quantity INTEGER NOT NULL,
  PRIMARY KEY (hour, project_id, reason, category)
) STRICT, WITHOUT ROWID;
