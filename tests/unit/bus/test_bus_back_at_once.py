"""What partitions wait for is back for all of them as soon as one of them sees it."""

import pytest
from gyre_common.bus.scheduler import Scheduler
from gyre_common.errors import Retryable

from tests.bus_contract import MessageSent, message_topic
from tests.eventually import eventually
from tests.fakes.bus import MemoryBus

LONG = 600.0


@pytest.mark.parametrize(("causes", "goes_on"), [(("away", "away"), True), (("a", "b"), False)])
async def test_one_partition_that_goes_on_takes_those_along_that_wait_for_the_same(
    causes: tuple[str, str], goes_on: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses = iter([0.01, LONG])
    monkeypatch.setattr(Scheduler, "_backoff", lambda _scheduler, _failures: next(pauses))
    topic = message_topic("test.back.v1")
    failures, done = list(causes), []
    bus = MemoryBus()

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        if failures:
            raise Retryable(failures.pop(0))
        done.append(event.listener)

    async with bus:
        for listener in ("ann", "bob"):  # each in a partition of its own
            event = MessageSent(listener=listener, ordinal=0)
            bus.put_raw(topic, (listener.encode(), event.to_json(), ()))
        await eventually(lambda: bool(done))
        if goes_on:
            await eventually(lambda: sorted(done) == ["ann", "bob"])
        else:
            assert len(done) == 1
