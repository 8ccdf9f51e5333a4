"""Reads all accepted documents again, slice by slice, to fill an index beside the live one."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from time import monotonic
from uuid import UUID

from gyre_common.errors import FailedPrecondition, NotFound, Poison, Retryable
from gyre_common.events.documents import DocumentAccepted, ForShadow, by_document
from gyre_common.events.event import EVERY_TENANT, new_id, now
from gyre_common.events.indexes import INDEX_REBUILD_PROGRESSED, IndexRebuildProgressed
from gyre_common.events.publisher import Publisher
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView
from gyre_common.store import DamagedContentError

from gyre_ingestor.document_log import DocumentLog, Offsets
from gyre_ingestor.service import Ingestor

log = logging.getLogger(__name__)

_SLICE_SECONDS = 20.0
_MOST_WAITING, _MOST_WAITS, _WAIT_SECONDS = 32, 60, 1.0


class RebuildState(StrEnum):
    """What is being done."""

    NONE = "none"
    READING = "reading"
    ENCODING = "encoding"
    FILLED = "filled"


@dataclass(frozen=True)
class RebuildProgress:
    """How far the last rebuild is: records of accepted documents read again, of how many; documents
    that were read, and those that could not be. The shadow's index is so many changes `behind`.
    """

    state: RebuildState
    rebuild_id: UUID | None = None
    records_read: int = 0
    records: int = 0
    documents: int = 0
    skipped: int = 0
    behind: int = 0


class IndexRebuild:
    """A rebuild is a row of records for each partition: each says how far it is, and handling it
    reads the next slice and says so in the next one. So it goes on after a crash where it was, any
    ingestor may do the next slice, and documents that come meanwhile have their turns between.

    It goes on as long as its version of the document encoder is the shadow.
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
        """Begin for the shadow; a rebuild for it that is under way goes on.

        Raises:
            FailedPrecondition: no version of the document encoder is a shadow here (yet).
            Retryable: Kafka does not answer.
        """
        state = self._releases.state(EVERY_TENANT, Roles.DOCUMENT_ENCODER)
        if state.shadow is None:
            raise FailedPrecondition(
                "no version of document-encoder is a shadow, whose index would be filled: "
                "`gyre index rebuild` makes one"
            )
        own = _last_rebuild(await self._log.progress())
        if not own or own[0].version != state.shadow or _is_read(own):
            own = []
        rebuild_id = own[0].rebuild_id if own else new_id()
        begun = {each.partition for each in own}
        accepted = await self._log.accepted()
        for partition, (first, until) in accepted.items():
            if partition not in begun:
                await self._publish(
                    IndexRebuildProgressed(
                        rebuild_id=rebuild_id,
                        version=state.shadow,
                        generation=state.generation,
                        partitions=len(accepted),
                        partition=partition,
                        first_offset=first,
                        next_offset=first,
                        until_offset=until,
                        progressed_at=now(),
                    )
                )
        return rebuild_id

    async def go_on(self, event: IndexRebuildProgressed) -> None:
        """Read the next slice of a partition; nothing more once its version is no shadow.

        Raises Retryable: Kafka does not answer, or its release is not known here yet.
        """
        if event.finished or not self._is_shadow(event):
            return
        await self._wait_for_embedder()
        await self._publish(event.model_copy(update=await self._read_slice(event)))

    async def progress(self) -> RebuildProgress:
        """Raises Retryable: Kafka does not answer."""
        own = _last_rebuild(await self._log.progress())
        if not own:
            return RebuildProgress(RebuildState.NONE, behind=await self._behind())
        return RebuildProgress(
            await self._state(own),
            own[0].rebuild_id,
            sum(each.next_offset - each.first_offset for each in own),
            sum(each.until_offset - each.first_offset for each in own),
            sum(each.document_count for each in own),
            sum(each.skipped_count for each in own),
            await self._behind(),
        )

    async def _state(self, own: Sequence[IndexRebuildProgressed]) -> RebuildState:
        if not _is_read(own):
            return RebuildState.READING
        rebuild_id = own[0].rebuild_id
        if self._chunked_until is None or self._chunked_until[0] != rebuild_id:
            self._chunked_until = rebuild_id, await self._log.chunked()
        indexed = await self._log.indexed()
        until = self._chunked_until[1]
        if all(indexed.get(partition, 0) >= end for partition, end in until.items()):
            return RebuildState.FILLED
        return RebuildState.ENCODING

    async def _read_slice(self, event: IndexRebuildProgressed) -> Mapping[str, object]:
        """What is superseded by now is left out: its text would come back to the topic."""
        began, at = monotonic(), event.next_offset
        count, skipped = event.document_count, event.skipped_count
        records = await self._log.read(event.partition, at, event.until_offset)
        newest = await self._log.newest(event.partition) if records else {}
        for record in records:
            document = record.document
            if document is not None and not document.deleted:
                key = by_document(document).encode()
                if newest.get(key, record.offset) == record.offset:
                    is_read = await self._read_again(document, record.offset, event)
                    count, skipped = count + is_read, skipped + (not is_read)
            at = record.offset + 1
            if monotonic() - began > _SLICE_SECONDS:
                break
        return {
            "next_offset": at if records else event.until_offset,
            "document_count": count,
            "skipped_count": skipped,
            "progressed_at": now(),
        }

    async def _read_again(
        self, document: DocumentAccepted, revision: int, event: IndexRebuildProgressed
    ) -> bool:
        """Whether it is on its way to the shadow's index."""
        shadow = ForShadow(version=event.version, generation=event.generation)
        try:
            return await self._ingestor.chunk(document, revision=revision, rebuild=shadow)
        except (NotFound, DamagedContentError, Poison) as error:
            log.error(
                "document cannot be read again",
                extra={"document_id": document.document_id, "cause": str(error)},
            )
            return False

    async def _wait_for_embedder(self) -> None:
        """Documents that change meanwhile stand behind these: they shall be few."""
        for _ in range(_MOST_WAITS):
            if await self._behind() < _MOST_WAITING:
                return
            await asyncio.sleep(_WAIT_SECONDS)

    async def _behind(self) -> int:
        ends, indexed = await self._log.chunked(), await self._log.indexed()
        return sum(max(0, end - indexed.get(each, 0)) for each, end in ends.items())

    def _is_shadow(self, event: IndexRebuildProgressed) -> bool:
        state = self._releases.state(EVERY_TENANT, Roles.DOCUMENT_ENCODER)
        if state.generation < event.generation:
            raise Retryable(f"release {event.generation} of document-encoder is not here yet")
        return state.shadow == event.version

    async def _publish(self, event: IndexRebuildProgressed) -> None:
        await self._publisher.publish(INDEX_REBUILD_PROGRESSED, event)


def _last_rebuild(progress: Sequence[IndexRebuildProgressed]) -> list[IndexRebuildProgressed]:
    """By their ids, which rise with time (UUIDv7)."""
    last = max((each.rebuild_id for each in progress), default=None)
    return [each for each in progress if each.rebuild_id == last]


def _is_read(own: Sequence[IndexRebuildProgressed]) -> bool:
    """Whether all partitions are; one that was not begun is not."""
    return len(own) == own[0].partitions and all(each.finished for each in own)
