-- The facts, one table a kind. Every table replaces by the identity of the fact, so that writing an
-- event again changes nothing; read them with FINAL, or through the views of 0002.
-- Each statement can run again: a migration that was cut off half-way is simply applied once more.

CREATE TABLE IF NOT EXISTS gyre.documents
(
    tenant            LowCardinality(String) COMMENT 'Whose document',
    document_id       String COMMENT 'The producer''s name for it, unique within the tenant',
    revision          Nullable(UInt64) COMMENT 'Rises with every change of the document; empty where it was rejected before it had one',
    stage             LowCardinality(String) COMMENT 'What happened: accepted, chunked, indexed or rejected',
    event_id          UUID COMMENT 'Id of the event that this row came from',
    time              DateTime64(3, 'UTC') COMMENT 'When this stage ended',
    trace_id          String COMMENT 'W3C trace id in hexadecimal, from the submission to this row; empty without one',
    submission_id     UUID COMMENT 'Id of the submission; the same in every stage',
    submitted_at      DateTime64(3, 'UTC') COMMENT 'When the producer submitted it',
    deleted           Bool COMMENT 'The submission asked for the document to be gone',
    title             String COMMENT 'Known from accepted on',
    media_type        LowCardinality(String) COMMENT 'Known from accepted on',
    source_uri        String COMMENT 'Where the document came from; empty if not told',
    metadata          Map(String, String) COMMENT 'The producer''s own fields',
    acl               Array(String) COMMENT 'Access groups that may read it; empty means everybody in the tenant',
    content_digest    String COMMENT 'sha256 of the original, which is in the store',
    size_bytes        UInt64 COMMENT 'Size of the original; of stage accepted',
    chunk_count       UInt32 COMMENT 'Passages; of stages chunked and indexed (0 in chunked where they travelled by reference)',
    encoded_count     UInt32 COMMENT 'Passages that had to be encoded anew; of stage indexed',
    ingestion_version LowCardinality(String) COMMENT 'Version of role ingestion; of stage chunked',
    encoder_version   LowCardinality(String) COMMENT 'Version of role document-encoder; of stage indexed',
    index_name        LowCardinality(String) COMMENT 'Concrete search index; of stage indexed',
    rejected_stage    LowCardinality(String) COMMENT 'accept, parse or chunk; of stage rejected',
    reason            LowCardinality(String) COMMENT 'Reason code; of stage rejected',
    detail            String COMMENT 'The field and the fix; of stage rejected'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(submitted_at)
ORDER BY (tenant, document_id, submission_id, stage, event_id)
COMMENT 'What became of every submitted document, a row a stage';

CREATE TABLE IF NOT EXISTS gyre.interactions
(
    tenant            LowCardinality(String) COMMENT 'Whose question',
    interaction_id    UUID COMMENT 'Id of the answer',
    event_id          UUID COMMENT 'Id of the event that this row came from',
    time              DateTime64(3, 'UTC') COMMENT 'When the answer was complete',
    trace_id          String COMMENT 'W3C trace id in hexadecimal; empty without one',
    started_at        DateTime64(3, 'UTC') COMMENT 'When the question arrived',
    conversation_id   String COMMENT 'The conversation that it belongs to; empty outside of one',
    question          String COMMENT 'As it was asked',
    history           Array(Tuple(role String, content String)) COMMENT 'Earlier turns, as the caller sent them',
    acl               Array(String) COMMENT 'Access groups that the caller had',
    answer            String COMMENT 'As it was given; empty where there was none',
    outcome           LowCardinality(String) COMMENT 'answered, abstained, error or cancelled',
    error             String COMMENT 'What went wrong; of outcome error',
    citations         Array(Tuple(chunk_id UUID, document_id String, title String, start UInt32, end UInt32, chunk_start UInt32, chunk_end UInt32)) COMMENT 'Characters start..end of the answer rest on characters chunk_start..chunk_end of the chunk',
    prompt            String COMMENT 'As the model read it' CODEC(ZSTD(3)),
    prompt_version    LowCardinality(String) COMMENT 'Version of the template',
    versions          Map(LowCardinality(String), String) COMMENT 'Role to the version that served it',
    arms              Map(LowCardinality(String), String) COMMENT 'Experiment to the arm that this interaction was in',
    fallbacks         Array(String) COMMENT 'Roles that fell back to live, or work that was left out',
    guardrails        Array(Tuple(name String, passed Bool, detail String)) COMMENT 'Guardrails that ran, and what they decided',
    prompt_tokens     UInt32 COMMENT 'Tokens read',
    completion_tokens UInt32 COMMENT 'Tokens written',
    tokens_estimated  Bool COMMENT 'The back end did not count, so they are estimates',
    cost_usd          Float64 COMMENT 'US dollars; 0 for back ends that cost nothing',
    latency_ms        Map(LowCardinality(String), Float64) COMMENT 'Stage to milliseconds; total is the whole'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, interaction_id)
COMMENT 'Every question with its answer and how it was made';

CREATE TABLE IF NOT EXISTS gyre.retrieved_chunks
(
    tenant         LowCardinality(String) COMMENT 'Whose question',
    interaction_id UUID COMMENT 'The interaction that it was retrieved for',
    event_id       UUID COMMENT 'Id of the event that this row came from',
    time           DateTime64(3, 'UTC') COMMENT 'When the answer was complete',
    trace_id       String COMMENT 'W3C trace id in hexadecimal; empty without one',
    rank           UInt16 COMMENT 'From 1, in the order shown to the generator',
    chunk_id       UUID COMMENT 'Id of the passage',
    document_id    String COMMENT 'The document that it is part of',
    revision       UInt64 COMMENT 'Revision of the document',
    title          String COMMENT 'Title of the document',
    source_uri     String COMMENT 'Where the document came from; empty if not told',
    heading_path   Array(String) COMMENT 'Headings above the passage, outermost first',
    text           String COMMENT 'As it was read' CODEC(ZSTD(3)),
    score          Float64 COMMENT 'The score that decided the rank',
    scores         Map(LowCardinality(String), Float64) COMMENT 'Stage to raw score; a stage that did not find it is missing',
    used           Bool COMMENT 'It fitted into the prompt'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, interaction_id, rank)
COMMENT 'The passages that were retrieved for every interaction, as they were read';

CREATE TABLE IF NOT EXISTS gyre.judgements
(
    tenant         LowCardinality(String) COMMENT 'Whose question',
    interaction_id UUID COMMENT 'The interaction that was judged',
    event_id       UUID COMMENT 'Id of the event that this row came from',
    time           DateTime64(3, 'UTC') COMMENT 'When it was judged',
    trace_id       String COMMENT 'W3C trace id in hexadecimal; empty without one',
    judge_version  LowCardinality(String) COMMENT 'Version of role judge',
    metric         LowCardinality(String) COMMENT 'groundedness, answer_relevance, context_precision …',
    value          Nullable(Float64) COMMENT '0 to 1, more is better; empty where the metric does not apply',
    rationale      String COMMENT 'Why, in words'
)
ENGINE = ReplacingMergeTree(time)
PARTITION BY tuple()
ORDER BY (tenant, interaction_id, judge_version, metric)
COMMENT 'Verdicts, a row a metric; the newest of one judge version stands';

CREATE TABLE IF NOT EXISTS gyre.feedback
(
    tenant         LowCardinality(String) COMMENT 'Whose question',
    interaction_id UUID COMMENT 'The interaction that it is about, which may arrive later',
    feedback_id    UUID COMMENT 'Id of the feedback',
    event_id       UUID COMMENT 'Id of the event that this row came from',
    time           DateTime64(3, 'UTC') COMMENT 'When it was received',
    trace_id       String COMMENT 'W3C trace id in hexadecimal; empty without one',
    kind           LowCardinality(String) COMMENT 'thumb, rating, comment, correction, chunk or implicit',
    value          String COMMENT 'up or down (thumb, chunk), 1 to 5 (rating), the better answer (correction), click, copy, dwell, reformulate or abandon (implicit)',
    target         String COMMENT 'answer, or the id of a chunk',
    comment        String COMMENT 'In the actor''s words',
    actor          String COMMENT 'Who said it; empty if not told'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (tenant, interaction_id, feedback_id)
COMMENT 'Everything people said of answers, as it was said; current_feedback has their latest word';

CREATE TABLE IF NOT EXISTS gyre.releases
(
    tenant         LowCardinality(String) COMMENT 'Whose release; * for every tenant without one of its own',
    role           LowCardinality(String) COMMENT 'What can change an answer: query-encoder, retrieval, generator, prompt/answer …',
    generation     UInt64 COMMENT 'Rises by one with every change of the role',
    event_id       UUID COMMENT 'Id of the event that this row came from',
    time           DateTime64(3, 'UTC') COMMENT 'When it changed',
    trace_id       String COMMENT 'W3C trace id in hexadecimal; empty without one',
    live           String COMMENT 'The version that serves',
    shadow         String COMMENT 'The version that runs beside it unseen; empty without one',
    canary         String COMMENT 'The version on trial; empty without one',
    canary_share   Float64 COMMENT 'Share of conversations that the canary serves, 0 to 1',
    artifacts      Map(String, String) COMMENT 'Registered version to digest',
    history        Array(String) COMMENT 'Versions that were live before, newest first',
    reason         String COMMENT 'Why it changed',
    actor          String COMMENT 'Who changed it',
    evidence       Map(String, String) COMMENT 'What the change was decided on'
)
ENGINE = ReplacingMergeTree(time)
PARTITION BY tuple()
ORDER BY (tenant, role, generation)
COMMENT 'Every change of what is live, shadow or canary';

CREATE TABLE IF NOT EXISTS gyre.dead_letters
(
    tenant         LowCardinality(String) COMMENT 'From the record''s key; empty where it does not tell',
    event_id       UUID COMMENT 'Id of the event that could not be handled, or one derived from its place',
    time           DateTime64(3, 'UTC') COMMENT 'When it was parked',
    trace_id       String COMMENT 'W3C trace id in hexadecimal; empty without one',
    topic          LowCardinality(String) COMMENT 'The topic that it was read from',
    partition      UInt32 COMMENT 'Partition of that topic',
    offset         UInt64 COMMENT 'Offset in that partition',
    consumer_group LowCardinality(String) COMMENT 'The consumer that could not handle it',
    kind           LowCardinality(String) COMMENT 'poison (it never will work), bug (nobody knows why) or unknown',
    error          LowCardinality(String) COMMENT 'Class of the error',
    message        String COMMENT 'What the error said',
    attempts       UInt32 COMMENT 'How often it was tried',
    dlq_partition  UInt32 COMMENT 'Where it is parked now: partition of topic.dlq',
    dlq_offset     UInt64 COMMENT 'Where it is parked now: offset in that partition',
    key            String COMMENT 'The record''s key; bytes that are not UTF-8 as \\xNN',
    value_bytes    UInt64 COMMENT 'Size of the record; its content stays in the topic, a restricted zone'
)
ENGINE = ReplacingMergeTree(time)
PARTITION BY tuple()
ORDER BY (topic, partition, offset, consumer_group)
COMMENT 'Records that could not be handled, and why; gyre dlq show has their content';
