"""The document index, as the ingestor reads it, on a real Elasticsearch."""

from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest
from elasticsearch import AsyncElasticsearch
from gyre_common.document_index import (
    DOCUMENTS_MAPPING,
    DocumentRecord,
    DocumentState,
    record_key,
)
from gyre_common.elasticsearch import open_elasticsearch
from gyre_common.errors import Unavailable
from gyre_common.events.documents import FindingKind
from gyre_embedder.document_sketch import sketch_of
from gyre_ingestor.elasticsearch_documents import ElasticsearchDocuments

from tests.builders import a_chunk

pytestmark = pytest.mark.integration


@pytest.fixture
async def client(
    elasticsearch_url: str, elasticsearch_login: tuple[str, str]
) -> AsyncIterator[AsyncElasticsearch]:
    async with open_elasticsearch(elasticsearch_url, elasticsearch_login) as client:
        yield client


@pytest.fixture
async def documents(client: AsyncElasticsearch) -> ElasticsearchDocuments:
    index = f"test-documents-{uuid4().hex[:8]}"
    never_by_itself = {"refresh_interval": "-1"}
    await client.indices.create(
        index=index, mappings=dict(DOCUMENTS_MAPPING), settings=never_by_itself
    )
    await put(
        client,
        index,
        DocumentRecord(tenant="acme", document_id="a", state=DocumentState.INDEXED),
        DocumentRecord(tenant="acme", document_id="b", state=DocumentState.INDEXED, acl=("x",)),
        DocumentRecord(tenant="acme", document_id="c", state=DocumentState.INDEXED, acl=("y",)),
        DocumentRecord(tenant="acme", document_id="d", state=DocumentState.DELETED),
        DocumentRecord(tenant="acme", document_id="e", state=DocumentState.REJECTED),
        DocumentRecord(tenant="else", document_id="f", state=DocumentState.INDEXED),
    )
    return ElasticsearchDocuments(client, index=index)


async def put(client: AsyncElasticsearch, index: str, *records: DocumentRecord) -> None:
    for record in records:
        key = record_key(record.tenant, record.document_id)
        await client.index(index=index, id=key, document=record.model_dump(mode="json"))


async def test_a_document_is_found_in_its_own_tenant_only(
    documents: ElasticsearchDocuments,
) -> None:
    document = await documents.get("acme", "b")
    assert document is not None
    assert document.acl == ("x",)
    assert await documents.get("else", "b") is None


async def test_a_page_holds_what_the_caller_may_read_and_goes_on_where_it_ended(
    documents: ElasticsearchDocuments,
) -> None:
    everything = await documents.page("acme", ["x"], after="", limit=10)
    assert [record.document_id for record in everything] == ["a", "b", "e"]
    assert [r.document_id for r in await documents.page("acme", [], after="a", limit=1)] == ["e"]


async def test_a_page_holds_one_state_where_it_is_asked_for(
    documents: ElasticsearchDocuments,
) -> None:
    for state, ids in (
        (DocumentState.INDEXED, ["a"]),
        (DocumentState.REJECTED, ["e"]),
        (DocumentState.DELETED, ["d"]),
    ):
        page = await documents.page("acme", [], state=state, after="", limit=10)
        assert [record.document_id for record in page] == ids


async def test_a_page_holds_only_those_that_somebody_should_look_at(
    client: AsyncElasticsearch, documents: ElasticsearchDocuments
) -> None:
    held = DocumentRecord(
        tenant="acme",
        document_id="g",
        state=DocumentState.QUARANTINED,
        screened=(FindingKind.INSTRUCTIONS,),
    )
    await put(client, documents._index, held)
    page = await documents.page("acme", ["x"], only_screened=True, after="", limit=10)
    assert [record.document_id for record in page] == ["g"]


async def test_a_page_holds_only_those_that_are_named(documents: ElasticsearchDocuments) -> None:
    names = ["e", "b", "c", "d", "f", "never"]
    page = await documents.page("acme", ["x"], document_ids=names, after="", limit=10)
    assert [record.document_id for record in page] == ["b", "e"]
    page = await documents.page("acme", ["x"], document_ids=names, after="b", limit=10)
    assert [record.document_id for record in page] == ["e"]


