"""Reads all accepted documents again, slice by slice, to fill an index beside the live one."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from typing import NamedTuple, Protocol
from uuid import UUID

from gyre_common.errors import FailedPrecondition
from gyre_common.events.documents import DocumentAccepted
from gyre_common.events.event import new_id, now
from gyre_common.events.indexes import INDEX_REBUILD_PROGRESSED, IndexRebuildProgressed
from gyre_common.events.publisher import Publisher
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView

from gyre_ingestor.service import Ingestor

_SLICE_SECONDS = 20.0
_MOST_WAITING, _MOST_WAITS, _WAIT_SECONDS = 32, 60, 1.0

Offsets = Mapping[int, int]
"""By partition."""


class AcceptedDocument(NamedTuple):
    """A record of `documents.accepted.v1`; no document where it is a tombstone."""

    offset: int
    document: DocumentAccepted | None


class DocumentLog(Protocol):
    """The topics of documents, read without a group.

    Raises, from every method: Retryable when Kafka does not answer.
    """

    async def accepted(self) -> Mapping[int, tuple[int, int]]:
        """The first offset of each partition of accepted documents, and that behind the last."""

    async def read(self, partition: int, first: int, until: int) -> Sequence[AcceptedDocument]:
        """Some of the records from `first` on, below `until`; none where none are left."""

    async def chunked(self) -> Offsets:
        """The offset behind the last of each partition of the chunked documents."""

    async def indexed(self) -> Offsets:
        """The offset up to which the embedder has worked on them."""

    async def progress(self) -> Sequence[IndexRebuildProgressed]:
        """The latest of each partition."""


class RebuildState(StrEnum):
    """What is being done."""

    NONE = "none"
    READING = "reading"
    ENCODING = "encoding"
    FILLED = "filled"


@dataclass(frozen=True)
class RebuildProgress:
    """How far the last rebuild is: records of accepted documents read again, of how many."""

    state: RebuildState
    rebuild_id: UUID | None = None
    records_read: int = 0
    records: int = 0
    documents: int = 0


class IndexRebuild:
    """A rebuild is a row of records for each partition: each says how far it is, and handling it
    reads the next slice and says so in the next one. So it goes on after a crash where it was, any
    ingestor may do the next slice, and documents that come meanwhile have their turns between.

    It goes on as long as some version of the document encoder is a shadow.
    """

    def __init__(
        self, log: DocumentLog, ingestor: Ingestor, releases: ReleaseView, publisher: Publisher
    ) -> None:
        self._log = log
        self._ingestor = ingestor
        self._releases = releases
        self._publisher = publisher
        self._chunked_until: tuple[UUID, Offsets] | None = None

    async def start(self) -> UUID:
        """Begin; what is being rebuilt already goes on.

        Raises:
            FailedPrecondition: no version of the document encoder is a shadow.
            Retryable: Kafka does not answer.
        """
        if not self._has_shadow():
            raise FailedPrecondition(
                "no version of document-encoder is a shadow, whose index would be filled: "
                "`gyre index rebuild` makes one"
            )
        running = await self._log.progress()
        if any(not each.finished for each in running):
            return running[0].rebuild_id
        rebuild_id = new_id()
        for partition, (first, until) in (await self._log.accepted()).items():
            await self._publish(
                IndexRebuildProgressed(
                    rebuild_id=rebuild_id,
                    partition=partition,
                    first_offset=first,
                    next_offset=first,
                    until_offset=until,
                    progressed_at=now(),
                )
            )
        return rebuild_id

    async def go_on(self, event: IndexRebuildProgressed) -> None:
        """Read the next slice of a partition."""
        if event.finished:
            return
        next_offset, count = event.until_offset, 0
        if self._has_shadow():
            await self._wait_for_embedder()
            next_offset, count = await self._read_slice(event)
        progressed = {
            "next_offset": next_offset,
            "document_count": event.document_count + count,
            "progressed_at": now(),
        }
        await self._publish(event.model_copy(update=progressed))

    async def progress(self) -> RebuildProgress:
        """Raises Retryable: Kafka does not answer."""
        latest = await self._log.progress()
        if not latest:
            return RebuildProgress(RebuildState.NONE)
        rebuild_id = max(each.rebuild_id for each in latest)
        own = [each for each in latest if each.rebuild_id == rebuild_id]
        return RebuildProgress(
            await self._state(rebuild_id, own),
            rebuild_id,
            sum(each.next_offset - each.first_offset for each in own),
            sum(each.until_offset - each.first_offset for each in own),
            sum(each.document_count for each in own),
        )

    async def _state(
        self, rebuild_id: UUID, progress: Sequence[IndexRebuildProgressed]
    ) -> RebuildState:
        if not all(each.finished for each in progress):
            return RebuildState.READING
        if self._chunked_until is None or self._chunked_until[0] != rebuild_id:
            self._chunked_until = rebuild_id, await self._log.chunked()
        indexed = await self._log.indexed()
        until = self._chunked_until[1]
        if all(indexed.get(partition, 0) >= end for partition, end in until.items()):
            return RebuildState.FILLED
        return RebuildState.ENCODING

    async def _read_slice(self, event: IndexRebuildProgressed) -> tuple[int, int]:
        began, count, at = monotonic(), 0, event.next_offset
        records = await self._log.read(event.partition, at, event.until_offset)
        if not records:
            return event.until_offset, 0
        for record in records:
            if record.document is not None and not record.document.deleted:
                await self._ingestor.chunk(record.document, revision=record.offset, rebuild=True)
                count += 1
            at = record.offset + 1
            if monotonic() - began > _SLICE_SECONDS:
                break
        return at, count

    async def _wait_for_embedder(self) -> None:
        """Documents that change meanwhile stand behind these: they shall be few."""
        for _ in range(_MOST_WAITS):
            ends, indexed = await self._log.chunked(), await self._log.indexed()
            waiting = sum(max(0, end - indexed.get(each, 0)) for each, end in ends.items())
            if waiting < _MOST_WAITING:
                return
            await asyncio.sleep(_WAIT_SECONDS)

    def _has_shadow(self) -> bool:
        states = (s for s in self._releases.states if s.role == Roles.DOCUMENT_ENCODER)
        return any(state.shadow for state in states)

    async def _publish(self, event: IndexRebuildProgressed) -> None:
        await self._publisher.publish(INDEX_REBUILD_PROGRESSED, event)
