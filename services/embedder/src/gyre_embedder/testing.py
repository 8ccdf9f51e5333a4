"""Stand-ins for tests: an index, an encoder and a source of encoders in memory."""

import asyncio
import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import numpy as np
from gyre_common.document_index import DocumentRecord
from gyre_common.errors import GyreError, Unavailable
from gyre_common.events.releases import Artifact
from gyre_common.model_pool import Loadable
from gyre_common.testing.chunk_index import MemoryChunks, StoredChunk

from gyre_embedder.document_index import DocumentKey, Head, Passage, Removal, Seal
from gyre_embedder.encoder import Encoded, Encoder, Side, Vector


@dataclass
class MemoryIndex:
    """Implements `DocumentIndex`. With `down` set, every method raises Unavailable."""

    chunks: MemoryChunks = field(default_factory=MemoryChunks)
    records: dict[DocumentKey, DocumentRecord] = field(default_factory=dict)
    down: bool = False
    _writes: dict[DocumentKey, int] = field(default_factory=dict)

    async def prepare(self, index: str, dimensions: int) -> None:
        """See `DocumentIndex`."""
        self._check()

    async def heads(self, keys: Sequence[DocumentKey]) -> Mapping[DocumentKey, Head]:
        """See `DocumentIndex`."""
        self._check()
        return {
            key: Head(self.records[key], Seal(self._writes[key], 1))
            for key in keys
            if key in self.records
        }

    async def put_heads(self, heads: Sequence[Head]) -> set[DocumentKey]:
        """See `DocumentIndex`."""
        self._check()
        lost = set()
        for head in heads:
            written = self._writes.get(head.key)
            if written != (head.seal.sequence if head.seal else None):
                lost.add(head.key)
                continue
            self.records[head.key] = head.record
            self._writes[head.key] = (written or 0) + 1
        return lost

    async def stored(
        self, index: str, keys: Sequence[DocumentKey]
    ) -> Mapping[DocumentKey, frozenset[UUID]]:
        """See `DocumentIndex`."""
        self._check()
        stored = self.chunks.by_index[index].values()
        return {
            key: frozenset(
                each.chunk.chunk_id
                for each in stored
                if (each.chunk.tenant, each.chunk.document_id) == key
            )
            for key in keys
        }

    async def vectors(self, index: str, chunk_ids: Sequence[UUID]) -> Mapping[UUID, Vector]:
        """See `DocumentIndex`."""
        self._check()
        stored = self.chunks.by_index[index]
        return {
            chunk_id: np.asarray(stored[chunk_id].vector, np.float32)
            for chunk_id in chunk_ids
            if chunk_id in stored
        }

    async def write(
        self, index: str, passages: Sequence[Passage], removals: Sequence[Removal]
    ) -> None:
        """See `DocumentIndex`."""
        self._check()
        stored = self.chunks.by_index[index]
        for passage in passages:
            known = stored.get(passage.chunk.chunk_id)
            if known is None or known.chunk.revision <= passage.chunk.revision:
                stored[passage.chunk.chunk_id] = StoredChunk(passage.chunk, passage.vector.tolist())
        for removal in removals:
            known = stored.get(removal.chunk_id)
            if known is not None and known.chunk.revision <= removal.revision:
                del stored[removal.chunk_id]

    def _check(self) -> None:
        if self.down:
            raise Unavailable("the index is down")


@dataclass
class HashEncoder:
    """Implements `Encoder`: a unit vector from a text's digest. `read` lists what it was given."""

    dimensions: int = 8
    read: list[tuple[str, Side]] = field(default_factory=list)
    closed: bool = False

    async def encode(self, texts: Sequence[str], side: Side) -> list[Encoded]:
        """See `Encoder`."""
        self.read += [(text, side) for text in texts]
        return [Encoded(self._vector(text), len(text.split()), False) for text in texts]

    def close(self) -> None:
        """See `Encoder`."""
        self.closed = True

    def _vector(self, text: str) -> Vector:
        digest = hashlib.shake_256(text.encode()).digest(self.dimensions)
        vector = np.frombuffer(digest, np.uint8).astype(np.float32) - 127.5
        unit: Vector = vector / np.linalg.norm(vector)
        return unit


@dataclass
class MemoryModels:
    """Implements `ModelSource`: an encoder of its own for every version, unless told which.

    `broken` versions raise what they map to; while `available` is cleared, loads wait. Each takes
    one byte.
    """

    encoders: dict[str, Encoder] = field(default_factory=dict)
    broken: dict[str, GyreError] = field(default_factory=dict)
    loaded: list[str] = field(default_factory=list)
    kept: set[str] = field(default_factory=set)
    available: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.available.set()

    async def open(self, artifact: Artifact) -> Loadable[Encoder]:
        """See `ModelSource`."""
        await self.available.wait()
        return Loadable(1, partial(self._load, artifact.version))

    async def _load(self, version: str) -> Encoder:
        self.loaded.append(version)
        if version in self.broken:
            raise self.broken[version]
        return self.encoders.setdefault(version, HashEncoder())

    async def keep_only(self, digests: Collection[str]) -> None:
        """See `ModelSource`."""
        self.kept = set(digests)
