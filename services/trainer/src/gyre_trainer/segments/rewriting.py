"""Rewrites segments in place: the same names, so the same offsets count as collected."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from gyre_trainer.segments.facts import Fact
from gyre_trainer.segments.files import SegmentFiles
from gyre_trainer.segments.names import Segment, end_of
from gyre_trainer.segments.parquet import STREAMS, Stream


@dataclass
class Rewritten:
    """What became of facts, by topic: removed, and kept without their texts."""

    removed: Counter[str] = field(default_factory=Counter)
    cleared: Counter[str] = field(default_factory=Counter)


async def rewrite(
    files: SegmentFiles, tenant: str, change: Callable[[Fact], Fact | None]
) -> Rewritten:
    """Put every fact of a tenant through `change`, which returns None for those that go."""
    done = Rewritten()
    for stream, segment in await _each(files):
        table = await files.table(stream, segment)
        if not pc.any(pc.equal(table["tenant"], tenant)).as_py():
            continue
        after = await asyncio.to_thread(_changed, stream, table, change, done)
        if after is not None:
            await files.replace(segment, after)
    return done


def _changed(
    stream: Stream[Any],
    table: pa.Table,
    change: Callable[[Fact], Fact | None],
    done: Rewritten,
) -> pa.Table | None:
    """The rows as they may stay; None where all may stay as they are."""
    before = stream.facts(table, None)
    after = [change(fact) for fact in before]
    if after == before:
        return None
    done.removed[stream.topic] += after.count(None)
    changes = zip(before, after, strict=True)
    done.cleared[stream.topic] += sum(new is not None and new != old for old, new in changes)
    return stream.table([fact for fact in after if fact is not None])


async def drop_before(files: SegmentFiles, oldest: datetime) -> Rewritten:
    """Remove the facts from before `oldest`, and with them whole segments.

    The last segment of a place stays, if need be without rows: its name tells what was collected.
    """
    done = Rewritten()
    for stream, segment in await _each(files):
        table = await files.table(stream, segment)
        after = table.filter(pc.greater_equal(table[stream.time], pa.scalar(oldest)))
        done.removed[stream.topic] += len(table) - len(after)
        is_last = segment.last + 1 == end_of(await files.segments_of(segment.place))
        if not len(after) and not is_last:
            await files.delete(segment)
        elif len(after) < len(table):
            await files.replace(segment, after)
    return done


async def _each(files: SegmentFiles) -> list[tuple[Stream[Any], Segment]]:
    streams = {stream.topic: stream for stream in STREAMS}
    with_topics = ((segment, segment.place.rpartition("/")[0]) for segment in await files.all())
    return [(streams[topic], segment) for segment, topic in with_topics if topic in streams]
