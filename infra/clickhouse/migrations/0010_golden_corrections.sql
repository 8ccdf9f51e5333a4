-- Corrections that judge what is to be released, and are never learned from. Can run again.

ALTER TABLE gyre.feedback
    ADD COLUMN IF NOT EXISTS golden Bool DEFAULT false COMMENT 'A correction that judges what is to be released, and is never learned from' AFTER actor;
