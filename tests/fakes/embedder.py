"""Stand-ins for tests: an index, an encoder and a source of encoders in memory."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from uuid import UUID

import numpy as np
from gyre_common.document_index import DocumentRecord
from gyre_common.errors import GyreError, Unavailable
from gyre_common.events.releases import Artifact
from gyre_common.held import Loadable
from gyre_embedder.chunk_index import (
    DocumentKey,
    EncodedAhead,
    EncodedChunk,
    Head,
    StoredChunks,
)
from gyre_embedder.encoders import EncodedText, Encoder, Side, Vector

from tests.fakes.chunk_index import MemoryChunks, StoredChunk


@dataclass
class MemoryIndex:
    """Implements `ChunkIndex`. With `down` set, every method raises Unavailable."""

    chunks: MemoryChunks = field(default_factory=MemoryChunks)
    records: dict[DocumentKey, DocumentRecord] = field(default_factory=dict)
    down: bool = False
    ahead: dict[str, dict[UUID, EncodedAhead]] = field(
        default_factory=lambda: defaultdict(dict[UUID, EncodedAhead])
    )
    _writes: dict[DocumentKey, int] = field(default_factory=dict)

    async def prepare(self, index: str, dimensions: int) -> None:
        self._check()

    async def heads(self, keys: Sequence[DocumentKey]) -> Mapping[DocumentKey, Head]:
        self._check()
        return {
            key: Head(self.records[key], (self._writes[key], 1))
            for key in keys
            if key in self.records
        }

    async def put_heads(self, heads: Sequence[Head]) -> set[DocumentKey]:
        self._check()
        conflicts = set()
        for head in heads:
            written = self._writes.get(head.key)
            if written != (head.seal[0] if head.seal else None):
                conflicts.add(head.key)
                continue
            self.records[head.key] = head.record
            self._writes[head.key] = (written or 0) + 1
        return conflicts

    async def stored_chunks(
        self, index: str, keys: Sequence[DocumentKey]
    ) -> Mapping[DocumentKey, StoredChunks]:
        self._check()
        chunks = [each.chunk for each in self.chunks.by_index[index].values()]
        ahead = self.ahead[index].values()
        return {
            key: StoredChunks(
                frozenset(one.chunk_id for one in chunks if (one.tenant, one.document_id) == key),
                frozenset(one.chunk_id for one in ahead if one.document == key),
            )
            for key in keys
        }

    async def vectors(self, index: str, chunk_ids: Sequence[UUID]) -> Mapping[UUID, Vector]:
        self._check()
        stored, ahead = self.chunks.by_index[index], self.ahead[index]
        known = {
            chunk_id: np.asarray(stored[chunk_id].vector, np.float32)
            for chunk_id in chunk_ids
            if chunk_id in stored
        }
        return known | {each: ahead[each].vector for each in chunk_ids if each in ahead}

    async def lay_by(self, index: str, chunks: Sequence[EncodedAhead]) -> None:
        self._check()
        stored = self.chunks.by_index[index]
        self.ahead[index] |= {
            each.chunk_id: each
            for each in chunks
            if (known := stored.get(each.chunk_id)) is None or known.chunk.revision < each.revision
        }

    async def write(
        self, index: str, chunks: Sequence[EncodedChunk], removals: Mapping[UUID, int]
    ) -> None:
        self._check()
        stored = self.chunks.by_index[index]
        for chunk_id in (*(each.chunk.chunk_id for each in chunks), *removals):
            self.ahead[index].pop(chunk_id, None)
        for encoded in chunks:
            known = stored.get(encoded.chunk.chunk_id)
            if known is None or known.chunk.revision <= encoded.chunk.revision:
                stored[encoded.chunk.chunk_id] = StoredChunk(encoded.chunk, encoded.vector.tolist())
        for chunk_id, revision in removals.items():
            known = stored.get(chunk_id)
            if known is not None and known.chunk.revision <= revision:
                del stored[chunk_id]

    def _check(self) -> None:
        if self.down:
            raise Unavailable("the index is down")


@dataclass
class HashEncoder:
    """Implements `Encoder`: a unit vector from a text's digest; `encoded_texts` holds its input."""

    dimensions: int = 8
    encoded_texts: list[tuple[str, Side]] = field(default_factory=list)
    closed: bool = False

    async def encode(self, texts: Sequence[str], side: Side) -> list[EncodedText]:
        self.encoded_texts += [(text, side) for text in texts]
        return [EncodedText(self._vector(text), len(text.split()), False) for text in texts]

    def close(self) -> None:
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
    loaded_versions: list[str] = field(default_factory=list)
    needed_digests: set[str] = field(default_factory=set)
    available: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.available.set()

    async def open(self, artifact: Artifact) -> Loadable[Encoder]:
        await self.available.wait()
        return Loadable(1, partial(self._load, artifact.version))

    async def _load(self, version: str) -> Encoder:
        self.loaded_versions.append(version)
        if version in self.broken:
            raise self.broken[version]
        return self.encoders.setdefault(version, HashEncoder())

    async def keep_only(self, digests: Collection[str]) -> None:
        self.needed_digests = set(digests)
