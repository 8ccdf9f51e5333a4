"""The shape of every row: one class a table, its fields the table's columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar
from uuid import UUID


@dataclass(frozen=True, kw_only=True)
class Row:
    """What every row has."""

    table: ClassVar[str]

    tenant: str
    event_id: UUID
    time: datetime
    trace_id: str


@dataclass(frozen=True, kw_only=True)
class DocumentRow(Row):
    """A stage that a document went through."""

    table = "documents"

    document_id: str
    revision: int | None
    stage: str
    submission_id: UUID
    submitted_at: datetime
    deleted: bool = False
    title: str = ""
    media_type: str = ""
    source_uri: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    acl: tuple[str, ...] = ()
    content_digest: str = ""
    size_bytes: int = 0
    chunk_count: int = 0
    encoded_count: int = 0
    ingestion_version: str = ""
    encoder_version: str = ""
    index_name: str = ""
    rejected_stage: str = ""
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class InteractionRow(Row):
    """A question with its answer. Tuples stand in the order of the columns' tuples."""

    table = "interactions"

    interaction_id: UUID
    started_at: datetime
    conversation_id: str
    question: str
    history: tuple[tuple[str, str], ...]
    acl: tuple[str, ...]
    answer: str
    outcome: str
    error: str
    citations: tuple[tuple[UUID, str, str, int, int, int, int], ...]
    prompt: str
    prompt_version: str
    versions: Mapping[str, str]
    arms: Mapping[str, str]
    fallbacks: tuple[str, ...]
    guardrails: tuple[tuple[str, bool, str], ...]
    prompt_tokens: int
    completion_tokens: int
    tokens_estimated: bool
    cost_usd: float
    latency_ms: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class RetrievedChunkRow(Row):
    """A passage that was retrieved for an interaction."""

    table = "retrieved_chunks"

    interaction_id: UUID
    rank: int
    chunk_id: UUID
    document_id: str
    revision: int
    title: str
    source_uri: str
    heading_path: tuple[str, ...]
    text: str
    score: float
    scores: Mapping[str, float]
    used: bool
    explored: bool
    propensity: float


@dataclass(frozen=True, kw_only=True)
class JudgementRow(Row):
    """One metric of a verdict."""

    table = "judgements"

    interaction_id: UUID
    judge_version: str
    metric: str
    value: float | None
    rationale: str


@dataclass(frozen=True, kw_only=True)
class FeedbackRow(Row):
    """What somebody said of an answer."""

    table = "feedback"

    interaction_id: UUID
    feedback_id: UUID
    kind: str
    value: str
    target: str
    comment: str
    actor: str


@dataclass(frozen=True, kw_only=True)
class ReleaseRow(Row):
    """A role after a change."""

    table = "releases"

    role: str
    generation: int
    live: str
    shadow: str
    canary: str
    canary_share: float
    artifacts: Mapping[str, str]
    history: tuple[str, ...]
    reason: str
    actor: str
    evidence: Mapping[str, str]
    verdicts: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class TrainingRunRow(Row):
    """How a training run stands."""

    table = "training_runs"

    run_id: UUID
    recipe: str
    role: str
    profile: str
    state: str
    settings: Mapping[str, str]
    code: str
    actor: str
    reason: str
    started_at: datetime
    finished_at: datetime | None = None
    message: str = ""
    data_set: str = ""
    window: Mapping[str, str] = field(default_factory=dict)
    votes: int = 0
    first_vote_at: datetime | None = None
    last_vote_at: datetime | None = None
    base: str = ""
    version: str = ""
    artifact: str = ""
    report: str = ""
    report_uri: str = ""
    metric: str = ""
    decision: str = ""
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class DeadLetterRow(Row):
    """A record that could not be handled, without its content."""

    table = "dead_letters"

    topic: str
    partition: int
    offset: int
    consumer_group: str
    kind: str
    error: str
    message: str
    attempts: int
    dlq_partition: int
    dlq_offset: int
    key: str
    value_bytes: int


ROWS: tuple[type[Row], ...] = (
    DocumentRow,
    InteractionRow,
    RetrievedChunkRow,
    JudgementRow,
    FeedbackRow,
    ReleaseRow,
    TrainingRunRow,
    DeadLetterRow,
)
