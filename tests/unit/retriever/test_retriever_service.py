from random import Random
from uuid import UUID

import pytest
from gyre_common.chunk_index import IndexedChunk
from gyre_common.context import RequestContext
from gyre_common.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    GyreError,
    InvalidInput,
    Unavailable,
)
from gyre_common.events.releases import Canary, Roles
from gyre_common.releases import ReleaseView
from gyre_common.releases.builtin import RETRIEVAL_SETTINGS
from gyre_retriever.query import Filters, Query
from gyre_retriever.service import Retrieved, Retriever

from tests.builders import a_release, an_artifact
from tests.fakes.chunk_index import StoredChunk
from tests.fakes.retriever import FixedEncoder, MemorySearch


class Room:
    """A retriever with all that it needs, in memory."""

    def __init__(self) -> None:
        self.index = MemorySearch()
        self.encoder = FixedEncoder()
        self.releases = ReleaseView()
        recipe = an_artifact("hybrid-1", settings=dict(RETRIEVAL_SETTINGS))
        documents = tuple(an_artifact(f"d-{each}", index=f"chunks-{each}") for each in (1, 2))
        queries = tuple(an_artifact(f"q-{each}", fits=f"d-{each}") for each in (1, 2))
        for role, live, artifacts in (
            (Roles.RETRIEVAL, "hybrid-1", (recipe,)),
            (Roles.DOCUMENT_ENCODER, "d-1", documents),
            (Roles.QUERY_ENCODER, "q-1", queries),
        ):
            self.releases.apply(a_release(role, live=live, artifacts=artifacts))
        self.retriever = Retriever(self.index, self.encoder, self.releases, Random(7))

    def put(self, number: int, text: str, index: str = "chunks-1", **fields: object) -> None:
        chunk = IndexedChunk.model_validate(
            {
                "tenant": "default",
                "document_id": f"document-{number}",
                "chunk_id": UUID(int=number),
                "revision": 1,
                "ordinal": 0,
                "text": text,
                "start": 0,
                "end": len(text),
                **fields,
            }
        )
        self.index.chunks.by_index[index][chunk.chunk_id] = StoredChunk(chunk, (1.0, 0.0))

    async def ask(
        self,
        text: str = "tea",
        context: RequestContext | None = None,
        *,
        limit: int = 0,
        filters: Filters | None = None,
        explore: bool = False,
        all_hits: bool = False,
    ) -> Retrieved:
        query = Query(text, limit, filters or Filters(), explore, all_hits)
        return await self.retriever.retrieve(query, context or RequestContext())


@pytest.fixture
def room() -> Room:
    return Room()


def texts(retrieved: Retrieved) -> list[str]:
    return [ranked.chunk.text for ranked in retrieved.chunks]


