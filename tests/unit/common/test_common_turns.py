"""Callers take turns; who has too much is refused, and who has gone is not worked for."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable

import pytest
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import TooManyCalls
from gyre_common.telemetry import METRICS
from gyre_common.turns import Steps, Turns, finished

from tests.eventually import eventually


def calls_in_turns() -> float:
    labels = {"work": "test"}
    return METRICS.registry.get_sample_value("gyre_calls_in_turns", labels) or 0


class Work:
    """Notes the order in which pieces are worked on; the first waits until it is let go."""

    def __init__(self) -> None:
        self.order: list[str] = []
        self.go = threading.Event()

    def piece(self, name: str) -> Callable[[], None]:
        def work() -> None:
            self.order.append(name)
            assert self.go.wait(60)

        return work

    async def call(self, turns: Turns, name: str, *, tenant: str, pieces: int) -> None:
        with use_context(RequestContext(tenant=tenant)):
            async with turns.call(1) as call:
                for _ in range(pieces):
                    await call.do(self.piece(name))


@pytest.fixture
async def work() -> AsyncIterator[Work]:
    work = Work()
    yield work
    work.go.set()


async def test_a_short_call_waits_for_a_piece_of_each_other_caller(work: Work) -> None:
    turns = Turns("test")
    async with asyncio.TaskGroup() as group:
        for name in ("a1", "a2", "a3"):
            group.create_task(work.call(turns, name, tenant="a", pieces=5))
        await eventually(lambda: work.order == ["a1"])
        short = group.create_task(work.call(turns, "b", tenant="b", pieces=1))
        await asyncio.sleep(0)
        work.go.set()
        await short
    assert work.order.index("b") <= 2
    assert not calls_in_turns()


async def test_calls_of_one_caller_take_turns_too(work: Work) -> None:
    turns = Turns("test")
    async with asyncio.TaskGroup() as group:
        group.create_task(work.call(turns, "long", tenant="a", pieces=9))
        await eventually(lambda: work.order == ["long"])
        group.create_task(work.call(turns, "short", tenant="a", pieces=1))
        await asyncio.sleep(0)
        work.go.set()
    assert work.order.index("short") <= 2


async def test_a_caller_with_too_much_is_refused_and_no_other(work: Work) -> None:
    turns = Turns("test", most_calls=2)
    async with asyncio.TaskGroup() as group:
        for name in ("a1", "a2"):
            group.create_task(work.call(turns, name, tenant="a", pieces=1))
        await eventually(lambda: work.order == ["a1"])
        with pytest.raises(TooManyCalls, match="2 calls of this caller"):
            await work.call(turns, "a3", tenant="a", pieces=1)
        group.create_task(work.call(turns, "b", tenant="b", pieces=1))
        await asyncio.sleep(0)
        work.go.set()
    assert work.order == ["a1", "a2", "b"]


async def test_the_size_of_what_waits_is_bounded_but_one_call_always_has_room() -> None:
    turns = Turns("test", most_characters=10)
    with use_context(RequestContext(tenant="a")):
        async with turns.call(1_000) as first:
            with pytest.raises(TooManyCalls, match="1,000 characters"):
                async with turns.call(1):
                    pass
            assert await first.do(lambda: 1) == 1


async def test_work_that_no_call_asked_for_is_never_refused() -> None:
    turns = Turns("test", most_calls=1)
    async with turns.call(1), turns.call(1) as second:
        assert await second.do(lambda: 2) == 2


async def test_who_leaves_while_waiting_is_not_worked_for(work: Work) -> None:
    turns = Turns("test")
    first = asyncio.create_task(work.call(turns, "first", tenant="a", pieces=1))
    await eventually(lambda: work.order == ["first"])
    gone = asyncio.create_task(work.call(turns, "gone", tenant="b", pieces=1))
    await asyncio.sleep(0)
    gone.cancel()
    last = asyncio.create_task(work.call(turns, "last", tenant="b", pieces=1))
    await asyncio.sleep(0)
    work.go.set()
    await asyncio.gather(first, last)
    assert work.order == ["first", "last"]
    assert not calls_in_turns()


async def test_a_piece_that_has_begun_holds_its_place_when_its_caller_has_gone(work: Work) -> None:
    turns = Turns("test")
    gone = asyncio.create_task(work.call(turns, "gone", tenant="a", pieces=2))
    await eventually(lambda: work.order == ["gone"])
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    after = asyncio.create_task(work.call(turns, "next", tenant="b", pieces=1))
    await asyncio.sleep(0.01)
    assert work.order == ["gone"]
    work.go.set()
    await after
    assert work.order == ["gone", "next"]


async def test_a_turn_that_came_while_its_caller_left_is_passed_on(work: Work) -> None:
    turns = Turns("test")
    work.go.set()
    tasks = [
        asyncio.create_task(work.call(turns, str(number), tenant=str(number % 3), pieces=3))
        for number in range(30)
    ]
    for number, task in enumerate(tasks):
        if number % 2:
            await asyncio.sleep(0)
            task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await work.call(turns, "last", tenant="z", pieces=1)
    assert work.order[-1] == "last"
    assert not calls_in_turns()


async def test_steps_are_gone_through_to_their_result() -> None:
    def steps() -> Steps[int]:
        for _ in range(1_000):
            yield
        return 7

    turns = Turns("test")
    async with turns.call(1) as call:
        assert await call.go_through(steps()) == 7
    assert finished(steps()) == 7


async def test_what_goes_wrong_in_a_piece_is_raised_and_the_place_is_free() -> None:
    turns = Turns("test")
    async with turns.call(1) as call:
        with pytest.raises(ZeroDivisionError):
            await call.do(lambda: 1 // 0)
        assert await call.do(lambda: 1) == 1
