"""Takes a snapshot of the passages that a tenant's searches go over, with their vectors."""

import hashlib
import heapq
import json
import os
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
from elasticsearch import AsyncElasticsearch
from gyre_common.chunk_index import VECTOR
from gyre_common.elasticsearch import elasticsearch_errors
from gyre_common.errors import FailedPrecondition
from gyre_common.events.event import EVERY_TENANT
from gyre_common.redaction import redact

MOST_CHUNKS = 50_000
_PAGE = 500
_KEEP_ALIVE = "2m"
_ROW: Mapping[str, Any] = {
    "chunk_id": "",
    "tenant": "",
    "acl": (),
    "document_id": "",
    "title": "",
    "text": "",
}

_TEXTS = ("title", "text")

IndexedPassage = Mapping[str, Any]


@dataclass(frozen=True)
class Snapshot:
    """What was written: how many passages, and the digest of their vectors' file."""

    chunk_ids: frozenset[str]
    digest: str


async def snapshot(
    client: AsyncElasticsearch,
    index: str,
    *,
    tenant: str,
    required: Collection[str],
    rows: Path,
    vectors: Path,
    on_progress: Callable[[int], None],
    most: int = MOST_CHUNKS,
) -> Snapshot:
    """Write every passage, in the order of chunk ids, and their vectors in the same order.

    Of more than `most`, those `required` stay (where they are still there) and of the others those
    with the smallest hash of their id, so that the same index gives the same snapshot.

    Raises:
        FailedPrecondition: the tenant has no passages in that index.
        Retryable: Elasticsearch is away, or the index is not there.
    """
    sample = Sample(most, frozenset(required))
    async for hit in _passages(client, index, tenant):
        sample.take(hit)
        if sample.passage_count % _PAGE == 0:
            on_progress(sample.passage_count)
    passages = sample.passages()
    if not passages:
        raise FailedPrecondition(
            f"the index {index} holds no passages of {tenant}: submit documents before training"
        )
    _write(passages, rows, vectors)
    return Snapshot(frozenset(one["chunk_id"] for one, _ in passages), _digest_of_file(vectors))


class Sample:
    """Holds the passages that are wanted, and beside them as many others as fit in `most`."""

    def __init__(self, most: int, required: frozenset[str]) -> None:
        self.passage_count = 0
        self._most = most
        self._required = required
        self._always: list[tuple[IndexedPassage, np.ndarray[Any, Any]]] = []
        self._heap: list[tuple[int, str, IndexedPassage, np.ndarray[Any, Any]]] = []

    def take(self, source: IndexedPassage) -> None:
        """Consider one more passage."""
        self.passage_count += 1
        row = {name: source.get(name) or empty for name, empty in _ROW.items()}
        row |= {name: redact(source.get(name) or "", row["tenant"]) for name in _TEXTS}
        vector = np.asarray(source[VECTOR], dtype=np.float32)
        if source["chunk_id"] in self._required:
            self._always.append((row, vector))
        else:
            place = -int.from_bytes(hashlib.sha256(UUID(source["chunk_id"]).bytes).digest()[:8])
            heapq.heappush(self._heap, (place, source["chunk_id"], row, vector))
        while self._heap and len(self._heap) + len(self._always) > self._most:
            heapq.heappop(self._heap)

    def passages(self) -> list[tuple[IndexedPassage, np.ndarray[Any, Any]]]:
        """In the order of chunk ids."""
        pairs = [*self._always, *((row, vector) for _, _, row, vector in self._heap)]
        return sorted(pairs, key=lambda one: str(one[0]["chunk_id"]))


async def _passages(
    client: AsyncElasticsearch, index: str, tenant: str
) -> AsyncIterator[IndexedPassage]:
    """Over a point in time, so that writes meanwhile change nothing."""
    query = {"match_all": {}} if tenant == EVERY_TENANT else {"term": {"tenant": tenant}}
    with elasticsearch_errors():
        await client.indices.refresh(index=index)
        opened = await client.open_point_in_time(index=index, keep_alive=_KEEP_ALIVE)
    after: list[Any] | None = None
    try:
        while True:
            with elasticsearch_errors():
                page = await client.search(
                    pit={"id": opened["id"], "keep_alive": _KEEP_ALIVE},
                    query={"bool": {"filter": [query]}},
                    sort=[{"chunk_id": "asc"}],
                    size=_PAGE,
                    source={"includes": [*_ROW, VECTOR], "exclude_vectors": False},
                    search_after=after,
                    track_total_hits=False,
                )
            hits = page["hits"]["hits"]
            for hit in hits:
                yield hit["_source"]
            if len(hits) < _PAGE:
                return
            after = hits[-1]["sort"]
    finally:
        with elasticsearch_errors():
            await client.close_point_in_time(id=opened["id"])


def _write(
    passages: list[tuple[IndexedPassage, np.ndarray[Any, Any]]], rows: Path, vectors: Path
) -> None:
    with rows.open("w", encoding="utf-8") as file:
        for row, _ in passages:
            file.write(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n")
    whole = vectors.with_name(f".{vectors.name}.{os.getpid()}")
    with whole.open("wb") as file:
        np.save(file, np.stack([vector for _, vector in passages]))
    whole.replace(vectors)


def _digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"
