"""Creates topics as their declarations say, and connects however long Kafka takes to come up."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from gyre_common.bus.record import LARGEST_FOREIGN_RECORD
from gyre_common.errors import Unavailable
from gyre_common.events.event import Event
from gyre_common.events.topic import DAY_MS, Topic
from gyre_common.retrying import retry

log = logging.getLogger(__name__)

DLQ_RETENTION_MS = 7 * DAY_MS
_ENVELOPE_ROOM = 64 * 1024
_ANSWER_LIMIT = 15.0

C = TypeVar("C")


async def connected(make: Callable[[], C], servers: str) -> C:
    """Make a client and start it, again and again until Kafka answers."""

    async def started() -> C:
        client: Any = make()
        try:
            await client.start()
        except BaseException:
            await _close(client)
            raise
        return client  # type: ignore[no-any-return]

    def waiting(error: BaseException, seconds: float) -> None:
        cause = f"{type(error).__name__}: {error}"
        log.warning("waiting for Kafka", extra={"servers": servers, "cause": cause})

    return await retry(started, KafkaError, OSError, first=0.2, longest=5.0, on_pause=waiting)


async def committed_offsets(servers: str, group_id: str) -> Mapping[int, int]:
    """How far a group is on its one topic, by partition. Raises Unavailable."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, client_id="gyre-offsets")
    async with opened(admin, servers):
        offsets = await admin.list_consumer_group_offsets(group_id)
    return {place.partition: committed.offset for place, committed in offsets.items()}


@asynccontextmanager
async def opened(client: C, servers: str, *, within: float = _ANSWER_LIMIT) -> AsyncIterator[C]:
    """Start a client once, within so many seconds, and stop it after use.

    Raises:
        Unavailable: Kafka does not answer, now or while the client is used.
    """
    starting: Any = client
    try:
        async with asyncio.timeout(within):
            await starting.start()
        yield client
    except (KafkaError, OSError, TimeoutError) as error:
        raise Unavailable(
            f"Kafka at {servers} does not answer: start the system with `gyre up`, or set "
            "GYRE_KAFKA_SERVERS"
        ) from error
    finally:
        await _close(client)


async def _close(client: Any) -> None:
    close = getattr(client, "stop", None) or client.close
    await close()


class TopicMaker:
    """Creates topics and their dead-letter topics, each once a process."""

    def __init__(self, servers: str) -> None:
        self._servers = servers
        self._ensured: set[str] = set()
        self._lock = asyncio.Lock()

    async def ensure(self, *topics: Topic[Any]) -> None:
        """Create what is missing. Others may do the same at the same time.

        Waits for Kafka as long as it takes; put a time limit around it where that is too long.

        Raises:
            Unavailable: Kafka answers, but does not create a topic.
        """
        if all(topic.name in self._ensured for topic in topics):
            return
        async with self._lock:
            await ensure_topics(self._servers, topics)
            self._ensured.update(topic.name for topic in topics)


async def ensure_topics(servers: str, topics: Iterable[Topic[Any]]) -> None:
    """Create these topics, and one for the dead letters of each, where they are missing.

    Waits for Kafka as long as it takes. An existing topic is left as it is.

    Raises:
        Unavailable: Kafka answers, but does not create a topic.
    """
    admin: AIOKafkaAdminClient = await connected(
        lambda: AIOKafkaAdminClient(bootstrap_servers=servers, client_id="gyre-topics"), servers
    )
    try:
        there = set(await admin.list_topics())
        needed = [new for topic in topics for new in (_topic(topic), _dead_letters(topic))]
        missing = [new for new in needed if new.name not in there]
        if missing:
            _check(await admin.create_topics(missing))
            log.info("topics created", extra={"topics": [new.name for new in missing]})
    except (KafkaError, TimeoutError) as error:
        raise Unavailable(f"Kafka at {servers} did not create topics: {error}") from error
    finally:
        await admin.close()


def _check(response: Any) -> None:
    for name, code, message in response.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise Unavailable(
                f"Kafka did not create the topic {name}: {message or error.description}"
            )


def _topic(topic: Topic[Event]) -> NewTopic:
    configs: dict[str, str | int] = {"max.message.bytes": LARGEST_FOREIGN_RECORD}
    if topic.compacted:
        # Readers that are a day behind still see each change, and a deletion before its tombstone.
        configs |= {"cleanup.policy": "compact", "min.compaction.lag.ms": DAY_MS}
    else:
        configs |= {"cleanup.policy": "delete", "retention.ms": topic.retention_ms}
    if topic.broker_time:
        configs |= {"message.timestamp.type": "LogAppendTime"}
    return _new_topic(topic.name, topic.partitions, configs)


def _dead_letters(topic: Topic[Event]) -> NewTopic:
    configs: dict[str, str | int] = {
        "cleanup.policy": "delete",
        "retention.ms": DLQ_RETENTION_MS,
        # A record of the largest size still fits when it carries why it failed.
        "max.message.bytes": LARGEST_FOREIGN_RECORD + _ENVELOPE_ROOM,
    }
    return _new_topic(topic.dlq, 1, configs)


def _new_topic(name: str, partitions: int, configs: dict[str, str | int]) -> NewTopic:
    # Replication -1 means the broker's default; aiokafka wants explicit (empty) assignments then.
    text = {key: str(value) for key, value in configs.items()}
    return NewTopic(name, partitions, -1, replica_assignments={}, topic_configs=text)
