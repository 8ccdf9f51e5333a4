-- A run's verdict in terms of no metric in particular, and the loop by it. Each statement can run again.

ALTER TABLE gyre.training_runs
    ADD COLUMN IF NOT EXISTS metric String COMMENT 'What the numbers of the verdict are, in words; empty without a verdict, and in runs of before it was one' AFTER report_uri,
    ADD COLUMN IF NOT EXISTS decision LowCardinality(String) COMMENT 'The verdict: passed, refused or too small to tell; empty as metric' AFTER metric,
    ADD COLUMN IF NOT EXISTS gain Nullable(Float64) COMMENT 'Candidate over what was live, on all held-out examples, in the unit of metric; empty where nothing was measured' AFTER decision,
    ADD COLUMN IF NOT EXISTS gain_low Nullable(Float64) COMMENT 'Lower end of the 95 % interval of the gain' AFTER gain,
    ADD COLUMN IF NOT EXISTS gain_high Nullable(Float64) COMMENT 'Upper end of the 95 % interval of the gain' AFTER gain_low,
    COMMENT COLUMN state 'running, passed (its verdict lets the version go live: the view loop says whether it did), refused (by the verdict), failed, interrupted or cancelled; released where the run is older than verdicts and its version went live',
    COMMENT COLUMN metrics 'Figures by name, of training; in runs older than verdicts also those of the gate: ndcg_gain and its 95 % interval';

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
    metric           String COMMENT 'What gain is measured in, in words',
    gain             Nullable(Float64) COMMENT 'What the gate found it to gain over what was live then, on held-out examples, in the unit of metric',
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
    multiIf(t.metric != '', t.metric, mapContains(t.metrics, 'ndcg_gain'), 'nDCG@10 × 100', '') AS metric,
    multiIf(t.metric != '', t.gain, mapContains(t.metrics, 'ndcg_gain'), 100 * t.metrics['ndcg_gain'], NULL) AS gain,
    multiIf(t.metric != '', t.gain_low, mapContains(t.metrics, 'ndcg_gain_low'), 100 * t.metrics['ndcg_gain_low'], NULL) AS gain_low,
    multiIf(t.metric != '', t.gain_high, mapContains(t.metrics, 'ndcg_gain_high'), 100 * t.metrics['ndcg_gain_high'], NULL) AS gain_high,
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
