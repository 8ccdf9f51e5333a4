-- What training made of the votes, and how long that took. Each statement can run again.

ALTER TABLE gyre.retrieved_chunks
    ADD COLUMN IF NOT EXISTS explored Bool DEFAULT false COMMENT 'Shown only because of an exploration slot; the live ranking would not have shown it',
    ADD COLUMN IF NOT EXISTS propensity Float64 DEFAULT 1 COMMENT 'Probability with which it was shown, above 0 to 1; 1 without exploration';

ALTER TABLE gyre.releases
    ADD COLUMN IF NOT EXISTS verdicts Map(String, String) COMMENT 'Registered version to what its gate said, passed or failed; those that no gate has seen are missing';

CREATE TABLE IF NOT EXISTS gyre.training_runs
(
    tenant        LowCardinality(String) COMMENT 'Whose votes it learned from; * where the default of all tenants was trained on purpose',
    run_id        UUID COMMENT 'Id of the run',
    event_id      UUID COMMENT 'Id of the event that this row came from',
    time          DateTime64(3, 'UTC') COMMENT 'When it began, began again or ended',
    trace_id      String COMMENT 'W3C trace id in hexadecimal; empty without one',
    recipe        LowCardinality(String) COMMENT 'How it was trained: query-encoder …',
    role          LowCardinality(String) COMMENT 'What the trained version does',
    profile       LowCardinality(String) COMMENT 'default, or demo: lower minimum counts',
    state         LowCardinality(String) COMMENT 'running, released (live), passed (waits to be promoted), refused (by the gate), failed, interrupted or cancelled',
    message       String COMMENT 'Why it ended so, in words',
    settings      Map(String, String) COMMENT 'What was asked for',
    code          String COMMENT 'Version of the program',
    actor         String COMMENT 'Who started it',
    reason        String COMMENT 'Why',
    data_set      String COMMENT 'Digest of the frozen data set; empty before there was one',
    window        Map(String, String) COMMENT 'Topic and partition to the offsets that it learned from: first-end, the end excluded',
    votes         UInt64 COMMENT 'Votes that it learned from',
    first_vote_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the first of them was given',
    last_vote_at  Nullable(DateTime64(3, 'UTC')) COMMENT 'When the last of them was given',
    base          String COMMENT 'Version that it started from',
    version       String COMMENT 'Version that it made; empty without one',
    artifact      String COMMENT 'Digest of that version',
    report        String COMMENT 'Digest of the gate''s report',
    report_uri    String COMMENT 'Where the gate''s report is in the store',
    metrics       Map(String, Float64) COMMENT 'Figures by name; ndcg_gain and its 95 % interval ndcg_gain_low, ndcg_gain_high are of the gate',
    started_at    DateTime64(3, 'UTC') COMMENT 'When it began, or began again',
    finished_at   Nullable(DateTime64(3, 'UTC')) COMMENT 'When it ended; empty while it runs'
)
ENGINE = ReplacingMergeTree(time)
PARTITION BY tuple()
ORDER BY (tenant, run_id)
COMMENT 'Training runs, a row a run; the newest news of a run stands';

CREATE OR REPLACE VIEW gyre.loop
(
    tenant           LowCardinality(String) COMMENT 'Whose release; * for every tenant without one of its own',
    role             LowCardinality(String) COMMENT 'What the version does',
    version          String COMMENT 'A version that a training run made and that went live',
    run_id           UUID COMMENT 'The run that made it',
    profile          LowCardinality(String) COMMENT 'default, or demo: lower minimum counts',
    votes            UInt64 COMMENT 'Votes that it learned from',
    first_vote_at    Nullable(DateTime64(3, 'UTC')) COMMENT 'When the first of them was given',
    last_vote_at     Nullable(DateTime64(3, 'UTC')) COMMENT 'When the last of them was given',
    started_at       DateTime64(3, 'UTC') COMMENT 'When training began',
    released_at      DateTime64(3, 'UTC') COMMENT 'When it first went live',
    released_by      String COMMENT 'Who released it',
    reason           String COMMENT 'Why',
    lead_seconds     Nullable(Float64) COMMENT 'Last vote to live, in seconds',
    training_seconds Float64 COMMENT 'Start of the run to live, in seconds',
    gain             Nullable(Float64) COMMENT 'What the gate found it to gain: nDCG@10 over what was live then, on held-out questions',
    gain_low         Nullable(Float64) COMMENT 'Lower end of the 95 % interval of the gain',
    gain_high        Nullable(Float64) COMMENT 'Upper end of the 95 % interval of the gain',
    overridden_by    String COMMENT 'Who released it though no gate had let it pass; empty where one had',
    is_live          Bool COMMENT 'It is live now',
    replaced_at      Nullable(DateTime64(3, 'UTC')) COMMENT 'When another version first took its place; empty while none has'
)
AS SELECT
    r.tenant AS tenant,
    r.role AS role,
    r.version AS version,
    t.run_id AS run_id,
    t.profile AS profile,
    t.votes AS votes,
    t.first_vote_at AS first_vote_at,
    t.last_vote_at AS last_vote_at,
    t.started_at AS started_at,
    r.released_at AS released_at,
    r.released_by AS released_by,
    r.reason AS reason,
    dateDiff('millisecond', t.last_vote_at, r.released_at) / 1000 AS lead_seconds,
    dateDiff('millisecond', t.started_at, r.released_at) / 1000 AS training_seconds,
    if(mapContains(t.metrics, 'ndcg_gain'), t.metrics['ndcg_gain'], NULL) AS gain,
    if(mapContains(t.metrics, 'ndcg_gain_low'), t.metrics['ndcg_gain_low'], NULL) AS gain_low,
    if(mapContains(t.metrics, 'ndcg_gain_high'), t.metrics['ndcg_gain_high'], NULL) AS gain_high,
    r.evidence['override'] AS overridden_by,
    n.versions[-1] = r.version AS is_live,
    arrayFirstOrNull((at, version, generation) -> version != r.version AND generation > r.since,
                     n.times, n.versions, n.generations) AS replaced_at
FROM
(
    SELECT
        tenant,
        role,
        live AS version,
        min(time) AS released_at,
        argMin(actor, generation) AS released_by,
        argMin(reason, generation) AS reason,
        argMin(evidence, generation) AS evidence,
        min(generation) AS since
    FROM gyre.releases FINAL
    GROUP BY tenant, role, live
) AS r
INNER JOIN
(
    SELECT * FROM gyre.training_runs FINAL WHERE version != ''
) AS t ON t.tenant = r.tenant AND t.role = r.role AND t.version = r.version
LEFT JOIN
(
    SELECT
        tenant,
        role,
        arraySort(groupArray((generation, time, live))) AS changes,
        changes.1 AS generations,
        changes.2 AS times,
        changes.3 AS versions
    FROM gyre.releases FINAL
    GROUP BY tenant, role
) AS n ON n.tenant = r.tenant AND n.role = r.role
COMMENT 'From votes to what went live: every version that training made and somebody released';
