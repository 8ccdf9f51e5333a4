"""What a drain finishes, and what it leaves to whoever reads next."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from gyre_common.bus import Record

from tests.bus_contract import QUICK, MessageSent, message_topic
from tests.fakes.bus import MemoryBus


@pytest.mark.parametrize("by_tenant", [False, True])
async def test_a_drain_handles_nothing_behind_a_record_of_its_key_that_failed(
    by_tenant: bool,
) -> None:
    topic, handled, failed = message_topic("messages.sent.v1"), list[int](), asyncio.Event()
    bus = MemoryBus(delivery=replace(QUICK, retry_first=60.0, retry_longest=60.0))

    @bus.on_batch(topic, group="g", max_records=2, max_wait=0, by_tenant=by_tenant)
    async def on_messages_sent(records: Sequence[Record[MessageSent]]) -> None:
        ordinals = [record.event.ordinal for record in records]
        if 0 in ordinals:
            if len(ordinals) == 1:
                failed.set()
            raise RuntimeError("a glitch")
        handled.extend(ordinals)

    async with bus:
        events = [MessageSent(listener="acme/a", ordinal=ordinal) for ordinal in range(2)]
        bus.put_raw(topic, *((b"acme/a", event.to_json(), ()) for event in events))
        await failed.wait()
    assert handled == []


async def test_a_drain_leaves_no_handler_running() -> None:
    """Also none of a record that came while it waited."""
    topic, done = message_topic("messages.sent.v1"), list[int]()
    running, finish = asyncio.Event(), [asyncio.Event(), asyncio.Event()]
    bus = MemoryBus(delivery=replace(QUICK, drain_limit=1.0))

    @bus.on(topic, group="g")
    async def on_message_sent(event: MessageSent) -> None:
        running.set()
        await finish[event.ordinal].wait()
        done.append(event.ordinal)

    def put(ordinal: int) -> None:
        event = MessageSent(listener=f"l{ordinal}", ordinal=ordinal)
        bus.put_raw(topic, (event.listener.encode(), event.to_json(), ()))

    async with bus:
        put(0)
        await running.wait()
        draining = asyncio.create_task(bus.__aexit__(None, None, None))
        await asyncio.sleep(0)
        put(1)
        finish[0].set()
        await draining
        finish[1].set()
        await asyncio.sleep(0.01)
    assert done == [0]
