"""Fills the tables anew, beside the live ones, from what the topics and the old tables hold."""

import asyncio
import logging
from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID, uuid4

from gyre_common.bus import RawRecord
from gyre_common.bus.record import Unreadable
from gyre_common.errors import FailedPrecondition, GyreError, Poison, Retryable, Unavailable
from gyre_common.events.event import now
from gyre_common.retrying import retry

from gyre_telemetry.service import Sink, TableRow, Telemetry

log = logging.getLogger(__name__)

_BEAT = timedelta(seconds=3)
_SILENCE = timedelta(seconds=15)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 10.0
_NEARLY_THROUGH = 1_000
"""Records left to read at which the new tables may take the place of the old ones."""

Positions = Mapping[str, int]
"""Partition of a topic (`feedback.received.v1/3`) to the offset of the next record to read."""


class RebuildState(StrEnum):
    """How far a rebuild is. It waits in `BUILT` for whoever wants to look at the new tables."""

    COPYING = "copying"
    READING = "reading"
    BUILT = "built"
    SWAPPING = "swapping"
    FINISHED = "finished"
    FAILED = "failed"
    DROPPED = "dropped"


_ENDED = frozenset({RebuildState.FINISHED, RebuildState.DROPPED})


@dataclass(frozen=True)
class Rebuilding:
    """A rebuild as it is kept; `gyre.rebuilds` says what its fields mean."""

    rebuild_id: UUID = field(default_factory=uuid4)
    started_at: datetime = field(default_factory=now)
    updated_at: datetime = field(default_factory=now)
    owner: str = ""
    state: RebuildState = RebuildState.COPYING
    swap: bool = True
    positions: Positions = field(default_factory=dict)
    records: int = 0
    records_read: int = 0
    left_out: int = 0
    tables: Mapping[str, UUID] = field(default_factory=dict)
    rows_before: Mapping[str, int] = field(default_factory=dict)
    rows_after: Mapping[str, int] = field(default_factory=dict)
    problem: str = ""


@dataclass(frozen=True)
class RedactedWindow:
    """Rows of a tenant that were rewritten, and what became of personal data in them. `time` is
    when that began; once they are rewritten, when it ended.
    """

    tenant: str
    since: datetime
    until: datetime
    redacted_as: str
    time: datetime


class Tables(Protocol):
    """The live tables, and new ones beside them. Each method raises Unavailable when the engine is
    away, and can be called again after it was cut off.
    """

    async def last(self) -> Rebuilding | None:
        """The rebuild that began last."""

    async def save(self, rebuild: Rebuilding) -> None:
        """Keep how far it is; the newest `updated_at` counts."""

    async def redacted_windows(self) -> Sequence[RedactedWindow]:
        """All that was ever redacted."""

    async def copy(self) -> Mapping[str, UUID]:
        """Make new tables that hold what the live ones hold, whatever was beside them before.
        Returns the engine's id of each.
        """

    async def fit(self, tables: Mapping[str, UUID]) -> bool:
        """Whether these tables are there, beside the live ones or in their place, with the columns
        that the live ones have.
        """

    async def row_counts(self, *, new: bool) -> Mapping[str, int]:
        """Rows by table, each fact once."""

    def sink(self, *, new: bool) -> Sink:
        """What fills them. A row of theirs is replaced by one that comes later."""

    async def swap(self, tables: Mapping[str, UUID]) -> None:
        """Let these take the place of the live ones, unless they have it already."""

    async def drop(self) -> None:
        """Remove what is beside the live tables."""


@dataclass(frozen=True)
class Read:
    """Records, and where reading goes on behind them. `left` is how many are still to come."""

    records: Sequence[RawRecord]
    positions: Positions
    left: int


class Topics(Protocol):
    """All topics that become rows."""

    def read(self, positions: Positions) -> AsyncGenerator[Read, None]:
        """Everything from these positions (else the beginning) to the ends as of now, in order by
        partition. Raises Unavailable.
        """


