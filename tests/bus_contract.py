"""What every bus promises: one suite for the real one and the in-memory one."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Protocol
from uuid import UUID

import pytest
from gyre_common.bus import Bus, Delivery, Record, current_record
from gyre_common.bus.dead_letters import Cause
from gyre_common.bus.record import ManyCurrentRecordsError, RawRecord, RecordTooLarge
from gyre_common.errors import Poison, Retryable
from gyre_common.events.event import Event, derived_id, new_id
from gyre_common.events.topic import LARGEST_EVENT, Topic
from gyre_common.telemetry.tracing import current_trace_id
from opentelemetry import trace

from tests.eventually import eventually
from tests.fakes.bus import MemoryBus

QUICK = Delivery(
    retry_first=0.01, retry_longest=0.05, commit_every=0.1, drain_limit=5.0, session=6.0
)


class MessageSent(Event):
    """An event that says something to one listener."""

    listener: str
    ordinal: int = 0
    text: str = ""


def message_topic(name: str, *, compacted: bool = False) -> Topic[MessageSent]:
    """A topic of such events; one listener, one partition."""
    return Topic(
        name,
        MessageSent,
        key=lambda event: event.listener,
        summary="",
        compacted=compacted,
        partitions=4,
    )


Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True)
class Letter:
    """A parked record: as it was, and why."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    cause: Cause


class World(Protocol):
    """A bus that is not open yet, and a view from outside on what it carries."""

    @property
    def bus(self) -> Bus | MemoryBus:
        """The bus under test."""

    @property
    def topic(self) -> Topic[MessageSent]:
        """A topic that nobody else uses."""

    @property
    def compacted(self) -> Topic[MessageSent]:
        """The same, compacted."""

    async def put(
        self,
        topic: Topic[MessageSent],
        key: bytes | None,
        value: bytes | None,
        headers: Headers = (),
    ) -> None:
        """Produce a record as an outsider."""

    async def parked(self) -> list[Letter]:
        """The dead letters of `topic`, in order."""

    async def records(self, topic: Topic[MessageSent]) -> list[RawRecord]:
        """What the bus published on a topic, in order per partition."""


OpenWorld = Callable[[Delivery], AbstractAsyncContextManager[World]]


async def send_messages(world: World, listener: str, *ordinals: int, headers: Headers = ()) -> None:
    """Produce events as an outsider who sends no headers."""
    for ordinal in ordinals:
        event = MessageSent(listener=listener, ordinal=ordinal)
        await world.put(world.topic, listener.encode(), event.to_json(), headers)


class Listener:
    """A handler that notes what it hears, and fails as often as it is told to."""

    def __init__(self) -> None:
        self.deliveries: list[tuple[str, int]] = []
        self.done: list[tuple[str, int]] = []
        self.failures: dict[tuple[str, int], list[Exception]] = defaultdict(list)

    async def on_message_sent(self, event: MessageSent) -> None:
        """Hears one event."""
        place = (event.listener, event.ordinal)
        self.deliveries.append(place)
        if self.failures[place]:
            raise self.failures[place].pop(0)
        self.done.append(place)

    def of(self, listener: str) -> list[int]:
        """The ordinals done for one listener, in order."""
        return [ordinal for name, ordinal in self.done if name == listener]


