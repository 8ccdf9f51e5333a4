"""The files of segments: listed, read and written by name."""

import asyncio
from typing import Any

import pyarrow as pa
from gyre_common.store import Shelf

from gyre_trainer.segments.names import Segment, segments_of
from gyre_trainer.segments.parquet import Stream, parquet_bytes


class SegmentFiles:
    """Segments on a shelf, each one file.

    Raises, from every method: Retryable when the store is full, read-only or out of reach;
    DamagedContentError for a segment that cannot be read.
    """

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def segments_of(self, place: str) -> list[Segment]:
        """The segments of a place, in order."""
        return sorted(segments_of(await self._shelf.names(place)))

    async def all(self) -> list[Segment]:
        """The segments of every place."""
        # A listing that runs beside a merge may see neither what was merged nor what became of it;
        # the next one sees what became of it. What has ever been listed is kept, by whatever name.
        names = {*await self._shelf.names(), *await self._shelf.names()}
        return sorted(segments_of(names))

    async def table(self, stream: Stream[Any], segment: Segment) -> pa.Table:
        """The rows of a segment. Raises NotFound: it was merged away."""
        data = await self._shelf.get(segment.name)
        return await asyncio.to_thread(stream.decode, data, segment.name)

    async def put(self, segment: Segment, table: pa.Table) -> None:
        """A name that is taken keeps what it has."""
        await self._shelf.put(segment.name, await asyncio.to_thread(parquet_bytes, table))

    async def replace(self, segment: Segment, table: pa.Table) -> None:
        """Put other rows in the place of those that are there."""
        await self._shelf.replace(segment.name, await asyncio.to_thread(parquet_bytes, table))

    async def delete(self, segment: Segment) -> None:
        """One that is not there is fine."""
        await self._shelf.delete(segment.name)
