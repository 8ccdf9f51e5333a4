-- Corrections teach as votes do, so that they wait for a run as votes do. Can run again.

CREATE OR REPLACE VIEW gyre.waiting_votes
(
    tenant        LowCardinality(String) COMMENT 'Whose questions',
    votes         UInt64 COMMENT 'Thumbs, ratings, votes on passages and corrections: the latest of each kind by every actor on every target',
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
    WHERE v.kind IN ('thumb', 'rating', 'chunk', 'correction')
) AS f
GROUP BY tenant
COMMENT 'Votes and corrections, and how many of them no training run has learned from yet, a row a tenant';
