ALTER TABLE gyre.dead_letters
    ADD COLUMN IF NOT EXISTS verdict LowCardinality(String) COMMENT 'replayed or dropped, and then time is when; empty while nobody has decided',
    ADD COLUMN IF NOT EXISTS actor String COMMENT 'Who decided, or skipped it',
    ADD COLUMN IF NOT EXISTS reason String COMMENT 'Why',
    COMMENT COLUMN time 'When it was parked; when it was decided, once it is';
