-- Documents that somebody should look at, and what they decided. Each statement can run again.

ALTER TABLE gyre.documents
    ADD COLUMN IF NOT EXISTS held Bool COMMENT 'It is kept out of the index; of stage quarantined, where reason and detail say what was seen' AFTER detail,
    COMMENT COLUMN stage 'What happened: accepted, chunked, indexed, quarantined or rejected';

CREATE TABLE IF NOT EXISTS gyre.quarantine_decisions
(
    tenant         LowCardinality(String) COMMENT 'Whose document',
    document_id    String COMMENT 'The producer''s name for it',
    content_digest String COMMENT 'sha256 of the original, for which it holds',
    media_type     LowCardinality(String) COMMENT 'What it was read as',
    title          String COMMENT 'Its title, for which it holds where that is what was looked at',
    revision       UInt64 COMMENT 'The revision that was looked at',
    event_id       UUID COMMENT 'Id of the event that this row came from',
    time           DateTime64(3, 'UTC') COMMENT 'When it was decided',
    trace_id       String COMMENT 'W3C trace id in hexadecimal; empty without one',
    verdict        LowCardinality(String) COMMENT 'released or confirmed',
    actor          String COMMENT 'Who decided',
    reason         String COMMENT 'Why'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, document_id, content_digest, event_id)
COMMENT 'What people decided of quarantined documents, a row a decision';
