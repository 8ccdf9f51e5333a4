"""Records at which a partition is held: who holds what, and how a person lets it pass.

A consumer that holds a partition says so in the metadata of its committed offset, where everybody
can read it while the consumer is down as well. A skip is the stub itself: whoever decides puts it
into the dead letters, and the consumer, which alone may commit, follows them and passes over the
record (docs/adr/0011).
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass, replace
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from gyre_common.bus.breaker import Party, Scope
from gyre_common.bus.dead_letters import SKIPPED, Cause, headers_with, read_cause
from gyre_common.bus.delivery import Delivery
from gyre_common.bus.holds import Held
from gyre_common.bus.partition import Pending
from gyre_common.bus.publisher import KafkaPublisher
from gyre_common.bus.record import UnreadValue, digest_and_size
from gyre_common.bus.rereading import read_first
from gyre_common.bus.scheduler import Scheduler, describe
from gyre_common.bus.topics import connected, opened
from gyre_common.errors import FailedPrecondition, GyreError, NotFound, Retryable
from gyre_common.events.event import now
from gyre_common.events.topic import DLQ_SUFFIX

log = logging.getLogger(__name__)

_END_LIMIT = 15.0
_STUB_LIMIT = Delivery().publish_limit
_PAUSE_AFTER_FAILURE = 1.0
_POLL_MS = 500
_ASK_AGAIN = 0.3
_LENGTHS_OF_CAUSES = 1_000, 300, 100, 30
_MOST_METADATA = 4_000
_EXPECTED = KafkaError, GyreError, TimeoutError


@dataclass(frozen=True, kw_only=True)
class HeldRecord:
    """Where a consumer does not go on, and why.

    A skip counts from `dlq_offset` of the dead letters on: an earlier one meant something
    else. `digest` and `size` are as in `Cause`. `breaker_open`: too many like it were parked;
    `breaker_scope` says for whom, and with `tenant` only that tenant's records wait.
    """

    group: str
    topic: str
    partition: int
    offset: int
    cause: str
    since: str
    dlq_offset: int
    digest: str
    size: int
    breaker_open: bool = False
    breaker_scope: Scope = Scope.TOPIC
    tenant: str = ""

    @property
    def place(self) -> str:
        """For people."""
        return f"{self.topic} {self.partition} {self.offset}"

    @property
    def party(self) -> Party | None:
        """Whose breaker is open; None for everybody's."""
        match self.breaker_scope:
            case Scope.TENANT:
                return self.tenant.encode()
            case Scope.PARTITION:
                return self.topic, self.partition
            case _:
                return None


def to_metadata(records: Sequence[HeldRecord]) -> str:
    """What one partition holds, as it stands beside its committed offset, where Kafka takes 4 KiB:
    causes are cut, and what does not fit all the same is left out.
    """
    for length in _LENGTHS_OF_CAUSES:
        entries = [{**asdict(record), "cause": record.cause[:length]} for record in records]
        text = json.dumps({"held": entries}, ensure_ascii=False, separators=(",", ":"))
        if len(text.encode()) <= _MOST_METADATA:
            return text
    return to_metadata(records[:-1]) if len(records) > 1 else ""


def from_metadata(text: str | None) -> list[HeldRecord]:
    """What a committed offset says; nothing if it says nothing of ours."""
    try:
        entries = json.loads(text or "")["held"]
        return [
            HeldRecord(**each) for each in (entries if isinstance(entries, list) else [entries])
        ]
    except (ValueError, TypeError, KeyError):
        return []


def dead_letters_of(topic: str) -> str:
    """Where what is skipped on a topic is parked; dead letters are their own."""
    return topic if topic.endswith(DLQ_SUFFIX) else topic + DLQ_SUFFIX


async def held_by(servers: str, group_ids: Sequence[str] | None = None) -> list[HeldRecord]:
    """What the consumer groups of these ids hold, or all groups there are.

    Raises:
        Unavailable: Kafka does not answer.
    """
    async with _admin(servers) as admin:
        return await _held_by(admin, group_ids)


async def skip(
    servers: str,
    topic: str,
    partition: int,
    offset: int,
    *,
    actor: str,
    reason: str,
    patience: float = 15.0,
) -> dict[HeldRecord, bool]:
    """Park the record that is held there as a stub, and let every consumer that holds it go on.

    Returns what was skipped, and whether its consumer has gone on within `patience` seconds; one
    that does not run goes on when it starts.

    Raises:
        NotFound: nothing is held on that partition.
        FailedPrecondition: it is held at another offset.
        Unavailable: Kafka does not answer.
    """
    async with _admin(servers) as admin:
        matching = _at(await _held_by(admin, None), topic, partition, offset)
        await _put_stubs(servers, matching, actor=actor, reason=reason)
        waiting = dict.fromkeys(matching, False)
        deadline = asyncio.get_running_loop().time() + patience
        while not all(waiting.values()) and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(_ASK_AGAIN)
            still_held = {(each.group, each.place) for each in await _held_by(admin, None)}
            waiting = {each: (each.group, each.place) not in still_held for each in matching}
        return waiting