async def test_both_legs_are_asked_and_told_apart_in_the_scores(room: Room) -> None:
    room.put(1, "Green tea.")
    retrieved = await room.ask()
    assert texts(retrieved) == ["Green tea."]
    assert retrieved.chunks[0].scores.keys() == {"bm25", "dense", "fused"}
    assert retrieved.latency_ms.keys() == {"encode", "search", "fuse", "total"}
    assert retrieved.versions == {
        "query-encoder": "q-1",
        "document-encoder": "d-1",
        "retrieval": "hybrid-1",
    }
    assert retrieved.fallbacks == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        (Query(""), "query"),
        (Query(" \n"), "query"),
        (Query("x" * 4097), "query"),
        (Query("tea", -1), "limit"),
        (Query("tea", 101), "limit"),
        (Query("tea", 5, all_hits=True), "limit"),
        (Query("tea", 1, Filters(document_ids=("d",) * 1001)), "filters.document_ids"),
        (Query("tea", 1, Filters(document_ids=("d" * 33_000,))), "filters.document_ids"),
        (Query("tea", 1, Filters(media_types=("m" * 33_000,))), "filters.media_types"),
        (Query("tea", 1, Filters(metadata={"k" * 33_000: "v"})), "filters.metadata"),
        (Query("tea", 1, Filters(metadata={"k": "v" * 33_000})), "filters.metadata"),
        (Query("tea", 1, Filters(languages=("l" * 33_000,))), "filters.languages"),
        (Query("tea", 1, Filters(languages=("de-AT",))), "filters.languages"),
        (Query("tea", 1, Filters(languages=("German",))), "filters.languages"),
    ],
)
async def test_a_query_that_breaks_the_contract_names_the_field(
    room: Room, query: Query, field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await room.retriever.retrieve(query, RequestContext())
    assert refused.value.field == field
    assert room.index.searches == []


async def test_ten_passages_come_unless_asked_otherwise(room: Room) -> None:
    for number in range(20):
        room.put(number, f"tea {number}")
    assert len((await room.ask()).chunks) == 10
    assert len((await room.ask(limit=3)).chunks) == 3
    assert len((await room.ask(limit=100)).chunks) == 20


async def test_all_hits_are_those_of_both_legs_searched_as_deep_as_for_a_reader(room: Room) -> None:
    for number in range(60):
        room.put(number, f"coffee {number}")  # the semantic leg's: of equals the first are taken
    for number in range(60, 120):
        room.put(number, f"tea {number}")

    best, whole = await room.ask(limit=10), await room.ask(all_hits=True)

    depth = int(RETRIEVAL_SETTINGS["candidates"])
    assert [search.candidates for search in room.index.searches] == [depth, depth]
    assert whole.legs == best.legs
    assert len(whole.chunks) == 2 * depth
    assert whole.chunks[:10] == best.chunks


@pytest.mark.parametrize("error", [Unavailable("embedder is down"), DeadlineExceeded("too slow")])
async def test_without_the_encoder_words_are_searched_and_the_reply_says_so(
    room: Room, error: GyreError
) -> None:
    room.put(1, "Green tea.")
    room.encoder.error = error
    retrieved = await room.ask()
    assert texts(retrieved) == ["Green tea."]
    assert retrieved.chunks[0].scores.keys() == {"bm25", "fused"}
    assert retrieved.fallbacks == [f"searched without dense: {error}"]


async def test_a_leg_that_fails_alone_is_named(room: Room) -> None:
    room.put(1, "Green tea.")
    room.index.broken = {"dense": "Elasticsearch is busy"}
    retrieved = await room.ask()
    assert texts(retrieved) == ["Green tea."]
    assert retrieved.fallbacks == ["searched without dense: Elasticsearch is busy"]


async def test_an_index_that_is_down_makes_retrieval_unavailable(room: Room) -> None:
    room.index.down = True
    with pytest.raises(Unavailable):
        await room.ask()


async def test_tenant_and_groups_come_from_the_request(room: Room) -> None:
    room.put(1, "acme tea", tenant="acme")
    room.put(2, "staff tea", acl=("staff",))
    room.put(3, "public tea")
    assert texts(await room.ask()) == ["public tea"]
    assert texts(await room.ask(context=RequestContext(tenant="acme"))) == ["acme tea"]
    staff = RequestContext(acl=("staff",))
    assert sorted(texts(await room.ask(context=staff))) == ["public tea", "staff tea"]


async def test_documents_by_name_are_looked_up_within_what_the_caller_may_read(room: Room) -> None:
    room.put(1, "staff tea", acl=("staff",))
    room.put(2, "public tea")
    room.put(3, "acme tea", tenant="acme")
    names = ["document-1", "document-2", "document-3"]

    readable = await room.retriever.readable_documents(names, Filters(), RequestContext())
    assert readable == {"document-2": ()}
    staff = RequestContext(acl=("staff",))
    readable = await room.retriever.readable_documents(names, Filters(), staff)
    assert readable == {"document-1": ("staff",), "document-2": ()}


@pytest.mark.parametrize("count", [0, 1001])
async def test_documents_by_name_are_bounded(room: Room, count: int) -> None:
    names = [str(number) for number in range(count)]
    with pytest.raises(InvalidInput, match="send 1 to 1000"):
        await room.retriever.readable_documents(names, Filters(), RequestContext())


async def test_a_name_that_no_document_has_is_refused(room: Room) -> None:
    with pytest.raises(InvalidInput, match="document_ids holds a value of 33000 characters"):
        await room.retriever.readable_documents(["d" * 33_000], Filters(), RequestContext())


async def test_filters_narrow_the_search(room: Room) -> None:
    room.put(1, "one tea", metadata={"lang": "en"})
    room.put(2, "two tea", metadata={"lang": "de"})
    only = Filters(metadata={"lang": "de"})
    assert texts(await room.ask(filters=only)) == ["two tea"]


async def test_versions_of_the_request_are_obeyed_and_the_query_encoder_picks_its_index(
    room: Room,
) -> None:
    room.put(1, "old tea")
    room.put(2, "new tea", index="chunks-2")
    context = RequestContext(versions={Roles.QUERY_ENCODER: "q-2"})
    retrieved = await room.ask(context=context)
    assert texts(retrieved) == ["new tea"]
    assert retrieved.versions["document-encoder"] == "d-2"


async def test_a_document_encoder_of_the_request_takes_a_query_encoder_that_fits(
    room: Room,
) -> None:
    context = RequestContext(versions={Roles.DOCUMENT_ENCODER: "d-2"})
    assert (await room.ask(context=context)).versions["query-encoder"] == "q-2"


async def test_encoders_of_the_request_that_do_not_fit_are_refused(room: Room) -> None:
    both = {"document-encoder": "d-1", "query-encoder": "q-2"}
    with pytest.raises(FailedPrecondition, match="q-2 fits document-encoder d-2, not d-1"):
        await room.ask(context=RequestContext(versions=both))


async def test_a_version_that_is_not_here_is_refused(room: Room) -> None:
    with pytest.raises(FailedPrecondition, match="q-9"):
        await room.ask(context=RequestContext(versions={Roles.QUERY_ENCODER: "q-9"}))


async def test_a_version_that_was_asked_for_and_cannot_be_served_is_refused(room: Room) -> None:
    room.encoder.refused = {"q-1"}
    with pytest.raises(FailedPrecondition, match="q-1 is broken"):
        await room.ask(context=RequestContext(versions={Roles.QUERY_ENCODER: "q-1"}))
    assert room.encoder.requested_versions == ["q-1"]


def promote(
    room: Room, live: str, *before: str, canary: Canary | None = None, generation: int = 2
) -> None:
    """A query encoder becomes live, with the retrieval version that was fitted to it, if any."""
    queries = (
        *(an_artifact(f"q-{each}", fits=f"d-{each}") for each in (1, 2)),
        an_artifact("q-1b", fits="d-1"),
    )
    room.releases.apply(
        a_release(
            Roles.QUERY_ENCODER,
            live=live,
            history=before,
            artifacts=queries,
            canary=canary,
            generation=generation,
        )
    )
    general = dict(RETRIEVAL_SETTINGS)
    recipes = (
        an_artifact("hybrid-1", settings=general),
        an_artifact("hybrid-1b", settings={**general, "bm25_weight": "0.2"}, fits="q-1b"),
    )
    fitted = "hybrid-1b" if live == "q-1b" else "hybrid-1"
    room.releases.apply(
        a_release(Roles.RETRIEVAL, live=fitted, artifacts=recipes, generation=generation)
    )


async def test_a_live_version_that_cannot_be_served_gives_way_to_the_one_before(room: Room) -> None:
    room.put(1, "Green tea.")
    promote(room, "q-1b", "q-1")
    assert (await room.ask()).versions["retrieval"] == "hybrid-1b"
    room.encoder.refused = {"q-1b"}
    retrieved = await room.ask()
    assert retrieved.chunks[0].scores.keys() == {"bm25", "dense", "fused"}
    assert retrieved.versions == {
        "query-encoder": "q-1",
        "document-encoder": "d-1",
        "retrieval": "hybrid-1",
    }
    assert retrieved.fallbacks == ["query-encoder q-1b not used: q-1b is broken"]


async def test_a_canary_that_cannot_be_served_gives_way_to_live(room: Room) -> None:
    promote(room, "q-1", canary=Canary(version="q-1b", share=1))
    room.encoder.refused = {"q-1b"}
    retrieved = await room.ask()
    assert retrieved.versions["query-encoder"] == "q-1"
    assert retrieved.versions["retrieval"] == "hybrid-1"


async def test_the_version_before_is_not_used_when_it_would_search_an_older_index(
    room: Room,
) -> None:
    room.put(1, "gone tea", index="chunks-2")
    room.put(2, "green tea")
    promote(room, "q-1", "q-2")
    room.encoder.refused = {"q-1"}
    retrieved = await room.ask()
    assert texts(retrieved) == ["green tea"]
    assert retrieved.chunks[0].scores.keys() == {"bm25", "fused"}
    assert room.encoder.requested_versions == ["q-1"]


async def test_no_query_encoder_at_all_leaves_words_and_the_reply_says_so(room: Room) -> None:
    room.put(1, "Green tea.")
    promote(room, "q-1b", "q-1")
    room.encoder.refused = {"q-1b", "q-1"}
    retrieved = await room.ask()
    assert texts(retrieved) == ["Green tea."]
    assert retrieved.versions["query-encoder"] == "q-1b"
    assert retrieved.fallbacks == [
        "query-encoder q-1b not used: q-1b is broken",
        "query-encoder q-1 not used: q-1 is broken",
        "searched without dense: no version of the query encoder can be served",
    ]


async def test_a_query_encoder_that_was_asked_for_brings_the_weights_fitted_to_it(
    room: Room,
) -> None:
    promote(room, "q-1")
    retrieved = await room.ask(context=RequestContext(versions={Roles.QUERY_ENCODER: "q-1b"}))
    assert retrieved.versions["retrieval"] == "hybrid-1b"
    both = {"query-encoder": "q-1b", "retrieval": "hybrid-1"}
    assert (await room.ask(context=RequestContext(versions=both))).versions == {
        **both,
        "document-encoder": "d-1",
    }


async def test_passages_are_explored_only_when_the_caller_allows_it(room: Room) -> None:
    for number in range(20):
        room.put(number, f"tea {number}")
    settings = {**RETRIEVAL_SETTINGS, "exploration": "0.5"}
    curious = an_artifact("curious-1", settings=settings)
    room.releases.apply(a_release(live="curious-1", generation=2, artifacts=(curious,)))
    allowed = [await room.ask(explore=True) for _ in range(5)]
    plain = [await room.ask() for _ in range(5)]
    assert all(any(each.explored for each in retrieved.chunks) for retrieved in allowed)
    for retrieved in plain:
        assert texts(retrieved) == texts(plain[0])
        assert not any(each.explored or each.propensity < 1 for each in retrieved.chunks)