Translate = Callable[[RawRecord], Iterable[TableRow]]
"""A record's rows; raises Poison for one that can be none."""


class _TakenOver(Exception):
    """The rebuild is another process's now, or was given up there."""


class Rebuild:
    """One rebuild at a time. It goes on where it was after whatever ended it, once it is asked for.

    The new tables begin as copies of the live ones, so that nothing is lost that the topics hold no
    more; what they hold is then read from the beginning and replaces it. The live tables are filled
    meanwhile, as ever: their records are the last that are read.
    """

    def __init__(
        self,
        tables: Tables,
        topics: Topics,
        translate: Translate,
        redacted_as: Callable[[str], str],
        *,
        silence: timedelta = _SILENCE,
    ) -> None:
        self._tables = tables
        self._topics = topics
        self._translate = translate
        self._redacted_as = redacted_as
        self._silence = silence
        self._owner = str(uuid4())
        self._rebuild: Rebuilding | None = None
        self._wanted = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._redactions = 0

    async def start(self, *, swap: bool) -> UUID:
        """Begin, or go on with one that was cut off, is built, or failed; returns its id. One that
        runs goes on, and swaps where it is asked to.

        Raises:
            FailedPrecondition: rows are being redacted.
            Unavailable: the engine is away.
        """
        if self._redactions:
            raise FailedPrecondition(
                "rows are being redacted: ask again once `gyre redact` is through"
            )
        if self._works:
            self._change(swap=swap)
            return self._now.rebuild_id
        last = await self._tables.last()
        if last is not None and self._runs(last):
            return last.rebuild_id
        if last is None or last.state in _ENDED or not await self._tables.fit(last.tables):
            last = Rebuilding()
        state = last.state
        if state in (RebuildState.BUILT, RebuildState.FAILED):
            state = RebuildState.READING
        taken = {"owner": self._owner, "swap": swap, "state": state, "problem": ""}
        self._rebuild = _updated(replace(last, **taken))  # type: ignore[arg-type]
        await self._tables.save(self._rebuild)
        self._wanted.set()
        return last.rebuild_id

    async def progress(self) -> tuple[Rebuilding | None, bool]:
        """The last rebuild, and whether somebody works on it. Raises Unavailable."""
        if self._works:
            return self._rebuild, True
        last = await self._tables.last()
        return last, last is not None and self._runs(last)

    async def drop(self) -> None:
        """Give the rebuild up, and remove its tables.

        Raises:
            FailedPrecondition: there is none that could be given up.
            Unavailable: the engine is away.
        """
        last = await self._tables.last()
        if last is None or last.state in _ENDED:
            raise FailedPrecondition("no rebuild is under way")
        if last.state is RebuildState.SWAPPING:
            raise FailedPrecondition(
                "the new tables are taking the place of the old ones: let it finish with "
                "`gyre telemetry rebuild`"
            )
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])
        elif self._runs(last):
            raise FailedPrecondition("another process works on it: ask again, or stop that one")
        await self._tables.drop()
        self._rebuild = _updated(replace(last, state=RebuildState.DROPPED, owner=self._owner))
        await self._tables.save(self._rebuild)

    @asynccontextmanager
    async def standing_still(self) -> AsyncIterator[None]:
        """No rebuild begins while rows are redacted. Raises FailedPrecondition where one is under
        way, or began meanwhile in another process: its tables may hold the words of before.
        """
        last = await self._tables.last()
        if last is not None and last.state not in _ENDED:
            raise FailedPrecondition(
                "a rebuild of the tables is under way: let it finish (`gyre telemetry rebuild`), "
                "or give it up with `gyre telemetry drop`, then redact"
            )
        self._redactions += 1
        try:
            yield
        finally:
            self._redactions -= 1
        newest = await self._tables.last()
        if newest is not None and (last is None or newest.rebuild_id != last.rebuild_id):
            raise FailedPrecondition(
                "a rebuild of the tables began while rows were rewritten, and may bring back the "
                "words of before: give it up with `gyre telemetry drop` unless it is finished, "
                "then redact again"
            )

    def problems(self) -> list[str]:
        """What a rebuild of this process waits for, or why it failed."""
        if self._rebuild is None or not self._rebuild.problem:
            return []
        return [f"the rebuild of the tables is {self._rebuild.state}: {self._rebuild.problem}"]

    async def work(self) -> None:
        """Do what is asked for, for ever."""
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            async with asyncio.TaskGroup() as group:
                beating = group.create_task(self._beat())
                self._running = group.create_task(self._run())
                try:
                    await asyncio.wait([self._running])
                finally:
                    beating.cancel()
                    self._running = None

    @property
    def _works(self) -> bool:
        return self._running is not None or self._wanted.is_set()

    def _runs(self, rebuild: Rebuilding) -> bool:
        works = rebuild.state not in {*_ENDED, RebuildState.BUILT, RebuildState.FAILED}
        elsewhere = rebuild.owner != self._owner
        return works and elsewhere and now() - rebuild.updated_at < self._silence

    async def _beat(self) -> None:
        """Others see that it goes on, and it goes on from here when this process is killed."""
        while True:
            await asyncio.sleep(_BEAT.total_seconds())
            try:
                await self._save()
            except _TakenOver:
                if self._running is not None:
                    self._running.cancel()
                return
            except Retryable as error:
                log.warning("how far a rebuild is was not kept", extra={"cause": str(error)})

    async def _run(self) -> None:
        def waiting(error: BaseException, seconds: float) -> None:
            self._change(problem=str(error))
            log.warning("a rebuild waits", extra={"for": str(error), "retry_seconds": seconds})

        async def patiently(step: Callable[[], Awaitable[None]]) -> None:
            await retry(
                step, Retryable, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE, on_pause=waiting
            )

        try:
            while (step := self._next_step()) is not None:
                await patiently(step)
                self._change(problem="")
                await patiently(self._save)
        except _TakenOver:
            self._change(problem="")
            log.warning("a rebuild was taken over by another process")
        except Exception as error:
            why = str(error) if isinstance(error, GyreError) else f"{type(error).__name__}: {error}"
            log.error("a rebuild failed", extra={"cause": why}, exc_info=why != str(error))
            half_way = self._now.state is RebuildState.SWAPPING  # it can only go on
            state = self._now.state if half_way else RebuildState.FAILED
            self._change(state=state, problem=why)
            with suppress(_TakenOver):
                await patiently(self._save)

    def _next_step(self) -> Callable[[], Awaitable[None]] | None:
        match self._now.state:
            case RebuildState.COPYING:
                return self._copy
            case RebuildState.READING:
                return self._build
            case RebuildState.BUILT if self._now.swap:
                return self._begin_swap
            case RebuildState.SWAPPING:
                return self._swap
            case _:
                return None

    async def _copy(self) -> None:
        """A copy that was cut off is made anew: one on top of what was read would hide it."""
        await self._check_owner()
        tables = await self._tables.copy()
        before = await self._tables.row_counts(new=False)
        self._change(
            state=RebuildState.READING,
            tables=tables,
            rows_before=before,
            positions={},
            records_read=0,
            left_out=0,
        )

    async def _build(self) -> None:
        while await self._read_on(new=True) > _NEARLY_THROUGH:
            pass
        before = await self._tables.row_counts(new=False)
        after = await self._tables.row_counts(new=True)
        for name, count in self._now.rows_before.items():
            if after[name] < count:
                raise FailedPrecondition(
                    f"the new table {name} has {after[name]} rows, and the old one had {count}: "
                    "nothing was swapped; compare them, then `gyre telemetry drop`"
                )
        self._change(state=RebuildState.BUILT, rows_before=before, rows_after=after)

    async def _begin_swap(self) -> None:
        """Tables that another version has changed since are copied anew."""
        if not await self._tables.fit(self._now.tables):
            self._change(state=RebuildState.COPYING)
            return
        await self._read_on(new=True)
        windows = await self._tables.redacted_windows()
        if any(each.time >= self._now.started_at for each in windows):
            raise FailedPrecondition(
                "rows were redacted after it began, and the new tables may hold the words of "
                "before: nothing was swapped; `gyre telemetry drop`, then rebuild again"
            )
        before = await self._tables.row_counts(new=False)
        self._change(state=RebuildState.SWAPPING, rows_before=before)

    async def _swap(self) -> None:
        """What the old tables took in since the last record that was read is read once more, into
        the tables that are live now.
        """
        await self._check_owner()
        await self._tables.swap(self._now.tables)
        await self._read_on(new=False)
        after = await self._tables.row_counts(new=False)
        await self._check_owner()
        await self._tables.drop()
        self._change(state=RebuildState.FINISHED, rows_after=after)

    async def _read_on(self, *, new: bool) -> int:
        """Read to where the topics ended when it began; returns how many records that were."""
        telemetry, windows = (
            Telemetry(self._tables.sink(new=new)),
            await self._tables.redacted_windows(),
        )
        closed = [each for each in windows if each.redacted_as != self._redacted_as(each.tenant)]
        count = 0
        async with aclosing(self._topics.read(self._now.positions)) as reads:
            async for read in reads:
                rows, left_out = await asyncio.to_thread(self._rows, read.records, closed)
                left_out += await _record(telemetry, rows)
                count += len(read.records)
                done = self._now.records_read + _distance(self._now.positions, read.positions)
                self._change(
                    positions={**self._now.positions, **read.positions},
                    records_read=done,
                    records=done + read.left,
                    left_out=self._now.left_out + left_out,
                )
        return count

    def _rows(
        self, records: Sequence[RawRecord], closed: Sequence[RedactedWindow]
    ) -> tuple[list[list[TableRow]], int]:
        """Those of each record, and how many can be none. Raises Unavailable for what is damaged:
        another copy may be intact.
        """
        rows: list[list[TableRow]] = []
        left_out = 0
        for record in records:
            try:
                of_record = list(self._translate(record))
            except Unreadable as error:
                raise Unavailable(f"{record.topic}/{record.partition}: {error}") from error
            except Poison:
                left_out += 1
            else:
                rows.append([row for row in of_record if not _is_within(row, closed)])
        return rows, left_out

    @property
    def _now(self) -> Rebuilding:
        assert self._rebuild is not None, "start it first"
        return self._rebuild

    def _change(self, **fields: object) -> None:
        self._rebuild = replace(self._now, **fields)  # type: ignore[arg-type]

    async def _check_owner(self) -> None:
        """Raises _TakenOver: a process that was silent for long is not awaited."""
        last = await self._tables.last()
        if last is None or (last.rebuild_id, last.owner) != (self._now.rebuild_id, self._owner):
            raise _TakenOver

    async def _save(self) -> None:
        await self._check_owner()
        self._rebuild = _updated(self._now)
        await self._tables.save(self._rebuild)


def _updated(rebuild: Rebuilding) -> Rebuilding:
    """No older than what was kept last, though the clock of another machine may have been ahead:
    of two that are as new, the one that is saved later counts.
    """
    return replace(rebuild, updated_at=max(now(), rebuild.updated_at))


async def _record(telemetry: Telemetry, rows: Sequence[Sequence[TableRow]]) -> int:
    """Halved until what does not fit stands alone; returns how many records that are."""
    parts, left_out = [rows], 0
    while parts:
        part = parts.pop()
        try:
            await telemetry.record(row for of_record in part for row in of_record)
        except Poison:
            if len(part) == 1:
                left_out += 1
            else:
                middle = len(part) // 2
                parts += [part[middle:], part[:middle]]
    return left_out


def _is_within(row: TableRow, windows: Sequence[RedactedWindow]) -> bool:
    tenant, time = row.values["tenant"], row.values["time"]
    assert isinstance(time, datetime)
    return any(each.tenant == tenant and each.since <= time < each.until for each in windows)


def _distance(before: Positions, after: Positions) -> int:
    return sum(max(0, place - before.get(name, 0)) for name, place in after.items())
