-- Which source brought a document, and the sources as they were configured. Each statement can run again.

ALTER TABLE gyre.documents
    ADD COLUMN IF NOT EXISTS source LowCardinality(String) COMMENT 'Name of the source that brought it; empty where a producer sent it' AFTER source_uri;

CREATE TABLE IF NOT EXISTS gyre.sources
(
    tenant          LowCardinality(String) COMMENT 'Whose source',
    name            String COMMENT 'Unique within the tenant; its documents are called name/…',
    generation      UInt64 COMMENT 'How often it was changed',
    event_id        UUID COMMENT 'Id of the event that this row came from',
    time            DateTime64(3, 'UTC') COMMENT 'When it was changed',
    trace_id        String COMMENT 'W3C trace id in hexadecimal; empty without one',
    kind            LowCardinality(String) COMMENT 'folder, web and so on',
    settings        Map(String, String) COMMENT 'Of its kind; secrets are named in them, never written',
    schedule        String COMMENT 'Cron expression in UTC; empty for none',
    acl             Array(String) COMMENT 'Access groups that may read its documents; empty means everybody in the tenant',
    paused          Bool COMMENT 'It is not synced',
    removed         Bool COMMENT 'It is on its way out, or gone',
    keeps_documents Bool COMMENT 'What it brought stays when it goes',
    actor           String COMMENT 'Who changed it'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, name, generation, event_id)
COMMENT 'Every change of every source, a row a change';
