-- What of documents was not read. Can run again.

ALTER TABLE gyre.documents
    ADD COLUMN IF NOT EXISTS notes Array(String) COMMENT 'What of it was not read, and what can be done about it; of stage chunked' AFTER detail;
