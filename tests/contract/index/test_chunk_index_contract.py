"""What the embedder writes, the retriever finds: the same in memory and in Elasticsearch."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4, uuid5

import numpy as np
import pytest
from gyre_common.chunk_index import IndexedChunk
from gyre_common.document_index import DocumentRecord, DocumentState
from gyre_common.elasticsearch import open_elasticsearch
from gyre_common.errors import Retryable
from gyre_embedder.chunk_index import (
    ChunkIndex,
    DocumentKey,
    EncodedAhead,
    EncodedChunk,
    Head,
    StoredChunks,
)
from gyre_embedder.elasticsearch_index import ElasticsearchIndex
from gyre_retriever.elasticsearch_search import ElasticsearchSearch
from gyre_retriever.ports import DocumentsRequest, SearchIndex, SearchRequest, SearchResult
from gyre_retriever.query import Filters

from tests.builders import MORNING
from tests.fakes.chunk_index import MemoryChunks
from tests.fakes.embedder import MemoryIndex
from tests.fakes.retriever import MemorySearch

DIMENSIONS = 4
EAST, NORTH = (1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0)
NAMES = UUID("5b1a0000-0000-4000-8000-000000000000")


@dataclass
class Sides:
    """Both sides of one index of its own."""

    writer: ChunkIndex
    reader: SearchIndex
    index: str

    async def put(self, *chunks: IndexedChunk, vector: tuple[float, ...] = EAST) -> None:
        passages = [EncodedChunk(chunk, np.array(vector, np.float32)) for chunk in chunks]
        await self.writer.write(self.index, passages, {})

    async def find(
        self,
        text: str = "tea",
        vector: tuple[float, ...] | None = EAST,
        *,
        tenant: str = "default",
        groups: tuple[str, ...] = (),
        filters: Filters = Filters(),  # noqa: B008 (frozen)
    ) -> SearchResult:
        return await self.reader.search(
            SearchRequest(self.index, text, vector, 10, tenant, groups, filters)
        )

    async def readable(
        self,
        *document_ids: str,
        tenant: str = "default",
        groups: tuple[str, ...] = (),
        filters: Filters = Filters(),  # noqa: B008 (frozen)
    ) -> Mapping[str, tuple[str, ...]]:
        return await self.reader.readable(
            DocumentsRequest(self.index, document_ids, tenant, groups, filters)
        )


@pytest.fixture(params=["memory", pytest.param("elasticsearch", marks=pytest.mark.integration)])
async def sides(request: pytest.FixtureRequest) -> AsyncIterator[Sides]:
    index = f"chunks-{uuid4()}"
    if request.param == "memory":
        chunks = MemoryChunks()
        yield Sides(MemoryIndex(chunks), MemorySearch(chunks), index)
        return
    url: str = request.getfixturevalue("elasticsearch_url")
    login: tuple[str, str] = request.getfixturevalue("elasticsearch_login")
    async with open_elasticsearch(url, login) as client:
        writer = ElasticsearchIndex(client, shards=1, refresh_interval="-1")
        await writer.prepare(index, DIMENSIONS)
        yield Sides(writer, ElasticsearchSearch(client, seconds=10), index)
        await client.indices.delete(index=index)


def a_passage(name: str, text: str = "Green tea.", **fields: Any) -> IndexedChunk:
    defaults = {"tenant": "default", "document_id": "guide", "revision": 1, "ordinal": 0}
    own = {"chunk_id": uuid5(NAMES, name), "text": text, "start": 0, "end": len(text)}
    return IndexedChunk.model_validate({**defaults, **own, **fields})


def ids(*names: str) -> set[UUID]:
    return {uuid5(NAMES, name) for name in names}


def ids_of_either(results: SearchResult) -> set[UUID]:
    return {hit.chunk.chunk_id for hit in (*results.legs["bm25"], *results.legs["dense"])}


async def test_what_is_encoded_ahead_weighs_no_passage(sides: Sides) -> None:
    await sides.put(a_passage("c1", "Der Tee.", language="de"), a_passage("c2"))
    before = (await sides.find("Tee", vector=None)).legs
    north = np.array(NORTH, np.float32)
    guide = DocumentKey("default", "guide")
    ahead = [EncodedAhead(guide, uuid5(NAMES, f"a{number}"), 2, north) for number in range(99)]
    await sides.writer.lay_by(sides.index, ahead)
    await sides.writer.write(sides.index, [], {uuid5(NAMES, "gone"): 2})  # all is seen now
    assert (await sides.find("Tee", vector=None)).legs == before


async def test_putting_a_chunk_twice_keeps_one(sides: Sides) -> None:
    for _ in range(2):
        await sides.put(a_passage("c1"))
    results = await sides.find()
    assert [hit.chunk.chunk_id for hit in results.legs["bm25"]] == [*ids("c1")]
    assert [hit.chunk.chunk_id for hit in results.legs["dense"]] == [*ids("c1")]


async def test_a_chunk_comes_back_as_it_was_put(sides: Sides) -> None:
    chunk = a_passage(
        "c1",
        submitted_at=MORNING,
        title="Guide",
        heading_path=("Hot", "Tea"),
        source_uri="https://example.org/tea",
        media_type="text/markdown",
        start=3,
        end=13,
        ordinal=2,
    )
    await sides.put(chunk)
    results = await sides.find()
    assert results.legs["bm25"][0].chunk == chunk


@pytest.mark.parametrize("acl", [(), ("staff",), ("boss", "staff")])
async def test_a_passage_says_who_may_read_its_document(sides: Sides, acl: tuple[str, ...]) -> None:
    await sides.put(a_passage("c1", acl=acl))
    results = await sides.find(groups=("staff",))
    assert [hit.chunk.acl for hit in (*results.legs["bm25"], *results.legs["dense"])] == [acl, acl]


async def test_the_dense_leg_scores_by_cosine(sides: Sides) -> None:
    await sides.put(a_passage("same"), vector=EAST)
    await sides.put(a_passage("across"), vector=NORTH)
    results = await sides.find(vector=EAST)
    scores = {hit.chunk.chunk_id: hit.score for hit in results.legs["dense"]}
    assert scores[uuid5(NAMES, "same")] == pytest.approx(1)
    assert scores[uuid5(NAMES, "across")] == pytest.approx(0, abs=1e-6)


async def test_a_dense_score_is_that_of_the_vectors_themselves(sides: Sides) -> None:
    """An index that keeps vectors in fewer bits computes with them, and anew after every merge."""
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(20, DIMENSIONS))
    units = drawn / np.linalg.norm(drawn, axis=1, keepdims=True)
    vectors = {f"c{number}": tuple(unit.tolist()) for number, unit in enumerate(units)}
    for name, vector in vectors.items():
        await sides.put(a_passage(name), vector=vector)
    results = await sides.find(vector=EAST)
    scores = {hit.chunk.chunk_id: hit.score for hit in results.legs["dense"]}
    nearest = sorted(vectors, key=lambda name: -vectors[name][0])[:10]
    assert scores == {
        uuid5(NAMES, name): pytest.approx(vectors[name][0], abs=1e-5) for name in nearest
    }


async def test_what_is_equally_good_comes_in_the_order_of_chunk_ids(sides: Sides) -> None:
    """Not in that of writing, which changes when parts of an index are merged."""
    names = [f"c{number}" for number in range(20)]
    for name in sorted(names, key=lambda name: uuid5(NAMES, name), reverse=True):
        await sides.put(a_passage(name))
    results = await sides.find()
    hit_ids = [hit.chunk.chunk_id for hit in results.legs["bm25"]]
    assert hit_ids == sorted(ids(*names))[:10]


async def test_without_a_vector_there_is_no_dense_leg(sides: Sides) -> None:
    await sides.put(a_passage("c1"))
    results = await sides.find(vector=None)
    assert "dense" not in results.legs
    assert results.legs["bm25"]


async def test_words_of_title_and_headings_are_found_too(sides: Sides) -> None:
    await sides.put(a_passage("c1", "Boil it.", title="Oolong", heading_path=("Kettle",)))
    for word in ("oolong", "kettle"):
        results = await sides.find(word)
        assert results.legs["bm25"], word


@pytest.mark.parametrize(
    ("query", "name"),
    [("Haus", "german"), ("Verkaufs", "german"), ("京都", "japanese"), ("京", "japanese")],
)
async def test_words_are_found_in_other_forms_by_the_rules_of_their_language(
    sides: Sides, query: str, name: str
) -> None:
    await sides.put(
        a_passage("german", "Alte Häuser.", heading_path=("Verkauf",), language="de"),
        a_passage("japanese", "私は京都に住む。", language="ja"),
        a_passage("english", "Brewing tea.", language="en"),
        a_passage("unknown", "Häuser 7.", language="und"),
    )
    results = await sides.find(query)
    assert {hit.chunk.chunk_id for hit in results.legs["bm25"]} == ids(name)


@pytest.mark.parametrize("language", ["en", "und", ""])
async def test_other_languages_leave_english_as_it_is(sides: Sides, language: str) -> None:
    await sides.put(
        a_passage("c1", "Brewing tea.", language=language),
        a_passage("c2", "Zwei Häuser.", document_id="other", language="de"),
    )
    results = await sides.find("brewed teas")
    assert [hit.chunk.chunk_id for hit in results.legs["bm25"]] == [*ids("c1")]
    assert results.legs["bm25"][0].chunk.language == language


async def test_a_lower_revision_changes_nothing(sides: Sides) -> None:
    await sides.put(a_passage("c1", "New tea.", revision=5))
    await sides.put(a_passage("c1", "Old tea.", revision=4))
    await sides.writer.write(sides.index, [], {uuid5(NAMES, "c1"): 4})
    results = await sides.find()
    assert results.legs["bm25"][0].chunk.text == "New tea."


async def test_removed_chunks_are_gone_and_may_be_removed_again(sides: Sides) -> None:
    await sides.put(a_passage("c1"), a_passage("c2"))
    for _ in range(2):
        await sides.writer.write(sides.index, [], {uuid5(NAMES, "c1"): 2})
    assert ids_of_either(await sides.find()) == ids("c2")


async def test_no_tenant_sees_another_ones_chunks(sides: Sides) -> None:
    await sides.put(a_passage("c1", tenant="acme"), a_passage("c2"))
    assert ids_of_either(await sides.find(tenant="acme")) == ids("c1")
    assert ids_of_either(await sides.find()) == ids("c2")


@pytest.mark.parametrize(
    ("groups", "expected_ids"),
    [((), {"public"}), (("staff",), {"public", "staff"}), (("boss", "x"), {"public", "both"})],
)
async def test_groups_decide_what_both_legs_may_find(
    sides: Sides, groups: tuple[str, ...], expected_ids: set[str]
) -> None:
    await sides.put(
        a_passage("public"),
        a_passage("staff", acl=("staff",)),
        a_passage("both", acl=("boss", "owner")),
    )
    assert ids_of_either(await sides.find(groups=groups)) == ids(*expected_ids)


@pytest.mark.parametrize(
    "filters",
    [
        Filters(document_ids=("wanted",)),
        Filters(media_types=("text/html",)),
        Filters(languages=("de", "ja")),
        Filters(metadata={"team=x": "a=b", "lang": "en"}),
    ],
    ids=["document", "media type", "language", "metadata"],
)
async def test_every_filter_holds_in_both_legs(sides: Sides, filters: Filters) -> None:
    await sides.put(
        a_passage(
            "wanted",
            document_id="wanted",
            media_type="text/html",
            language="de",
            metadata={"team=x": "a=b", "lang": "en", "more": ""},
        ),
        a_passage("other", document_id="other", metadata={"team": "x=a=b", "lang": "en"}),
    )
    assert ids_of_either(await sides.find(filters=filters)) == ids("wanted")


async def test_of_documents_by_name_a_caller_learns_of_those_that_may_be_read(sides: Sides) -> None:
    await sides.put(
        a_passage("p1", document_id="public"),
        a_passage("p2", document_id="public", ordinal=1),
        a_passage("s1", document_id="secret", acl=("boss", "staff")),
        a_passage("o1", document_id="another"),
        a_passage("t1", document_id="foreign", tenant="acme"),
    )
    names = ("public", "secret", "foreign", "nothing")
    assert await sides.readable(*names) == {"public": ()}
    staff = await sides.readable(*names, groups=("staff",))
    assert staff == {"public": (), "secret": ("boss", "staff")}
    assert await sides.readable(*names, tenant="acme", groups=("staff",)) == {"foreign": ()}


async def test_a_document_that_was_restricted_or_removed_since_is_not_readable(
    sides: Sides,
) -> None:
    await sides.put(a_passage("a", document_id="restricted"), a_passage("b", document_id="removed"))
    assert set(await sides.readable("restricted", "removed")) == {"restricted", "removed"}
    await sides.put(a_passage("a", document_id="restricted", revision=2, acl=("staff",)))
    await sides.writer.write(sides.index, [], {uuid5(NAMES, "b"): 2})
    assert await sides.readable("restricted", "removed") == {}


async def test_filters_hold_for_documents_by_name_as_well(sides: Sides) -> None:
    await sides.put(
        a_passage("a", document_id="a", metadata={"team": "x"}),
        a_passage("b", document_id="b", metadata={"team": "y"}),
    )
    assert set(await sides.readable("a", "b", filters=Filters(metadata={"team": "x"}))) == {"a"}
    assert set(await sides.readable("a", "b", filters=Filters(("b",)))) == {"b"}


async def test_stored_chunks_and_their_vectors_can_be_read_back(sides: Sides) -> None:
    await sides.put(a_passage("c1"), vector=NORTH)
    await sides.put(a_passage("c2", document_id="other"))
    guide, none = DocumentKey("default", "guide"), DocumentKey("default", "none")
    assert await sides.writer.stored_chunks(sides.index, [guide, none]) == {
        guide: StoredChunks(frozenset(ids("c1"))),
        none: StoredChunks(),
    }
    vectors = await sides.writer.vectors(sides.index, [*ids("c1"), uuid4()])
    assert {key: vector.tolist() for key, vector in vectors.items()} == {
        uuid5(NAMES, "c1"): pytest.approx(NORTH)
    }


async def test_what_is_encoded_ahead_is_known_and_seen_by_no_search(sides: Sides) -> None:
    guide, other = DocumentKey("default", "guide"), DocumentKey("other", "guide")
    await sides.put(a_passage("c1"))
    north = np.array(NORTH, np.float32) * np.float32(1 / 3)
    ahead = [EncodedAhead(guide, uuid5(NAMES, name), 2, north) for name in ("c2", "c3")]
    await sides.writer.lay_by(sides.index, ahead)
    assert await sides.writer.stored_chunks(sides.index, [guide, other]) == {
        guide: StoredChunks(frozenset(ids("c1")), frozenset(ids("c2", "c3"))),
        other: StoredChunks(),
    }
    assert ids_of_either(await sides.find("tea", NORTH)) == ids("c1")
    vectors = await sides.writer.vectors(sides.index, [*ids("c2")])
    assert {key: vector.tolist() for key, vector in vectors.items()} == {
        uuid5(NAMES, "c2"): north.tolist()
    }

    await sides.put(a_passage("c2", revision=2), vector=NORTH)
    await sides.writer.write(sides.index, [], {uuid5(NAMES, "c3"): 2})
    assert await sides.writer.stored_chunks(sides.index, [guide]) == {
        guide: StoredChunks(frozenset(ids("c1", "c2")))
    }
    assert ids_of_either(await sides.find("tea", NORTH)) == ids("c1", "c2")


async def test_what_is_encoded_ahead_late_does_not_hide_what_is_searchable(sides: Sides) -> None:
    """As by a consumer that lost its partition while it was frozen."""
    await sides.put(a_passage("c1", revision=2), vector=NORTH)
    late = EncodedAhead(DocumentKey("default", "guide"), uuid5(NAMES, "c1"), 2, np.array(NORTH))
    await sides.writer.lay_by(sides.index, [late])
    assert ids_of_either(await sides.find("tea", NORTH)) == ids("c1")


async def test_of_two_writers_of_a_head_record_the_second_loses(sides: Sides) -> None:
    key = DocumentKey("default", f"document-{uuid4()}")
    first = Head(_record(key, revision=1))
    assert await sides.writer.put_heads([first]) == set()
    assert await sides.writer.put_heads([first]) == {key}

    read = (await sides.writer.heads([key]))[key]
    assert read.record == first.record
    second = Head(_record(key, revision=2), read.seal)
    assert await sides.writer.put_heads([second]) == set()
    assert await sides.writer.put_heads([second]) == {key}
    assert (await sides.writer.heads([key]))[key].record.revision == 2


async def test_a_document_without_a_head_record_is_left_out(sides: Sides) -> None:
    assert await sides.writer.heads([DocumentKey("default", f"nothing-{uuid4()}")]) == {}


def _record(key: DocumentKey, revision: int) -> DocumentRecord:
    return DocumentRecord(
        tenant=key.tenant,
        document_id=key.document_id,
        state=DocumentState.INDEXED,
        metadata={"a.b": "c", "": "empty"},
        sketch="AQID",
        bands=("b1", "b2"),
        revision=revision,
    )


async def test_an_engine_that_is_down_is_a_reason_to_wait() -> None:
    async with open_elasticsearch("http://127.0.0.1:9", None) as client:
        with pytest.raises(Retryable):
            await ElasticsearchIndex(client, shards=1, refresh_interval="-1").heads(
                [DocumentKey("default", "guide")]
            )
