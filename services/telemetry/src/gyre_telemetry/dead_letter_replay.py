"""Sends dead letters to their topics again, or drops them; either is noted behind the letter."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from gyre_common.bus.dead_letters import (
    PREFIX,
    Cause,
    Verdict,
    decision_of,
    read_cause,
    unknown_cause,
)
from gyre_common.bus.envelope import Headers, text_header
from gyre_common.bus.record import RawRecord, RecordTooLarge, UnreadValue, digest_and_size
from gyre_common.bus.replaying import replay_headers
from gyre_common.errors import GyreError
from gyre_common.events.topic import DLQ_SUFFIX

from gyre_telemetry.dead_letter_book import DeadLetterLog


class Outcome(StrEnum):
    """What became of a letter that somebody decided on. All but the first two leave it as it was:
    `already` decided before, `superseded` by a newer record of its key, `gone` from its topic, or
    `refused` for a reason of its own.
    """

    REPLAYED = "replayed"
    DROPPED = "dropped"
    ALREADY = "already"
    SUPERSEDED = "superseded"
    GONE = "gone"
    REFUSED = "refused"


@dataclass(frozen=True)
class Decided:
    """What became of the letter at this offset, in words where it stays."""

    offset: int
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True)
class OriginRecord:
    """A record as it stood on its topic first; a `RawRecord`."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class _Stays(GyreError):
    """A letter cannot be sent again."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome


class Replayer:
    """Decides of letters, one after the other; `compacted` names the topics that keep the newest
    record of a key, where an older one must not come behind it.
    """

    def __init__(self, compacted: frozenset[str]) -> None:
        self._compacted = compacted

    async def decide(
        self, log: DeadLetterLog, raw: RawRecord, verdict: Verdict, *, actor: str, reason: str
    ) -> Decided:
        """A crash between sending and noting sends it twice, which changes nothing: the ids are the
        same. Raises Unavailable.
        """
        cause = read_cause(raw.headers)
        if verdict is Verdict.REPLAYED:
            try:
                await self._send(log, raw, cause)
            except _Stays as stays:
                return Decided(raw.offset, stays.outcome, str(stays))
        letter = cause or unknown_cause(raw)
        note = decision_of(raw, letter, verdict, actor=actor, reason=reason)
        await log.put(raw.topic, *note)
        return Decided(raw.offset, Outcome(verdict))

    async def _send(self, log: DeadLetterLog, raw: RawRecord, cause: Cause | None) -> None:
        topic = raw.topic.removesuffix(DLQ_SUFFIX)
        if cause is not None and cause.topic != topic:
            raise _Stays(Outcome.REFUSED, f"it came from {cause.topic}, which is not sent to here")
        for origin in await _origins(log, raw, cause):
            if topic in self._compacted and await _is_superseded(log, origin):
                raise _Stays(
                    Outcome.SUPERSEDED,
                    f"{topic} has a newer record of its key, or removed it: drop it",
                )
            headers = replay_headers(origin)
            partition = None if cause is None else origin.partition
            try:
                await log.put(topic, origin.key, origin.value, headers, partition=partition)
            except RecordTooLarge as error:
                problem = "it is too large to be sent from here: its producer has to"
                raise _Stays(Outcome.REFUSED, problem) from error


async def _origins(
    log: DeadLetterLog, raw: RawRecord, cause: Cause | None
) -> Sequence[OriginRecord]:
    """What the letter stands for: itself or, for a stub, what still lies where it came from."""
    own = [(name, value) for name, value in raw.headers if not name.startswith(PREFIX)]
    if cause is None:
        return [
            OriginRecord(
                raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, own
            )
        ]
    timestamp = cause.timestamp
    if timestamp is None:  # it was parked by an earlier version
        timestamp = await _timestamp_there(log, raw, cause)
    if timestamp is None:  # before all others, so that it overtakes none of its key
        timestamp = 0
        if not text_header(own, "ce_time"):
            own.append(("ce_time", cause.parked_at.isoformat().encode()))
    place = (cause.topic, cause.partition, cause.offset, timestamp)
    if not cause.digest:
        return [OriginRecord(*place, raw.key, raw.value, own)]
    return await _still_there(log, cause)


async def _timestamp_there(log: DeadLetterLog, raw: RawRecord, cause: Cause) -> int | None:
    """Of the record that the letter came from; None where it is no longer there."""
    begin, end = await log.bounds(cause.topic, cause.partition)
    timestamp: int | None = None
    if begin <= cause.offset < end:
        place = log.read(cause.topic, cause.offset, cause.offset + 1, partition=cause.partition)
        async for records in place:
            same = [one for one in records if (one.offset, one.key) == (cause.offset, raw.key)]
            timestamp = same[0].timestamp if same else timestamp
    return timestamp


async def _still_there(log: DeadLetterLog, cause: Cause) -> Sequence[OriginRecord]:
    first = cause.offset if cause.first is None else cause.first
    where = f"{cause.topic} {cause.partition} {cause.offset}"
    begin, end = await log.bounds(cause.topic, cause.partition)
    records: list[RawRecord] = []
    if begin <= first and cause.offset < end:
        read = log.read(cause.topic, first, cause.offset + 1, partition=cause.partition)
        async for some in read:
            records += some
    if any(isinstance(record.value, UnreadValue) for record in records):
        raise _Stays(Outcome.REFUSED, f"what lies at {where} still cannot be read")
    if cause.first is None:
        records = [one for one in records if digest_and_size(one.value)[0] == cause.digest]
    if not records:
        raise _Stays(Outcome.GONE, f"its value was not parked, and is not at {where} any more")
    return [
        OriginRecord(
            one.topic, one.partition, one.offset, one.timestamp, one.key, one.value, one.headers
        )
        for one in records
    ]


async def _is_superseded(log: DeadLetterLog, origin: OriginRecord) -> bool:
    """Also where it is no longer there: a newer record, which may be gone as well, removed it."""
    _, end = await log.bounds(origin.topic, origin.partition)
    offsets: list[int] = []
    async for records in log.read(origin.topic, origin.offset, end, partition=origin.partition):
        offsets += [record.offset for record in records if record.key == origin.key]
    return offsets != [origin.offset]
