-- What a rebuild of the tables needs to know of itself, and of what was redacted before. Each statement can run again.

CREATE TABLE IF NOT EXISTS gyre.rebuilds
(
    rebuild_id   UUID COMMENT 'Id of the rebuild',
    started_at   DateTime64(3, 'UTC') COMMENT 'When it began',
    updated_at   DateTime64(3, 'UTC') COMMENT 'When it was known to go on last',
    owner        String COMMENT 'The process that works on it',
    state        LowCardinality(String) COMMENT 'copying, reading, built, swapping, finished, failed or dropped',
    swap         Bool COMMENT 'The new tables take the place of the live ones once they are built',
    positions    Map(String, UInt64) COMMENT 'Partition of a topic to the offset of the next record to read',
    records      UInt64 COMMENT 'Records of the topics, as far as known: offsets, those of compacted records among them',
    records_read UInt64 COMMENT 'Of these, how many were read',
    left_out     UInt64 COMMENT 'Records that can be no rows; they are dead letters',
    tables       Map(String, UUID) COMMENT 'Table to the engine''s id of the new one',
    rows_before  Map(String, UInt64) COMMENT 'Table to its rows when the rebuild read them',
    rows_after   Map(String, UInt64) COMMENT 'Table to the rows of the new one',
    problem      String COMMENT 'What it waits for, or why it failed'
)
ENGINE = ReplacingMergeTree(updated_at)
ORDER BY rebuild_id
COMMENT 'Every rebuild of the tables from the topics';

CREATE TABLE IF NOT EXISTS gyre.redactions
(
    tenant      LowCardinality(String) COMMENT 'Whose rows were rewritten',
    since       DateTime64(3, 'UTC') COMMENT 'From when on',
    until       DateTime64(3, 'UTC') COMMENT 'Up to when',
    redacted_as String COMMENT 'What became of personal data, and of which kinds',
    time        DateTime64(3, 'UTC') COMMENT 'When it was asked for'
)
ENGINE = ReplacingMergeTree(time)
ORDER BY (tenant, since, until, redacted_as)
COMMENT 'What gyre redact rewrote: no rebuild brings the words of before back';
