-- Where analysts start. Views read the tables with FINAL, so that a replayed event counts once.

CREATE OR REPLACE VIEW gyre.current_feedback
(
    tenant         LowCardinality(String) COMMENT 'Whose question',
    interaction_id UUID COMMENT 'The interaction that it is about',
    feedback_id    UUID COMMENT 'Id of the feedback',
    time           DateTime64(3, 'UTC') COMMENT 'When it was received',
    kind           LowCardinality(String) COMMENT 'thumb, rating, comment, correction, chunk or implicit',
    value          String COMMENT 'As in feedback',
    target         String COMMENT 'answer, or the id of a chunk',
    comment        String COMMENT 'In the actor''s words',
    actor          String COMMENT 'Who said it; empty if not told, then every word counts'
)
AS SELECT tenant, interaction_id, feedback_id, time, kind, value, target, comment, actor
FROM gyre.feedback FINAL
ORDER BY time DESC, feedback_id DESC
LIMIT 1 BY tenant, interaction_id, kind, target,
    if(actor = '', toString(feedback_id), actor),
    if(kind = 'implicit', value, '')
COMMENT 'The latest word of every actor on every target';

CREATE OR REPLACE VIEW gyre.answers
(
    tenant            LowCardinality(String) COMMENT 'Whose question',
    interaction_id    UUID COMMENT 'Id of the answer',
    event_id          UUID COMMENT 'Id of the event behind it',
    time              DateTime64(3, 'UTC') COMMENT 'When the answer was complete',
    trace_id          String COMMENT 'W3C trace id in hexadecimal',
    conversation_id   String COMMENT 'The conversation that it belongs to',
    question          String COMMENT 'As it was asked',
    answer            String COMMENT 'As it was given',
    outcome           LowCardinality(String) COMMENT 'answered, abstained, error or cancelled',
    error             String COMMENT 'What went wrong; of outcome error',
    citation_count    UInt64 COMMENT 'Citations in the answer',
    cited_documents   Array(String) COMMENT 'Documents that it cites, each once',
    prompt_version    LowCardinality(String) COMMENT 'Version of the prompt''s template',
    versions          Map(LowCardinality(String), String) COMMENT 'Role to the version that served it',
    arms              Map(LowCardinality(String), String) COMMENT 'Experiment to arm',
    fallbacks         Array(String) COMMENT 'What fell back',
    prompt_tokens     UInt32 COMMENT 'Tokens read',
    completion_tokens UInt32 COMMENT 'Tokens written',
    cost_usd          Float64 COMMENT 'US dollars',
    total_ms          Float64 COMMENT 'Question to complete answer, milliseconds',
    latency_ms        Map(LowCardinality(String), Float64) COMMENT 'Stage to milliseconds',
    judge_version     String COMMENT 'The judge of the newest verdict; empty while there is none',
    groundedness      Nullable(Float64) COMMENT 'Share of the answer that the passages support, 0 to 1',
    answer_relevance  Nullable(Float64) COMMENT 'How well the answer fits the question, 0 to 1',
    context_precision Nullable(Float64) COMMENT 'How much of what was retrieved was of use, 0 to 1',
    scores            Map(String, Nullable(Float64)) COMMENT 'Every metric of the newest verdict',
    thumbs_up         UInt64 COMMENT 'Actors whose latest thumb is up',
    thumbs_down       UInt64 COMMENT 'Actors whose latest thumb is down',
    rating            Nullable(Float64) COMMENT 'Mean of the latest ratings, 1 to 5',
    comments          Array(String) COMMENT 'What people wrote, newest first',
    corrections       Array(String) COMMENT 'Better answers that people gave, newest first',
    chunk_votes       Map(String, Int64) COMMENT 'Chunk to thumbs up less thumbs down'
)
AS SELECT
    i.tenant AS tenant,
    i.interaction_id AS interaction_id,
    i.event_id AS event_id,
    i.time AS time,
    i.trace_id AS trace_id,
    i.conversation_id AS conversation_id,
    i.question AS question,
    i.answer AS answer,
    i.outcome AS outcome,
    i.error AS error,
    length(i.citations) AS citation_count,
    arrayDistinct(i.citations.document_id) AS cited_documents,
    i.prompt_version AS prompt_version,
    i.versions AS versions,
    i.arms AS arms,
    i.fallbacks AS fallbacks,
    i.prompt_tokens AS prompt_tokens,
    i.completion_tokens AS completion_tokens,
    i.cost_usd AS cost_usd,
    if(mapContains(i.latency_ms, 'total'), i.latency_ms['total'],
       toFloat64(dateDiff('millisecond', i.started_at, i.time))) AS total_ms,
    i.latency_ms AS latency_ms,
    v.judge_version AS judge_version,
    v.scores['groundedness'] AS groundedness,
    v.scores['answer_relevance'] AS answer_relevance,
    v.scores['context_precision'] AS context_precision,
    v.scores AS scores,
    f.thumbs_up AS thumbs_up,
    f.thumbs_down AS thumbs_down,
    f.rating AS rating,
    f.comments AS comments,
    f.corrections AS corrections,
    f.chunk_votes AS chunk_votes
