"""The search index on Elasticsearch, as the embedder writes it."""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http import HTTPStatus
from typing import Any
from uuid import UUID

import elasticsearch
import numpy as np
import orjson
from elasticsearch import AsyncElasticsearch
from gyre_common.chunk_index import ENCODED_AHEAD, ENCODED_FOR, VECTOR, chunk_mapping
from gyre_common.document_index import (
    DOCUMENTS_INDEX,
    DOCUMENTS_MAPPING,
    DocumentRecord,
    record_key,
)
from gyre_common.elasticsearch import (
    IndexMissing,
    WritesBlocked,
    elasticsearch_errors,
    error_of,
    translated,
)
from gyre_common.errors import FailedPrecondition

from gyre_embedder.chunk_index import (
    DocumentKey,
    EncodedAhead,
    EncodedChunk,
    Head,
    StoredChunks,
)
from gyre_embedder.encoders import Vector

_BULK_BYTES = 4 * 1024 * 1024
_IDS_PER_PAGE = 5_000
_VECTORS_PER_PAGE = 500

Item = Mapping[str, Any]
Lines = Any
"""JSON lines as bytes: the client passes them on as they are, though its types do not say so."""


class ElasticsearchIndex:
    """Implements `ChunkIndex`.

    A chunk carries its document's revision as its external version, so that Elasticsearch itself
    refuses the late write of a consumer that lost its partition. Nothing needs delete-by-query or
    scripts.
    """

    def __init__(self, client: AsyncElasticsearch, *, shards: int, refresh_interval: str) -> None:
        self._client = client
        self._shards = shards
        self._refresh_interval = refresh_interval
        self._prepared: set[str] = set()

    async def prepare(self, index: str, dimensions: int) -> None:
        """See `ChunkIndex`."""
        await self._create(DOCUMENTS_INDEX, DOCUMENTS_MAPPING, {})
        settings = {"refresh_interval": self._refresh_interval}
        await self._create(index, chunk_mapping(dimensions), settings)

    async def heads(self, keys: Sequence[DocumentKey]) -> Mapping[DocumentKey, Head]:
        """See `ChunkIndex`."""
        await self._create(DOCUMENTS_INDEX, DOCUMENTS_MAPPING, {})
        with self._translated_errors():
            ids = [record_key(*key) for key in keys]
            reply = await self._client.mget(index=DOCUMENTS_INDEX, ids=ids)
            _check(reply["docs"])
        heads = [_head(document) for document in reply["docs"] if document.get("found")]
        return {head.key: head for head in heads}

    async def put_heads(self, heads: Sequence[Head]) -> set[DocumentKey]:
        """See `ChunkIndex`."""
        items = await self._bulk(DOCUMENTS_INDEX, (_put_head(head) for head in heads))
        return {
            head.key
            for head, item in zip(heads, items, strict=True)
            if item["status"] == HTTPStatus.CONFLICT
        }

    async def stored_chunks(
        self, index: str, keys: Sequence[DocumentKey]
    ) -> Mapping[DocumentKey, StoredChunks]:
        """See `ChunkIndex`."""
        by_record = {record_key(*key): key for key in keys}
        is_theirs: list[Item] = [
            {"bool": {"filter": [{"term": {"tenant": tenant}}, {"term": {"document_id": name}}]}}
            for tenant, name in keys
        ]
        is_theirs.append({"terms": {ENCODED_FOR: list(by_record)}})
        searchable: dict[DocumentKey, set[UUID]] = {key: set() for key in keys}
        ahead: dict[DocumentKey, set[UUID]] = {key: set() for key in keys}
        last: list[str] | None = None
        with self._translated_errors():
            await self._client.indices.refresh(index=index)
            while True:
                reply = await self._client.search(
                    index=index,
                    query={"bool": {"should": is_theirs, "minimum_should_match": 1}},
                    source=False,
                    docvalue_fields=[
                        {"field": name} for name in ("tenant", "document_id", ENCODED_FOR)
                    ],
                    sort=["chunk_id"],
                    search_after=last,
                    size=_IDS_PER_PAGE,
                    track_total_hits=False,
                )
                page = reply["hits"]["hits"]
                for hit in page:
                    fields = hit["fields"]
                    if ENCODED_FOR in fields:
                        ahead[by_record[fields[ENCODED_FOR][0]]].add(UUID(hit["_id"]))
                    else:
                        key = DocumentKey(*fields["tenant"], *fields["document_id"])
                        searchable[key].add(UUID(hit["_id"]))
                if len(page) < _IDS_PER_PAGE:
                    return {
                        key: StoredChunks(frozenset(searchable[key]), frozenset(ahead[key]))
                        for key in keys
                    }
                last = page[-1]["sort"]

    async def vectors(self, index: str, chunk_ids: Sequence[UUID]) -> Mapping[UUID, Vector]:
        """See `ChunkIndex`."""
        vectors: dict[UUID, Vector] = {}
        for start in range(0, len(chunk_ids), _VECTORS_PER_PAGE):
            ids = [str(chunk_id) for chunk_id in chunk_ids[start : start + _VECTORS_PER_PAGE]]
            with self._translated_errors():
                reply = await self._client.search(
                    index=index,
                    query={"ids": {"values": ids}},
                    size=_VECTORS_PER_PAGE,
                    source={"includes": [VECTOR, ENCODED_AHEAD], "exclude_vectors": False},
                )
            for hit in reply["hits"]["hits"]:
                vectors[UUID(hit["_id"])] = _vector(hit["_source"])
        return vectors

    async def lay_by(self, index: str, chunks: Sequence[EncodedAhead]) -> None:
        """See `ChunkIndex`."""
        await self._bulk(index, map(_lay_by, chunks))

    async def write(
        self, index: str, chunks: Sequence[EncodedChunk], removals: Mapping[UUID, int]
    ) -> None:
        """See `ChunkIndex`."""
        await self._bulk(index, map(_put_chunk, chunks))
        await self._bulk(index, (_remove(*removal) for removal in removals.items()))
        if chunks or removals:
            with self._translated_errors():
                await self._client.indices.refresh(index=index)

    async def _create(
        self, index: str, mapping: Mapping[str, Any], settings: Mapping[str, str]
    ) -> None:
        """Create the index, or let it know new fields; Elasticsearch refuses other kinds of those
        that it has.
        """
        if index in self._prepared:
            return
        shape = {"number_of_shards": self._shards, "auto_expand_replicas": "0-1", **settings}
        with self._translated_errors():
            if not await self._client.indices.exists(index=index):
                # Another embedder may have created it a moment ago; if not, what comes next tells
                # what is wrong.
                with suppress(elasticsearch.BadRequestError):
                    await self._client.indices.create(
                        index=index, mappings=dict(mapping), settings=shape
                    )
            try:
                await self._client.indices.put_mapping(
                    index=index, properties=mapping["properties"], dynamic=mapping["dynamic"]
                )
            except elasticsearch.BadRequestError as error:
                raise FailedPrecondition(
                    f"the index {index} exists with another mapping: delete it and replay its "
                    "documents, or release a document-encoder version with an index of its own"
                ) from error
            except elasticsearch.ApiError as error:
                if not isinstance(translated(error), WritesBlocked):
                    raise
                return  # it serves as it is, and what is written says why it waits
        self._prepared.add(index)

    async def _bulk(self, index: str, actions: Iterable[Lines]) -> list[Item]:
        """Send actions and return what became of each.

        A conflict is for the caller to judge; any other failure is raised once all were tried.
        """
        items: list[Item] = []
        with self._translated_errors():
            for body in _bodies(actions):
                reply = await self._client.bulk(index=index, body=body)
                items += [result for item in reply["items"] for result in item.values()]
            _check(items)
        return items

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        try:
            with elasticsearch_errors():
                yield
        except IndexMissing:
            # Somebody deleted it: make it anew at the next attempt.
            self._prepared.clear()
            raise


