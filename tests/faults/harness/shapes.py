"""Handlers of every shape that the bus has, which write what they handle to a recording sink."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from gyre_common.bus import EventBus, Record, current_record
from gyre_common.events.topic import Topic

from tests.bus_contract import MessageSent, message_topic
from tests.faults.harness.checker import Entry
from tests.faults.harness.history import Act, Kind

SHAPES = ("in-order", "by-tenant", "in-batches", "in-turns")
"""One record at a time, in order per key; the same with tenants taking turns; batches; batches of
one tenant each, of which some records need several calls.
"""

STORE = "sink"
STORES = {STORE: (Kind.SUBMIT,)}
_CALLS = 3
_SEVERAL_CALLS = 8


class Recorder(Protocol):
    """Where the handlers of one process write."""

    def writer(self, topic: str) -> str:
        """The process, and which of its rebalances was the last one for this topic."""

    def now(self) -> float:
        """As in `Entry.at`."""

    def work(self, records: int) -> AbstractContextManager[None]:
        """Around a call of a handler: so many records are in flight."""

    async def write(self, entries: Sequence[Entry]) -> None:
        """Returns once they are safe."""


class Failures(Protocol):
    """What goes wrong in a handler."""

    async def before(self, records: Sequence[Record[MessageSent]]) -> None:
        """Takes the time of the work. Raises what a handler may raise, before anything was
        written.
        """

    async def after(self, records: Sequence[Record[MessageSent]]) -> None:
        """Raises once all is written, as when the answer of a store is lost."""


def topics_of(run: str) -> dict[str, Topic[MessageSent]]:
    """The topic of each shape."""
    return {shape: message_topic(f"messages.sent-{shape}-{run}.v1") for shape in SHAPES}


def group_id(shape: str, topic: Topic[Any]) -> str:
    """The consumer group of a shape, as Kafka knows it."""
    return f"{shape}.{topic.name}"


def needs_several_calls(shape: str, number: int) -> bool:
    """Whether others of its tenant may overtake it, so that it has no order among them."""
    return shape == "in-turns" and number % _SEVERAL_CALLS == 0


def a_message(act: Act) -> MessageSent:
    """What is sent for an act; its key begins with the tenant."""
    return MessageSent(listener=f"{act.tenant}/{act.key}", ordinal=int(act.value))


def entry_of(
    record: Record[MessageSent], *, entry_id: str, recorder: Recorder, writer: str
) -> Entry:
    """What a sink holds of it; `writer` is whoever the recorder was when the work began."""
    tenant, _, key = record.event.listener.partition("/")
    return Entry(
        store=STORE,
        kind=Kind.SUBMIT,
        tenant=tenant,
        key=key,
        act=str(record.event_id),
        id=entry_id,
        order=record.raw.offset,
        value=str(record.event.ordinal),
        at=recorder.now(),
        writer=writer,
        topic=record.raw.topic,
        partition=record.raw.partition,
    )


def register(
    bus: EventBus,
    topics: dict[str, Topic[MessageSent]],
    recorder: Recorder,
    failures: Failures,
) -> None:
    """A handler of each shape, for its topic."""

    async def handle(records: Sequence[Record[MessageSent]]) -> None:
        if not records:
            return
        writer = recorder.writer(records[0].raw.topic)
        with recorder.work(len(records)):
            await failures.before(records)
            await recorder.write(
                [
                    entry_of(each, entry_id=str(each.next_id()), recorder=recorder, writer=writer)
                    for each in records
                ]
            )
            await failures.after(records)

    async def on_message(event: MessageSent) -> None:
        record: Record[Any] = current_record()
        await handle([record])

    calls: dict[tuple[int, int], int] = {}

    async def on_messages(records: Sequence[Record[MessageSent]]) -> None:
        await handle(records)

    async def on_messages_in_turns(
        records: Sequence[Record[MessageSent]],
    ) -> Sequence[Record[MessageSent]]:
        """Some need several calls; what is done with is written."""
        unfinished = []
        for record in records:
            if not needs_several_calls("in-turns", record.event.ordinal):
                continue
            place = record.raw.partition, record.raw.offset
            calls[place] = calls.get(place, 0) + 1
            if calls[place] < _CALLS:
                unfinished.append(record)
        await handle([each for each in records if not any(each is other for other in unfinished)])
        return unfinished

    bus.on(topics["in-order"], group="in-order", concurrency=8)(on_message)
    bus.on(topics["by-tenant"], group="by-tenant", concurrency=8, by_tenant=True)(on_message)
    bus.on_batch(topics["in-batches"], group="in-batches", max_records=20, max_wait=0.0)(
        on_messages
    )
    bus.on_batch(
        topics["in-turns"], group="in-turns", max_records=20, max_wait=0.0, by_tenant=True
    )(on_messages_in_turns)