def _at(
    all_held: Sequence[HeldRecord], topic: str, partition: int, offset: int
) -> Sequence[HeldRecord]:
    there = [
        record for record in all_held if (record.topic, record.partition) == (topic, partition)
    ]
    if not there:
        places = ", ".join(sorted({record.place for record in all_held})) or "nothing"
        raise NotFound(f"nothing is held on {topic} {partition}: held is {places}")
    matching = [record for record in there if record.offset == offset]
    if not matching:
        raise FailedPrecondition(f"held is {there[0].place}, not offset {offset}: {there[0].cause}")
    return matching


async def _put_stubs(servers: str, held: Sequence[HeldRecord], *, actor: str, reason: str) -> None:
    async with KafkaPublisher(servers, service="dlq", limit=_STUB_LIMIT) as publisher:
        for record in held:
            cause = Cause(
                kind=SKIPPED,
                error="Skipped",
                message=f"skipped by {actor}: {reason}; it was held because: {record.cause}",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                attempts=0,
                group=record.group,
                parked_at=now(),
                digest=record.digest,
                size=record.size,
                actor=actor,
                reason=reason,
            )
            await publisher.put(dead_letters_of(record.topic), b"", None, headers_with((), cause))


class Holding:
    """What a subscription holds, each until its record is skipped.

    `notes` are to be committed: metadata by partition, and the offset while nothing is finished.
    """

    def __init__(self, servers: str, group_id: str, scheduler: Scheduler) -> None:
        self.notes: dict[TopicPartition, tuple[int, str]] = {}
        self._servers = servers
        self._group_id = group_id
        self._scheduler = scheduler
        self._records: dict[TopicPartition, dict[bytes | None, HeldRecord]] = defaultdict(dict)
        self._waiting: dict[tuple[TopicPartition, bytes | None], asyncio.Task[None]] = {}

    def hold(self, held: Held, consumer: AIOKafkaConsumer) -> None:
        """Wait until this record is skipped or, if it is damaged, Kafka has an intact copy of it;
        then go on.
        """
        place = _place_of(held), held.tenant
        waiting = self._waiting.pop(place, None)
        if waiting is not None:
            waiting.cancel()
        self._waiting[place] = asyncio.create_task(self._until_skipped(held, consumer))

    def note(self, place: TopicPartition, watermark: int | None) -> tuple[int | None, str]:
        """What to commit of a partition, all of which is done below the watermark: an offset while
        there is none, and metadata.
        """
        records = self._records[place]
        done = [
            tenant
            for tenant, record in records.items()
            if (place, tenant) not in self._waiting and record.offset < (watermark or 0)
        ]
        for tenant in done:  # read again, and handled this time
            del records[tenant]
        if done:
            self._note(place, self.notes.pop(place)[0])
        return self.notes.get(place, (None, ""))

    def stop(self) -> None:
        """Wait no more; the notes stay."""
        for waiting in self._waiting.values():
            waiting.cancel()
        self._waiting.clear()

    def forget(self) -> None:
        """The partitions went elsewhere, and so did the notes."""
        self.notes.clear()
        self._records.clear()

    async def _until_skipped(self, held: Held, consumer: AIOKafkaConsumer) -> None:
        place = _place_of(held)
        while True:
            try:
                record = await self._record(held)
                resume_at = _resume_at(held.pending, await consumer.committed(place))
                self._records[place][held.tenant] = record
                self._note(place, resume_at)
                skipped = await self._first_of_skip_and_copy(held, record)
            except Exception as error:
                log.warning(
                    "held, and not known whether skipped",
                    extra=self._scheduler.log_fields(cause=describe(error)),
                    exc_info=None if isinstance(error, _EXPECTED) else error,
                )
                await asyncio.sleep(_PAUSE_AFTER_FAILURE)
            else:
                break
        about = {"held": record.place, "group": record.group}
        log.warning("held record skipped" if skipped else "held record is intact", extra=about)
        self._waiting.pop((place, held.tenant), None)
        self._records[place].pop(held.tenant, None)
        self._note(place, self.notes.pop(place)[0])
        if skipped:
            self._scheduler.skip(held)
        elif place in consumer.assignment():
            self._stop_at(place)
            consumer.seek(place, _resume_at(held.pending, None))
            self._scheduler.give_up(held)

    def _stop_at(self, place: TopicPartition) -> None:
        """Wait no more for tenants that are held there. Their notes stay until they are held again,
        so that a skip decided meanwhile counts.
        """
        for each in [key for key in self._waiting if key[0] == place]:
            self._waiting.pop(each).cancel()

    async def _first_of_skip_and_copy(self, held: Held, record: HeldRecord) -> bool:
        """Whether it was skipped, as against read well. Raises as both do."""
        skip = asyncio.create_task(_wait_for_skip(self._servers, record))
        waits = [skip]
        value = held.pending.raw.value
        if isinstance(value, UnreadValue) and value.damaged:
            waits.append(asyncio.create_task(self._wait_for_copy(held.pending, value)))
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
            return skip in done
        finally:
            for each in waits:
                each.cancel()

    async def _wait_for_copy(self, pending: Pending, value: UnreadValue) -> None:
        """Another replica may lead by now, or a bit have flipped on its way here alone. What was
        started of the partition ends first.
        """
        while True:
            await asyncio.sleep(self._scheduler.delivery.damaged_every)
            if pending.partition.running:
                continue
            try:
                first = await read_first(self._servers, pending.raw, value.first)
            except Retryable as error:
                log.warning("damaged, and not read again", extra={"cause": describe(error)})
                continue
            if first is None or not isinstance(first.value, UnreadValue) or not first.value.damaged:
                return

    def _note(self, place: TopicPartition, resume_at: int) -> None:
        records = sorted(self._records[place].values(), key=lambda each: each.offset)
        if records:
            self.notes[place] = resume_at, to_metadata(records)

    async def _record(self, held: Held) -> HeldRecord:
        """As it was noted before a restart, so that a skip decided meanwhile counts."""
        raw = held.pending.raw
        digest, size = digest_and_size(raw.value)
        record = HeldRecord(
            group=self._scheduler.group,
            topic=raw.topic,
            partition=raw.partition,
            offset=raw.offset,
            cause=held.cause,
            since=now().isoformat(timespec="seconds"),
            dlq_offset=-1,
            digest=digest,
            size=size,
            breaker_open=held.breaker is not None,
            breaker_scope=held.breaker or Scope.TOPIC,
            tenant=(held.tenant or b"").decode(errors="backslashreplace"),
        )
        for before in await held_by(self._servers, [self._group_id]):
            if before.place == record.place:
                return replace(record, since=before.since, dlq_offset=before.dlq_offset)
        return replace(record, dlq_offset=await _dlq_end(self._servers, raw.topic))


