"""Looks at a broker from outside while a run goes on: commits as they move, and dead letters."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from gyre_common.bus.envelope import text_header
from gyre_common.events.topic import Topic

from tests.faults.harness.checker import Commit
from tests.faults.harness.shapes import group_id

_EVERY = 0.3
_LIMIT = 5.0
_AWAY = (KafkaError, OSError, TimeoutError)


class BrokerWatch:
    """Entered, it looks every so often until it is left; a broker that is away is waited for."""

    def __init__(self, servers: str, topics: Mapping[str, Topic[Any]]) -> None:
        self.commits: list[Commit] = []
        self.parked: set[str] = set()
        self.problem = ""
        self._servers = servers
        self._topics = topics
        self._replays = 0
        self._turn = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "BrokerWatch":
        self._tasks = [
            asyncio.create_task(self._repeat(self._watch_commits)),
            asyncio.create_task(self._repeat(self._follow_dead_letters)),
        ]
        return self

    async def __aexit__(self, *error: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _repeat(self, step: Any) -> None:
        while True:
            try:
                await step()
            except _AWAY as error:
                self.problem = repr(error)
                await asyncio.sleep(_EVERY)

    async def _watch_commits(self) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers, request_timeout_ms=5_000)
        try:
            await asyncio.wait_for(admin.start(), _LIMIT)
            while True:
                async with self._turn:
                    await self._look(admin)
                await asyncio.sleep(_EVERY)
        finally:
            with suppress(*_AWAY):
                await admin.close()

    async def _look(self, admin: AIOKafkaAdminClient) -> dict[TopicPartition, int]:
        offsets: dict[TopicPartition, int] = {}
        for shape, topic in self._topics.items():
            group = group_id(shape, topic)
            committed = await asyncio.wait_for(admin.list_consumer_group_offsets(group), _LIMIT)
            at = time.time()
            for place, entry in committed.items():
                if entry.offset < 0:
                    continue
                offsets[place] = entry.offset
                self.commits.append(
                    Commit(
                        group=f"{group}+{self._replays}",
                        topic=place.topic,
                        partition=place.partition,
                        offset=entry.offset,
                        at=at,
                    )
                )
        return offsets

    async def _follow_dead_letters(self) -> None:
        consumer = AIOKafkaConsumer(
            *(topic.dlq for topic in self._topics.values()),
            bootstrap_servers=self._servers,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        )
        try:
            await asyncio.wait_for(consumer.start(), _LIMIT)
            while True:
                for records in (await consumer.getmany(timeout_ms=500)).values():
                    self.parked.update(text_header(raw.headers, "ce_id") or "" for raw in records)
        finally:
            with suppress(*_AWAY):
                await consumer.stop()

    async def lag(self) -> int:
        """Records that are not committed, in all groups. Raises KafkaError, TimeoutError."""
        admin = AIOKafkaAdminClient(bootstrap_servers=self._servers, request_timeout_ms=5_000)
        consumer = AIOKafkaConsumer(bootstrap_servers=self._servers, enable_auto_commit=False)
        places = [
            TopicPartition(topic.name, number)
            for topic in self._topics.values()
            for number in range(topic.partitions)
        ]
        try:
            await asyncio.wait_for(admin.start(), _LIMIT)
            await asyncio.wait_for(consumer.start(), _LIMIT)
            ends = await asyncio.wait_for(consumer.end_offsets(places), _LIMIT)
            async with self._turn:
                committed = await self._look(admin)
            return sum(ends[place] - committed.get(place, 0) for place in places)
        finally:
            with suppress(*_AWAY):
                await admin.close()
                await consumer.stop()

    async def take_back(self, records: int) -> None:
        """Set every group's offsets back by so many records a partition. Nobody may be a member.

        Waits until Kafka has given up on members that were killed.
        """
        async with self._turn:
            for shape, topic in self._topics.items():
                while True:
                    try:
                        await self._take_back(group_id(shape, topic), topic, records)
                    except _AWAY:
                        await asyncio.sleep(_EVERY)
                    else:
                        break
            self._replays += 1

    async def _take_back(self, group: str, topic: Topic[Any], records: int) -> None:
        async with AIOKafkaConsumer(
            bootstrap_servers=self._servers, group_id=group, enable_auto_commit=False
        ) as consumer:
            places = [TopicPartition(topic.name, number) for number in range(topic.partitions)]
            consumer.assign(places)
            offsets = {place: await consumer.committed(place) or 0 for place in places}
            await asyncio.wait_for(
                consumer.commit({place: max(0, at - records) for place, at in offsets.items()}),
                _LIMIT,
            )
