"""The chunk index in memory: what the embedder's and the retriever's fakes share."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from gyre_common.chunk_index import IndexedChunk


@dataclass(frozen=True)
class StoredChunk:
    """A chunk and its vector."""

    chunk: IndexedChunk
    vector: Sequence[float]


@dataclass
class MemoryChunks:
    """Chunks by index and id."""

    by_index: dict[str, dict[UUID, StoredChunk]] = field(
        default_factory=lambda: defaultdict(dict[UUID, StoredChunk])
    )
