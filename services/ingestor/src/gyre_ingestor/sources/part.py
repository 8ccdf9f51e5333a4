"""One part of a sync: compares what a source has with what it brought, and acts on it."""

import asyncio
import time
from collections.abc import (
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
    Sequence,
)
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from gyre_common.errors import InvalidInput
from gyre_common.events.sources import SourceChanged
from gyre_common.lines import has_control_characters
from gyre_common.store import digest_of

from gyre_ingestor.sources.sending import Door, Sender
from gyre_ingestor.sources.source import (
    Cursor,
    Item,
    ItemUnreadable,
    Known,
    Problem,
    Source,
)
from gyre_ingestor.sources.state import (
    MOST_PROBLEMS,
    BroughtItem,
    ItemProblem,
    SyncOutcome,
    SyncRun,
)

MOST_ITEMS = 100_000
_AT_ONCE = 8
_LONGEST_ID = 512

Pause = Callable[[], Awaitable[None]]


class SyncPart:
    """What is done within so many seconds of the first item that this sync had not looked at.

    `items` and `run` change as it goes, so that they can be saved at any moment.
    """

    def __init__(
        self,
        source: SourceChanged,
        run: SyncRun,
        items: dict[str, BroughtItem],
        door: Door,
        *,
        seconds: float,
    ) -> None:
        self.items = items
        self.run = run.model_copy(update={"counts": run.counts.model_copy()})
        self._source = source
        self._sender = Sender(door, source, run.number)
        self._seconds = seconds
        self._labels = _short_digest(*source.acl)
        self._problems = list(run.problems)
        self._missing: list[str] = []
        self._listed: set[str] = set()
        self._changed: list[Item] = []
        self._deadline: float | None = None

    @property
    def documents(self) -> int:
        """How many there are of what was brought."""
        return sum(item.is_document for item in self.items.values())

    @property
    def outcome(self) -> tuple[SyncOutcome, str]:
        """What a sync came to that saw the end of the listing."""
        if self._missing:
            return SyncOutcome.INCOMPLETE, f"{self._missing[0]} (nothing was deleted)"
        return SyncOutcome.SUCCEEDED, ""

    async def visit(self, source: Source, pause: Pause) -> bool:
        """Whether the sync is through. Raises GyreError: the source cannot be listed."""
        try:
            if not await self._look(source, pause):
                return False
        finally:
            await source.close()
        return self._missing != [] or await self._delete_gone(pause)

    async def _look(self, source: Source, pause: Pause) -> bool:
        """Whether all that is there has been dealt with."""
        cursor = Cursor(self.run.cursor)
        async with aclosing(source.items(self._known(), cursor)) as listed:
            async for each in listed:
                if isinstance(each, Problem):
                    self._take_problem(each)
                elif await self._take(each):
                    await self._submit_changed()
                    self._move_to(cursor)
                    return False
                if not self._changed:
                    self._move_to(cursor)
                    await pause()
        await self._submit_changed()
        return True

    async def delete_all(self, pause: Pause) -> bool:
        """Whether all is gone; of a source that keeps its documents, at once."""
        names = [] if self._source.keeps_documents else list(self.items)
        return await self._delete(names, pause)

    def _move_to(self, cursor: Cursor) -> None:
        self.run = self.run.model_copy(update={"cursor": cursor.dump()})

    def _known(self) -> Mapping[str, Known]:
        """Items that were submitted with other labels are submitted again."""
        number, labels = self.run.number, self._labels
        return {
            name: Known(item.fingerprint, item.notes, done=item.run == number)
            if item.labels == labels
            else Known("", item.notes)
            for name, item in self.items.items()
        }

    async def _take(self, item: Item) -> bool:
        """Whether the time of this part is over."""
        if item.name in self._listed:
            return False
        if len(self._listed) >= MOST_ITEMS:
            self._missing.append(
                f"it has more than {MOST_ITEMS:,} documents: make several sources of it"
            )
            return False
        self._listed.add(item.name)
        before = self.items.get(item.name)
        same = before is not None and self._is_same(before, item)
        if before is not None and same and before.run == self.run.number:
            return False
        self._deadline = self._deadline or time.monotonic() + self._seconds
        if problem := self._name_problem(item.name):
            self._report(item.name, problem)
            self.run.counts.unreadable += 1
        elif before is not None and same:
            notes = dict(item.notes)
            self.items[item.name] = replace(before, run=self.run.number, notes=notes)
            self.run.counts.unchanged += 1
        else:
            self._changed.append(item)
        self.run.counts.listed += 1
        if len(self._changed) >= _AT_ONCE:
            await self._submit_changed()
        return time.monotonic() >= self._deadline

    def _is_same(self, before: BroughtItem, item: Item) -> bool:
        """Whether it needs no look; what was refused gets another one when the source changes."""
        if before.refused and before.generation != self.run.generation:
            return False
        return before.fingerprint == item.fingerprint and self._is_called_same(before, item)

    def _is_called_same(self, before: BroughtItem, item: Item) -> bool:
        return (before.labels, before.about) == (self._labels, _about(item))

    def _take_problem(self, problem: Problem) -> None:
        if not problem.name:
            self._missing.append(problem.detail)
            return
        if problem.name in self._listed:
            return
        self._listed.add(problem.name)
        self.run.counts.listed += 1
        self._leave(problem.name, problem.detail)

    def _leave(self, name: str, detail: str) -> None:
        """What was brought before stays as it is."""
        self.run.counts.unreadable += 1
        self._report(name, detail)
        before = self.items.get(name)
        if before is not None:
            self.items[name] = replace(before, run=self.run.number)

    def _name_problem(self, name: str) -> str:
        longest = _LONGEST_ID - len(self._source.name) - 1
        if not name or len(name) > longest:
            return f"its name has {len(name)} characters: give it one of 1 to {longest}"
        if has_control_characters(name):
            return "its name has control characters, or is not UTF-8: rename it"
        return ""

    def _report(self, name: str, detail: str) -> None:
        if len(self._problems) < MOST_PROBLEMS:
            printable = name[:_LONGEST_ID].encode(errors="backslashreplace").decode()
            self._problems.append(ItemProblem(name=printable, detail=detail))
            self.run = self.run.model_copy(update={"problems": tuple(self._problems)})

    async def _submit_changed(self) -> None:
        changed, self._changed = self._changed, []
        await _side_by_side(map(self._submit, changed))

    async def _submit(self, item: Item) -> None:
        before = self.items.get(item.name)
        known = before.digest if before and self._is_called_same(before, item) else ""
        digest, refused, counts = "", "", self.run.counts
        try:
            sent = await self._sender.send(item, known)
        except ItemUnreadable as error:
            self._leave(item.name, str(error))
            return
        except InvalidInput as error:
            refused = str(error)
            self._report(item.name, refused)
            counts.refused += 1
        else:
            digest = sent.digest
            counts.unchanged += not sent.is_new
            counts.added += sent.is_new and before is None
            counts.changed += sent.is_new and before is not None
        self.items[item.name] = BroughtItem(
            fingerprint=item.fingerprint,
            labels=self._labels,
            about=_about(item),
            digest=digest,
            run=self.run.number,
            generation=self.run.generation,
            notes=dict(item.notes),
            refused=refused,
            is_document=not refused or (before is not None and before.is_document),
        )

    async def _delete_gone(self, pause: Pause) -> bool:
        if not self._listed and self.items and not self.run.cursor:  # else little may be left
            self._missing.append(
                f"it came back empty where {len(self.items):,} documents were: look whether it is "
                f"the right place; if it is, `gyre sources remove {self._source.name}`"
            )
            return True
        number = self.run.number
        gone = [name for name, item in self.items.items() if item.run != number]
        return await self._delete([name for name in gone if name not in self._listed], pause)

    async def _delete(self, names: Sequence[str], pause: Pause) -> bool:
        """Whether all of them are gone, or the time of this part is over."""
        self._deadline = self._deadline or time.monotonic() + self._seconds
        for start in range(0, len(names), _AT_ONCE):
            await _side_by_side(map(self._delete_one, names[start : start + _AT_ONCE]))
            await pause()
            if time.monotonic() >= self._deadline and start + _AT_ONCE < len(names):
                return False
        return True

    async def _delete_one(self, name: str) -> None:
        if self.items[name].is_document:
            await self._sender.delete(name)
            self.run.counts.deleted += 1
        del self.items[name]


def _about(item: Item) -> str:
    return _short_digest(item.title, item.source_uri, item.media_type)


def _short_digest(*words: str) -> str:
    return digest_of("\n".join(words).encode())[7:23]


async def _side_by_side(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """All of them to their ends; raises what the first that failed raised."""
    for result in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(result, BaseException):
            raise result
