"""What is kept of an event: the facts that training needs, each with its offset."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Shown:
    """A passage as it was shown; the fields mean what they do in `RetrievedChunk`.

    No text: the corpus snapshot of a run has it.
    """

    chunk_id: str
    document_id: str
    revision: int
    rank: int
    scores: Mapping[str, float]
    used: bool
    explored: bool
    propensity: float


@dataclass(frozen=True, slots=True)
class InteractionFact:
    """A question, and what was shown for it. `cited` holds ids of chunks, each once.

    `query` is what was searched for, empty where that is the question; `filtered` tells that the
    asker's filters bounded the search.
    """

    offset: int
    tenant: str
    interaction_id: str
    conversation_id: str
    question: str
    acl: tuple[str, ...]
    outcome: str
    versions: Mapping[str, str]
    arms: Mapping[str, str]
    shown: tuple[Shown, ...]
    cited: tuple[str, ...]
    started_at: datetime
    completed_at: datetime
    query: str = ""
    filtered: bool = False

    @property
    def searched(self) -> str:
        """What the passages were found by: what is learned from, and judged by, is this."""
        return self.query or self.question


@dataclass(frozen=True, slots=True)
class FeedbackFact:
    """One actor's word on one target of one interaction."""

    offset: int
    tenant: str
    interaction_id: str
    feedback_id: str
    kind: str
    value: str
    target: str
    actor: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class JudgementFact:
    """A verdict; metrics that do not apply are left out."""

    offset: int
    tenant: str
    interaction_id: str
    judge_version: str
    scores: Mapping[str, float]
    judged_at: datetime


Fact = InteractionFact | FeedbackFact | JudgementFact


@dataclass(frozen=True)
class PartitionFacts:
    """What one partition of the three topics holds: an interaction and all that belongs to it."""

    interactions: Sequence[InteractionFact] = field(default_factory=tuple)
    feedback: Sequence[FeedbackFact] = field(default_factory=tuple)
    judgements: Sequence[JudgementFact] = field(default_factory=tuple)
