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
