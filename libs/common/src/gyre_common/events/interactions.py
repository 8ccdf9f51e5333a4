"""What was asked, shown and answered, and how it scored."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field, FiniteFloat

from gyre_common.events.event import (
    AccessGroup,
    DocumentId,
    Event,
    EventPart,
    Text,
    Timestamp,
    Version,
)
from gyre_common.events.topic import Topic


class InteractionEvent(Event):
    """A fact about one question and its answer."""

    interaction_id: UUID


def by_interaction(event: InteractionEvent) -> str:
    """An interaction, its verdicts and its votes share a partition."""
    return f"{event.tenant}/{event.interaction_id}"


class Outcome(StrEnum):
    """How an answer ended."""

    ANSWERED = "answered"
    ABSTAINED = "abstained"
    ERROR = "error"
    CANCELLED = "cancelled"


class RetrievedChunk(EventPart):
    """A passage as it was read when the answer was made; `position` is where it stands in the
    original (`page 4`).

    `rank` counts from 1 in the order shown to the generator. `scores` holds one raw score a stage
    (`bm25`, `dense`, `fused`; a stage that did not find the chunk is missing). `used` tells whether
    it fitted into the prompt. `explored` marks a passage that would not have been shown but for an
    exploration slot; `propensity` is the probability with which this passage was shown. `acl` holds
    the groups that may read the document, none where everybody of the tenant may; it is None where
    the record does not tell.
    """

    chunk_id: UUID
    document_id: DocumentId
    revision: int = Field(ge=0)
    title: Text = ""
    source_uri: Text | None = None
    heading_path: tuple[Text, ...] = ()
    position: Text = ""
    text: Text
    acl: tuple[AccessGroup, ...] | None = None
    rank: int = Field(ge=1)
    score: FiniteFloat
    scores: dict[str, FiniteFloat] = Field(default_factory=dict)
    used: bool = False
    explored: bool = False
    propensity: float = Field(default=1.0, gt=0, le=1)


class Citation(EventPart):
    """Characters `start`..`end` of the answer rest on characters `chunk_start`..`chunk_end` of the
    chunk's text.
    """

    chunk_id: UUID
    document_id: DocumentId
    title: Text = ""
    start: int = Field(ge=0)
    end: int = Field(ge=0)
    chunk_start: int = Field(ge=0)
    chunk_end: int = Field(ge=0)


class ExampleDocument(EventPart):
    """A document on which an example in the prompt rests; `acl` holds the groups that may read it,
    none where everybody of the tenant may.
    """

    document_id: DocumentId
    acl: tuple[AccessGroup, ...] = ()


class Turn(EventPart):
    """One earlier turn of the conversation, as the caller sent it."""

    role: str
    content: Text


class GuardrailResult(EventPart):
    """One guardrail that ran, and what it decided."""

    name: str
    passed: bool
    detail: Text = ""


class TokenUsage(EventPart):
    """Tokens read and written; `estimated` where the back end did not count them itself."""

    prompt: int = Field(default=0, ge=0)
    completion: int = Field(default=0, ge=0)
    estimated: bool = True


class InteractionCompleted(InteractionEvent):
    """A question was answered, declined or failed; everything needed to explain it.

    `query` is what was searched for, where that is not the question itself: a follow-up takes the
    turn before it along. `filtered` tells that the caller's filters bounded what could be found.
    `unsupported_citations` are those of `citations`, counted from 0, for which a model's word alone
    speaks: no sentence of the passage supports what they stand at.
    `example_documents` are those on which the examples in the prompt rest, if it has any.
    `versions` maps a role to the version that served it; `arms` a role with a canary to the side
    (`live`, `canary`) that this version is on, and is silent where another version stood in;
    `latency_ms` a stage to milliseconds; `cost_usd` is 0 for back ends that cost nothing. `actor`
    is who asked, by the name that the caller's system has for them; empty where it does not tell.
    """

    conversation_id: str
    actor: str = ""
    question: Text
    query: Text = ""
    filtered: bool = False
    history: tuple[Turn, ...] = ()
    acl: tuple[AccessGroup, ...] = ()
    answer: Text
    citations: tuple[Citation, ...] = ()
    unsupported_citations: tuple[int, ...] = ()
    retrieved: tuple[RetrievedChunk, ...] = ()
    prompt: Text = ""
    prompt_version: Version | None = None
    example_documents: tuple[ExampleDocument, ...] = ()
    versions: dict[str, Version] = Field(default_factory=dict)
    arms: dict[str, str] = Field(default_factory=dict)
    fallbacks: tuple[Text, ...] = ()
    outcome: Outcome
    error: Text | None = None
    guardrails: tuple[GuardrailResult, ...] = ()
    tokens: TokenUsage = TokenUsage()
    cost_usd: FiniteFloat = Field(default=0.0, ge=0)
    latency_ms: dict[str, FiniteFloat] = Field(default_factory=dict)
    started_at: Timestamp
    completed_at: Timestamp


class Score(EventPart):
    """One metric of one verdict: `value` in 0..1, or None where it does not apply."""

    metric: str
    value: float | None = Field(ge=0, le=1)
    rationale: Text = ""


class InteractionJudged(InteractionEvent):
    """A judge scored an interaction."""

    judge_version: Version
    scores: tuple[Score, ...]
    judged_at: Timestamp


INTERACTION_COMPLETED = Topic(
    "interactions.completed.v1",
    InteractionCompleted,
    key=by_interaction,
    summary="Every answer, with all that is needed to explain it.",
)
INTERACTION_JUDGED = Topic(
    "interactions.judged.v1",
    InteractionJudged,
    key=by_interaction,
    summary="Verdicts on answers.",
)
