from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import numpy as np
import pytest
from elasticsearch import AsyncElasticsearch
from gyre_common.chunk_index import BY_ANALYZER, VECTOR, IndexedChunk, chunk_mapping
from gyre_common.elasticsearch import open_elasticsearch
from gyre_common.errors import FailedPrecondition, Poison, Retryable
from gyre_common.fusion import BM25
from gyre_embedder import elasticsearch_index
from gyre_embedder.chunk_index import DocumentKey, EncodedChunk, StoredChunks
from gyre_embedder.elasticsearch_index import ElasticsearchIndex
from gyre_retriever.elasticsearch_search import ElasticsearchSearch
from gyre_retriever.ports import SearchRequest
from gyre_retriever.query import Filters

pytestmark = pytest.mark.integration
KEY = DocumentKey("default", "guide")


@pytest.fixture
async def client(
    elasticsearch_url: str, elasticsearch_login: tuple[str, str]
) -> AsyncIterator[AsyncElasticsearch]:
    async with open_elasticsearch(elasticsearch_url, elasticsearch_login) as client:
        yield client


@pytest.fixture
async def index(client: AsyncElasticsearch) -> AsyncIterator[str]:
    name = f"chunks-{uuid4()}"
    yield name
    await client.indices.delete(index=name, ignore_unavailable=True)


def writer(client: AsyncElasticsearch) -> ElasticsearchIndex:
    return ElasticsearchIndex(client, shards=1, refresh_interval="-1")


def passages(count: int, dimensions: int = 4, title: str = "") -> list[EncodedChunk]:
    vector = np.eye(1, dimensions, dtype=np.float32)[0]
    return [
        EncodedChunk(
            IndexedChunk(
                tenant=KEY.tenant,
                document_id=KEY.document_id,
                chunk_id=uuid4(),
                revision=1,
                ordinal=ordinal,
                title=title,
                text="tea",
                start=0,
                end=3,
            ),
            vector,
        )
        for ordinal in range(count)
    ]


async def test_preparing_again_is_harmless(client: AsyncElasticsearch, index: str) -> None:
    for _ in range(2):
        await writer(client).prepare(index, dimensions=4)


async def test_an_index_of_before_languages_learns_them_and_its_documents_are_found_as_ever(
    client: AsyncElasticsearch, index: str
) -> None:
    mapping = chunk_mapping(dimensions=4)
    of_before = {
        name: field
        for name, field in mapping["properties"].items()
        if name not in (BY_ANALYZER, "language")
    }
    await client.indices.create(index=index, mappings={**mapping, "properties": of_before})
    [old] = passages(1)
    fields = {**old.chunk.as_fields(), VECTOR: old.vector.tolist()}
    document = {name: value for name, value in fields.items() if name in of_before}
    await client.index(index=index, id=str(old.chunk.chunk_id), document=document, refresh=True)
    search = ElasticsearchSearch(client, seconds=10)

    async def hits(text: str) -> list[UUID]:
        filters = Filters()
        request = SearchRequest(index, text, None, 10, KEY.tenant, (), filters)
        legs = (await search.search(request)).legs
        return [hit.chunk.chunk_id for hit in legs[BM25]]

    assert await hits("teas") == [old.chunk.chunk_id]  # by a retriever that is newer
    await writer(client).prepare(index, dimensions=4)
    [new] = passages(1)
    german = new.chunk.model_copy(update={"text": "Alte Häuser", "language": "de"})
    await writer(client).write(index, [EncodedChunk(german, new.vector)], {})
    assert await hits("teas") == [old.chunk.chunk_id]
    assert await hits("Haus") == [german.chunk_id]


async def test_an_index_with_another_mapping_is_refused_by_name(
    client: AsyncElasticsearch, index: str
) -> None:
    await writer(client).prepare(index, dimensions=4)
    with pytest.raises(FailedPrecondition, match=index):
        await writer(client).prepare(index, dimensions=8)


async def test_a_document_of_more_chunks_than_a_page_or_a_bulk_request_is_whole(
    client: AsyncElasticsearch, index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elasticsearch_index, "_IDS_PER_PAGE", 3)
    monkeypatch.setattr(elasticsearch_index, "_VECTORS_PER_PAGE", 3)
    monkeypatch.setattr(elasticsearch_index, "_BULK_BYTES", 600)
    put = passages(10)
    chunk_ids = frozenset(each.chunk.chunk_id for each in put)
    embedder = writer(client)
    await embedder.prepare(index, dimensions=4)
    await embedder.write(index, put, {})
    assert await embedder.stored_chunks(index, [KEY]) == {KEY: StoredChunks(chunk_ids)}
    assert (await embedder.vectors(index, [*chunk_ids])).keys() == chunk_ids


async def test_what_the_mapping_refuses_is_poison_and_spoils_nothing_else(
    client: AsyncElasticsearch, index: str
) -> None:
    embedder = writer(client)
    await embedder.prepare(index, dimensions=4)
    good, bad = passages(1), passages(1, dimensions=8)
    with pytest.raises(Poison):
        await embedder.write(index, [*good, *bad], {})
    stored = await embedder.stored_chunks(index, [KEY])
    assert stored == {KEY: StoredChunks(frozenset([good[0].chunk.chunk_id]))}


async def test_an_index_that_somebody_deleted_is_made_anew(
    client: AsyncElasticsearch, index: str
) -> None:
    embedder = writer(client)
    await embedder.prepare(index, dimensions=4)
    await client.indices.delete(index=index)
    with pytest.raises(Retryable):
        await embedder.stored_chunks(index, [KEY])
    await embedder.prepare(index, dimensions=4)
    assert await embedder.stored_chunks(index, [KEY]) == {KEY: StoredChunks()}


async def test_terms_of_any_length_can_be_indexed(client: AsyncElasticsearch, index: str) -> None:
    embedder = writer(client)
    await embedder.prepare(index, dimensions=4)
    (passage,) = passages(1)
    long = passage.chunk.model_copy(update={"metadata": {"é" * 9000: "x", "k": "é" * 40_000}})
    await embedder.write(index, [EncodedChunk(long, passage.vector)], {})
    assert await embedder.stored_chunks(index, [KEY]) == {
        KEY: StoredChunks(frozenset([long.chunk_id]))
    }


async def test_a_closed_index_is_something_to_wait_for(
    client: AsyncElasticsearch, index: str
) -> None:
    embedder = writer(client)
    await embedder.prepare(index, dimensions=4)
    await client.indices.close(index=index)
    with pytest.raises(Retryable, match="closed"):
        await embedder.stored_chunks(index, [KEY])
    await client.indices.open(index=index)
    assert await embedder.stored_chunks(index, [KEY]) == {KEY: StoredChunks()}


async def test_shards_that_are_not_back_yet_are_something_to_wait_for(
    client: AsyncElasticsearch, index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(elasticsearch_index, "DOCUMENTS_INDEX", index)
    nowhere = {"index.routing.allocation.require._name": "a node that never comes"}
    await client.indices.create(index=index, settings=nowhere, wait_for_active_shards=0)
    with pytest.raises(Retryable, match="no_shard_available"):
        await writer(client).heads([KEY])
