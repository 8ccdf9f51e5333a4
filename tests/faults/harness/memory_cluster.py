"""A Kafka in memory that loses members: several buses, each the real delivery layer, share groups.

What is real is everything of ours between aiokafka and the handlers, `KafkaSubscription` among it.
Logs, groups and members are made here, so that a member dies, hangs or rebalances at any point of
its work, and a run takes a second. Time is a counter: two events never have the same one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from types import SimpleNamespace
from typing import Any
from uuid import UUID

from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError
from gyre_common.bus.dead_letters import cause_of
from gyre_common.bus.delivery import Delivery
from gyre_common.bus.port import EventBus
from gyre_common.bus.record import RawRecord
from gyre_common.bus.scheduler import Handling
from gyre_common.bus.subscription import KafkaSubscription
from gyre_common.events.event import Event
from gyre_common.events.topic import Topic

from tests.fakes.bus import Parked, StoredRecord
from tests.faults.harness.checker import Commit

FETCH_RECORDS = 10
_IDLE = 0.001


class MemoryCluster:
    """Logs, committed offsets and members, by group."""

    def __init__(self) -> None:
        self.logs: dict[TopicPartition, list[StoredRecord]] = defaultdict(list)
        self.committed: dict[tuple[str, TopicPartition], int] = {}
        self.commits: list[Commit] = []
        self.parked: list[Parked] = []
        self.given_up: dict[str, float] = {}
        self.members: list[Member] = []
        self.generation = 0
        self.replays = 0
        self._clock = count(1)

    def now(self) -> float:
        """Later than every time before."""
        return float(next(self._clock))

    def append(
        self, topic: str, partition: int, key: bytes, value: bytes, act_id: str
    ) -> StoredRecord:
        """A record of an outside producer that chose the id."""
        log = self.logs[TopicPartition(topic, partition)]
        headers = (("ce_id", act_id.encode()),)
        record = StoredRecord(topic, partition, len(log), len(log), key, value, headers)
        log.append(record)
        return record

    async def join(self, *members: "Member") -> None:
        """They come, and everybody's partitions are dealt out anew."""
        for member in members:
            member.start()
        await self.rebalance(*members)

    async def leave(self, member: "Member") -> None:
        """It drains and goes, as on SIGTERM."""
        await member.drain()
        self.members.remove(member)
        await self.rebalance()

    async def kill(self, member: "Member") -> None:
        """It is gone in the midst of everything, and the others hear of it."""
        member.die()
        self.members.remove(member)
        await self.rebalance()

    async def lose(self, member: "Member") -> None:
        """It is silent for too long: others get its partitions, and it does not know."""
        member.silent = True
        self.members.remove(member)
        await self.rebalance()

    async def return_lost(self, member: "Member") -> None:
        """It hears that its partitions were taken, and joins again."""
        await self.rebalance(member)
        member.silent = False

    async def rebalance(self, *joining: "Member") -> None:
        """As aiokafka does: all partitions of all members are given up, then dealt out anew."""
        self.members += joining
        await asyncio.gather(*(member.give_up() for member in self.members))
        self.generation += 1
        for number, member in enumerate(self.members):
            await member.take_over(number, len(self.members))

    async def replay(self, share: float) -> None:
        """All members leave, and all groups go back by that share of what they committed."""
        for member in list(self.members):
            await self.leave(member)
        self.replays += 1
        for place, offset in self.committed.items():
            self.committed[place] = int(offset * (1 - share))

    @property
    def lag(self) -> int:
        """Records that are not committed, over all groups that ever committed."""
        return sum(
            len(log) - self.committed.get((group, place), 0)
            for place, log in self.logs.items()
            for group in {m_group for m in self.members for m_group in m.groups_of(place.topic)}
        )


class MemoryConsumer:
    """The face of aiokafka's consumer that the delivery layer looks at."""

    def __init__(self, cluster: MemoryCluster, group: str) -> None:
        self._cluster = cluster
        self._group = group
        self._generation = -1
        self.reassigning = False
        self._subscription = self  # aiokafka's own `pause` and `resume` call it
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()

    def assign(self, places: Sequence[TopicPartition]) -> None:
        """After a rebalance: from what is committed, and with no pause."""
        committed = self._cluster.committed
        self._positions = {place: committed.get((self._group, place), 0) for place in places}
        self._paused.clear()
        self.reassigning = False
        self._generation = self._cluster.generation

    def assignment(self) -> frozenset[TopicPartition]:
        """What this member thinks it has."""
        return frozenset(self._positions)

    def pause(self, *places: TopicPartition) -> None:
        """Fetch nothing of them."""
        self._paused.update(places)

    def resume(self, *places: TopicPartition) -> None:
        """Fetch them again."""
        self._paused.difference_update(places)

    async def commit(self, offsets: dict[TopicPartition, tuple[int, str]]) -> None:
        """Raises CommitFailedError, IllegalStateError: as aiokafka."""
        if self._generation != self._cluster.generation:
            raise CommitFailedError
        if not self._positions.keys() >= offsets.keys():
            raise IllegalStateError
        for place, (offset, _) in offsets.items():
            self._cluster.committed[self._group, place] = offset
            self._cluster.commits.append(
                Commit(
                    # A replay takes commits back on purpose, so what comes after begins anew.
                    group=f"{self._group}+{self._cluster.replays}",
                    topic=place.topic,
                    partition=place.partition,
                    offset=offset,
                    at=self._cluster.now(),
                )
            )

    def highwater(self, place: TopicPartition) -> int:
        """The end of the log."""
        return len(self._cluster.logs[place])

    async def position(self, place: TopicPartition) -> int:
        """What is fetched next."""
        return self._positions[place]

    def fetch(self) -> list[StoredRecord]:
        """The next records of the partitions that are not paused; none during a rebalance."""
        if self.reassigning:
            return []
        records: list[StoredRecord] = []
        for place, position in self._positions.items():
            if place in self._paused:
                continue
            new = self._cluster.logs[place][position : position + FETCH_RECORDS]
            self._positions[place] += len(new)
            records += new
        return records