FROM gyre.interactions AS i FINAL
LEFT JOIN
(
    SELECT
        tenant,
        interaction_id,
        toString(judge_version) AS judge_version,
        mapFromArrays(groupArray(toString(metric)), groupArray(tuple(value)).1) AS scores
    FROM gyre.judgements FINAL
    GROUP BY tenant, interaction_id, judge_version
    ORDER BY max(time) DESC, judge_version DESC
    LIMIT 1 BY tenant, interaction_id
) AS v ON v.tenant = i.tenant AND v.interaction_id = i.interaction_id
LEFT JOIN
(
    SELECT
        tenant,
        interaction_id,
        countIf(kind = 'thumb' AND value = 'up') AS thumbs_up,
        countIf(kind = 'thumb' AND value = 'down') AS thumbs_down,
        avgOrNullIf(toFloat64OrZero(value), kind = 'rating') AS rating,
        arrayMap(x -> x.2, arrayReverseSort(groupArrayIf((time, comment), comment != ''))) AS comments,
        arrayMap(x -> x.2, arrayReverseSort(groupArrayIf((time, value), kind = 'correction'))) AS corrections,
        sumMapIf(map(target, if(value = 'up', 1, -1)::Int64), kind = 'chunk') AS chunk_votes
    FROM gyre.current_feedback
    GROUP BY tenant, interaction_id
) AS f ON f.tenant = i.tenant AND f.interaction_id = i.interaction_id
COMMENT 'Every interaction with its newest verdict and the latest votes on it';

CREATE OR REPLACE VIEW gyre.daily_quality
(
    tenant            LowCardinality(String) COMMENT 'Whose questions',
    day               Date COMMENT 'In UTC',
    interactions      UInt64 COMMENT 'Questions asked',
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
    p95_ms            Float64 COMMENT '95 of 100 answers took at most this long'
)
AS SELECT
    tenant,
    toDate(time) AS day,
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
    quantileTDigest(0.95)(total_ms) AS p95_ms
FROM gyre.answers AS a
GROUP BY tenant, day
COMMENT 'How good and how fast answers were, a row a day';

