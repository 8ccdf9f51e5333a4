"""Rows of what happened, kept many at a time."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from gyre_common.telemetry.metrics import METRICS


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of a table by column. `values` may hold more than the table has columns for."""

    table: str
    values: Mapping[str, object]


class Sink(Protocol):
    """Keeps rows. Writing a row again leaves one row, the newest."""

    async def insert(self, table: str, rows: Sequence[TableRow]) -> None:
        """Return once all rows, of one table and with the same columns, are kept.

        Raises:
            Retryable: the sink is down, slow or busy. Some of the rows may be kept.
            Poison: at least one row can never be kept.
        """


class Telemetry:
    """Records what happened. Recording it again changes nothing."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def record(self, rows: Iterable[TableRow]) -> None:
        """Return when all rows of a batch of events are kept. Raises as `Sink.insert`: part of them
        may be kept then, which does no harm, as the batch comes again and rows replace themselves.
        """
        batches: dict[tuple[str, ...], list[TableRow]] = defaultdict(list)
        for row in rows:
            batches[row.table, *row.values].append(row)
        for (table, *_), batch in batches.items():
            await self._sink.insert(table, batch)
            METRICS.rows_inserted.labels(table).inc(len(batch))
            METRICS.batch_size.labels(f"insert {table}").observe(len(batch))
