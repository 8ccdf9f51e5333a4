"""The dead letters as people see to them: how many wait, which, what is done with them; and what
is held.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from time import perf_counter

from gyre_common.bus.dead_letters import (
    Cause,
    DeadLetter,
    Verdict,
    as_letter,
    read_cause,
)
from gyre_common.bus.held_records import HeldRecord
from gyre_common.bus.record import RawRecord
from gyre_common.errors import InvalidInput, NotFound
from gyre_common.events.topic import DLQ_SUFFIX
from gyre_common.lines import has_control_characters

from gyre_telemetry.dead_letter_book import DeadLetterBook, DeadLetterLog, LetterTopic
from gyre_telemetry.dead_letter_filter import LetterFilter
from gyre_telemetry.dead_letter_replay import Decided, Outcome, Replayer

DEFAULT_LIMIT, LARGEST_LIMIT = 10, 1_000
MOST_OFFSETS = 100
LONGEST_VALUE = 64 * 1024
_VALUES_BYTES = 2 * 1024 * 1024  # of all records of a reply together
_LONGEST_REASON = 1_000
_WINDOW = 200
_STEP_BYTES = 16 * 1024 * 1024
_SCAN_SECONDS = 8.0
DESK_SECONDS = 28.0
"""What a question may take in all: callers wait for 30 seconds."""

OpenLetters = Callable[[], AbstractAsyncContextManager[DeadLetterLog]]
"""Raises Unavailable when Kafka does not answer."""

SkipHeld = Callable[..., Awaitable[Mapping[HeldRecord, bool]]]
"""`held_records.skip` on the Kafka of this system."""


@dataclass(frozen=True, kw_only=True)
class WaitingLetters:
    """How many letters of a topic wait for a decision, since when the first of them; `end` is the
    offset that its next one will have. Past `next_start`, unless that is 0, nobody has counted yet.
    """

    topic: str
    count: int
    oldest: datetime | None
    end: int
    next_start: int = 0


@dataclass(frozen=True)
class ShownLetter:
    """A letter, its value cut where it would not fit; what was decided, if somebody did."""

    letter: DeadLetter
    value_bytes: int
    decision: Cause | None = None


class DeadLetterDesk:
    """Opens the topics for each question: people look rarely, and nothing stays open between. What
    was read of them is remembered in a `DeadLetterBook`.
    """

    def __init__(
        self, open_letters: OpenLetters, skip: SkipHeld, *, compacted: frozenset[str]
    ) -> None:
        self._open_letters = open_letters
        self._skip = skip
        self._replayer = Replayer(compacted)
        self._book = DeadLetterBook()
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[DeadLetterLog]:
        """One after the other: what one decides, the next one knows."""
        async with self._lock, self._open_letters() as log:
            await self._book.refresh(log)
            yield log

    async def waiting(self) -> Sequence[WaitingLetters]:
        """Of every topic of dead letters. Raises Unavailable."""
        async with self._opened():
            return [
                WaitingLetters(topic=name, count=topic.waiting, oldest=topic.oldest, end=topic.end)
                for name, topic in self._book.topics.items()
            ]

    async def count(self, topic: str, chosen: LetterFilter) -> WaitingLetters:
        """Those that wait and match, as far as there is time. Raises InvalidInput, NotFound,
        Unavailable.
        """
        chosen.check()
        async with self._opened() as log:
            name, letters = self._named(topic)
            scan = _Scan(log, name, letters, chosen)
            count, oldest = 0, None
            async with aclosing(scan.matching()) as matching:
                async for raw in matching:
                    count += 1
                    oldest = oldest or _parked_at(raw)
            return WaitingLetters(
                topic=name,
                count=count,
                oldest=oldest,
                end=letters.end,
                next_start=scan.next_start,
            )

    async def newest(
        self, topic: str, limit: int, chosen: LetterFilter, *, decided: bool
    ) -> tuple[Sequence[ShownLetter], int]:
        """Newest first, those that wait or, with `decided`, all; `limit` of 0 for the usual number.
        Then the `end` behind which older ones follow, 0 where there are none.

        Raises InvalidInput; NotFound, which names the topics there are; Unavailable.
        """
        if not 0 <= limit <= LARGEST_LIMIT:
            raise InvalidInput("limit", f"is {limit}", f"ask for 1 to {LARGEST_LIMIT}")
        chosen.check()
        limit = limit or DEFAULT_LIMIT
        longest = min(LONGEST_VALUE, _VALUES_BYTES // limit)
        async with self._opened() as log:
            name, letters = self._named(topic)
            shown: list[ShownLetter] = []
            at = min(chosen.end or letters.end, letters.end)
            first, gives_up_at = max(chosen.start, letters.first), perf_counter() + _SCAN_SECONDS
            while at > first and len(shown) < limit and perf_counter() < gives_up_at:
                start, there = max(first, at - _WINDOW), letters.waits
                if decided:
                    there = letters.is_letter
                window: list[ShownLetter] = []
                if any(there(offset) for offset in range(start, at)):
                    async for records in log.read(name, start, at):
                        window += [
                            _shown(raw, longest)
                            for raw in records
                            if there(raw.offset) and chosen.matches(raw, read_cause(raw.headers))
                        ]
                shown += window[::-1]
                at = start
            if len(shown) > limit:
                shown = shown[:limit]
                at = shown[-1].letter.offset
            return await self._with_decisions(log, name, shown), at if at > first else 0

    async def _with_decisions(
        self, log: DeadLetterLog, name: str, shown: Sequence[ShownLetter]
    ) -> Sequence[ShownLetter]:
        decision = self._book.topics[name].decision
        places = {one.letter.offset: decision(one.letter.offset) for one in shown}
        wanted = sorted(place for place in places.values() if place is not None)
        decisions: dict[int, Cause | None] = {}
        while wanted:  # many are decided at once, so that their decisions stand together
            run = [place for place in wanted if place < wanted[0] + _WINDOW]
            async for records in log.read(name, run[0], run[-1] + 1):
                decisions |= {raw.offset: read_cause(raw.headers) for raw in records}
            wanted = wanted[len(run) :]
        return [
            replace(one, decision=decisions.get(place) if place is not None else None)
            for one in shown
            for place in (places[one.letter.offset],)
        ]

    async def decide(
        self,
        verdict: Verdict,
        topic: str,
        *,
        offsets: Sequence[int],
        chosen: LetterFilter,
        actor: str,
        reason: str,
    ) -> tuple[Sequence[Decided], int]:
        """Replay or drop the letters at these offsets, or those that wait and match, oldest first:
        as many as there is time for. Then the `start` of those that are left, 0 where none are.

        Raises InvalidInput, also where everything is meant without saying so; NotFound;
        Unavailable, with what was done until then done.
        """
        chosen.check()
        _check_decision(verdict, offsets, chosen, actor, reason)
        async with self._opened() as log:
            name, letters = self._named(topic)
            if offsets:
                matching, next_start = await _at(log, name, sorted(set(offsets))), 0
            else:
                matching, next_start = await _next_matching(_Scan(log, name, letters, chosen))
            decided: list[Decided] = []
            gives_up_at = perf_counter() + _SCAN_SECONDS
            for raw in matching:
                if not offsets and decided and perf_counter() > gives_up_at:
                    return decided, raw.offset
                decided.append(await self._decide(log, letters, raw, verdict, actor, reason))
            there = {raw.offset for raw in matching}
            decided += [
                Decided(offset, Outcome.GONE, f"{name} has no letter there")
                for offset in sorted(set(offsets) - there)
            ]
            return decided, next_start

    async def _decide(
        self,
        log: DeadLetterLog,
        letters: LetterTopic,
        raw: RawRecord,
        verdict: Verdict,
        actor: str,
        reason: str,
    ) -> Decided:
        if not letters.is_letter(raw.offset):
            return Decided(raw.offset, Outcome.GONE, "what stands there is no letter")
        place = letters.decision(raw.offset)
        if place is not None:
            async for records in log.read(raw.topic, place, place + 1):
                for decision in map(read_cause, (one.headers for one in records)):
                    if decision is not None and decision.verdict is not None:
                        when = f"{decision.parked_at:%Y-%m-%d %H:%M:%S}"
                        detail = f"{decision.verdict} by {decision.actor} at {when}"
                        return Decided(raw.offset, Outcome.ALREADY, detail)
            return Decided(raw.offset, Outcome.ALREADY, "somebody decided before")
        return await self._replayer.decide(log, raw, verdict, actor=actor, reason=reason)

    def _named(self, topic: str) -> tuple[str, LetterTopic]:
        if not topic:
            raise InvalidInput("topic", "is missing", "name one that List counts")
        name = topic if topic.endswith(DLQ_SUFFIX) else topic + DLQ_SUFFIX
        topics = self._book.topics
        if name not in topics:
            raise NotFound(f"no dead letters of {topic}: there are {', '.join(topics) or 'none'}")
        return name, topics[name]

    async def skip(
        self, topic: str, partition: int, offset: int, *, actor: str, reason: str
    ) -> Mapping[HeldRecord, bool]:
        """Let a held partition go on; tells what was skipped, and whether its consumer has gone on.
        Raises InvalidInput where who or why is missing or is no single line.
        """
        for name, value in (("topic", topic), ("actor", actor), ("reason", reason)):
            if not value.strip() or has_control_characters(value):
                raise InvalidInput(name, "is missing or no single line", "give one line")
        return await self._skip(topic, partition, offset, actor=actor, reason=reason)


class _Scan:
    """Goes through the letters that wait, oldest first, as long as there is time."""

    def __init__(
        self, log: DeadLetterLog, name: str, letters: LetterTopic, chosen: LetterFilter
    ) -> None:
        self._log, self._name, self._letters, self._chosen = log, name, letters, chosen
        self._at = max(chosen.start, letters.first_waiting)
        self._end = min(chosen.end or letters.end, letters.end)

    @property
    def next_start(self) -> int:
        """Where it has not been yet; 0 where it has been everywhere."""
        return self._at if self._at < self._end else 0

    async def matching(self) -> AsyncGenerator[RawRecord]:
        """Those that match."""
        gives_up_at = perf_counter() + _SCAN_SECONDS
        if self._at >= self._end:
            return
        async for records in self._log.read(self._name, self._at, self._end):
            for raw in records:
                self._at = raw.offset + 1
                if self._letters.waits(raw.offset) and self._chosen.matches(
                    raw, read_cause(raw.headers)
                ):
                    yield raw
            if perf_counter() > gives_up_at:
                return
        self._at = self._end


async def _next_matching(scan: _Scan) -> tuple[Sequence[RawRecord], int]:
    """So many as fit into memory, and where to go on."""
    letters, size = [], 0
    async with aclosing(scan.matching()) as matching:
        async for raw in matching:
            letters.append(raw)
            size += len(raw.value or b"")
            if len(letters) == _WINDOW or size > _STEP_BYTES:
                break
    return letters, scan.next_start


async def _at(log: DeadLetterLog, name: str, offsets: Sequence[int]) -> Sequence[RawRecord]:
    first, end = await log.bounds(name)
    return [
        raw
        for offset in offsets
        if first <= offset < end
        async for records in log.read(name, offset, offset + 1)
        for raw in records
    ]


def _check_decision(
    verdict: Verdict, offsets: Sequence[int], chosen: LetterFilter, actor: str, reason: str
) -> None:
    for name, value in (("actor", actor), ("reason", reason)):
        missing = not value.strip() and (name, verdict) != ("reason", Verdict.REPLAYED)
        if missing or has_control_characters(value) or len(value) > _LONGEST_REASON:
            problem = f"is missing, no single line or longer than {_LONGEST_REASON}"
            raise InvalidInput(name, problem, "give one line")
    if len(offsets) > MOST_OFFSETS:
        raise InvalidInput(
            "offsets", f"are {len(offsets)}", f"give {MOST_OFFSETS} at once, or a filter"
        )
    if offsets and chosen.chooses:
        raise InvalidInput("offsets", "stand beside a filter", "give one of them")
    if not offsets and not chosen.chooses:
        fix = "give offsets, or a cause, a tenant or a time"
        raise InvalidInput("filter", "chooses nothing", fix)


def _shown(raw: RawRecord, longest: int) -> ShownLetter:
    letter = as_letter(raw)
    value = letter.value
    if value is not None:
        letter = replace(letter, value=value[:longest])
    return ShownLetter(letter, len(value or b""))


def _parked_at(raw: RawRecord) -> datetime:
    return as_letter(raw).parked_at
