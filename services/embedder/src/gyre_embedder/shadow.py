"""Keeps the index of the document encoder's shadow in step, behind the live one."""

import asyncio
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol
from uuid import UUID

from gyre_common.errors import GyreError, Poison, Retryable
from gyre_common.events.documents import DocumentChunked
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView

from gyre_embedder.chunk_index import ChunkIndex, DocumentKey, Head
from gyre_embedder.chunk_writer import ChunkWriter, Work, Written, end_of_turn
from gyre_embedder.document_sketch import sketch_of
from gyre_embedder.head_record import is_applied, is_overtaken
from gyre_embedder.targets import Target, batches, key_of, target_of

_SOON = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Pauses between looks at the live index, in seconds."""

_LONGEST_WRITE = 240.0
"""In seconds: less than what makes the service unready (`Delivery.handler_limit`)."""


class Change(NamedTuple):
    """A document with its place on the topic."""

    document: DocumentChunked
    partition: int
    offset: int


class LiveGroup(Protocol):
    """Whoever brings documents into the live index."""

    async def offsets(self) -> Mapping[int, int]:
        """By partition, below which offset it is done with everything, be it by a dead letter.

        Raises Retryable.
        """


class ShadowFiller:
    """Applies to the shadow's index what the live index has, and what was read again for it.

    It has a consumer group of its own, which never overtakes the live index's: a shadow whose
    encoder breaks falls behind alone, and goes on there once it is mended. Where it becomes live
    meanwhile, what it lacks still comes.
    """

    def __init__(
        self, index: ChunkIndex, writer: ChunkWriter, releases: ReleaseView, live: LiveGroup
    ) -> None:
        self._index = index
        self._writer = writer
        self._releases = releases
        self._live = live
        self._failures: dict[str, str] = {}

    async def fill(self, changes: Sequence[Change]) -> Sequence[Change]:
        """Apply documents in order of their revisions; returns those that take longer than a turn
        may, or that the live index does not have yet. Applying one again changes nothing, and one
        that is unfinished goes on where it was.

        Raises:
            Retryable: an engine or the shadow's encoder is not there now.
            Poison: the index refuses a document.
        """
        for change in changes:
            self._check_release(change.document)
        documents = [change.document for change in changes]
        until = end_of_turn()
        unfinished: list[Change] = []
        for target, positions in batches(documents, partial(target_of, self._releases)):
            if target.shadow is not None:
                batch = [changes[each] for each in positions]
                keys = await self._fill(target, batch, until)
                unfinished += [each for each in batch if key_of(each.document) in keys]
        return unfinished

    def problems(self) -> list[str]:
        """Why shadows fall behind."""
        states = [each for each in self._releases.states if each.role == Roles.DOCUMENT_ENCODER]
        shadows = [each.artifact(each.shadow) for each in states if each.shadow]
        indexes = {each.index for each in shadows if each is not None}
        return [
            f"{index}, the index of the document encoder's shadow, falls behind: {why}"
            for index, why in self._failures.items()
            if index in indexes
        ]

    async def _fill(
        self, target: Target, batch: Sequence[Change], until: float
    ) -> frozenset[DocumentKey]:
        """Returns the documents that need another turn."""
        heads, waiting = await self._heads_behind_live(batch)
        all_lacking = {
            key: _lacking(target, each.document, heads.get(key))
            for each in batch
            if (key := key_of(each.document)) not in waiting
        }
        documents = [each.document for each in batch if all_lacking.get(key_of(each.document))]
        works, unfinished = await self._writer.works(documents, heads)
        unfinished |= waiting
        works_by_target: dict[Target, list[Work]] = {}
        for work in works:
            for lacking in all_lacking[work.key]:
                works_by_target.setdefault(lacking, []).append(work)
        for lacking, of_target in works_by_target.items():
            other = target if lacking is target.shadow else target.shadow
            written = await self._write(lacking, of_target, until, other)
            unfinished |= written.unfinished
            retold = await asyncio.to_thread(lambda whole: list(map(_retold, whole)), written.works)
            await self._index.put_heads([head for head in retold if head is not None])
        applied = [
            work
            for work in works
            if work.document.rebuild is None
            and work.before is not None
            and is_applied(work.before.record, work.document)
        ]
        if applied:
            await self._take_out_stale(target, applied)
        return unfinished

    async def _take_out_stale(self, target: Target, works: Sequence[Work]) -> None:
        """An older revision that came into the live index from here may have come beside the newer
        one that the live group brought. When that one is handled here, both are through. Removed
        below its own revision, no passage goes that it has by now.
        """
        stored = await self._index.stored_chunks(target.index, [work.key for work in works])
        removals: dict[UUID, int] = {}
        for work in works:
            own = {chunk.chunk_id for chunk in work.chunks}
            stale = stored[work.key].searchable - own
            removals |= dict.fromkeys(stale, work.document.revision - 1)
        if removals:
            await self._index.write(target.index, [], removals)

    async def _heads_behind_live(
        self, batch: Sequence[Change]
    ) -> tuple[Mapping[DocumentKey, Head], frozenset[DocumentKey]]:
        """The head records, and the documents that wait until the live index has them: so what is
        encoded for it need not be encoded again, and nothing is in the shadow's index alone when
        the two change roles.
        """
        keys = [key_of(change.document) for change in batch]
        heads: Mapping[DocumentKey, Head] = {}
        waiting: list[Change] = []
        for pause in _SOON:
            await asyncio.sleep(pause)
            heads = await self._index.heads(keys)
            waiting = [each for each in batch if not _is_live(each.document, heads)]
            if not waiting:
                return heads, frozenset()
        done = await self._live.offsets()
        behind = [each for each in waiting if each.offset >= done.get(each.partition, 0)]
        return heads, frozenset(key_of(each.document) for each in behind)

    async def _write(
        self, target: Target, works: Sequence[Work], until: float, other: Target | None
    ) -> Written:
        try:
            async with asyncio.timeout(_LONGEST_WRITE):
                written = await self._writer.write(target, works, until, also_in=other)
        except Poison:
            raise
        except Exception as error:
            # A model that breaks raises anything. A dead letter would be a document less.
            why = f"{type(error).__name__}: {error}"
            if isinstance(error, GyreError):
                why = str(error)
            elif isinstance(error, TimeoutError):
                why = f"its encoder took longer than {_LONGEST_WRITE:g} s"
            self._failures[target.index] = why
            raise Retryable(f"{target.index} is not written: {why}") from error
        self._failures.pop(target.index, None)
        return written

    def _check_release(self, document: DocumentChunked) -> None:
        """Raises Retryable: the release that made a shadow is not known here yet."""
        state = self._releases.state(EVERY_TENANT, Roles.DOCUMENT_ENCODER)
        if document.rebuild is not None and state.generation < document.rebuild.generation:
            raise Retryable(
                f"release {document.rebuild.generation} of document-encoder is not here yet"
            )


def _lacking(target: Target, document: DocumentChunked, head: Head | None) -> list[Target]:
    """The indexes that it is to be brought into: a change into those that it was not brought into
    when it was applied, what was read again into that of its version.
    """
    record = head.record if head else None
    if record is not None and is_overtaken(record, document):
        return []
    both = [target] if target.shadow is None else [target, target.shadow]
    applied_in = record.index if record is not None and is_applied(record, document) else None
    if document.rebuild is not None:
        if applied_in is None and record is not None and record.revision == document.revision:
            return []  # held or marked, which was not known when it was read again
        return [each for each in both if each.encoder_version == document.rebuild.version]
    return [each for each in both if each.index != (applied_in or target.index)]


def _is_live(document: DocumentChunked, heads: Mapping[DocumentKey, Head]) -> bool:
    """Whether the live index has it, or what came after it; it may have refused it."""
    if document.rebuild is not None:
        return True
    head = heads.get(key_of(document))
    return head is not None and (
        is_applied(head.record, document) or is_overtaken(head.record, document)
    )


def _retold(work: Work) -> Head | None:
    """The head record of a document that was read again, where it is told of otherwise now, as when
    its tenant has chosen to redact since; None where nothing changes.
    """
    document, before = work.document, work.before
    if document.rebuild is None or before is None or before.record.revision != document.revision:
        return None
    about = {
        name: getattr(document, name) for name in ("title", "language", "source_uri", "metadata")
    }
    record = before.record.model_copy(update={**about, **sketch_of(work.chunks)._asdict()})
    return None if record == before.record else Head(record, before.seal)
