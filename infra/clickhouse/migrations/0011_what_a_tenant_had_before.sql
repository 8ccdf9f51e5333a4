-- What a tenant had before its first version of its own is what the default had. Can run again.

CREATE OR REPLACE VIEW gyre.release_changes
(
    tenant        LowCardinality(String) COMMENT 'Whose release; * for every tenant without one of its own',
    role          LowCardinality(String) COMMENT 'What the version does',
    generation    UInt64 COMMENT 'Rises with every change of the role',
    time          DateTime64(3, 'UTC') COMMENT 'When it changed',
    live          String COMMENT 'The version that serves since then',
    replaced      String COMMENT 'The version that served before, for a tenant at first that of the default; empty without one',
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
        r.tenant AS tenant,
        r.role AS role,
        r.generation AS generation,
        r.time AS time,
        r.live AS live,
        lagInFrame(r.live, 1, if(r.tenant = '*', '', by_default.live)) OVER
            (PARTITION BY r.tenant, r.role ORDER BY r.generation
             ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS replaced,
        r.actor AS actor,
        r.reason AS reason,
        r.evidence['run'] AS run_id,
        r.verdicts[r.live] AS gate,
        r.evidence['override'] AS overridden_by
    FROM gyre.releases AS r FINAL
    ASOF LEFT JOIN (SELECT role, time, live FROM gyre.releases FINAL WHERE tenant = '*') AS by_default
        ON r.role = by_default.role AND r.time >= by_default.time
)
WHERE live != replaced
COMMENT 'Every change of the version that is live, a row a change';
