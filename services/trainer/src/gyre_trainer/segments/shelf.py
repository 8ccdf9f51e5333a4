"""Segments on a shelf: each offset appended once and read once, small neighbours merged."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from gyre_common.errors import FailedPrecondition, GyreError, NotFound, Retryable
from gyre_common.store import Shelf

from gyre_trainer.segments.facts import Fact, PartitionFacts
from gyre_trainer.segments.parquet import (
    FEEDBACK,
    INTERACTIONS,
    JUDGEMENTS,
    Stream,
    each_once,
    parquet_bytes,
)
from gyre_trainer.segments.window import Window, partitions

log = logging.getLogger(__name__)

FOLDER = "segments"
"""Where segments stand in the store."""

_NAME = re.compile(r"(?P<place>.+/\d+)/(?P<first>\d{12,})-(?P<last>\d{12,})\.parquet")
_READS = 5


@dataclass(frozen=True, order=True)
class Segment:
    """The rows of `place` (`topic/partition`) from offset `first` to offset `last`."""

    place: str
    first: int
    last: int

    @property
    def name(self) -> str:
        """What it is called on the shelf."""
        return f"{self.place}/{self.first:012d}-{self.last:012d}.parquet"

    @property
    def width(self) -> int:
        """Rows, at most."""
        return self.last - self.first + 1

    def covers(self, other: "Segment") -> bool:
        """Tell whether the other one lies within this one."""
        return self != other and self.first <= other.first and other.last <= self.last


class Segments:
    """The facts of the streams, for ever.

    A writer puts a segment before it commits the offsets in it. Killed in between, the next
    writer finds the segment and skips its offsets; two writers at once, after a rebalance, may put
    segments that overlap, which readers see through: each row carries its offset.

    Raises, from every method: Retryable when the store is full, read-only or out of reach;
    DamagedContentError for a segment that cannot be read.
    """

    def __init__(self, shelf: Shelf, *, records: int = 5_000, merge_at: int = 16) -> None:
        """Small neighbours become one, `merge_at` at a time, as far as `records` rows go."""
        self._shelf = shelf
        self._records = records
        self._merge_at = merge_at

    async def append(self, stream: Stream[Any], partition: int, facts: Sequence[Fact]) -> int:
        """Keep facts, in the order of their offsets; returns how many were not there before."""
        place = f"{stream.topic}/{partition}"
        held = await self._held(place)
        end = _end(held)
        fresh = [fact for fact in facts if fact.offset >= end]
        if not fresh:
            return 0
        segment = Segment(place, fresh[0].offset, fresh[-1].offset)
        await self._shelf.put(segment.name, await asyncio.to_thread(stream.encode, fresh))
        if len(held) + 1 >= self._merge_at:
            await self._merge_if_it_goes(stream, [*held, segment])
        return len(fresh)

    async def durable(self) -> dict[str, tuple[int, int]]:
        """What is kept, as a window: everything there is."""
        window: dict[str, tuple[int, int]] = {}
        for segment in _segments(await self._names()):
            first, end = window.get(segment.place, (segment.first, 0))
            window[segment.place] = (min(first, segment.first), max(end, segment.last + 1))
        return window

    async def facts(self, window: Window, tenant: str | None) -> AsyncIterator[PartitionFacts]:
        """The facts of a window, partition by partition; of one tenant, or of all with None.

        Raises:
            FailedPrecondition: the window goes beyond what is kept.
        """
        await self._check(window)
        for partition in partitions(window):
            yield PartitionFacts(
                interactions=await self._read(INTERACTIONS, partition, window, tenant),
                feedback=await self._read(FEEDBACK, partition, window, tenant),
                judgements=await self._read(JUDGEMENTS, partition, window, tenant),
            )

    async def _check(self, window: Window) -> None:
        kept = await self.durable()
        for place, (first, end) in window.items():
            there_first, there_end = kept.get(place, (0, 0))
            if first < end and (first < there_first or end > there_end):
                raise FailedPrecondition(
                    f"the window wants {place} from {first} to {end}, but the store keeps "
                    f"{there_first} to {there_end}: choose a window within, or wait for the trainer"
                )

    async def _read(
        self, stream: Stream[Any], partition: int, window: Window, tenant: str | None
    ) -> list[Any]:
        place = f"{stream.topic}/{partition}"
        first, end = window.get(place, (0, 0))
        tables = await self._tables(stream, place, first, end)
        if not tables:
            return []
        return await asyncio.to_thread(
            lambda: stream.facts(each_once(tables, first=first, end=end), tenant)
        )

    async def _tables(
        self, stream: Stream[Any], place: str, first: int, end: int
    ) -> list[pa.Table]:
        async def listed() -> list[Segment]:
            return [s for s in await self._held(place) if s.last >= first and s.first < end]

        for _ in range(_READS):
            wanted = await listed()
            try:
                tables = [await self._table(stream, segment) for segment in wanted]
            except NotFound:
                continue  # merged away since it was listed
            if wanted == await listed():
                return tables
        raise Retryable(f"the segments of {place} change faster than they can be read: try again")

    async def _table(self, stream: Stream[Any], segment: Segment) -> pa.Table:
        data = await self._shelf.get(segment.name)
        return await asyncio.to_thread(stream.decode, data, segment.name)

    async def _names(self) -> set[str]:
        # A listing that runs beside a merge may see neither what was merged nor what became of it;
        # the next one sees what became of it. What has ever been listed is kept, by whatever name.
        return {*await self._shelf.names(), *await self._shelf.names()}

    async def _held(self, place: str) -> list[Segment]:
        return sorted(_segments(await self._shelf.names(place)))

    # Merging

    async def _merge_if_it_goes(self, stream: Stream[Any], held: Sequence[Segment]) -> None:
        """What was appended is safe already: a merge that fails is made good by a later one."""
        try:
            await self._clear_covered(stream, held)
            for run in self._runs(_uncovered(held)):
                await self._merge(stream, run)
        except GyreError as error:
            log.warning("segments not merged yet", extra={"cause": str(error)})

    def _runs(self, held: Sequence[Segment]) -> list[list[Segment]]:
        """Neighbours that are worth a merge: many, or as many as will ever go together."""
        runs: list[list[Segment]] = []
        width = self._records + 1
        for segment in held:
            if width + segment.width > self._records:
                runs.append([])
                width = 0
            runs[-1].append(segment)
            width += segment.width
        *closed, last = runs
        return [run for run in closed if len(run) > 1] + [last] * (len(last) >= self._merge_at)

    async def _merge(self, stream: Stream[Any], run: Sequence[Segment]) -> None:
        """Killed after the put, this leaves what it read beside what it wrote: that is harmless."""
        tables = [await self._table(stream, segment) for segment in run]
        merged = Segment(run[0].place, run[0].first, run[-1].last)

        def joined() -> bytes:
            return parquet_bytes(each_once(tables, first=merged.first, end=merged.last + 1))

        await self._shelf.put(merged.name, await asyncio.to_thread(joined))
        for segment in run:
            await self._shelf.delete(segment.name)
        log.info("segments merged", extra={"place": merged.place, "segments": len(run)})

    async def _clear_covered(self, stream: Stream[Any], held: Sequence[Segment]) -> None:
        """Let go of what a killed merge left, once each of its rows is seen elsewhere."""
        kept = _uncovered(held)
        for segment in set(held).difference(kept):
            around = next((other for other in kept if other.covers(segment)), None)
            if around is None:
                continue
            there = (await self._table(stream, around))["offset"].to_pylist()
            mine = (await self._table(stream, segment))["offset"].to_pylist()
            if set(mine) <= set(there):
                await self._shelf.delete(segment.name)


def _segments(names: Iterable[str]) -> list[Segment]:
    found = filter(None, map(_NAME.fullmatch, names))
    return [Segment(m["place"], int(m["first"]), int(m["last"])) for m in found]


def _end(held: Iterable[Segment]) -> int:
    return max((segment.last + 1 for segment in held), default=0)


def _uncovered(held: Iterable[Segment]) -> list[Segment]:
    """Those that lie in no other one."""
    found: list[Segment] = []
    for segment in sorted(held, key=lambda one: (one.first, -one.last)):
        if not found or segment.last > found[-1].last:
            found.append(segment)
    return found
