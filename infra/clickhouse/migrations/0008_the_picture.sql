-- What the picture of the loop needs beside the view loop: votes that wait for a run, and every change of what is live.
-- Each statement can run again.

CREATE OR REPLACE VIEW gyre.waiting_votes
(
    tenant        LowCardinality(String) COMMENT 'Whose questions',
    votes         UInt64 COMMENT 'Thumbs, ratings and votes on passages: the latest word of every actor on every target',
    waiting       UInt64 COMMENT 'Those of them that came after learned_until',
    last_vote_at  DateTime64(3, 'UTC') COMMENT 'When the last of them was given',
    learned_until Nullable(DateTime64(3, 'UTC')) COMMENT 'When the last vote was given that a judged training run, of the tenant or of all tenants, learned from; empty without such a run'
)
AS WITH learned AS
(
    SELECT tenant, max(last_vote_at) AS until
    FROM gyre.training_runs FINAL
    WHERE state IN ('passed', 'refused', 'released') AND last_vote_at IS NOT NULL
    GROUP BY tenant
)
SELECT
    f.tenant AS tenant,
    count() AS votes,
    countIf(f.time > ifNull(until, toDateTime64(0, 3, 'UTC'))) AS waiting,
    max(f.time) AS last_vote_at,
    any(until) AS learned_until
FROM
(
    SELECT
        v.tenant AS tenant,
        v.time AS time,
        arrayMax([own.until, (SELECT max(until) FROM learned WHERE tenant = '*')]) AS until
    FROM gyre.current_feedback AS v
    LEFT JOIN learned AS own ON own.tenant = v.tenant
    WHERE v.kind IN ('thumb', 'rating', 'chunk')
) AS f
GROUP BY tenant
COMMENT 'Votes, and how many of them no training run has learned from yet, a row a tenant';

CREATE OR REPLACE VIEW gyre.release_changes
(
    tenant        LowCardinality(String) COMMENT 'Whose release; * for every tenant without one of its own',
    role          LowCardinality(String) COMMENT 'What the version does',
    generation    UInt64 COMMENT 'Rises with every change of the role',
    time          DateTime64(3, 'UTC') COMMENT 'When it changed',
    live          String COMMENT 'The version that serves since then',
    replaced      String COMMENT 'The version that served before; empty without one',
    actor         String COMMENT 'Who changed it',
    reason        String COMMENT 'Why',
    run_id        String COMMENT 'The training run that made the version; empty where none did',
    gate          String COMMENT 'What its gate said: passed or failed; empty where none has seen it',
    overridden_by String COMMENT 'Who made it live though no gate had let it pass; empty where one had'
)
AS SELECT tenant, role, generation, time, live, replaced, actor, reason, run_id, gate, overridden_by
FROM
(
    SELECT
        tenant,
        role,
        generation,
        time,
        live,
        lagInFrame(live) OVER (PARTITION BY tenant, role ORDER BY generation
                               ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS replaced,
        actor,
        reason,
        evidence['run'] AS run_id,
        verdicts[live] AS gate,
        evidence['override'] AS overridden_by
    FROM gyre.releases FINAL
)
WHERE live != replaced
COMMENT 'Every change of the version that is live, a row a change';