CREATE OR REPLACE VIEW gyre.version_quality
(
    tenant            LowCardinality(String) COMMENT 'Whose questions',
    role              String COMMENT 'What the version did',
    version           String COMMENT 'The version that served',
    first_used        DateTime64(3, 'UTC') COMMENT 'First interaction',
    last_used         DateTime64(3, 'UTC') COMMENT 'Latest interaction',
    interactions      UInt64 COMMENT 'Questions that it had a part in',
    answered          UInt64 COMMENT 'Outcome answered',
    abstained         UInt64 COMMENT 'Outcome abstained',
    failed            UInt64 COMMENT 'Outcome error',
    groundedness      Nullable(Float64) COMMENT 'Mean over those that have it',
    answer_relevance  Nullable(Float64) COMMENT 'Mean over those that have it',
    context_precision Nullable(Float64) COMMENT 'Mean over those that have it',
    thumbs_up         UInt64 COMMENT 'Votes',
    thumbs_down       UInt64 COMMENT 'Votes',
    approval          Nullable(Float64) COMMENT 'Thumbs up of all thumbs, 0 to 1; empty without a vote',
    p50_ms            Float64 COMMENT 'Half of the answers took at most this long',
    p95_ms            Float64 COMMENT '95 of 100 answers took at most this long'
)
AS SELECT
    tenant,
    served.1 AS role,
    served.2 AS version,
    min(time) AS first_used,
    max(time) AS last_used,
    count() AS interactions,
    countIf(outcome = 'answered') AS answered,
    countIf(outcome = 'abstained') AS abstained,
    countIf(outcome = 'error') AS failed,
    avg(groundedness) AS groundedness,
    avg(answer_relevance) AS answer_relevance,
    avg(context_precision) AS context_precision,
    sum(a.thumbs_up) AS thumbs_up,
    sum(a.thumbs_down) AS thumbs_down,
    if(sum(a.thumbs_up + a.thumbs_down) = 0, NULL, sum(a.thumbs_up) / sum(a.thumbs_up + a.thumbs_down)) AS approval,
    quantileTDigest(0.5)(total_ms) AS p50_ms,
    quantileTDigest(0.95)(total_ms) AS p95_ms
FROM gyre.answers AS a
ARRAY JOIN arrayZip(mapKeys(versions), mapValues(versions)) AS served
GROUP BY tenant, role, version
COMMENT 'How answers fared by the version of each role that served them';

CREATE OR REPLACE VIEW gyre.cost
(
    tenant            LowCardinality(String) COMMENT 'Whose questions',
    day               Date COMMENT 'In UTC',
    generator         String COMMENT 'Version of role generator',
    interactions      UInt64 COMMENT 'Questions asked',
    prompt_tokens     UInt64 COMMENT 'Tokens read',
    completion_tokens UInt64 COMMENT 'Tokens written',
    cost_usd          Float64 COMMENT 'US dollars',
    cost_per_answer   Nullable(Float64) COMMENT 'US dollars for each interaction that was answered; empty without one'
)
AS SELECT
    tenant,
    toDate(time) AS day,
    versions['generator'] AS generator,
    count() AS interactions,
    sum(i.prompt_tokens) AS prompt_tokens,
    sum(i.completion_tokens) AS completion_tokens,
    sum(i.cost_usd) AS cost_usd,
    if(countIf(outcome = 'answered') = 0, NULL, sum(i.cost_usd) / countIf(outcome = 'answered')) AS cost_per_answer
FROM gyre.interactions AS i FINAL
GROUP BY tenant, day, generator
COMMENT 'Tokens and money, a row a day and generator';

CREATE OR REPLACE VIEW gyre.freshness
(
    tenant      LowCardinality(String) COMMENT 'Whose documents',
    hour        DateTime('UTC') COMMENT 'In which they became searchable',
    documents   UInt64 COMMENT 'Submissions that became searchable',
    chunks      UInt64 COMMENT 'Their passages',
    p50_seconds Float64 COMMENT 'Submitted to searchable: half took at most this long',
    p95_seconds Float64 COMMENT 'Submitted to searchable: 95 of 100 took at most this long',
    p99_seconds Float64 COMMENT 'Submitted to searchable: 99 of 100 took at most this long',
    max_seconds Float64 COMMENT 'Submitted to searchable: the slowest'
)
AS SELECT
    tenant,
    toStartOfHour(time) AS hour,
    count() AS documents,
    sum(chunk_count) AS chunks,
    quantileTDigest(0.5)(dateDiff('millisecond', submitted_at, time) / 1000) AS p50_seconds,
    quantileTDigest(0.95)(dateDiff('millisecond', submitted_at, time) / 1000) AS p95_seconds,
    quantileTDigest(0.99)(dateDiff('millisecond', submitted_at, time) / 1000) AS p99_seconds,
    max(dateDiff('millisecond', submitted_at, time)) / 1000 AS max_seconds
FROM gyre.documents FINAL
WHERE stage = 'indexed' AND NOT deleted
GROUP BY tenant, hour
COMMENT 'How long documents took to become searchable, a row an hour';