def _check(items: Iterable[Item]) -> None:
    """Raise the error of the first item that failed; a conflict is no failure.

    What is looked up by id comes without a status; that such a look-up fails is the fault of the
    index (a shard that is not back yet, say) and never of the document.
    """
    for item in items:
        status = int(item.get("status", HTTPStatus.SERVICE_UNAVAILABLE))
        if "error" in item and status != HTTPStatus.CONFLICT:
            raise error_of(status, str(item["error"].get("type")))


def _head(document: Item) -> Head:
    return Head(
        DocumentRecord.model_validate(document["_source"]),
        (document["_seq_no"], document["_primary_term"]),
    )


def _put_head(head: Head) -> Lines:
    action: Item = {"create": {"_id": record_key(*head.key)}}
    if head.seal is not None:
        sequence, term = head.seal
        action = {"index": {**action["create"], "if_seq_no": sequence, "if_primary_term": term}}
    return _lines(action, head.record.model_dump(mode="json"))


def _put_chunk(encoded: EncodedChunk) -> Lines:
    indexed = encoded.chunk
    fields = {**indexed.as_fields(), VECTOR: encoded.vector}
    return _lines({"index": _versioned(indexed.chunk_id, indexed.revision)}, fields)


def _lay_by(encoded: EncodedAhead) -> Lines:
    fields = {
        "chunk_id": encoded.chunk_id,
        ENCODED_FOR: record_key(*encoded.document),
        ENCODED_AHEAD: b64encode(encoded.vector.astype("<f4").tobytes()).decode(),
    }
    # Late, it must not take the place of a passage that is searchable by now.
    newer_alone = {**_versioned(encoded.chunk_id, encoded.revision), "version_type": "external"}
    return _lines({"index": newer_alone}, fields)


def _vector(source: Item) -> Vector:
    if ENCODED_AHEAD in source:
        return np.frombuffer(b64decode(source[ENCODED_AHEAD]), "<f4").astype(np.float32)
    return np.asarray(source[VECTOR], np.float32)


def _remove(chunk_id: UUID, revision: int) -> Lines:
    return _lines({"delete": _versioned(chunk_id, revision)})


def _versioned(chunk_id: UUID, revision: int) -> Item:
    return {"_id": str(chunk_id), "version": revision, "version_type": "external_gte"}


def _lines(*lines: Item) -> Lines:
    return b"\n".join(orjson.dumps(line, option=orjson.OPT_SERIALIZE_NUMPY) for line in lines)


def _bodies(actions: Iterable[Lines]) -> Iterator[list[Lines]]:
    body: list[Lines] = []
    size = 0
    for action in actions:
        if body and size + len(action) > _BULK_BYTES:
            yield body
            body, size = [], 0
        body.append(action)
        size += len(action)
    if body:
        yield body
