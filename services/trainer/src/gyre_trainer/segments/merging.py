"""Merges small neighbours, so that low traffic does not leave a file for every few seconds."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gyre_common.errors import GyreError

from gyre_trainer.segments.files import SegmentFiles
from gyre_trainer.segments.names import Segment, without_covered
from gyre_trainer.segments.parquet import Stream, each_once

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Merging:
    """Small neighbours become one, `merge_at` at a time, as far as `records` rows go."""

    files: SegmentFiles
    records: int
    merge_at: int

    async def merge(self, stream: Stream[Any], segments: Sequence[Segment]) -> None:
        """Merge what is worth it; a merge that fails is made good by a later one."""
        if len(segments) < self.merge_at:
            return
        try:
            await self._clear_covered(stream, segments)
            for run in self._runs(without_covered(segments)):
                await self._merge(stream, run)
        except GyreError as error:
            log.warning("segments not merged yet", extra={"cause": str(error)})

    def _runs(self, segments: Sequence[Segment]) -> list[list[Segment]]:
        """Neighbours that are worth a merge: many, or as many as will ever go together."""
        runs: list[list[Segment]] = []
        width = self.records + 1
        for segment in segments:
            if width + segment.width > self.records:
                runs.append([])
                width = 0
            runs[-1].append(segment)
            width += segment.width
        *closed, last = runs
        return [run for run in closed if len(run) > 1] + [last] * (len(last) >= self.merge_at)

    async def _merge(self, stream: Stream[Any], run: Sequence[Segment]) -> None:
        """Killed after the put, this leaves what it read beside what it wrote: that is harmless."""
        tables = [await self.files.table(stream, segment) for segment in run]
        merged = Segment(run[0].place, run[0].first, run[-1].last)
        joined = await asyncio.to_thread(each_once, tables, first=merged.first, end=merged.last + 1)
        await self.files.put(merged, joined)
        for segment in run:
            await self.files.delete(segment)
        log.info("segments merged", extra={"place": merged.place, "segments": len(run)})

    async def _clear_covered(self, stream: Stream[Any], segments: Sequence[Segment]) -> None:
        """Let go of what a killed merge left, once each of its rows is seen elsewhere."""
        remaining = without_covered(segments)
        for segment in set(segments).difference(remaining):
            around = next((other for other in remaining if other.covers(segment)), None)
            if around is None:
                continue
            covering_offsets = (await self.files.table(stream, around))["offset"].to_pylist()
            own_offsets = (await self.files.table(stream, segment))["offset"].to_pylist()
            if set(own_offsets) <= set(covering_offsets):
                await self.files.delete(segment)
