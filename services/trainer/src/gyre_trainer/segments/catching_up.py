"""Waits until all that Kafka holds at this moment is durable, so that a vote just given counts."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from gyre_common.errors import FailedPrecondition, Unavailable

from gyre_trainer.segments.parquet import STREAMS
from gyre_trainer.segments.shelf import Segments

GROUP = "trainer"

_PAUSE = 0.2
_KAFKA_SECONDS = 5.0


async def until_collected(
    servers: str, segments: Segments, *, group: str = GROUP, seconds: float = 15.0
) -> dict[str, tuple[int, int]]:
    """Wait for the collector to reach Kafka's present end; returns all that is durable then.

    Raises:
        Unavailable: Kafka does not answer, or the collector is still behind after `seconds`.
        FailedPrecondition: the store holds more than Kafka ever had, so one of them was replaced.
        Retryable: the store cannot be read.
    """
    deadline = time.monotonic() + seconds
    async with _Places(servers, group) as places:
        ends = await places.ends()
        while True:
            durable = await segments.durable()
            _check_they_belong_together(durable, ends)
            behind = _behind(durable, ends, await places.finished())
            if not behind:
                return durable
            if time.monotonic() > deadline:
                raise Unavailable(
                    f"{behind} records are not collected yet after {seconds:g} s: look at "
                    "`gyre logs trainer`, and try again",
                    retry_after_seconds=5.0,
                )
            await asyncio.sleep(_PAUSE)


@dataclass(frozen=True)
class _Ends:
    """What Kafka holds of a partition now: from `first` up to, not including, `end`."""

    first: int
    end: int


def _check_they_belong_together(
    durable: Mapping[str, tuple[int, int]], ends: Mapping[str, _Ends]
) -> None:
    for place, (_, durable_end) in durable.items():
        there = ends.get(place, _Ends(0, 0)).end
        if durable_end > there:
            raise FailedPrecondition(
                f"the store keeps {place} up to offset {durable_end}, but Kafka's topic ends at "
                f"{there}: the topic was made anew; give the trainer a new GYRE_STORE_URL, or move "
                "the old segments away"
            )


def _behind(
    durable: Mapping[str, tuple[int, int]], ends: Mapping[str, _Ends], finished: Mapping[str, int]
) -> int:
    """Records that Kafka holds and that are neither kept nor, because they are broken, parked."""
    behind = 0
    for place, there in ends.items():
        _, durable_end = durable.get(place, (0, 0))
        behind += max(0, there.end - max(durable_end, finished.get(place, 0), there.first))
    return behind


class _Places:
    """Asks Kafka where the topics end, and how far the collector's group has committed."""

    def __init__(self, servers: str, group: str) -> None:
        self._servers = servers
        self._groups = [f"{group}.{stream.topic}" for stream in STREAMS]
        limit = int(_KAFKA_SECONDS * 1000)
        self._admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=limit)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=servers, request_timeout_ms=limit)

    async def __aenter__(self) -> Self:
        try:
            async with self._asking():
                await self._admin.start()
                await self._consumer.start()
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def ends(self) -> dict[str, _Ends]:
        """By `topic/partition`."""
        async with self._asking():
            topics = await self._admin.describe_topics([stream.topic for stream in STREAMS])
            places = [
                TopicPartition(topic["topic"], partition["partition"])
                for topic in topics
                for partition in topic["partitions"]
            ]
            first = await self._consumer.beginning_offsets(places)
            end = await self._consumer.end_offsets(places)
            return {_written(one): _Ends(first[one], end[one]) for one in places}

    async def finished(self) -> dict[str, int]:
        """Committed offsets by `topic/partition`: what lies below is durable or parked."""
        offsets: dict[str, int] = {}
        async with self._asking():
            for group in self._groups:
                committed = await self._admin.list_consumer_group_offsets(group)
                offsets |= {_written(place): value.offset for place, value in committed.items()}
        return offsets

    @asynccontextmanager
    async def _asking(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_KAFKA_SECONDS):
                yield
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unavailable(f"Kafka at {self._servers} does not answer: is it up?") from error


def _written(place: TopicPartition) -> str:
    return f"{place.topic}/{place.partition}"
