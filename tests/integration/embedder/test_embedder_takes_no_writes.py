"""An Elasticsearch that is full or read-only: documents wait for it, and questions do not."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from elasticsearch import AsyncElasticsearch
from gyre_common.document_index import DOCUMENTS_INDEX, DocumentState
from gyre_common.elasticsearch import WritesBlocked, open_elasticsearch
from gyre_common.events.documents import DOCUMENT_CHUNKED, DOCUMENT_REJECTED, DocumentIndexed
from gyre_common.fusion import BM25
from gyre_common.releases import ReleaseView
from gyre_common.store import Store
from gyre_embedder.chunk_index import DocumentKey
from gyre_embedder.chunk_writer import ChunkWriter
from gyre_embedder.elasticsearch_index import ElasticsearchIndex
from gyre_embedder.encoders import Encoders
from gyre_embedder.handlers import build_handlers
from gyre_embedder.service import Indexer
from gyre_embedder.shadow import ShadowFiller
from gyre_ingestor.elasticsearch_documents import ElasticsearchDocuments
from gyre_retriever.elasticsearch_search import ElasticsearchSearch
from gyre_retriever.ports import SearchRequest
from gyre_retriever.query import Filters

from tests.builders import a_document_rejected
from tests.eventually import eventually
from tests.fakes.bus import MemoryBus
from tests.fakes.embedder import HashEncoder, MemoryModels
from tests.unit.embedder.indexing import HandledUntil, a_document, encoder_release

pytestmark = pytest.mark.integration
FULL, READ_ONLY = "index.blocks.read_only_allow_delete", "index.blocks.write"


@pytest.fixture
async def client(
    elasticsearch_url: str, elasticsearch_login: tuple[str, str]
) -> AsyncIterator[AsyncElasticsearch]:
    async with open_elasticsearch(elasticsearch_url, elasticsearch_login) as client:
        yield client


class Blocked:
    """The documents index or one of chunks takes no writes until it is opened."""

    def __init__(self, client: AsyncElasticsearch, index: str, block: str) -> None:
        self._client, self._index, self._block = client, index, block

    async def set(self, value: bool | None) -> None:
        await self._client.indices.put_settings(index=self._index, settings={self._block: value})


@pytest.mark.parametrize(("which", "block"), [("chunks", FULL), ("documents", READ_ONLY)])
async def test_documents_wait_for_it_and_what_is_there_is_read(
    client: AsyncElasticsearch, block: str, which: str
) -> None:
    tenant, name, releases = f"t{uuid4().hex[:8]}", f"chunks-{uuid4()}", ReleaseView()
    releases.apply(encoder_release(index=name))
    blocked = Blocked(client, DOCUMENTS_INDEX if which == "documents" else name, block)
    search, documents = ElasticsearchSearch(client, seconds=10), ElasticsearchDocuments(client)
    models = MemoryModels({"e-1": HashEncoder()})

    def an_embedder() -> tuple[MemoryBus, Indexer]:
        index = ElasticsearchIndex(client, shards=1, refresh_interval="-1")
        writer = ChunkWriter(index, encoders, Store("memory://"))
        bus, indexer = MemoryBus(service="embedder"), Indexer(index, writer, releases)
        build_handlers(bus, indexer, ShadowFiller(index, writer, releases, HandledUntil()))
        return bus, indexer

    async def texts() -> list[str]:
        request = SearchRequest(name, "tea", None, 10, tenant, (), Filters())
        return [hit.chunk.text for hit in (await search.search(request)).legs[BM25]]

    try:
        async with Encoders(models, releases, most_bytes=100) as encoders:
            await encoders.hold()
            before, indexer = an_embedder()
            await indexer.prepare()
            async with before:
                await before.deliver(DOCUMENT_CHUNKED, a_document(1, "tea", tenant=tenant))
            await blocked.set(True)

            bus, indexer = an_embedder()  # one that starts now: questions need its encoder
            await indexer.prepare()
            async with bus:
                new = a_document(2, "hot tea", document_id="new", tenant=tenant)
                key = f"{tenant}/new".encode()
                bus.put_raw(DOCUMENT_CHUNKED, (key, new.to_json(), ()))
                rejected = a_document_rejected(tenant=tenant, document_id="rejected")
                if which == "documents":
                    key = f"{tenant}/rejected".encode()
                    bus.put_raw(DOCUMENT_REJECTED, (key, rejected.to_json(), ()))
                await eventually(lambda: any("takes no writes" in one for one in bus.troubles()))
                why = "its disk is too full" if block == FULL else "somebody set index.blocks"
                assert all(why in one for one in bus.troubles())
                assert "tea" in await texts()
                first = await documents.get(tenant, "d")
                assert first is not None
                assert first.state is DocumentState.INDEXED
                page = await documents.page(tenant, (), after="", limit=10)
                assert [each.document_id for each in page] == ["d"]
                assert not bus.parked
                assert not bus.published

                await blocked.set(None)
                await bus.settled()
                assert sorted(await texts()) == ["hot tea", "tea"]
                events = [each for _, each in bus.published if isinstance(each, DocumentIndexed)]
                assert [each.document_id for each in events] == ["new"]
                assert not bus.parked
                assert not bus.troubles()
    finally:
        await blocked.set(None)
        await client.indices.delete(index=name, ignore_unavailable=True)


async def test_whoever_writes_hears_why(client: AsyncElasticsearch) -> None:
    index = ElasticsearchIndex(client, shards=1, refresh_interval="-1")
    name = f"chunks-{uuid4()}"
    await index.prepare(name, 4)
    blocked = Blocked(client, name, FULL)
    await blocked.set(True)
    try:
        with pytest.raises(WritesBlocked, match="make room"):
            await index.write(name, [], {uuid4(): 1})
        assert await index.stored_chunks(name, [DocumentKey("default", "none")])
    finally:
        await blocked.set(None)
        await client.indices.delete(index=name, ignore_unavailable=True)
