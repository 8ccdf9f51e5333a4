"""Submitted → accepted → chunked: what becomes of a document before it is indexed."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import NAMESPACE_URL, UUID, uuid5
from weakref import WeakValueDictionary

from gyre_common.errors import FailedPrecondition, NotFound, Poison, Retryable
from gyre_common.events.documents import (
    DOCUMENT_ACCEPTED,
    DOCUMENT_CHUNKED,
    DOCUMENT_REJECTED,
    Chunk,
    DocumentAccepted,
    DocumentChunked,
    DocumentRejected,
    DocumentSubmitted,
    ForShadow,
    QuarantineDecided,
    QuarantineVerdict,
    RejectionCode,
    RejectionStage,
    by_document,
)
from gyre_common.events.event import now
from gyre_common.events.publisher import Publisher
from gyre_common.events.releases import Artifact, Roles
from gyre_common.events.topic import LARGEST_EVENT
from gyre_common.redaction import redacted
from gyre_common.releases import ReleaseView
from gyre_common.store import Shelf
from gyre_common.telemetry import METRICS
from pydantic import TypeAdapter

from gyre_ingestor.chunking import ChunkRecipe
from gyre_ingestor.content import ContentSource, declared_language
from gyre_ingestor.content_places import ContentPlaces
from gyre_ingestor.document_log import DocumentLog
from gyre_ingestor.parts import Parts
from gyre_ingestor.quarantine import QuarantineBook
from gyre_ingestor.reading import ProcessReader, ReadResult
from gyre_ingestor.refused import DocumentRefused, reserved
from gyre_ingestor.submission_order import SubmissionOrder, SubmissionPlace, Turn

log = logging.getLogger(__name__)

SERVICE = "ingestor"
_CHUNKS = TypeAdapter(Sequence[Chunk])


class Ingestor:
    """Checks submissions, and reads and cuts what was accepted."""

    def __init__(
        self,
        *,
        contents: ContentSource,
        parts: Parts,
        order: SubmissionOrder,
        places: ContentPlaces,
        outlines: Shelf,
        reader: ProcessReader,
        releases: ReleaseView,
        publisher: Publisher,
        clock_skew: timedelta,
        log: DocumentLog,
        quarantine: QuarantineBook,
    ) -> None:
        self._contents = contents
        self._parts = parts
        self._order = order
        self._places = places
        self._outlines = outlines
        self._reader = reader
        self._releases = releases
        self._publisher = publisher
        self._clock_skew = clock_skew
        self._log = log
        self._quarantine = quarantine
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def accept(
        self,
        submission: DocumentSubmitted,
        *,
        submission_id: UUID,
        place: SubmissionPlace,
        refusal: DocumentRefused | None = None,
    ) -> None:
        """Accept a submission, or reject it with a reason, which its record may have given already;
        one that a later one of the same document has overtaken, from another partition, is passed
        over. A caller's is rejected where there is a document that they may not read; a producer's
        own record is trusted.

        What it holds is submitted before it is accepted itself.

        Raises Retryable: the store, Kafka, the index or the content's place is out of reach.
        """
        # Without a key of its own it may be handled beside another one of the same document.
        async with self._locks.setdefault(by_document(submission), asyncio.Lock()):
            last = await self._order.last(submission.tenant, submission.document_id)
            turn = last.turn_of(place, submission.writer_groups)
            if turn is Turn.TAKEN:
                turn = await self._accept(submission, submission_id, place, refusal)
            if turn is Turn.FORBIDDEN:
                document = self._header(submission, submission_id, place)
                await self._reject(document, reserved(), RejectionStage.ACCEPT)
            elif turn is Turn.OVERTAKEN:
                log.info("submission overtaken", extra={"submission_id": str(submission_id)})
                _count("overtaken")

    def _header(
        self, submission: DocumentSubmitted, submission_id: UUID, place: SubmissionPlace
    ) -> DocumentAccepted:
        """What is known of a document before its content is read."""
        return DocumentAccepted(
            tenant=submission.tenant,
            document_id=submission.document_id,
            submission_id=submission_id,
            submitted_at=self._submitted_at(submission.submitted_at, place.taken_at),
            source=submission.source,
            acl=() if submission.deleted else submission.acl,
            deleted=submission.deleted,
            accepted_at=now(),
        )

    async def _accept(
        self,
        submission: DocumentSubmitted,
        submission_id: UUID,
        place: SubmissionPlace,
        refusal: DocumentRefused | None,
    ) -> Turn:
        """Whose turn it is by now, as another process may accept too. One that is rejected
        overtakes none.
        """
        document = self._header(submission, submission_id, place)
        advance = partial(
            self._order.advance,
            submission.tenant,
            submission.document_id,
            place,
            acl=None if submission.deleted else submission.acl,
            writer=submission.writer_groups,
        )
        is_whole = submission.part_of is None
        if refusal is not None:
            document = document.model_copy(update={"acl": submission.acl})
            await self._reject(document, refusal, RejectionStage.ACCEPT)
            return Turn.TAKEN
        if document.deleted:
            if is_whole:
                await self._parts.replace(submission, submission_id)
            if (turn := await advance()) is Turn.TAKEN:
                await self._publisher.publish(DOCUMENT_ACCEPTED, document)
                # In the same breath: no later submission of the document can come in between.
                await self._publisher.retire(DOCUMENT_ACCEPTED, by_document(document))
            return turn
        try:
            content, media_type = await self._contents.fetch(submission)
            if is_whole:
                await self._parts.replace(submission, submission_id, content, media_type)
        except DocumentRefused as problem:
            await self._reject(document, problem, RejectionStage.ACCEPT)
            return Turn.TAKEN
        original = await self._places.put_original(content, document.tenant)
        about = {
            "title": submission.title or "",
            "media_type": str(media_type),
            "language": declared_language(submission),
            "source_uri": submission.source_uri,
            "metadata": submission.metadata,
            "content_ref": original.uri,
            "content_digest": original.digest,
            "size_bytes": len(content),
            "accepted_at": now(),
        }
        accepted = redacted(document.model_copy(update=about))
        if (turn := await advance()) is Turn.TAKEN:
            await self._publisher.publish(DOCUMENT_ACCEPTED, accepted)
            _count("accepted")
        return turn

    async def chunk(
        self, accepted: DocumentAccepted, *, revision: int, rebuild: ForShadow | None = None
    ) -> bool:
        """Read and cut an accepted document; `revision` is its record's offset. With `rebuild` it
        was told of before, so that nothing is said of one that cannot be read. Returns whether it
        could be.

        Raises Retryable: the store, Kafka or a usable ingestion release is missing.
        """
        release = self._releases.live(accepted.tenant, Roles.INGESTION)
        accepted = redacted(accepted)  # it may be older than the tenant's choice
        event = DocumentChunked.model_validate(
            {
                **dict(accepted),
                "revision": revision,
                "ingestion_version": release.version,
                "rebuild": rebuild,
            }
        )
        if accepted.deleted:
            await self._publisher.publish(DOCUMENT_CHUNKED, event)
            await self._publisher.retire(DOCUMENT_CHUNKED, by_document(accepted))
            _count("deleted")
            return True
        try:
            read = await self._read(accepted, release)
        except DocumentRefused as refusal:
            if rebuild is None:
                await self._reject(accepted, refusal, RejectionStage.PARSE, revision)
            return False
        screening = self._quarantine.screening(accepted, read.title, read.findings)
        cut = {
            "title": read.title,
            "language": read.language,
            "chunks": read.chunks,
            "notes": read.notes,
            "chunked_at": now(),
        }
        event = event.model_copy(update={**cut, "screening": screening})
        if screening is not None and screening.verdict is not QuarantineVerdict.RELEASED:
            # What is seen in one that is read again holds for the live index too.
            event = event.model_copy(update={"rebuild": None})
        if event.held:
            event = event.model_copy(update={"chunks": (), "notes": ()})
        elif screening is not None and screening.verdict is None:
            event = _without_instructing(event, read)
        if screening is not None and screening.verdict is None:
            await self._quarantine.tell(event)
        chunks = event.chunks
        if len(await asyncio.to_thread(event.to_json)) > LARGEST_EVENT:
            ref = await self._places.passages.put(
                await asyncio.to_thread(_CHUNKS.dump_json, chunks)
            )
            by_reference = {"chunks": (), "chunks_ref": ref.uri, "chunks_digest": ref.digest}
            event = event.model_copy(update=by_reference)
        await self._publisher.publish(DOCUMENT_CHUNKED, event)
        _count("quarantined" if event.held else "chunked again" if rebuild else "chunked")
        return True

    async def decide(self, decision: QuarantineDecided) -> None:
        """Let a decision of a quarantined document take effect: read it again as it is now, unless
        something newer of other content is known.

        Raises Retryable: as `chunk`, or Kafka does not answer.
        """
        self._quarantine.apply(decision)
        newest = await self._log.newest_of(by_document(decision), decision.revision)
        if newest is None or newest.document is None or newest.document.deleted:
            return
        if newest.document.content_digest == decision.content_digest:
            await self.chunk(newest.document, revision=newest.offset)

    async def _reject(
        self,
        document: DocumentAccepted,
        refusal: DocumentRefused,
        stage: RejectionStage,
        revision: int | None = None,
    ) -> None:
        how = {
            "stage": stage,
            "code": refusal.code,
            "detail": str(refusal),
            "revision": revision,
            "accepted_at": None if stage is RejectionStage.ACCEPT else document.accepted_at,
            "rejected_at": now(),
        }
        rejection = redacted(DocumentRejected.model_validate({**dict(document), **how}))
        await self._publisher.publish(DOCUMENT_REJECTED, rejection)
        _count("rejected")

    def _submitted_at(self, claimed: datetime | None, received_at: datetime) -> datetime:
        """The producer's word counts as far as its clock can be believed."""
        if claimed is not None and abs(claimed - received_at) <= self._clock_skew:
            return claimed
        return received_at

    async def _read(self, accepted: DocumentAccepted, release: Artifact) -> ReadResult:
        try:
            recipe = ChunkRecipe.from_settings(release.settings)
        except FailedPrecondition as error:
            # No document's fault: they wait until the release is rolled back.
            raise Retryable(
                f"ingestion release {release.version} cannot be used: {error}"
            ) from error
        if accepted.content_ref is None or accepted.content_digest is None:
            raise Poison("an accepted document that is not deleted must refer to its content")
        with METRICS.stage_seconds.labels(SERVICE, "read").time():
            return await self._read_what_is_there(
                accepted, accepted.content_ref, accepted.content_digest, recipe
            )

    async def _read_what_is_there(
        self, accepted: DocumentAccepted, uri: str, digest: str, recipe: ChunkRecipe
    ) -> ReadResult:
        """The original, or what an earlier reading left of one that is gone."""
        kind = uuid5(NAMESPACE_URL, f"{accepted.media_type} {digest}")
        name = f"{accepted.tenant}/{kind.hex}.json"
        is_raw = self._places.raw.holds(uri)
        try:
            content = await self._places.get(uri, digest)
        except NotFound:
            if not is_raw:
                raise
            return await self._reader.read_outline(accepted, await self._outline(name), recipe)
        result = await self._reader.read(accepted, content, recipe)
        if is_raw and result.outline:
            await self._outlines.replace(name, result.outline)
        return result

    async def _outline(self, name: str) -> bytes:
        try:
            return await self._outlines.get(name)
        except NotFound as error:
            problem = "was deleted some days after it came, before it was read"
            fix = "submit the document again"
            code = RejectionCode.CONTENT_NOT_FOUND
            raise DocumentRefused(code, "content", problem, fix) from error


def _without_instructing(event: DocumentChunked, read: ReadResult) -> DocumentChunked:
    """Marked and searchable, but for the passages that no prompt should hold."""
    if not read.instructing:
        return event
    chunks = tuple(each for each in event.chunks if each.chunk_id not in read.instructing)
    count = len(event.chunks) - len(chunks)
    are = "passage is" if count == 1 else "passages are"
    note = (
        f"{count} {are} left out, as what stands there speaks to the model: "
        "`gyre documents quarantine release` lets the whole document in"
    )
    return event.model_copy(update={"chunks": chunks, "notes": (*event.notes, note)})


def _count(result: str) -> None:
    METRICS.documents.labels(SERVICE, result).inc()
