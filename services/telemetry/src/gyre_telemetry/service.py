"""Turns events into rows and keeps them, many at a time."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

from gyre_common.telemetry.metrics import METRICS

from gyre_telemetry.rows import TableRow
from gyre_telemetry.sink import Sink


class Telemetry:
    """Records what happened. Recording it again changes nothing."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def record(self, rows: Iterable[TableRow]) -> None:
        """Keep the rows of a batch of events; returns when all are kept.

        Raises as `Sink.insert`. Then part of the batch may be kept, which does no harm: the batch
        comes again, and each row replaces itself.
        """
        batches: dict[tuple[str, ...], list[TableRow]] = defaultdict(list)
        for row in rows:
            batches[row.table, *row.values].append(row)
        for (table, *_), batch in batches.items():
            await self._insert(table, batch)

    async def _insert(self, table: str, batch: Sequence[TableRow]) -> None:
        await self._sink.insert(table, batch)
        METRICS.rows_inserted.labels(table).inc(len(batch))
        METRICS.batch_size.labels(f"insert {table}").observe(len(batch))
