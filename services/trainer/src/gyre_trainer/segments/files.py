"""The files of segments: what their names tell, and how small neighbours become one."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import pyarrow as pa
from gyre_common.errors import GyreError, NotFound, Retryable
from gyre_common.store import Shelf

from gyre_trainer.segments.parquet import STREAMS, Stream, each_once, parquet_bytes, read_parquet

log = logging.getLogger(__name__)

T = TypeVar("T")

_READS = 5
_STREAMS = {stream.topic: stream for stream in STREAMS}
_NAME = re.compile(
    r"(?P<topic>.+)/(?P<partition>\d+)/(?P<first>\d{12,})-(?P<last>\d{12,})\.parquet"
)


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
    def stream(self) -> Stream[Any]:
        """What its rows are."""
        return _STREAMS[self.place.rpartition("/")[0]]

    @property
    def width(self) -> int:
        """Rows, at most."""
        return self.last - self.first + 1

    def covers(self, other: "Segment") -> bool:
        """Tell whether the other one lies within this one."""
        return self != other and self.first <= other.first and other.last <= self.last


def end_of(segments: Iterable[Segment]) -> int:
    """The offset behind the last one; 0 where there is none."""
    return max((segment.last + 1 for segment in segments), default=0)


async def read_unmerged(what: str, read: Callable[[], Awaitable[T]]) -> T:
    """Read again what was merged away meanwhile. Raises Retryable when that does not end."""
    for _ in range(_READS):
        with suppress(NotFound):
            return await read()
    raise Retryable(f"{what} change faster than they can be read: try again")


class SegmentFiles:
    """One file each; small neighbours become one, `merge_at` at a time, up to `records` rows. Every
    method raises Retryable, and DamagedContentError for one that is not readable.
    """

    def __init__(self, shelf: Shelf, *, records: int, merge_at: int) -> None:
        self._shelf = shelf
        self._records = records
        self._merge_at = merge_at

    async def segments_of(self, place: str) -> list[Segment]:
        """The segments of a place, in order."""
        return _segments(await self._shelf.names(place))

    async def all(self) -> list[Segment]:
        """The segments of every place."""
        # A listing that runs beside a merge may see neither what was merged nor what became of it;
        # the next one sees what became of it. What has ever been listed is kept, by whatever name.
        return _segments({*await self._shelf.names(), *await self._shelf.names()})

    async def table(self, segment: Segment) -> pa.Table:
        """The rows of a segment. Raises NotFound: it was merged away."""
        data = await self._shelf.get(segment.name)
        name = f"segment {segment.name}"
        return await asyncio.to_thread(read_parquet, data, segment.stream.schema, name)

    async def put(self, segment: Segment, table: pa.Table) -> None:
        """A name that is taken keeps what it has."""
        await self._shelf.put(segment.name, await asyncio.to_thread(parquet_bytes, table))

    async def replace(self, segment: Segment, table: pa.Table) -> None:
        """Put other rows in the place of those that are there."""
        await self._shelf.replace(segment.name, await asyncio.to_thread(parquet_bytes, table))

    async def delete(self, segment: Segment) -> None:
        """One that is not there is fine."""
        await self._shelf.delete(segment.name)

    async def merge(self, segments: Sequence[Segment]) -> None:
        """Merge what is worth it of one place; a merge that fails is made good by a later one."""
        if len(segments) < self._merge_at:
            return
        try:
            remaining = _without_covered(segments)
            await self._clear_covered(set(segments).difference(remaining), remaining)
            for neighbours in self._worth_merging(remaining):
                await self._merge(neighbours)
        except GyreError as error:
            log.warning("segments not merged yet", extra={"cause": str(error)})

    def _worth_merging(self, segments: Sequence[Segment]) -> list[list[Segment]]:
        """Neighbours that are many, or as many as will ever go together."""
        groups: list[list[Segment]] = []
        width = self._records + 1
        for segment in segments:
            if width + segment.width > self._records:
                groups.append([])
                width = 0
            groups[-1].append(segment)
            width += segment.width
        *closed, last = groups
        return [group for group in closed if len(group) > 1] + [last] * (
            len(last) >= self._merge_at
        )

    async def _merge(self, neighbours: Sequence[Segment]) -> None:
        # Killed after the put, this leaves what it read beside what it wrote: that is harmless.
        tables = [await self.table(segment) for segment in neighbours]
        merged = Segment(neighbours[0].place, neighbours[0].first, neighbours[-1].last)
        joined = await asyncio.to_thread(each_once, tables, first=merged.first, end=merged.last + 1)
        await self.put(merged, joined)
        for segment in neighbours:
            await self.delete(segment)
        log.info("segments merged", extra={"place": merged.place, "segments": len(neighbours)})

    async def _clear_covered(self, covered: Iterable[Segment], others: Sequence[Segment]) -> None:
        """Let go of what a killed merge left, once each of its rows is seen elsewhere."""
        for segment in covered:
            around = next((other for other in others if other.covers(segment)), None)
            if around is not None and await self._offsets(segment) <= await self._offsets(around):
                await self.delete(segment)

    async def _offsets(self, segment: Segment) -> set[int]:
        return set((await self.table(segment))["offset"].to_pylist())


def _segments(names: Iterable[str]) -> list[Segment]:
    matches = filter(None, map(_NAME.fullmatch, names))
    return sorted(
        Segment(f"{m['topic']}/{m['partition']}", int(m["first"]), int(m["last"]))
        for m in matches
        if m["topic"] in _STREAMS
    )


def _without_covered(segments: Iterable[Segment]) -> list[Segment]:
    remaining: list[Segment] = []
    for segment in sorted(segments, key=lambda one: (one.first, -one.last)):
        if not remaining or segment.last > remaining[-1].last:
            remaining.append(segment)
    return remaining
