-- What documents are written in. Can run again.

ALTER TABLE gyre.documents
    ADD COLUMN IF NOT EXISTS language LowCardinality(String) COMMENT 'What it is written in (de, en, ja), und where that cannot be told; of stage chunked, and of accepted where its producer said so' AFTER media_type;
