import asyncio
import logging
from collections.abc import AsyncIterator
from time import monotonic

import pytest
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import LOADING, FailedPrecondition, InvalidInput, Retryable
from gyre_common.events.releases import Canary, ReleaseChanged, Roles
from gyre_common.releases import ReleaseView
from gyre_embedder.encoders import Encoder, Encoders, Side

from tests.builders import a_release, an_artifact
from tests.eventually import eventually
from tests.fakes.embedder import HashEncoder, MemoryModels

DOCUMENT, QUERY = Roles.DOCUMENT_ENCODER, Roles.QUERY_ENCODER
ALL = ("one", "two", "three", "four", "five")


class Room:
    """Encoders with all that they need, in memory. Query encoders of `ALL` names are registered."""

    def __init__(self) -> None:
        self.now = 0.0
        self.models = MemoryModels()
        self.releases = ReleaseView()
        self.encoders = Encoders(self.models, self.releases, most_bytes=100, clock=lambda: self.now)
        self._generation = 0

    def release(self, live: str, *before: str, canary: str = "", shadow: str | None = None) -> None:
        self._generation += 1
        self.releases.apply(
            a_release(
                QUERY,
                live=live,
                history=before,
                canary=Canary(version=canary, share=0.1) if canary else None,
                shadow=shadow,
                artifacts=tuple(an_artifact(each, fits="d") for each in ALL),
                generation=self._generation,
            )
        )

    async def promote(self, live: str, *before: str) -> None:
        self.release(live, *before)
        await self.encoders.hold()

    async def get(self, version: str, *, within: float | None = None) -> Encoder:
        async with self.encoders.use(Side.QUERY, version, within=within) as encoder:
            return encoder

    async def held_versions(self) -> set[str]:
        """The versions that are served without being loaded."""
        before, held_versions = list(self.models.loaded_versions), set()
        self.models.available.clear()
        for version in ALL:
            try:
                await self.get(version, within=0)
                held_versions.add(version)
            except FailedPrecondition:
                pass
        self.models.loaded_versions = before
        return held_versions


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()
    room.releases.apply(a_document_encoder())
    async with room.encoders:
        await room.promote("one")
        room.models.loaded_versions.clear()
        yield room


def a_document_encoder() -> ReleaseChanged:
    return a_release(DOCUMENT, live="d", artifacts=(an_artifact("d", index="chunks-1"),))


async def test_versions_of_one_digest_share_an_encoder() -> None:
    models, releases = MemoryModels(), ReleaseView()
    same = an_artifact("same", digest="sha256:" + "0" * 64)
    for role in (DOCUMENT, QUERY):
        releases.apply(a_release(role, live="same", artifacts=(same,)))
    async with Encoders(models, releases, most_bytes=100) as encoders:
        await encoders.hold()
        async with (
            encoders.use(Side.QUERY, "same") as query,
            encoders.use(Side.DOCUMENT, "same") as document,
        ):
            assert query is document
    assert models.loaded_versions == ["same"]


async def test_a_version_that_is_not_registered_is_refused_by_name(room: Room) -> None:
    with pytest.raises(FailedPrecondition, match="query-encoder has no version nine here"):
        await room.get("nine")


async def test_what_the_releases_name_is_held_and_all_else_let_go(room: Room) -> None:
    room.release("three", "two", "one", canary="four", shadow="five")
    await room.encoders.hold()
    assert await room.held_versions() == {"three", "two", "four", "five"}


async def test_the_new_version_is_loaded_beside_the_one_that_serves(room: Room) -> None:
    serving = await room.get("one")
    room.models.available.clear()
    room.release("two", "one")
    loading = asyncio.create_task(room.encoders.hold())
    await asyncio.sleep(0)
    assert await room.get("one", within=0) is serving
    room.models.available.set()
    await loading
    assert await room.get("two", within=0) is not serving
    assert await room.get("one", within=0) is serving


async def test_a_change_of_the_releases_is_followed(room: Room) -> None:
    following = asyncio.create_task(room.encoders.follow_releases())
    await asyncio.sleep(0)
    room.release("two", "one")
    await eventually(lambda: room.models.loaded_versions == ["two"])
    following.cancel()


async def test_a_rollback_loads_nothing(room: Room) -> None:
    await room.promote("two", "one")
    await room.promote("one", "two")
    assert room.models.loaded_versions == ["two"]


async def test_a_registered_version_is_loaded_when_it_is_asked_for_once_for_all(
    room: Room,
) -> None:
    got = await asyncio.gather(*(room.get("two") for _ in range(5)))
    assert all(each is got[0] for each in got)
    assert room.models.loaded_versions == ["two"]


async def test_one_spare_at_most_is_held(room: Room) -> None:
    for version in ("two", "three", "four"):
        await room.get(version)
    await room.encoders.hold()
    assert await room.held_versions() == {"one", "four"}


