-- What is drawn by day and by version beside daily_quality, version_quality, cost and freshness.
-- Each statement can run again.

CREATE OR REPLACE VIEW gyre.daily_version_quality
(
    tenant            LowCardinality(String) COMMENT 'Whose questions',
    day               Date COMMENT 'In UTC',
    role              String COMMENT 'What the version did',
    version           String COMMENT 'The version that served',
    interactions      UInt64 COMMENT 'Questions that it had a part in',
    answered          UInt64 COMMENT 'Outcome answered',
    abstained         UInt64 COMMENT 'Outcome abstained',
    failed            UInt64 COMMENT 'Outcome error',
    judged            UInt64 COMMENT 'Interactions with a verdict',
    groundedness      Nullable(Float64) COMMENT 'Mean over those that have it',
    answer_relevance  Nullable(Float64) COMMENT 'Mean over those that have it',
    context_precision Nullable(Float64) COMMENT 'Mean over those that have it',
    thumbs_up         UInt64 COMMENT 'Votes',
    thumbs_down       UInt64 COMMENT 'Votes',
    approval          Nullable(Float64) COMMENT 'Thumbs up of all thumbs, 0 to 1; empty without a vote',
    rating            Nullable(Float64) COMMENT 'Mean of the rated interactions, 1 to 5',
    p50_ms            Float64 COMMENT 'Half of the answers took at most this long',
    p95_ms            Float64 COMMENT '95 of 100 answers took at most this long',
    prompt_tokens     UInt64 COMMENT 'Tokens that the generator read for these questions',
    completion_tokens UInt64 COMMENT 'Tokens that it wrote',
    cost_usd          Float64 COMMENT 'US dollars for these questions; not to be added up over roles, which share them'
)
AS SELECT
    tenant,
    toDate(time) AS day,
    served.1 AS role,
    served.2 AS version,
    count() AS interactions,
    countIf(outcome = 'answered') AS answered,
    countIf(outcome = 'abstained') AS abstained,
    countIf(outcome = 'error') AS failed,
    countIf(judge_version != '') AS judged,
    avg(groundedness) AS groundedness,
    avg(answer_relevance) AS answer_relevance,
    avg(context_precision) AS context_precision,
    sum(a.thumbs_up) AS thumbs_up,
    sum(a.thumbs_down) AS thumbs_down,
    if(sum(a.thumbs_up + a.thumbs_down) = 0, NULL, sum(a.thumbs_up) / sum(a.thumbs_up + a.thumbs_down)) AS approval,
    avg(rating) AS rating,
    quantileTDigest(0.5)(total_ms) AS p50_ms,
    quantileTDigest(0.95)(total_ms) AS p95_ms,
    sum(a.prompt_tokens) AS prompt_tokens,
    sum(a.completion_tokens) AS completion_tokens,
    sum(a.cost_usd) AS cost_usd
FROM gyre.answers AS a
ARRAY JOIN arrayZip(mapKeys(versions), mapValues(versions)) AS served
GROUP BY tenant, day, role, version
COMMENT 'How answers fared, a row a day and version of each role that served them';

CREATE OR REPLACE VIEW gyre.daily_latency
(
    tenant       LowCardinality(String) COMMENT 'Whose questions',
    day          Date COMMENT 'In UTC',
    stage        LowCardinality(String) COMMENT 'Where the time went: retrieve, generate …; total is the whole. Some stages are parts of others',
    interactions UInt64 COMMENT 'Questions that went through it',
    p50_ms       Float64 COMMENT 'Half of them took at most this long there',
    p95_ms       Float64 COMMENT '95 of 100 took at most this long there'
)
AS SELECT
    tenant,
    toDate(time) AS day,
    spent.1 AS stage,
    count() AS interactions,
    quantileTDigest(0.5)(spent.2) AS p50_ms,
    quantileTDigest(0.95)(spent.2) AS p95_ms
FROM gyre.interactions AS i FINAL
ARRAY JOIN arrayZip(mapKeys(latency_ms), mapValues(latency_ms)) AS spent
GROUP BY tenant, day, stage
COMMENT 'Where the time of answers went, a row a day and stage';

CREATE OR REPLACE VIEW gyre.version_latency
(
    tenant       LowCardinality(String) COMMENT 'Whose questions',
    role         String COMMENT 'What the version did',
    version      String COMMENT 'The version that served',
    stage        LowCardinality(String) COMMENT 'As in daily_latency',
    last_used    DateTime64(3, 'UTC') COMMENT 'Latest interaction',
    interactions UInt64 COMMENT 'Questions that went through the stage',
    p50_ms       Float64 COMMENT 'Half of them took at most this long there',
    p95_ms       Float64 COMMENT '95 of 100 took at most this long there'
)
AS SELECT
    tenant,
    served.1 AS role,
    served.2 AS version,
    spent.1 AS stage,
    max(time) AS last_used,
    count() AS interactions,
    quantileTDigest(0.5)(spent.2) AS p50_ms,
    quantileTDigest(0.95)(spent.2) AS p95_ms
FROM
(
    SELECT tenant, time, latency_ms, served
    FROM gyre.interactions FINAL
    ARRAY JOIN arrayZip(mapKeys(versions), mapValues(versions)) AS served
)
ARRAY JOIN arrayZip(mapKeys(latency_ms), mapValues(latency_ms)) AS spent
GROUP BY tenant, role, version, stage
COMMENT 'Where the time of answers went, a row a stage and version of each role that served them';
