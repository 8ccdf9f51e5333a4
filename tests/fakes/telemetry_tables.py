"""Telemetry's tables and topics in memory."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from gyre_common.bus import RawRecord
from gyre_common.errors import Poison, Unavailable
from gyre_telemetry.rebuild import Positions, Read, Rebuilding, RedactedWindow
from gyre_telemetry.service import Sink, TableRow

Table = dict[tuple[object, ...], Mapping[str, Any]]


class MemoryTables:
    """Implements `Tables`: one table `feedback`, whose rows replace each other by feedback_id.

    With `away` set so many inserts fail; `refuses` is a comment that fits no table. `changed` says
    that the live one has other columns than the new one until that is copied anew.
    """

    def __init__(self) -> None:
        self._live: tuple[UUID, Table] = (uuid4(), {})
        self._new: tuple[UUID, Table] | None = None
        self.windows: list[RedactedWindow] = []
        self.saved: dict[UUID, Rebuilding] = {}
        self.away = 0
        self.refuses = ""
        self.changed = False
        self.copies = 0

    @property
    def live(self) -> Table:
        """The rows that people read."""
        return self._live[1]

    async def last(self) -> Rebuilding | None:
        """See `Tables`."""
        return max(self.saved.values(), key=lambda each: each.started_at, default=None)

    async def save(self, rebuild: Rebuilding) -> None:
        """See `Tables`."""
        self.saved[rebuild.rebuild_id] = replace(rebuild)

    async def redacted_windows(self) -> Sequence[RedactedWindow]:
        """See `Tables`."""
        return self.windows

    async def copy(self) -> Mapping[str, UUID]:
        """See `Tables`."""
        self._new = (uuid4(), dict(self._live[1]))
        self.changed = False
        self.copies += 1
        return {"feedback": self._new[0]}

    async def fit(self, tables: Mapping[str, UUID]) -> bool:
        """See `Tables`."""
        there = [self._live[0], *([self._new[0]] if self._new else [])]
        return bool(tables) and not self.changed and all(each in there for each in tables.values())

    async def row_counts(self, *, new: bool) -> Mapping[str, int]:
        """See `Tables`."""
        return {"feedback": len(self._table(new=new))}

    def sink(self, *, new: bool) -> Sink:
        """See `Tables`."""
        return _MemorySink(self, new=new)

    async def swap(self, tables: Mapping[str, UUID]) -> None:
        """See `Tables`."""
        if tables["feedback"] != self._live[0]:
            assert self._new is not None
            self._live, self._new = self._new, self._live

    async def drop(self) -> None:
        """See `Tables`."""
        self._new = None

    def _table(self, *, new: bool) -> Table:
        if not new:
            return self._live[1]
        assert self._new is not None, "nothing is beside the live tables"
        return self._new[1]

    def insert(self, rows: Sequence[TableRow], *, new: bool) -> None:
        """As the sink does."""
        if self.away:
            self.away -= 1
            raise Unavailable("ClickHouse is away")
        if self.refuses and any(row.values["comment"] == self.refuses for row in rows):
            raise Poison("it does not fit")
        for row in rows:
            key = (row.values["tenant"], row.values["interaction_id"], row.values["feedback_id"])
            self._table(new=new)[key] = row.values


class _MemorySink:
    """Implements `Sink`."""

    def __init__(self, tables: MemoryTables, *, new: bool) -> None:
        self._tables = tables
        self._is_new = new

    async def insert(self, table: str, rows: Sequence[TableRow]) -> None:
        """See `Sink`."""
        self._tables.insert(rows, new=self._is_new)


class MemoryTopics:
    """Implements `Topics` on lists of records by partition, of which the first ones may be gone:
    `begins` says from where on they are there.
    """

    def __init__(self, *, at_once: int = 2) -> None:
        self.partitions: dict[str, list[RawRecord]] = {}
        self.begins: dict[str, int] = {}
        self._at_once = at_once

    async def read(self, positions: Positions) -> AsyncGenerator[Read, None]:
        """See `Topics`."""
        ends = {name: len(records) for name, records in self.partitions.items()}
        at = {name: max(positions.get(name, 0), self.begins.get(name, 0)) for name in ends}
        for name, records in list(self.partitions.items()):
            while at[name] < ends[name]:
                upto = min(ends[name], at[name] + self._at_once)
                some, at[name] = records[at[name] : upto], upto
                left = sum(max(0, ends[each] - at[each]) for each in ends)
                yield Read(some, dict(at), left)