def _place_of(held: Held) -> TopicPartition:
    return TopicPartition(held.pending.raw.topic, held.pending.raw.partition)


def _resume_at(pending: Pending, committed: int | None) -> int:
    """What stays committed while nothing is finished: never what lies behind the record."""
    if committed is not None:
        return committed
    value = pending.raw.value
    first = value.first if isinstance(value, UnreadValue) else pending.raw.offset
    return min(first, pending.partition.oldest_unfinished)


async def _wait_for_skip(servers: str, held: HeldRecord) -> None:
    letters = TopicPartition(dead_letters_of(held.topic), 0)
    consumer: AIOKafkaConsumer = await connected(
        lambda: AIOKafkaConsumer(
            bootstrap_servers=servers,
            client_id="gyre-held",
            auto_offset_reset="earliest",
            enable_auto_commit=False,
        ),
        servers,
    )
    try:
        consumer.assign([letters])
        consumer.seek(letters, held.dlq_offset)
        while True:
            batches = await consumer.getmany(timeout_ms=_POLL_MS)
            for raw in batches.get(letters, ()):
                if _skips(read_cause(raw.headers), held):
                    return
    finally:
        await consumer.stop()


def _skips(cause: Cause | None, held: HeldRecord) -> bool:
    return cause is not None and (
        cause.verdict,
        cause.kind,
        cause.group,
        cause.topic,
        cause.partition,
        cause.offset,
    ) == (
        None,
        SKIPPED,
        held.group,
        held.topic,
        held.partition,
        held.offset,
    )


async def _held_by(admin: AIOKafkaAdminClient, group_ids: Sequence[str] | None) -> list[HeldRecord]:
    if group_ids is None:
        group_ids = [group for group, *_ in await admin.list_consumer_groups()]
    committed: list[dict[Any, Any]] = await asyncio.gather(
        *(admin.list_consumer_group_offsets(group) for group in group_ids)
    )
    entries = (entry for offsets in committed for entry in offsets.values())
    return [record for entry in entries for record in from_metadata(entry.metadata)]


def _admin(servers: str) -> AbstractAsyncContextManager[AIOKafkaAdminClient]:
    return opened(AIOKafkaAdminClient(bootstrap_servers=servers, client_id="gyre-held"), servers)


async def _dlq_end(servers: str, topic: str) -> int:
    letters = TopicPartition(dead_letters_of(topic), 0)
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, enable_auto_commit=False)
    async with opened(consumer, servers), asyncio.timeout(_END_LIMIT):
        return int((await consumer.end_offsets([letters]))[letters])
