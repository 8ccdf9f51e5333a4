"""Collects facts as they come: a batch of a topic becomes a segment a partition."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any

from gyre_common.bus import Record
from gyre_common.redaction import redacted

from gyre_trainer.segments.facts import Fact
from gyre_trainer.segments.from_events import Collected
from gyre_trainer.segments.parquet import Stream
from gyre_trainer.segments.shelf import Segments


class Collector:
    """Keeps what training needs of each record, once, however often the record comes."""

    def __init__(self, segments: Segments) -> None:
        self._segments = segments

    async def collect(
        self,
        stream: Stream[Any],
        records: Iterable[Record[Any]],
        collected: Callable[[Any, int], Collected[Any]],
    ) -> None:
        """Return once all of them are safe.

        Raises Retryable when the store is full, read-only or out of reach. Then part of the batch
        may be safe already, which does no harm: it is skipped when the batch comes again.
        """
        facts: dict[int, list[Fact]] = defaultdict(list)
        passages: dict[str, str] = {}
        for record in records:
            one = collected(redacted(record.event), record.offset)
            facts[record.partition].append(one.fact)
            passages |= one.passages
        for partition, of_partition in sorted(facts.items()):
            await self._segments.append(stream, partition, of_partition, passages)