async def test_a_spare_one_that_becomes_live_is_not_loaded_again(room: Room) -> None:
    spare = await room.get("two")
    await room.promote("two", "one")
    assert await room.get("two") is spare
    assert room.models.loaded_versions == ["two"]


async def test_who_cannot_wait_is_told_so_and_the_load_goes_on(room: Room) -> None:
    room.models.available.clear()
    with pytest.raises(FailedPrecondition, match="two is being loaded here: ask again") as error:
        await room.get("two", within=0.01)
    assert error.value.code == LOADING
    waiting = asyncio.create_task(room.get("two"))
    await asyncio.sleep(0)
    room.models.available.set()
    await waiting
    assert room.models.loaded_versions == ["two"]


async def test_who_hangs_up_does_not_stop_a_load_that_others_wait_for(room: Room) -> None:
    room.models.available.clear()
    first_request, second_request = (asyncio.create_task(room.get("two")) for _ in range(2))
    await asyncio.sleep(0)
    first_request.cancel()
    room.models.available.set()
    await second_request
    assert room.models.loaded_versions == ["two"]


async def test_a_version_that_cannot_be_loaded_is_refused_with_the_reason_and_spoils_nothing(
    room: Room,
) -> None:
    room.models.broken["two"] = FailedPrecondition("config.json is no JSON")
    await room.promote("two", "one")
    with pytest.raises(FailedPrecondition, match="two cannot be served here: config"):
        await room.get("two")
    await room.get("one", within=0)


async def test_a_version_that_failed_is_told_once_and_tried_again_later(
    room: Room, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    room.models.broken["two"] = FailedPrecondition("no weights")
    for _ in range(3):
        with pytest.raises(FailedPrecondition):
            await room.get("two")
    assert room.models.loaded_versions == ["two"]
    room.now += 60
    with pytest.raises(FailedPrecondition):
        await room.get("two")
    assert len(caplog.records) == 1
    room.now += 60
    room.models.broken.clear()
    await room.get("two")


async def test_a_store_that_is_back_is_noticed_soon(room: Room) -> None:
    room.models.broken["two"] = Retryable("the store is away")
    with pytest.raises(FailedPrecondition, match="the store is away"):
        await room.get("two")
    room.models.broken.clear()
    room.now += 1.5
    await room.get("two")


async def test_vectors_of_another_size_than_the_indexs_are_refused(room: Room) -> None:
    room.models.encoders["two"] = HashEncoder(dimensions=4)
    with pytest.raises(FailedPrecondition, match=r"4 numbers.* index of d holds vectors of 8"):
        await room.get("two")


async def test_files_of_versions_that_are_not_held_are_removed(room: Room) -> None:
    await room.promote("two", "one")
    await room.get("three")
    await room.promote("four", "two", "one")
    digests = {an_artifact(each).digest for each in ("d", "two", "three", "four")}
    assert room.models.needed_digests == digests


@pytest.fixture
async def two_live(room: Room) -> Encoders:
    await room.promote("two", "one")
    return room.encoders


async def test_without_a_version_the_live_one_encodes(two_live: Encoders) -> None:
    assert (await two_live.embed(["tea"], Side.QUERY, ""))[0] == "two"


async def test_the_version_that_travels_with_the_request_is_obeyed(two_live: Encoders) -> None:
    with use_context(RequestContext(versions={QUERY: "one"})):
        assert (await two_live.embed(["tea"], Side.QUERY, ""))[0] == "one"


@pytest.mark.parametrize("travels", [False, True])
async def test_a_version_of_another_tenant_encodes_for_nobody_else(
    room: Room, two_live: Encoders, travels: bool
) -> None:
    own = an_artifact("own", fits="d")
    room.releases.apply(a_release(QUERY, tenant="acme", live="own", artifacts=(own,)))
    await two_live.hold()
    for tenant in ("acme", "zoo"):
        versions: dict[str, str] = {QUERY: "own"} if travels else {}
        with use_context(RequestContext(tenant=tenant, versions=versions)):
            encoding = two_live.embed(["tea"], Side.QUERY, "" if travels else "own")
            if tenant == "acme":
                assert (await encoding)[0] == "own"
            else:
                with pytest.raises(FailedPrecondition, match="has no version own here"):
                    await encoding


async def test_a_request_waits_for_a_load_for_half_of_its_time_at_most(
    room: Room, two_live: Encoders
) -> None:
    room.models.available.clear()
    began = monotonic()
    with (
        use_context(RequestContext(deadline=began + 0.2)),
        pytest.raises(FailedPrecondition, match="is being loaded"),
    ):
        await two_live.embed(["tea"], Side.QUERY, "three")
    assert monotonic() - began < 0.2


@pytest.mark.parametrize("count", [0, 257])
async def test_a_wrong_number_of_texts_names_the_field(two_live: Encoders, count: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        await two_live.embed(["tea"] * count, Side.QUERY, "")
    assert refused.value.field == "texts"
