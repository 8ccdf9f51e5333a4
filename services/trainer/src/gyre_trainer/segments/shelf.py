"""Segments on a shelf: each offset appended once and read once, and forgotten for good."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from gyre_common.errors import FailedPrecondition, NotFound
from gyre_common.events.event import EVERY_TENANT
from gyre_common.store import Shelf, digest_of

from gyre_trainer.segments.erasure import Erasure, Erasures, Subject, SubjectKind
from gyre_trainer.segments.facts import Fact, InteractionFact, PartitionFacts
from gyre_trainer.segments.files import Segment, SegmentFiles, end_of, read_unmerged
from gyre_trainer.segments.parquet import FEEDBACK, INTERACTIONS, JUDGEMENTS, Stream, each_once
from gyre_trainer.segments.passages import PassageTexts
from gyre_trainer.segments.redacting import redacted_fact, redacted_passages
from gyre_trainer.segments.window import Window, partitions

FOLDER = "segments"
"""Where segments stand in the store, with the passages that they refer to and the erasures."""

_NO_PASSAGES: Mapping[str, str] = {}


@dataclass
class Rewritten:
    """What became of facts, by topic: removed, and kept without their texts."""

    removed: Counter[str] = field(default_factory=Counter)
    cleared: Counter[str] = field(default_factory=Counter)


class Segments:
    """Facts, and the `passages` that they refer to, until they are forgotten or too old.

    A segment is put before its offsets are committed; each offset is read once, also where segments
    overlap after a rebalance. Facts are forgotten in place: the same offsets count as collected.
    Every method raises Retryable: the store is full, read-only or out of reach; and
    DamagedContentError: a file cannot be read.
    """

    def __init__(self, shelf: Shelf, *, records: int = 5_000, merge_at: int = 16) -> None:
        """Small neighbours become one, `merge_at` at a time, as far as `records` rows go."""
        self.erasures = Erasures(shelf)
        self._files = SegmentFiles(shelf, records=records, merge_at=merge_at)
        self.passages = PassageTexts(shelf)
        self._writing = asyncio.Lock()

    async def append(
        self,
        stream: Stream[Any],
        partition: int,
        facts: Sequence[Fact],
        passages: Mapping[str, str] = _NO_PASSAGES,
    ) -> int:
        """In the order of their offsets; returns how many are new. `passages` are the texts, by
        digest, that they refer to. What was forgotten does not come back, but counts as collected.
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
            for tenant, digests in _referred_passages(remaining).items():
                texts = {digest: passages[digest] for digest in digests if digest in passages}
                await self.passages.put(tenant, texts)
            await self._files.put(segment, await asyncio.to_thread(stream.table, remaining))
            await self._files.merge([*segments, segment])
            return len(fresh)

    async def durable(self) -> dict[str, tuple[int, int]]:
        """What is kept, as a window: everything there is."""
        window: dict[str, tuple[int, int]] = {}
        for segment in await self._files.all():
            first, end = window.get(segment.place, (segment.first, 0))
            window[segment.place] = (min(first, segment.first), max(end, segment.last + 1))
        return window

    async def facts(self, window: Window, tenant: str) -> AsyncIterator[PartitionFacts]:
        """By partition, of a tenant or EVERY_TENANT. Raises FailedPrecondition: not all is kept."""
        durable = await self.durable()
        for place, (first, end) in window.items():
            there_first, there_end = durable.get(place, (0, 0))
            if first < end and (first < there_first or end > there_end):
                raise FailedPrecondition(
                    f"the window wants {place} from {first} to {end}, but the store keeps "
                    f"{there_first} to {there_end}: choose a window within, or wait for the trainer"
                )
        for partition in partitions(window):
            yield PartitionFacts(
                interactions=await self._read(INTERACTIONS, partition, window, tenant),
                feedback=await self._read(FEEDBACK, partition, window, tenant),
                judgements=await self._read(JUDGEMENTS, partition, window, tenant),
            )

    async def interactions(
        self, window: Window, tenant: str
    ) -> AsyncIterator[list[InteractionFact]]:
        """Those of a window as far as they are kept, partition by partition."""
        for partition in partitions(window):
            yield await self._read(INTERACTIONS, partition, window, tenant)

    async def begin_erasure(self, subject: Subject, until: datetime) -> Erasure:
        """Put an erasure on record; from now on nothing new of the subject is kept."""
        async with self._writing:
            return await self.erasures.begin(subject, until)

    async def erase(self, erasure: Erasure) -> Rewritten:
        """Rewrite the segments without the subject. Doing it again does what was left undone."""
        async with self._writing:
            if not erasure.conversations:
                erasure = await self._with_search_results(erasure)
                await self.erasures.search_done(erasure)
            done = Rewritten()
            for segment in await self._files.all():
                table = await self._files.table(segment)
                if pc.any(pc.equal(table["tenant"], erasure.tenant)).as_py():
                    after = await asyncio.to_thread(_erased, segment.stream, table, erasure, done)
                    if after is not None:
                        await self._files.replace(segment, after)
            return done

    async def redact(self, tenant: str, since: datetime) -> Rewritten:
        """Rewrite the tenant's facts from then on as its choice for personal data says. Doing it
        again does what was left undone; `drop_passages` removes the texts of before.
        """
        done = Rewritten()
        async with self._writing:
            for segment in await self._files.all():
                table = await self._files.table(segment)
                if not pc.any(pc.equal(table["tenant"], tenant)).as_py():
                    continue
                before = segment.stream.facts(table, EVERY_TENANT)
                after = await self._redacted(segment.stream, before, tenant, since)
                changed = sum(new != old for old, new in zip(before, after, strict=True))
                if changed:
                    done.cleared[segment.stream.topic] += changed
                    await self._files.replace(segment, segment.stream.table(after))
        return done

    async def _redacted(
        self, stream: Stream[Any], facts: Sequence[Fact], tenant: str, since: datetime
    ) -> list[Fact]:
        """Texts of passages are put before the facts that refer to them."""
        concerned = {
            fact.offset
            for fact in facts
            if fact.tenant == tenant and getattr(fact, stream.time) >= since
        }
        referred = _referred_passages([fact for fact in facts if fact.offset in concerned])
        texts = await self.passages.get(tenant, referred[tenant])
        changed = await asyncio.to_thread(redacted_passages, texts, tenant)
        fresh = {digest_of(text.encode()): text for text in changed.values()}
        await self.passages.put(tenant, fresh)
        return await asyncio.to_thread(
            lambda: [
                redacted_fact(fact, changed) if fact.offset in concerned else fact for fact in facts
            ]
        )

    async def drop_before(self, oldest: datetime) -> Rewritten:
        """A place's last segment stays, if need be empty: its name tells what was collected."""
        done = Rewritten()
        async with self._writing:
            for segment in await self._files.all():
                table = await self._files.table(segment)
                recent = pc.greater_equal(table[segment.stream.time], pa.scalar(oldest))
                after = table.filter(recent)
                done.removed[segment.stream.topic] += len(table) - len(after)
                is_last = segment.last + 1 == end_of(await self._files.segments_of(segment.place))
                if not len(after) and not is_last:
                    await self._files.delete(segment)
                elif len(after) < len(table):
                    await self._files.replace(segment, after)
        return done

    async def drop_passages(self) -> int:
        """Remove the texts that no fact refers to any more; returns how many."""
        async with self._writing:
            referred: dict[str, set[str]] = defaultdict(set)
            async for facts in self.interactions(await self.durable(), EVERY_TENANT):
                for tenant, digests in _referred_passages(facts).items():
                    referred[tenant] |= digests
            return await self.passages.keep_only(referred)

    async def _with_search_results(self, erasure: Erasure) -> Erasure:
        window = await self.durable()
        conversations: set[str] = set()
        async for facts in self.interactions(window, erasure.tenant):
            conversations |= erasure.conversations_in(facts)
        erasure = erasure.model_copy(update={"conversations": frozenset(conversations)})
        keys: set[str] = set()
        async for facts in self.interactions(window, erasure.tenant):
            keys |= erasure.interactions_in(facts)
        concerned = "quoting" if erasure.kind is SubjectKind.DOCUMENT else "interactions"
        return erasure.model_copy(update={concerned: frozenset(keys)})

    async def _without_forgotten(self, facts: Sequence[Fact]) -> list[Fact]:
        remaining: list[Fact] = list(facts)
        for erasure in await self.erasures.all():
            remaining = [
                changed for changed in map(erasure.apply, remaining) if changed is not None
            ]
        return remaining

    async def _read(
        self, stream: Stream[Any], partition: int, window: Window, tenant: str
    ) -> list[Any]:
        place = f"{stream.topic}/{partition}"
        first, end = window.get(place, (0, 0))

        async def overlapping() -> list[Segment]:
            segments = await self._files.segments_of(place)
            return [one for one in segments if one.last >= first and one.first < end]

        async def read() -> list[pa.Table]:
            segments = await overlapping()
            tables = [await self._files.table(segment) for segment in segments]
            if segments != await overlapping():
                raise NotFound(f"segments of {place} were merged")
            return tables

        tables = await read_unmerged(f"the segments of {place}", read)
        if not tables:
            return []
        return await asyncio.to_thread(
            lambda: stream.facts(each_once(tables, first=first, end=end), tenant)
        )


def _referred_passages(facts: Sequence[Fact]) -> dict[str, set[str]]:
    referred: dict[str, set[str]] = defaultdict(set)
    for fact in facts:
        if isinstance(fact, InteractionFact):
            referred[fact.tenant].update(shown.text for shown in fact.shown)
    return referred


def _erased(
    stream: Stream[Any], table: pa.Table, erasure: Erasure, done: Rewritten
) -> pa.Table | None:
    """The rows as they may stay; None where all may stay as they are."""
    before = stream.facts(table, EVERY_TENANT)
    after = [erasure.apply(fact) for fact in before]
    if after == before:
        return None
    done.removed[stream.topic] += after.count(None)
    changes = zip(before, after, strict=True)
    done.cleared[stream.topic] += sum(new is not None and new != old for old, new in changes)
    return stream.table([fact for fact in after if fact is not None])
