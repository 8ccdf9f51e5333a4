-- The view answers says who asked. Each statement can run again.

CREATE OR REPLACE VIEW gyre.answers
(
    tenant            LowCardinality(String) COMMENT 'Whose question',
    interaction_id    UUID COMMENT 'Id of the answer',
    event_id          UUID COMMENT 'Id of the event behind it',
    time              DateTime64(3, 'UTC') COMMENT 'When the answer was complete',
    trace_id          String COMMENT 'W3C trace id in hexadecimal',
    conversation_id   String COMMENT 'The conversation that it belongs to',
    actor             String COMMENT 'Who asked; empty where the caller''s system does not tell',
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
    i.actor AS actor,
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
