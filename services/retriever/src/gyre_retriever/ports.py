"""What the retriever asks of others: a search index, and an encoder of queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gyre_common.chunk_index import IndexedChunk

from gyre_retriever.query import Filters

Vector = Sequence[float]


@dataclass(frozen=True)
class SearchRequest:
    """Both legs of one search; without a vector there is only the lexical one.

    It sees one tenant, what a caller with `groups` may read, and what passes the filters.
    """

    index: str
    text: str
    vector: Vector | None
    candidates: int
    tenant: str
    groups: tuple[str, ...]
    filters: Filters
    title_boost: float = 1
    heading_boost: float = 1


@dataclass(frozen=True)
class Hit:
    """A passage that a leg found, with that leg's score: BM25's, or the cosine."""

    chunk: IndexedChunk
    score: float


@dataclass(frozen=True)
class SearchResult:
    """What each leg found, best first; a leg that was not searched or failed is missing.

    `problems` says, by leg, what went wrong.
    """

    legs: Mapping[str, Sequence[Hit]]
    problems: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class DocumentsRequest:
    """Which of these documents are there for a caller, within what a search would see."""

    index: str
    document_ids: Sequence[str]
    tenant: str
    groups: tuple[str, ...]
    filters: Filters


class SearchIndex(Protocol):
    """Searches chunk indexes."""

    async def search(self, search: SearchRequest) -> SearchResult:
        """Search both legs in one round trip; what is out of reach is not ranked or counted.

        Raises Retryable: the engine is down, or no leg could be searched.
        """

    async def readable(self, request: DocumentsRequest) -> Mapping[str, tuple[str, ...]]:
        """The groups of each of the documents that the caller may read; those without a passage in
        the index are missing, as those out of reach are. Raises Retryable: the engine is down.
        """


class QueryEncoder(Protocol):
    """Turns a query into a vector of length 1."""

    async def encode(self, text: str, version: str) -> Vector:
        """Raises:
        FailedPrecondition: the version cannot be served there (yet).
        Unavailable, DeadlineExceeded: the encoder is down or too slow.
        """
