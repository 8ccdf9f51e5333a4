"""What the groups of a system have not committed yet, and whether a commit ever went back."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from contextlib import AsyncExitStack

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from gyre_common.bus.topics import opened
from gyre_common.errors import Unavailable

from tests.faults.harness.checker import Commit

Behind = Mapping[str, int]
"""Records that are not committed, by group."""

_EVERY = 1.0
_MARKERS = {"releases.changed.v1": 1}
"""The end of a transaction is an offset that no group ever commits."""


class Backlog:
    """Looks at the groups once a second while `watch` runs.

    Attributes:
        commits: each committed offset that was seen, in order; each once.
        behind: as it was when last looked at.
    """

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._latest: dict[tuple[str, str, int], int] = {}
        self._lock = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._clients: tuple[AIOKafkaAdminClient, AIOKafkaConsumer] | None = None
        self.commits: list[Commit] = []
        self.behind: Behind = {}

    async def watch(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(_EVERY)
        finally:
            await self._stack.aclose()

    async def look(self) -> Behind:
        """As of now; as it was last where Kafka does not answer."""
        async with self._lock:
            try:
                async with asyncio.timeout(5):
                    self.behind = await self._look()
            except (KafkaError, OSError, TimeoutError, Unavailable):
                await self._stack.aclose()
                self._clients = None
        return self.behind

    async def _look(self) -> Behind:
        if self._clients is None:
            limit = {"bootstrap_servers": self._servers, "request_timeout_ms": 4_000}
            admin = await self._stack.enter_async_context(
                opened(AIOKafkaAdminClient(**limit), self._servers, within=4.0)
            )
            consumer = await self._stack.enter_async_context(
                opened(AIOKafkaConsumer(**limit), self._servers, within=4.0)
            )
            self._clients = admin, consumer
        admin, consumer = self._clients
        groups = [group for group, *_ in await admin.list_consumer_groups()]
        offsets = {group: await admin.list_consumer_group_offsets(group) for group in groups}
        at = time.time()
        places = {place for committed in offsets.values() for place in committed}
        ends = await consumer.end_offsets(list(places)) if places else {}
        behind: defaultdict[str, int] = defaultdict(int)
        for group, committed in offsets.items():
            for place, offset in committed.items():
                self._note(group, place, offset.offset, at)
                end = ends[place] - _MARKERS.get(place.topic, 0)
                behind[group] += max(0, end - max(0, offset.offset))
        return behind

    def _note(self, group: str, place: TopicPartition, offset: int, at: float) -> None:
        key = (group, place.topic, place.partition)
        if offset >= 0 and self._latest.get(key) != offset:
            self._latest[key] = offset
            self.commits.append(
                Commit(
                    group=group, topic=place.topic, partition=place.partition, offset=offset, at=at
                )
            )


def uncommitted(behind: Behind, service: str) -> int:
    """Records that the groups of a service have not committed."""
    return sum(count for group, count in behind.items() if group.split(".")[0].startswith(service))
