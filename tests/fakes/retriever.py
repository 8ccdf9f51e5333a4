"""Stand-ins for tests: a search index and a query encoder in memory."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import snowballstemmer
from gyre_common.chunk_index import IndexedChunk
from gyre_common.errors import FailedPrecondition, GyreError, Unavailable
from gyre_common.languages import ANALYZERS
from gyre_retriever.ports import DocumentsRequest, Hit, SearchRequest, SearchResult, Vector

from tests.fakes.chunk_index import MemoryChunks, StoredChunk


@dataclass
class MemorySearch:
    """Implements `SearchIndex` over chunks in memory: counts words, multiplies vectors.

    With `down` set it raises Unavailable; `broken` legs fail alone, with what they say.
    """

    chunks: MemoryChunks = field(default_factory=MemoryChunks)
    down: bool = False
    broken: Mapping[str, str] = field(default_factory=dict)
    searches: list[SearchRequest] = field(default_factory=list)

    async def search(self, search: SearchRequest) -> SearchResult:
        if self.down:
            raise Unavailable("the index is down")
        self.searches.append(search)
        visible = [
            stored
            for stored in self.chunks.by_index[search.index].values()
            if _is_visible(search, stored.chunk)
        ]
        bm25 = [Hit(stored.chunk, _common_words(search.text, stored.chunk)) for stored in visible]
        legs = {"bm25": [hit for hit in bm25 if hit.score]}
        if search.vector is not None:
            legs["dense"] = [Hit(each.chunk, _dot(search.vector, each)) for each in visible]
        return SearchResult(
            {
                leg: sorted(hits, key=_best_first)[: search.candidates]
                for leg, hits in legs.items()
                if leg not in self.broken
            },
            problems=self.broken,
        )

    async def readable(self, request: DocumentsRequest) -> Mapping[str, tuple[str, ...]]:
        if self.down:
            raise Unavailable("the index is down")
        return {
            stored.chunk.document_id: stored.chunk.acl
            for stored in self.chunks.by_index[request.index].values()
            if stored.chunk.document_id in request.document_ids
            and _is_visible(request, stored.chunk)
        }


@dataclass
class FixedEncoder:
    """Implements `QueryEncoder`: the same vector for every text, or an error.

    `refused` are the versions that cannot be served; `requested_versions` those asked for.
    """

    vector: Vector = (1.0, 0.0)
    error: GyreError | None = None
    refused: set[str] = field(default_factory=set)
    requested_versions: list[str] = field(default_factory=list)

    async def encode(self, text: str, version: str) -> Vector:
        self.requested_versions.append(version)
        if self.error is not None:
            raise self.error
        if version in self.refused:
            raise FailedPrecondition(f"{version} is broken")
        return self.vector


def _best_first(hit: Hit) -> tuple[float, UUID]:
    return -hit.score, hit.chunk.chunk_id


def _is_visible(search: SearchRequest | DocumentsRequest, chunk: IndexedChunk) -> bool:
    filters = search.filters
    return (
        chunk.tenant == search.tenant
        and (not chunk.acl or not set(chunk.acl).isdisjoint(search.groups))
        and (not filters.document_ids or chunk.document_id in filters.document_ids)
        and (not filters.media_types or chunk.media_type in filters.media_types)
        and (not filters.languages or chunk.language in filters.languages)
        and filters.metadata.items() <= chunk.metadata.items()
    )


def _common_words(query: str, chunk: IndexedChunk) -> float:
    fields = " ".join((chunk.title, *chunk.heading_path, chunk.text))
    return float(len(_words(query, chunk.language) & _words(fields, chunk.language)))


def _words(text: str, language: str) -> set[str]:
    """Stems by Snowball, where the language has an analyzer; for `cjk` one and two characters."""
    words = re.findall(r"\w+", text.lower())
    analyzer = ANALYZERS.get(language, "english")
    if analyzer == "cjk":
        return {word[at : at + n] for word in words for at in range(len(word)) for n in (1, 2)}
    return set(snowballstemmer.stemmer(analyzer).stemWords(words))


def _dot(vector: Vector, stored: StoredChunk) -> float:
    return sum(one * other for one, other in zip(vector, stored.vector, strict=True))