class Member(EventBus):
    """One process: the delivery layer on a consumer in memory. Register handlers, then join."""

    def __init__(self, cluster: MemoryCluster, name: str, delivery: Delivery) -> None:
        self.silent = False
        self.dead = False
        self.in_flight = 0
        self.most_unfinished = 0
        self._cluster = cluster
        self._name = name
        self._session = 0
        self._delivery = delivery
        self._consumers: list[tuple[KafkaSubscription, MemoryConsumer, Topic[Any]]] = []
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def writer(self) -> str:
        """Of whoever works since the last rebalance."""
        return f"{self._name}:{self._session}"

    @property
    def problems(self) -> list[str]:
        """As the bus tells them."""
        return [problem for each, *_ in self._consumers for problem in each.scheduler.problems]

    def groups_of(self, topic: str) -> list[str]:
        """The groups that read a topic."""
        return [each.group_id for each, _, read in self._consumers if read.name == topic]

    def _subscribe(
        self,
        topics: Topic[Any] | Sequence[str],
        group: str,
        handling: Handling,
        handler: Callable[..., Any],
    ) -> None:
        assert isinstance(topics, Topic)

        async def park(raw: RawRecord, error: Exception, attempts: int) -> None:
            await asyncio.sleep(0)
            if not self.dead:
                cause = cause_of(raw, error, attempts=attempts, group=group)
                self._cluster.parked.append(Parked(raw, cause))

        subscription = KafkaSubscription(
            [topics.name],
            group=group,
            handling=handling,
            park=park,
            delivery=self._delivery,
            servers="memory",
        )
        consumer = MemoryConsumer(self._cluster, subscription.group_id)
        parts: Any = subscription
        parts._subscriber = SimpleNamespace(consumer=consumer)
        parts._holding = _NobodySkips()
        parts._rereader = _Reread(self._cluster)
        self._consumers.append((subscription, consumer, topics))

    def publishes(self, *topics: Topic[Any]) -> None:
        """See `EventBus`."""

    async def publish(
        self, topic: Topic[Any], event: Event, *, event_id: UUID | None = None
    ) -> None:
        """See `Publisher`: no handler here publishes."""
        raise NotImplementedError

    async def retire(self, topic: Topic[Any], key: str) -> None:
        """See `Publisher`: no handler here publishes."""
        raise NotImplementedError

    def start(self) -> None:
        """Fetch, commit and measure from now on."""
        for subscription, consumer, _ in self._consumers:
            self._tasks.append(asyncio.create_task(self._poll(subscription, consumer)))
            self._tasks.append(asyncio.create_task(subscription._tick()))

    async def _poll(self, subscription: KafkaSubscription, consumer: MemoryConsumer) -> None:
        while True:
            # Nothing may wait between the two: as between FastStream's poll and the scheduler.
            records = [] if self.silent else consumer.fetch()
            if records:
                await subscription._add_records(records)
                if subscription.scheduler._handling.tenant_of is None:
                    counts = [each.unfinished for each in subscription.scheduler.partitions]
                    self.most_unfinished = max([self.most_unfinished, *counts])
            await asyncio.sleep(0 if records else _IDLE)

    async def give_up(self) -> None:
        """Before a rebalance."""
        writer = self.writer
        for _, consumer, _ in self._consumers:
            consumer.reassigning = True
        for subscription, consumer, _ in self._consumers:
            await subscription.on_partitions_revoked(set(consumer.assignment()))
            consumer.assign([])
        self._cluster.given_up[writer] = self._cluster.now()
        self._session += 1

    async def take_over(self, number: int, members: int) -> None:
        """After a rebalance: every so-manieth partition."""
        for subscription, consumer, topic in self._consumers:
            places = [
                TopicPartition(topic.name, partition)
                for partition in range(topic.partitions)
                if partition % members == number
            ]
            consumer.assign(places)
            await subscription.on_partitions_assigned(set(places))

    async def drain(self) -> None:
        """As on SIGTERM."""
        for subscription, *_ in self._consumers:
            await subscription.drain()
        self._cluster.given_up[self.writer] = self._cluster.now()
        for _, consumer, _ in self._consumers:
            consumer.assign([])
        self._end_tasks()

    def die(self) -> None:
        """As on SIGKILL."""
        self.dead = True
        self._end_tasks()
        for subscription, *_ in self._consumers:
            scheduler = subscription.scheduler
            scheduler.leaving = True  # the timers and workers of a process go with it
            for timer in scheduler._timers:
                timer.cancel()
            for worker in scheduler._workers:
                worker.cancel()

    def _end_tasks(self) -> None:
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                task.cancel()


class _NobodySkips:
    """Stands for `Holding`: a held partition stays held until its member is replaced."""

    def hold(self, partition: object, consumer: object) -> None:
        """See `Holding`."""

    def note(self, place: object, watermark: object) -> tuple[None, str]:
        """See `Holding`."""
        return None, ""

    def stop(self) -> None:
        """See `Holding`."""

    def forget(self) -> None:
        """See `Holding`."""


class _Reread:
    """Stands for `Rereader`."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self._cluster = cluster

    async def read(self, raw: RawRecord) -> RawRecord:
        """See `Rereader`."""
        await asyncio.sleep(0)
        return self._cluster.logs[TopicPartition(raw.topic, raw.partition)][raw.offset]

    def forget(self) -> None:
        """See `Rereader`."""
