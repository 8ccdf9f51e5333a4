"""The passages an answer is made from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from gyre_common.passages import context_line


@dataclass(frozen=True, slots=True)
class RetrievedPassage:
    """A retrieved chunk as it was read; `rank` counts from 1, best first.

    An `explored` one is only shown, so that people can vote on it: answers never rest on it.
    """

    chunk_id: UUID
    document_id: str
    text: str
    rank: int
    score: float = 0.0
    scores: Mapping[str, float] = field(default_factory=dict)
    title: str = ""
    heading_path: tuple[str, ...] = ()
    source_uri: str | None = None
    revision: int = 0
    ordinal: int = 0
    explored: bool = False
    propensity: float = 1.0
    acl: tuple[str, ...] | None = None

    @property
    def heading(self) -> str:
        """Where in its document the passage stands, as a reader would say it."""
        return context_line(self.title, self.heading_path)


@dataclass(frozen=True, slots=True)
class RetrievedPassages:
    """What the retriever gave, and how: times in milliseconds, version by role."""

    passages: Sequence[RetrievedPassage]
    latency_ms: Mapping[str, float] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    fallbacks: Sequence[str] = ()