async def test_documents_are_found_by_words_and_parts_of_words_of_their_names(
    client: AsyncElasticsearch, documents: ElasticsearchDocuments
) -> None:
    named = {
        "guides/Größe_ОТЧЁТ.pdf": "Brewing green Tea",
        "a*b?c": "The ÉTÉ (v1.2) is 100% + more",
        "x[y].z\\w": "",
    }
    records = [
        DocumentRecord(tenant="acme", document_id=one, title=title, state=DocumentState.INDEXED)
        for one, title in named.items()
    ]
    hidden = records[0].model_copy(update={"document_id": "tea/hidden", "acl": ("y",)})
    await put(client, documents._index, *records, hidden)
    first, second, third = named
    for search, ids in (
        ("TEA", [first]),
        ("brews", [first]),
        ("brewi gre", [first]),
        ("green guides отчёт größe", [first]),
        ("green coffee", []),
        ("été THE", [second]),
        ("v1.2 100% + (", [second]),
        ("*", [second]),
        ("b?", [second]),
        ("b.c", []),
        ("[y]", [third]),
        ("Z\\W", [third]),
        ("." * 200, []),
        ("hidden", []),
    ):
        page = await documents.page("acme", ["x"], search=search, after="", limit=10)
        assert [record.document_id for record in page] == ids, search
    page = await documents.page("acme", ["y"], search="hidden", after="", limit=10)
    assert [record.document_id for record in page] == ["tea/hidden"]
    page = await documents.page("acme", [], search="a", after="a", limit=1)
    assert [record.document_id for record in page] == ["a*b?c"]


async def test_of_a_document_those_are_named_that_say_the_same_and_may_be_read(
    client: AsyncElasticsearch, documents: ElasticsearchDocuments
) -> None:
    digest, other_digest = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"
    words = [f"w{number}" for number in range(500)]
    sketch = sketch_of([a_chunk(text=" ".join(words))])._asdict()
    near = sketch_of([a_chunk(text=" ".join(words[20:]))])._asdict()
    far = sketch_of([a_chunk(text=" ".join(words[:100]))])._asdict()
    whole: dict[str, Any] = {
        "tenant": "acme",
        "state": DocumentState.INDEXED,
        "content_digest": digest,
        **sketch,
    }
    differences: dict[str, dict[str, Any]] = {
        "whole": {},
        "copy": {"metadata": {"team": "kitchen"}},
        "held": {"state": DocumentState.QUARANTINED},
        "hidden": {"acl": ("y",)},
        "shared": {"acl": ("x",)},
        "foreign": {"tenant": "else"},
        "near": {**near, "content_digest": other_digest},
        "far": {**far, "content_digest": None, "bands": sketch["bands"]},
        "alone": {"content_digest": None, "sketch": "", "bands": ()},
    }
    records = {
        name: DocumentRecord.model_validate({**whole, "document_id": name, **fields})
        for name, fields in differences.items()
    }
    await put(client, documents._index, *records.values())
    await client.indices.refresh(index=documents._index)

    async def named(record: DocumentRecord, *groups: str) -> list[str]:
        (of_record,) = await documents.duplicates([record], groups)
        return [each.record.document_id for each in of_record]

    assert await named(records["whole"], "x") == ["copy", "shared", "near"]
    assert await named(records["whole"]) == ["copy", "near"]
    assert await named(records["held"]) == ["copy", "whole", "near"]
    (of_whole,) = await documents.duplicates([records["whole"]], [])
    compared: dict[str, Any] = {"acl": (), "bands": (), "metadata": {}}
    assert of_whole[0].record == records["copy"].model_copy(update=compared)
    assert await named(records["foreign"], "x", "y") == []
    assert await named(records["far"]) == []
    both = await documents.duplicates([records["alone"], records["near"]], [])
    assert [[each.record.document_id for each in one] for one in both] == [[], ["copy", "whole"]]

    await client.delete(index=documents._index, id=record_key("acme", "copy"), refresh=True)
    assert await named(records["whole"]) == ["near"]


async def test_before_the_first_document_there_is_nothing(client: AsyncElasticsearch) -> None:
    missing = ElasticsearchDocuments(client, index="test-documents-missing")
    assert await missing.get("acme", "a") is None
    record = DocumentRecord(tenant="acme", document_id="a", state="indexed", bands=("b",))
    assert await missing.duplicates([record], []) == [[]]
    assert await missing.page("acme", [], after="", limit=1) == []


async def test_an_index_that_is_down_is_unavailable() -> None:
    async with open_elasticsearch("http://127.0.0.1:9", None) as client:
        with pytest.raises(Unavailable):
            await ElasticsearchDocuments(client).get("acme", "a")
