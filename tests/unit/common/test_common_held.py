"""Models come and go beside those that serve; nobody loses one that they have."""

import asyncio
import random
import threading
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest
from gyre_common.errors import LOADING, FailedPrecondition, Retryable
from gyre_common.events.releases import Artifact
from gyre_common.held import Held, Loadable, NoRoom

from tests.builders import an_artifact
from tests.eventually import eventually

NAMES = ("a", "b", "c", "d", "e")


@dataclass
class Model:
    """Says of itself what was done to it."""

    name: str
    tried: bool = False
    closed: bool = False

    def close(self) -> None:
        assert not self.closed
        self.closed = True


@dataclass
class Source:
    """Implements `ModelSource`; `failing` and `failing_try` map a version to what is raised. Where
    the models are has room for `most_open`.
    """

    size_bytes: int = 10
    most_open: int = 9
    failing: dict[str, Exception] = field(default_factory=dict)
    failing_try: dict[str, Exception] = field(default_factory=dict)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    loading: int = 0
    loaded_models: list[Model] = field(default_factory=list)
    needed_digests: set[str] = field(default_factory=set)

    async def open(self, artifact: Artifact) -> Loadable[Model]:
        async def load() -> Model:
            self.loading += 1
            assert self.loading == 1, "one at a time"
            try:
                await self.gate.wait()
                if artifact.version in self.failing:
                    raise self.failing[artifact.version]
                if len(self.open_ones()) >= self.most_open:
                    raise NoRoom("unload another model")
                self.loaded_models.append(Model(artifact.version))
                return self.loaded_models[-1]
            finally:
                self.loading -= 1

        return Loadable(self.size_bytes, load)

    async def keep_only(self, digests: Collection[str]) -> None:
        self.needed_digests = set(digests)

    async def try_out(self, artifact: Artifact, model: Model) -> None:
        if artifact.version in self.failing_try:
            raise self.failing_try[artifact.version]
        model.tried = True

    def names(self) -> list[str]:
        return [model.name for model in self.loaded_models]

    def open_ones(self) -> set[str]:
        return {model.name for model in self.loaded_models if not model.closed}


@dataclass
class Room:
    source: Source
    pool: Held[Model]
    now: float = 0.0

    async def hold(self, *names: str) -> None:
        await self.pool.hold([an_artifact(name) for name in names])

    async def use(self, name: str, *, within: float | None = None) -> Model:
        """The model, after a request that took no time."""
        async with self.pool.use(an_artifact(name), within=within) as model:
            assert model.tried
            assert not model.closed
            self.now += 0.001
            return model


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    """Room for three models of ten bytes; `a` is held."""
    source = Source()
    source.gate.set()
    rooms: list[Room] = []
    clock: Callable[[], float] = lambda: rooms[0].now if rooms else 0.0  # noqa: E731
    async with Held(source, source.try_out, most_bytes=35, clock=clock) as pool:
        rooms.append(Room(source, pool))
        await rooms[0].hold("a")
        yield rooms[0]


async def test_a_model_is_loaded_beside_the_one_that_serves(room: Room) -> None:
    room.source.gate.clear()
    swapping = asyncio.create_task(room.hold("b", "a"))
    await eventually(lambda: room.source.loading == 1)
    assert (await room.use("a", within=0.1)).name == "a"
    room.source.gate.set()
    await swapping
    assert (await room.use("b", within=0.1)).name == "b"


async def test_many_who_ask_at_once_share_one_load(room: Room) -> None:
    models = await asyncio.gather(*(room.use("b") for _ in range(20)))
    assert all(each is models[0] for each in models)
    assert room.source.names() == ["a", "b"]


async def test_who_cannot_wait_is_refused_with_a_code_and_the_load_goes_on(room: Room) -> None:
    room.source.gate.clear()
    with pytest.raises(FailedPrecondition, match="b is being loaded here") as excinfo:
        await room.use("b", within=0.01)
    assert excinfo.value.code == LOADING
    room.source.gate.set()
    await room.use("b")
    assert room.source.names() == ["a", "b"]


async def test_who_is_cancelled_does_not_stop_a_load_that_others_wait_for(room: Room) -> None:
    room.source.gate.clear()
    hasty, patient = (asyncio.create_task(room.use("b")) for _ in range(2))
    await eventually(lambda: room.source.loading == 1)
    hasty.cancel()
    room.source.gate.set()
    assert (await patient).name == "b"


async def test_a_request_under_way_ends_on_the_model_that_it_began_with(room: Room) -> None:
    async with room.pool.use(an_artifact("a")) as old:
        await room.hold("b")
        assert not old.closed
        assert (await room.use("b")).name == "b"
        assert not old.closed
    await eventually(lambda: old.closed)
    assert room.source.open_ones() == {"b"}


async def test_a_model_is_closed_only_when_the_last_of_its_requests_has_left(room: Room) -> None:
    async with AsyncExitStack() as last:
        old = await last.enter_async_context(room.pool.use(an_artifact("a")))
        async with room.pool.use(an_artifact("a")):
            await room.hold("b")
        await room.use("b")
        assert not old.closed
    await eventually(lambda: old.closed)


async def test_a_model_that_nobody_uses_is_closed_at_the_swap(room: Room) -> None:
    await room.hold("b")
    assert room.source.open_ones() == {"b"}


async def test_what_is_full_elsewhere_gets_room_by_what_nobody_needs(room: Room) -> None:
    await room.use("b")
    room.source.most_open = 2
    await room.hold("a", "c")
    assert room.source.open_ones() == {"a", "c"}


async def test_what_is_full_elsewhere_keeps_what_is_named(room: Room) -> None:
    room.source.most_open = 1
    with pytest.raises(FailedPrecondition, match="b cannot be served here: unload another model"):
        await room.use("b")
    assert room.source.open_ones() == {"a"}


