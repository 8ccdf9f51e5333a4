"""Segments on a shelf: each offset appended once and read once, and forgotten for good."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pyarrow as pa
from gyre_common.errors import FailedPrecondition, NotFound, Retryable
from gyre_common.store import Shelf

from gyre_trainer.segments.erasure import Erasure, Subject, SubjectKind
from gyre_trainer.segments.erasures import Erasures
from gyre_trainer.segments.facts import Fact, InteractionFact, PartitionFacts
from gyre_trainer.segments.files import SegmentFiles
from gyre_trainer.segments.merging import Merging
from gyre_trainer.segments.names import Segment, end_of
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS, JUDGEMENTS, Stream, each_once
from gyre_trainer.segments.passages import PassageTexts
from gyre_trainer.segments.rewriting import Rewritten, drop_before, rewrite
from gyre_trainer.segments.window import Window, partitions

FOLDER = "segments"
"""Where segments stand in the store, with the passages that they refer to and the erasures."""

_READS = 5
_NO_PASSAGES: Mapping[str, str] = {}


class Segments:
    """The facts of the streams, until they are forgotten or too old.

    A writer puts a segment before it commits the offsets in it. Killed in between, the next
    writer finds the segment and skips its offsets; two writers at once, after a rebalance, may put
    segments that overlap, which readers see through: each row carries its offset. Appending waits
    while something is forgotten.

    Raises, from every method: Retryable when the store is full, read-only or out of reach;
    DamagedContentError for a file that cannot be read.
    """

    def __init__(self, shelf: Shelf, *, records: int = 5_000, merge_at: int = 16) -> None:
        """Small neighbours become one, `merge_at` at a time, as far as `records` rows go."""
        self._files = SegmentFiles(shelf)
        self._merging = Merging(self._files, records, merge_at)
        self._passages = PassageTexts(shelf)
        self._erasures = Erasures(shelf)
        self._writing = asyncio.Lock()

    async def append(
        self,
        stream: Stream[Any],
        partition: int,
        facts: Sequence[Fact],
        passages: Mapping[str, str] = _NO_PASSAGES,
    ) -> int:
        """Keep facts, in the order of their offsets; returns how many were not there before.

        `passages` are the texts, by digest, that the facts refer to. What was forgotten does not
        come back, but counts as collected.
        """
        place = f"{stream.topic}/{partition}"
        async with self._writing:
            segments = await self._files.segments_of(place)
            end = end_of(segments)
            fresh = [fact for fact in facts if fact.offset >= end]
            if not fresh:
                return 0
            segment = Segment(place, fresh[0].offset, fresh[-1].offset)
            remaining = await self._without_forgotten(fresh)
            for tenant, texts in _referred_texts(remaining, passages).items():
                await self._passages.put(tenant, texts)
            await self._files.put(segment, await asyncio.to_thread(stream.table, remaining))
            await self._merging.merge(stream, [*segments, segment])
            return len(fresh)

    async def durable(self) -> dict[str, tuple[int, int]]:
        """What is kept, as a window: everything there is."""
        window: dict[str, tuple[int, int]] = {}
        for segment in await self._files.all():
            first, end = window.get(segment.place, (segment.first, 0))
            window[segment.place] = (min(first, segment.first), max(end, segment.last + 1))
        return window

    async def facts(self, window: Window, tenant: str | None) -> AsyncIterator[PartitionFacts]:
        """The facts of a window, partition by partition; of one tenant, or of all with None.

        Raises:
            FailedPrecondition: the window goes beyond what is kept.
        """
        await self._check(window)
        for partition in partitions(window):
            yield PartitionFacts(
                interactions=await self._read(INTERACTIONS, partition, window, tenant),
                feedback=await self._read(FEEDBACK, partition, window, tenant),
                judgements=await self._read(JUDGEMENTS, partition, window, tenant),
            )

    async def interactions(
        self, window: Window, tenant: str | None
    ) -> AsyncIterator[list[InteractionFact]]:
        """Those of a window as far as they are kept, partition by partition."""
        for partition in partitions(window):
            yield await self._read(INTERACTIONS, partition, window, tenant)

    async def passages(self, tenant: str, digests: Collection[str]) -> dict[str, str]:
        """The texts that a tenant's facts refer to, by digest."""
        return await self._passages.get(tenant, digests)

    # Forgetting

    async def begin_erasure(self, subject: Subject, until: datetime) -> Erasure:
        """Put an erasure on record; from now on nothing new of the subject is kept."""
        async with self._writing:
            return await self._erasures.begin(subject, until)

    async def erase(self, erasure: Erasure) -> Rewritten:
        """Rewrite the segments without the subject. Doing it again does what was left undone."""
        async with self._writing:
            if not erasure.conversations:
                erasure = await self._with_search_results(erasure)
                await self._erasures.search_done(erasure)
            return await rewrite(self._files, erasure.tenant, erasure.apply)

    async def unfinished_erasures(self) -> list[Erasure]:
        """Those that have begun and are not done."""
        return await self._erasures.unfinished()

    async def finish_erasure(self, erasure: Erasure) -> None:
        """Nothing of it is left to do."""
        await self._erasures.finish(erasure)

    async def drop_before(self, oldest: datetime) -> Rewritten:
        """Remove the facts from before `oldest`."""
        async with self._writing:
            return await drop_before(self._files, oldest)

    async def drop_passages(self) -> int:
        """Remove the texts that no fact refers to any more; returns how many."""
        async with self._writing:
            referred: dict[str, set[str]] = defaultdict(set)
            async for facts in self.interactions(await self.durable(), None):
                for fact in facts:
                    referred[fact.tenant].update(one.text for one in fact.shown)
            return await self._passages.keep_only(referred)

    async def _with_search_results(self, erasure: Erasure) -> Erasure:
        window = await self.durable()
        conversations: set[str] = set()
        async for facts in self.interactions(window, erasure.tenant):
            conversations |= erasure.conversations_in(facts)
        erasure = replace(erasure, conversations=frozenset(conversations))
        keys: set[str] = set()
        async for facts in self.interactions(window, erasure.tenant):
            keys |= erasure.interactions_in(facts)
        if erasure.kind is SubjectKind.DOCUMENT:
            return replace(erasure, quoting=frozenset(keys))
        return replace(erasure, interactions=frozenset(keys))

    async def _without_forgotten(self, facts: Sequence[Fact]) -> list[Fact]:
        remaining: list[Fact] = list(facts)
        for erasure in await self._erasures.all():
            remaining = [
                changed for changed in map(erasure.apply, remaining) if changed is not None
            ]
        return remaining

    # Reading

    async def _check(self, window: Window) -> None:
        durable = await self.durable()
        for place, (first, end) in window.items():
            there_first, there_end = durable.get(place, (0, 0))
            if first < end and (first < there_first or end > there_end):
                raise FailedPrecondition(
                    f"the window wants {place} from {first} to {end}, but the store keeps "
                    f"{there_first} to {there_end}: choose a window within, or wait for the trainer"
                )

    async def _read(
        self, stream: Stream[Any], partition: int, window: Window, tenant: str | None
    ) -> list[Any]:
        place = f"{stream.topic}/{partition}"
        first, end = window.get(place, (0, 0))
        tables = await self._tables(stream, place, first, end)
        if not tables:
            return []
        return await asyncio.to_thread(
            lambda: stream.facts(each_once(tables, first=first, end=end), tenant)
        )

    async def _tables(
        self, stream: Stream[Any], place: str, first: int, end: int
    ) -> list[pa.Table]:
        async def list_segments() -> list[Segment]:
            segments = await self._files.segments_of(place)
            return [one for one in segments if one.last >= first and one.first < end]

        for _ in range(_READS):
            listed_before = await list_segments()
            try:
                tables = [await self._files.table(stream, segment) for segment in listed_before]
            except NotFound:
                continue  # merged away since it was listed
            if listed_before == await list_segments():
                return tables
        raise Retryable(f"the segments of {place} change faster than they can be read: try again")


def _referred_texts(
    facts: Sequence[Fact], passages: Mapping[str, str]
) -> dict[str, dict[str, str]]:
    """The texts that are referred to, by tenant and digest."""
    referred: dict[str, dict[str, str]] = defaultdict(dict)
    for fact in facts:
        if isinstance(fact, InteractionFact):
            for shown in fact.shown:
                if shown.text in passages:
                    referred[fact.tenant][shown.text] = passages[shown.text]
    return referred