class BusContract:
    """Inherit it beside a fixture `open_world: OpenWorld`."""

    async def test_every_event_is_handled_in_the_order_of_its_key(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(QUICK) as world:
            listener = Listener()
            world.bus.on(world.topic, group="g")(listener.on_message_sent)
            for ordinal in range(20):
                for name in ("ann", "bob", "cem"):
                    await send_messages(world, name, ordinal)
            async with world.bus:
                await eventually(lambda: len(listener.done) == 60)
            for name in ("ann", "bob", "cem"):
                assert listener.of(name) == list(range(20))

    async def test_keys_go_on_at_once_while_one_key_takes_long(self, open_world: OpenWorld) -> None:
        async with open_world(QUICK) as world:
            done: list[str] = []
            go = asyncio.Event()

            async def on_message_sent(event: MessageSent) -> None:
                if event.listener == "slow":
                    await go.wait()
                done.append(f"{event.listener} {event.ordinal}")

            world.bus.on(world.topic, group="g")(on_message_sent)
            await send_messages(world, "slow", 0, 1)
            for name in "abcdefgh":
                await send_messages(world, name, 0)
            async with world.bus:
                await eventually(lambda: len(done) == 8)
                go.set()
                await eventually(lambda: done[8:] == ["slow 0", "slow 1"])

    async def test_no_more_handlers_run_at_once_than_asked_for(self, open_world: OpenWorld) -> None:
        async with open_world(QUICK) as world:
            running, most, done = 0, 0, 0

            async def on_message_sent(event: MessageSent) -> None:
                nonlocal running, most, done
                running += 1
                most = max(most, running)
                await asyncio.sleep(0.005)
                running -= 1
                done += 1

            world.bus.on(world.topic, group="g", concurrency=3)(on_message_sent)
            for number in range(30):
                await send_messages(world, f"l{number}", 0)
            async with world.bus:
                await eventually(lambda: done == 30)
            assert most == 3

    @pytest.mark.parametrize("in_batches", [False, True])
    async def test_one_tenants_backlog_does_not_keep_anothers_event_waiting(
        self, open_world: OpenWorld, in_batches: bool
    ) -> None:
        """Nor are more values in memory than may be, whatever waits."""
        async with open_world(replace(QUICK, partition_records=3)) as world:
            listener, backlog = Listener(), [f"hog/{number}" for number in range(20)]

            async def on_message_sent(event: MessageSent) -> None:
                await listener.on_message_sent(event)
                await asyncio.sleep(0.005)

            async def on_messages_sent(records: Sequence[Record[MessageSent]]) -> None:
                for record in records:
                    await on_message_sent(record.event)

            if in_batches:
                world.bus.on_batch(
                    world.topic, group="g", max_records=3, max_wait=0.01, by_tenant=True
                )(on_messages_sent)
            else:
                world.bus.on(world.topic, group="g", concurrency=1, by_tenant=True)(on_message_sent)
            for ordinal in range(10):
                for name in backlog:
                    await send_messages(world, name, ordinal)
            await send_messages(world, "lone/0", 0)
            async with world.bus:
                await eventually(lambda: len(listener.done) == 201)
            assert listener.done.index(("lone/0", 0)) < 50
            for name in backlog:
                assert listener.of(name) == list(range(10))
            assert await world.parked() == []

    async def test_what_waits_for_its_turn_and_may_work_later_keeps_its_order(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(replace(QUICK, partition_records=2)) as world:
            listener = Listener()
            listener.failures["acme/a", 3] = [Retryable("not yet")] * 3
            world.bus.on(world.topic, group="g", by_tenant=True)(listener.on_message_sent)
            await send_messages(world, "acme/a", *range(8))
            async with world.bus:
                await eventually(lambda: listener.of("acme/a") == list(range(8)))

    async def test_what_may_work_later_waits_in_place_and_keeps_its_order(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(QUICK) as world:
            listener = Listener()
            listener.failures["ann", 0] = [Retryable("not yet")] * 4
            world.bus.on(world.topic, group="g")(listener.on_message_sent)
            await send_messages(world, "ann", 0, 1, 2)
            async with world.bus:
                await eventually(lambda: listener.of("ann") == [0, 1, 2])
            assert listener.deliveries[:5] == [("ann", 0)] * 5
            assert await world.parked() == []

    async def test_what_is_waited_for_is_shown_until_it_is_back(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(QUICK) as world:
            listener = Listener()
            listener.failures["ann", 0] = [Retryable("the disk is full")] * 10_000
            world.bus.on(world.topic, group="g")(listener.on_message_sent)
            await send_messages(world, "ann", 0, 1)
            async with world.bus:
                shown = f"g on {world.topic.name}: waits, and loses nothing: the disk is full"
                await eventually(lambda: world.bus.troubles() == [shown])
                assert world.bus.healthy()
                listener.failures.clear()
                await eventually(lambda: listener.of("ann") == [0, 1])
                await eventually(lambda: not world.bus.troubles())

    async def test_other_partitions_go_on_while_one_waits(self, open_world: OpenWorld) -> None:
        async with open_world(replace(QUICK, retry_first=30, retry_longest=60)) as world:
            listener = Listener()
            listener.failures["ann", 0] = [Retryable("not yet")] * 100
            world.bus.on(world.topic, group="g")(listener.on_message_sent)
            await send_messages(world, "ann", 0)
            others = [f"l{number}" for number in range(40)]
            for name in others:
                await send_messages(world, name, 0)
            async with world.bus:
                await eventually(lambda: len(listener.done) > 20)
                assert world.bus.healthy()

    async def test_poison_is_parked_byte_for_byte_with_its_cause(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(QUICK) as world:
            listener = Listener()
            listener.failures["ann", 1] = [Poison("never\nwill")]
            world.bus.on(world.topic, group="g")(listener.on_message_sent)
            headers = [("odd", b"\xff\xfe"), ("odd", b"again")]
            await send_messages(world, "ann", 0, 1, 2, headers=headers)
            async with world.bus:
                await eventually(lambda: listener.of("ann") == [0, 2])
            (letter,) = await world.parked()
            assert letter.key == b"ann"
            assert letter.value == MessageSent(listener="ann", ordinal=1).to_json()
            assert [pair for pair in letter.headers if pair[0] == "odd"] == headers
            assert letter.cause.kind == "poison"
            assert letter.cause.error == "Poison"
            assert letter.cause.message == "never will"
            assert letter.cause.topic == world.topic.name
            assert letter.cause.offset == 1
            assert letter.cause.attempts == 1
            assert letter.cause.group == "g"

    async def test_a_bug_gets_a_few_tries_and_is_then_parked(self, open_world: OpenWorld) -> None:
        async with open_world(QUICK) as world:
            listener = Listener()
            listener.failures["ann", 0] = [ZeroDivisionError("oops")] * 9
            listener.failures["ann", 1] = [ZeroDivisionError("oops")] * 2
            world.bus.on(world.topic, group="g")(listener.on_message_sent)
            await send_messages(world, "ann", 0, 1)
            async with world.bus:
                await eventually(lambda: listener.of("ann") == [1])
            assert listener.deliveries == [("ann", 0)] * 3 + [("ann", 1)] * 3
            (letter,) = await world.parked()
            assert (letter.cause.kind, letter.cause.error) == ("bug", "ZeroDivisionError")
            assert letter.cause.attempts == 3

    @pytest.mark.parametrize("batches", [False, True], ids=["one by one", "batches"])
    async def test_no_broken_record_is_lost_and_none_takes_good_ones_along(
        self, open_world: OpenWorld, batches: bool
    ) -> None:
        good = MessageSent(listener="ann").to_json()
        broken: list[tuple[bytes | None, bytes | None, Headers]] = [
            (b"ann", b'{"listener": "\xff"}', ()),
            (b"ann", b"{not json", ()),
            (b"ann", b"", ()),
            (b"ann", b"[]", ()),
            (b"ann", b'{"ordinal": 1}', ()),
            (b"ann", b'{"listener": "ann", "tenant": "No Such\\u0000Tenant"}', ()),
            (b"ann", None, ()),
        ]
        odd_but_good: list[tuple[bytes | None, bytes | None, Headers]] = [
            (b"ann", good, [("not-utf-8", b"\xff\xfe\xfa"), ("ce_id", b"\xff")]),
            (b"ann", good, [("ce_id", b"not a uuid"), ("ce_time", b"yesterday")]),
            (b"ann", good, [("traceparent", b"\xff")]),
            (b"\xff\xfe", good, ()),
            (None, good, ()),
            (b"ann", b'{"listener": "ann", "unknown": {"field": 1}}', ()),
        ]
        async with open_world(QUICK) as world:
            handled: list[UUID] = []

            async def on_message_sent(event: MessageSent) -> None:
                record = current_record()
                handled.append(record.event_id)
                assert record.time
                assert record.headers is not None

            async def on_many_messages(records: Sequence[Record[MessageSent]]) -> None:
                handled.extend(record.event_id for record in records)

            if batches:
                register = world.bus.on_batch(world.topic, group="g", max_records=50, max_wait=0.1)
                register(on_many_messages)
            else:
                world.bus.on(world.topic, group="g")(on_message_sent)
            for good_one, bad_one in zip_longest(odd_but_good, broken):
                for record in (bad_one, good_one):
                    if record is not None:
                        await world.put(world.topic, *record)
            async with world.bus:
                await eventually(lambda: len(handled) == len(odd_but_good))
                await eventually(lambda: _count(world.parked(), len(broken)))
            assert len(set(handled)) == len(odd_but_good)
            letters = await world.parked()
            assert sorted(str(letter.value) for letter in letters) == sorted(
                str(value) for _, value, _ in broken
            )
            assert all(b"\x00" not in letter.cause.message.encode() for letter in letters)

    async def test_a_tombstone_of_a_compacted_topic_says_nothing_to_a_handler(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(QUICK) as world:
            listener = Listener()
            world.bus.on(world.compacted, group="g")(listener.on_message_sent)
            await world.put(world.compacted, b"ann", None)
            await world.put(
                world.compacted, b"ann", MessageSent(listener="ann", ordinal=1).to_json()
            )
            async with world.bus:
                await eventually(lambda: listener.of("ann") == [1])
            assert world.bus.problems() == []

    async def test_events_that_follow_get_the_same_ids_when_a_record_is_tried_again(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(QUICK) as world:
            cause = new_id()
            tries = 0

            async def on_message_sent(event: MessageSent) -> None:
                nonlocal tries
                tries += 1
                await world.bus.publish(world.compacted, MessageSent(listener="b", ordinal=tries))
                await world.bus.publish(world.compacted, MessageSent(listener="b", ordinal=tries))
                if tries < 3:
                    raise Retryable("not yet")

            world.bus.on(world.topic, group="g")(on_message_sent)
            await send_messages(world, "ann", 0, headers=[("ce_id", str(cause).encode())])
            async with world.bus:
                await eventually(lambda: tries == 3)
                await eventually(lambda: _count(world.records(world.compacted), 6))
            records = [_as_record(raw) for raw in await world.records(world.compacted)]
            expected = [
                derived_id(cause, "g/on_message_sent", 0),
                derived_id(cause, "g/on_message_sent", 1),
            ]
            assert [record.event_id for record in records] == expected * 3

    async def test_published_records_are_cloud_events_and_continue_the_trace(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(QUICK) as world:
            traces: list[str | None] = []

            async def on_message_sent(event: MessageSent) -> None:
                traces.append(current_trace_id())
                await world.bus.publish(world.compacted, MessageSent(listener="b"))

            world.bus.on(world.topic, group="g")(on_message_sent)
            trace_id = "0af7651916cd43dd8448eb211c80319c"
            parent = f"00-{trace_id}-b7ad6b7169203331-01".encode()
            await send_messages(world, "ann", 0, headers=[("traceparent", parent)])
            async with world.bus:
                await eventually(lambda: _count(world.records(world.compacted), 1))
            (raw,) = await world.records(world.compacted)
            headers = _as_record(raw).headers
            assert traces == [trace_id]
            assert headers["traceparent"].split("-")[1] == trace_id
            assert headers["ce_specversion"] == "1.0"
            assert headers["ce_type"] == f"gyre.{world.compacted.name}"
            assert headers["ce_source"] == "/gyre/test"
            assert headers["ce_time"].endswith("Z")
            assert headers["content-type"] == "application/json"
            assert raw.key == b"b"
            assert trace.get_current_span() is trace.INVALID_SPAN

    async def test_a_batch_is_split_until_the_culprit_is_alone(self, open_world: OpenWorld) -> None:
        async with open_world(QUICK) as world:
            done: list[int] = []

            async def on_message_sent(records: Sequence[Record[MessageSent]]) -> None:
                ordinals = [record.event.ordinal for record in records]
                if 5 in ordinals:
                    raise Poison("five")
                if 11 in ordinals:
                    raise ZeroDivisionError("eleven")
                done.extend(ordinals)

            world.bus.on_batch(world.topic, group="g", max_records=20, max_wait=0.2)(
                on_message_sent
            )
            await send_messages(world, "ann", *range(20))
            async with world.bus:
                await eventually(lambda: len(done) == 18)
                await eventually(lambda: _count(world.parked(), 2))
            assert done == [n for n in range(20) if n not in (5, 11)]
            letters = await world.parked()
            assert [(letter.cause.kind, letter.cause.offset) for letter in letters] == [
                ("poison", 5),
                ("bug", 11),
            ]
            assert letters[1].cause.attempts == 3

    async def test_a_batch_that_may_work_later_waits_and_keeps_its_order(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(QUICK) as world:
            done: list[tuple[str, int]] = []
            calls = 0

            async def on_message_sent(records: Sequence[Record[MessageSent]]) -> None:
                nonlocal calls
                calls += 1
                if calls < 4:
                    raise Retryable("not yet")
                done.extend((r.event.listener, r.event.ordinal) for r in records)

            world.bus.on_batch(world.topic, group="g", max_records=7, max_wait=0.05)(
                on_message_sent
            )
            for name in ("ann", "bob", "cem", "dea"):
                await send_messages(world, name, *range(10))
            async with world.bus:
                await eventually(lambda: len(done) == 40)
            for name in ("ann", "bob", "cem", "dea"):
                assert [n for who, n in done if who == name] == list(range(10))

    async def test_what_a_batch_leaves_unfinished_comes_again_behind_others(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(QUICK) as world:
            calls: list[list[int]] = []
            left = 3

            async def on_message_sent(
                records: Sequence[Record[MessageSent]],
            ) -> Sequence[Record[MessageSent]]:
                nonlocal left
                calls.append([record.event.ordinal for record in records])
                if 0 in calls[-1] and left:
                    left -= 1
                    return [record for record in records if record.event.ordinal == 0]
                return ()

            world.bus.on_batch(
                world.topic, group="g", max_records=2, max_wait=0.01, by_tenant=True
            )(on_message_sent)
            await send_messages(world, "acme/a", *range(8))
            async with world.bus:
                await eventually(lambda: sum(map(len, calls)) == 11)
            order = [ordinal for call in calls for ordinal in call]
            assert order == [0, 1, 2, 3, 0, 4, 5, 6, 0, 7, 0]
            assert await world.parked() == []

    async def test_a_batch_handler_says_which_record_an_event_follows_from(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(QUICK) as world:
            errors: list[Exception] = []

            async def on_message_sent(records: Sequence[Record[MessageSent]]) -> None:
                try:
                    await world.bus.publish(world.compacted, MessageSent(listener="b"))
                except ManyCurrentRecordsError as error:
                    errors.append(error)
                for record in records:
                    with record.handling():
                        assert current_record() is record
                        await world.bus.publish(world.compacted, MessageSent(listener="b"))

            world.bus.on_batch(world.topic, group="g", max_records=9, max_wait=0.1)(on_message_sent)
            causes = [new_id() for _ in range(3)]
            for cause in causes:
                await send_messages(world, "ann", 0, headers=[("ce_id", str(cause).encode())])
            async with world.bus:
                await eventually(lambda: _count(world.records(world.compacted), 3))
            published = [_as_record(raw) for raw in await world.records(world.compacted)]
            assert errors
            assert [record.event_id for record in published] == [
                derived_id(cause, "g/on_message_sent", 0) for cause in causes
            ]

    async def test_too_many_dead_letters_in_a_row_stop_the_consumer(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(replace(QUICK, parked_streak=3)) as world:
            listener = Listener()
            for ordinal in range(20):
                listener.failures["ann", ordinal] = [Poison("a bad deploy")]
            world.bus.on(world.topic, group="g")(listener.on_message_sent)
            await send_messages(world, "ann", *range(20))
            async with world.bus:
                await eventually(lambda: not world.bus.healthy())
                (problem,) = world.bus.problems()
                assert "3 records in a row" in problem
                assert "a bad deploy" in problem
                assert len(await world.parked()) == 3
                assert len(listener.deliveries) == 4

    async def test_too_large_a_share_of_dead_letters_stops_the_consumer(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(replace(QUICK, parked_window=20, parked_ratio=0.5)) as world:
            listener = Listener()
            for ordinal in range(200):
                if ordinal % 3:
                    listener.failures["ann", ordinal] = [Poison("a bad deploy")]
            world.bus.on(world.topic, group="g")(listener.on_message_sent)
            await send_messages(world, "ann", *range(200))
            async with world.bus:
                await eventually(lambda: not world.bus.healthy())
                assert "of the last 20" in world.bus.problems()[0]
                assert len(await world.parked()) < 20

    @pytest.mark.parametrize("in_batches", [False, True], ids=["one by one", "batches"])
    async def test_bad_records_of_one_tenant_hold_that_tenant_alone(
        self, open_world: OpenWorld, in_batches: bool
    ) -> None:
        async with open_world(replace(QUICK, parked_streak=3)) as world:
            listener = Listener()
            for ordinal in range(20):
                listener.failures["bad/a", ordinal] = [Poison("a bad export")] * 9
            register_by_tenant(world, listener, in_batches=in_batches)
            await send_messages(world, "bad/a", *range(20))
            others = [f"good/{number}" for number in range(20)]
            for name in others:
                await send_messages(world, name, 0)
            async with world.bus:
                (trouble,) = await eventually(world.bus.troubles)
                assert "tenant bad on" in trouble
                assert "while the others go on" in trouble
                assert "3 records in a row" in trouble
                assert "a bad export" in trouble
                for name in others:
                    await send_messages(world, name, 1)
                await eventually(lambda: len(listener.done) == 40)
                assert (world.bus.problems(), world.bus.healthy()) == ([], True)
                await eventually(lambda: _count(world.parked(), 3))
            for name in others:
                assert listener.of(name) == [0, 1]

    async def test_bad_records_of_many_tenants_stop_the_consumer(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(replace(QUICK, parked_streak=6)) as world:
            listener = Listener()
            for number in range(20):
                listener.failures[f"t{number}/a", 0] = [Poison("a bad deploy")]
            register_by_tenant(world, listener)
            for number in range(20):
                await send_messages(world, f"t{number}/a", 0)
            async with world.bus:
                await eventually(lambda: not world.bus.healthy())
                assert "6 records in a row" in world.bus.problems()[0]
                await eventually(lambda: _count(world.parked(), 6))

    async def test_bad_records_of_one_partition_hold_it_alone(self, open_world: OpenWorld) -> None:
        async with open_world(replace(QUICK, parked_streak=3)) as world:
            listener = Listener()
            for ordinal in range(9):
                listener.failures["ann", ordinal] = [Poison("a bad export")]
            world.bus.on(world.topic, group="g")(listener.on_message_sent)
            await send_messages(world, "ann", *range(9))
            async with world.bus:
                (problem,) = await eventually(world.bus.problems)
                assert "is held at offset" in problem
                before = len(listener.done)
                for number in range(40):
                    await send_messages(world, f"l{number}", 0)
                await eventually(lambda: len(listener.done) - before > 15)
                await eventually(lambda: _count(world.parked(), 3))

    async def test_a_handler_that_is_stuck_is_shown_with_its_stack_while_others_go_on(
        self, open_world: OpenWorld, caplog: pytest.LogCaptureFixture
    ) -> None:
        async with open_world(replace(QUICK, handler_limit=60.0, stuck_share=0.002)) as world:
            mended = asyncio.Event()

            async def on_message_sent(event: MessageSent) -> None:
                if event.ordinal == 0:
                    await wait_for_an_engine(mended)

            world.bus.on(world.topic, group="g")(on_message_sent)
            await send_messages(world, "ann", 0)
            async with world.bus:
                (trouble,) = await eventually(world.bus.troubles)
                assert "does not get on at offset 0 for now" in trouble
                assert "more than 0.12 s" in trouble
                assert world.bus.healthy()
                mended.set()
                await eventually(lambda: not world.bus.troubles())
            (record,) = [each for each in caplog.records if each.message == "a handler is stuck"]
            stack: str = vars(record)["stack"]
            assert stack.index("in on_message_sent") < stack.index("in wait_for_an_engine")
            assert "await mended.wait()" in stack

    async def test_a_handler_that_hangs_is_ended_and_shown_and_tried_again(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(replace(QUICK, handler_limit=0.2)) as world:
            mended = asyncio.Event()

            async def on_message_sent(event: MessageSent) -> None:
                await mended.wait()

            world.bus.on(world.topic, group="g")(on_message_sent)
            await send_messages(world, "ann", 0)
            async with world.bus:
                (problem,) = await eventually(world.bus.problems)
                assert "does not get on" in problem
                assert "took longer than 0.2 s at offset 0" in problem
                mended.set()
                await eventually(world.bus.healthy)
            assert await world.parked() == []

    async def test_an_event_larger_than_a_record_may_be_is_refused(
        self, open_world: OpenWorld
    ) -> None:
        async with open_world(QUICK) as world, world.bus:
            with pytest.raises(RecordTooLarge, match="put the large part in the store"):
                await world.bus.publish(
                    world.topic, MessageSent(listener="ann", text="x" * LARGEST_EVENT)
                )


async def wait_for_an_engine(mended: asyncio.Event) -> None:
    """What a stuck handler stands in."""
    await mended.wait()


def register_by_tenant(world: World, listener: Listener, *, in_batches: bool = False) -> None:
    """Tenants take turns at this listener."""

    async def on_messages_sent(records: Sequence[Record[MessageSent]]) -> None:
        for record in records:
            await listener.on_message_sent(record.event)

    if in_batches:
        world.bus.on_batch(world.topic, group="g", max_records=3, max_wait=0.01, by_tenant=True)(
            on_messages_sent
        )
    else:
        world.bus.on(world.topic, group="g", by_tenant=True)(listener.on_message_sent)


def _as_record(raw: RawRecord) -> Record[MessageSent]:
    return Record(MessageSent.model_validate_json(raw.value or b""), raw, "")


async def _count(listing: Awaitable[Sequence[object]], expected: int) -> bool:
    return len(await listing) == expected