@pytest.mark.parametrize(
    "error", [FailedPrecondition("no graph"), ValueError("no graph"), Retryable("no graph")]
)
async def test_a_model_that_does_not_load_is_refused_with_the_reason_and_live_stays(
    room: Room, error: Exception
) -> None:
    room.source.failing["b"] = error
    await room.hold("b", "a")
    with pytest.raises(FailedPrecondition, match="b cannot be served here: no graph"):
        await room.use("b")
    await room.use("a", within=0)


async def test_a_model_that_loads_for_too_long_says_what_may_help(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gyre_common.held._LONGEST_LOAD", 0.01)
    room.source.gate.clear()
    with pytest.raises(FailedPrecondition, match=r"not loaded within .* less runs here"):
        await room.use("b")


async def test_a_model_that_fails_its_try_never_serves_and_is_closed(room: Room) -> None:
    room.source.failing_try["b"] = ArithmeticError("NaN")
    await room.hold("b", "a")
    with pytest.raises(FailedPrecondition, match="b cannot be served here: NaN"):
        await room.use("b")
    assert room.source.open_ones() == {"a"}


@pytest.mark.parametrize(("error", "pause"), [(ValueError("damaged"), 30), (Retryable("away"), 1)])
async def test_what_was_refused_is_tried_again_after_a_while(
    room: Room, error: Exception, pause: float
) -> None:
    room.source.failing["b"] = error
    with pytest.raises(FailedPrecondition):
        await room.use("b")
    room.source.failing.clear()
    room.now += 0.9 * pause
    with pytest.raises(FailedPrecondition):
        await room.use("b")
    room.now += 0.2 * pause
    await room.use("b")


async def test_beside_what_is_named_one_spare_is_held(room: Room) -> None:
    for name in ("b", "c"):
        await room.use(name)
    assert room.source.open_ones() == {"a", "c"}
    assert room.source.needed_digests == {an_artifact("a").digest, an_artifact("c").digest}


async def test_a_spare_that_is_named_is_not_loaded_again(room: Room) -> None:
    spare = await room.use("b")
    await room.hold("b", "a")
    assert await room.use("b") is spare


async def test_two_spares_that_are_loaded_at_once_both_serve(room: Room) -> None:
    first, second = await asyncio.gather(room.use("b"), room.use("c"))
    assert (first.name, second.name) == ("b", "c")
    assert room.source.names().count("b") == 1


async def test_a_spare_makes_room_for_what_is_named(room: Room) -> None:
    await room.hold("a", "b")
    await room.use("c")
    await room.hold("a", "b", "d")
    assert room.source.open_ones() == {"a", "b", "d"}


async def test_of_what_may_go_the_least_recently_used_goes_first(room: Room) -> None:
    """What a swap no longer names stays until what comes is loaded, unless its room is needed."""
    await room.hold("a", "b", "c")
    for name in ("b", "c", "a"):
        await room.use(name)
    room.source.gate.clear()
    swapping = asyncio.create_task(room.hold("d"))
    await eventually(lambda: room.source.loading == 1)
    assert room.source.open_ones() == {"a", "c"}
    room.source.gate.set()
    await swapping


async def test_what_finds_no_room_is_refused_and_what_is_named_stays(room: Room) -> None:
    room.source.size_bytes = 10
    await room.hold("a", "b", "c")
    with pytest.raises(FailedPrecondition, match="there is no room for it: d takes"):
        await room.use("d")
    await room.hold("a", "b", "c", "d")
    assert room.source.open_ones() == {"a", "b", "c"}


async def test_a_model_that_requests_still_have_takes_room_until_they_leave(room: Room) -> None:
    await room.hold("a", "b", "c")
    async with room.pool.use(an_artifact("a")) as old:
        await room.hold("b", "c")
        with pytest.raises(FailedPrecondition, match="there is no room"):
            await room.use("d")
    await eventually(lambda: old.closed)
    room.now += 2
    await room.use("d")


async def test_what_is_being_closed_is_waited_for(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await room.hold("a", "b", "c")
    may_close = threading.Event()
    async with room.pool.use(an_artifact("a")) as old:
        await room.hold("b", "c")
        monkeypatch.setattr(old, "close", may_close.wait)
    loading = asyncio.create_task(room.use("d"))
    await asyncio.sleep(0.05)
    may_close.set()
    assert (await loading).name == "d"


async def test_at_the_end_all_are_closed() -> None:
    source = Source()
    source.gate.set()
    async with Held(source, source.try_out, most_bytes=100) as pool:
        await pool.hold([an_artifact("a"), an_artifact("b")])
    assert not source.open_ones()


async def test_nobody_ever_has_a_closed_model_however_things_cross(room: Room) -> None:
    dice = random.Random(11)

    async def ask() -> None:
        for _ in range(30):
            name = dice.choice(NAMES)
            try:
                async with room.pool.use(an_artifact(name)) as model:
                    for _ in range(dice.randrange(4)):
                        await asyncio.sleep(0)
                        assert not model.closed
                    assert model.name == name
            except FailedPrecondition as error:
                assert "no room" in str(error)  # noqa: PT017
            room.now += 1

    async def swap() -> None:
        for _ in range(30):
            await room.hold(*dice.sample(NAMES, dice.randint(1, 2)))
            assert sum(not model.closed for model in room.source.loaded_models) <= 3

    await asyncio.gather(swap(), *(ask() for _ in range(6)))
    await room.hold("a")
    assert (await room.use("a")).name == "a"
    await eventually(lambda: len(room.source.open_ones()) <= 2)  # and the last spare
