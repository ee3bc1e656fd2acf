-- SPDX-License-Identifier: Apache-2.0
-- Attachments that secrets were taken out of.
ALTER TABLE attachment ADD COLUMN scrubbed INTEGER NOT NULL DEFAULT 0;
