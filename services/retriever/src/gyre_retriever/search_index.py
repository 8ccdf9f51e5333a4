"""The port to the search index, as the retriever reads it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from gyre_common.chunk_index import IndexedChunk

from gyre_retriever.query import Filters


@dataclass(frozen=True)
class SearchScope:
    """What a search may see: one tenant, what the caller's groups may read, what passes filters."""

    tenant: str
    groups: tuple[str, ...]
    filters: Filters


@dataclass(frozen=True)
class SearchRequest:
    """Both legs of one search. Without a vector there is only the lexical one."""

    index: str
    text: str
    vector: Sequence[float] | None
    scope: SearchScope
    candidates: int
    title_boost: float = 1
    heading_boost: float = 1


@dataclass(frozen=True)
class Hit:
    """A passage that a leg found, with that leg's score: BM25's, or the cosine."""

    chunk: IndexedChunk
    score: float

    @property
    def chunk_id(self) -> UUID:
        """The passage's id."""
        return self.chunk.chunk_id


@dataclass(frozen=True)
class SearchResult:
    """What each leg found, best first; None for a leg that was not searched or failed.

    `problems` says, by leg, what went wrong.
    """

    bm25: Sequence[Hit] | None
    dense: Sequence[Hit] | None
    problems: Mapping[str, str] = field(default_factory=dict)


class SearchIndex(Protocol):
    """Searches chunk indexes."""

    async def search(self, search: SearchRequest) -> SearchResult:
        """Search both legs in one round trip.

        No passage outside of the reach is scored, ranked or counted.

        Raises:
            Retryable: the engine is down, or no leg could be searched.
        """
