"""The release log on Kafka: written in fenced transactions, read only where committed."""

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerFenced
from gyre_common.bus.compacted import partitions_of, records_up_to_now
from gyre_common.bus.envelope import headers_for
from gyre_common.errors import FailedPrecondition, Unavailable
from gyre_common.events.event import new_id
from gyre_common.events.releases import RELEASE_CHANGED, ReleaseChanged
from gyre_common.events.topic import Topic
from pydantic import ValidationError

from gyre_releases.draft import Changes

log = logging.getLogger(__name__)

TRANSACTIONAL_ID = "gyre-release-controller"
"""Of whoever writes releases, before the name of the topic."""


class Superseded(FailedPrecondition):
    """Another release controller has started; this one must never write again."""


class KafkaReleaseLog:
    """Implements the ReleaseLog port.

    Opening initialises the transactional id, with which the broker fences every earlier holder and
    ends what it left open (https://kafka.apache.org/documentation/#producerconfigs_transactional.id).
    """

    def __init__(
        self,
        servers: str,
        *,
        topic: Topic[ReleaseChanged] = RELEASE_CHANGED,
        timeout_seconds: float = 5.0,
    ) -> None:
        self._servers = servers
        self._topic = topic
        self._timeout = timeout_seconds
        self._producer: AIOKafkaProducer | None = None
        self._superseded = asyncio.Event()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._close_producer()

    async def wait_until_superseded(self) -> None:
        """Raise Superseded once another controller has taken over: the process has to end."""
        await self._superseded.wait()
        self._refuse_if_superseded()

    async def open(self) -> Sequence[ReleaseChanged]:
        """See ReleaseLog."""
        self._refuse_if_superseded()
        await self._close_producer()
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._servers,
            transactional_id=f"{TRANSACTIONAL_ID}/{self._topic.name}",
            # Longer than any append, so that being fenced always means that another one took over.
            transaction_timeout_ms=int(self._timeout * 2000),
            request_timeout_ms=int(self._timeout * 1000),
        )
        try:
            async with asyncio.timeout(self._timeout):
                await self._producer.start()
                return await self._read_committed()
        except (KafkaError, OSError, TimeoutError) as error:
            raise Unavailable(f"Kafka at {self._servers} does not answer: is it up?") from error

    async def append(self, changes: Changes) -> None:
        """See ReleaseLog."""
        self._refuse_if_superseded()
        assert self._producer is not None, "open() comes first"
        try:
            async with asyncio.timeout(self._timeout):
                await self._producer.begin_transaction()
                for change in changes:
                    await self._producer.send_and_wait(
                        self._topic.name,
                        value=change.to_json(),
                        key=self._topic.key(change).encode(),
                        headers=headers_for(self._topic, new_id(), "releases"),
                    )
                await self._producer.commit_transaction()
        except ProducerFenced:
            self._superseded.set()
            self._refuse_if_superseded()
        except (KafkaError, OSError, TimeoutError) as error:
            # Nothing to abort: whoever opens the log next ends what is left open here.
            raise Unavailable(f"Kafka at {self._servers} did not confirm") from error

    def _refuse_if_superseded(self) -> None:
        if self._superseded.is_set():
            raise Superseded(
                "another release controller has taken over: stop this one, or stop the other and "
                "start this one again"
            )

    async def _close_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            # One whose transaction failed cannot flush; the next open() ends that transaction.
            with suppress(KafkaError, OSError, TimeoutError):
                async with asyncio.timeout(self._timeout):
                    await producer.stop()

    async def _read_committed(self) -> list[ReleaseChanged]:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers,
            isolation_level="read_committed",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        partitions, states = partitions_of(self._topic), list[ReleaseChanged]()
        await consumer.start()
        try:
            consumer.assign(partitions)
            async for record in records_up_to_now(consumer, partitions):
                try:
                    # A tombstone is none either: a release is never gone, nor does it start anew.
                    states.append(ReleaseChanged.model_validate_json(record.value or b""))
                except ValidationError:
                    log.exception(
                        "skipped a record that is not a release: somebody else writes to the topic",
                        extra={"topic": record.topic, "offset": record.offset},
                    )
        finally:
            await consumer.stop()
        return states
