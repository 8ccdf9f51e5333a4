"""Submitted → accepted → chunked: what becomes of a document before it is indexed."""

import asyncio
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

from gyre_common.errors import FailedPrecondition, Poison, Retryable
from gyre_common.events.documents import (
    DOCUMENT_ACCEPTED,
    DOCUMENT_CHUNKED,
    DOCUMENT_REJECTED,
    Chunk,
    DocumentAccepted,
    DocumentChunked,
    DocumentRejected,
    DocumentSubmitted,
    RejectionStage,
    by_document,
)
from gyre_common.events.event import now
from gyre_common.events.publisher import Publisher
from gyre_common.events.releases import Artifact, Roles
from gyre_common.events.topic import LARGEST_EVENT
from gyre_common.releases import ReleaseView
from gyre_common.store import Store
from gyre_common.telemetry import METRICS

from gyre_ingestor.chunking.recipe import ChunkRecipe
from gyre_ingestor.content import ContentSource
from gyre_ingestor.document_reader import Reader, ReadingTask, ReadResult
from gyre_ingestor.refusal import DocumentRefused

SERVICE = "ingestor"


class Ingestor:
    """Checks submissions, and reads and cuts what was accepted."""

    def __init__(
        self,
        *,
        contents: ContentSource,
        originals: Store,
        reader: Reader,
        releases: ReleaseView,
        publisher: Publisher,
        clock_skew: timedelta,
    ) -> None:
        self._contents = contents
        self._originals = originals
        self._reader = reader
        self._releases = releases
        self._publisher = publisher
        self._clock_skew = clock_skew

    async def accept(
        self, submission: DocumentSubmitted, *, submission_id: UUID, received_at: datetime
    ) -> None:
        """Accept a submission, or reject it with a reason. `received_at` is the broker's time.

        Raises:
            Retryable: the store, Kafka or the content's place is out of reach.
        """
        submitted_at = self._submitted_at(submission.submitted_at, received_at)
        if submission.deleted:
            await self._accept_deletion(submission, submission_id, submitted_at)
            return
        try:
            content = await self._contents.fetch(submission)
        except DocumentRefused as refusal:
            await self._reject(
                refusal,
                RejectionStage.ACCEPT,
                tenant=submission.tenant,
                document_id=submission.document_id,
                submission_id=submission_id,
                submitted_at=submitted_at,
            )
            return
        original = await self._originals.put(content.data)
        await self._publisher.publish(
            DOCUMENT_ACCEPTED,
            DocumentAccepted(
                tenant=submission.tenant,
                document_id=submission.document_id,
                submission_id=submission_id,
                submitted_at=submitted_at,
                title=submission.title or "",
                media_type=str(content.media_type),
                source_uri=submission.source_uri,
                metadata=submission.metadata,
                acl=submission.acl,
                content_ref=original.uri,
                content_digest=original.digest,
                size_bytes=len(content.data),
                accepted_at=now(),
            ),
        )
        _count("accepted")

    async def chunk(self, accepted: DocumentAccepted, *, revision: int) -> None:
        """Read and cut an accepted document; `revision` is its record's offset.

        Raises:
            Retryable: the store, Kafka or a usable ingestion release is missing.
        """
        release = self._releases.live(accepted.tenant, Roles.INGESTION)
        if accepted.deleted:
            await self._publisher.publish(
                DOCUMENT_CHUNKED, _chunked_event(accepted, revision, release, accepted.title)
            )
            await self._publisher.retire(DOCUMENT_CHUNKED, by_document(accepted))
            _count("deleted")
            return
        try:
            reading = await self._read(accepted, _recipe(release))
        except DocumentRefused as refusal:
            await self._reject(
                refusal,
                RejectionStage.PARSE,
                tenant=accepted.tenant,
                document_id=accepted.document_id,
                submission_id=accepted.submission_id,
                submitted_at=accepted.submitted_at,
                revision=revision,
            )
            return
        event = _chunked_event(accepted, revision, release, reading.title)
        await self._publisher.publish(
            DOCUMENT_CHUNKED, await self._with_chunks(event, reading.chunks)
        )
        _count("chunked")

    async def _accept_deletion(
        self, submission: DocumentSubmitted, submission_id: UUID, submitted_at: datetime
    ) -> None:
        await self._publisher.publish(
            DOCUMENT_ACCEPTED,
            DocumentAccepted(
                tenant=submission.tenant,
                document_id=submission.document_id,
                submission_id=submission_id,
                submitted_at=submitted_at,
                deleted=True,
                accepted_at=now(),
            ),
        )
        # In the same breath, so that no later submission of the document can come in between.
        await self._publisher.retire(DOCUMENT_ACCEPTED, by_document(submission))

    async def _reject(
        self,
        refusal: DocumentRefused,
        stage: RejectionStage,
        *,
        tenant: str,
        document_id: str,
        submission_id: UUID,
        submitted_at: datetime,
        revision: int | None = None,
    ) -> None:
        event = DocumentRejected(
            tenant=tenant,
            document_id=document_id,
            submission_id=submission_id,
            revision=revision,
            stage=stage,
            code=refusal.code,
            detail=str(refusal),
            submitted_at=submitted_at,
            rejected_at=now(),
        )
        await self._publisher.publish(DOCUMENT_REJECTED, event)
        _count("rejected")

    def _submitted_at(self, claimed: datetime | None, received_at: datetime) -> datetime:
        """The producer's word counts as far as its clock can be believed."""
        if claimed is not None and abs(claimed - received_at) <= self._clock_skew:
            return claimed
        return received_at

    async def _read(self, accepted: DocumentAccepted, recipe: ChunkRecipe) -> ReadResult:
        if accepted.content_ref is None or accepted.content_digest is None:
            raise Poison("an accepted document that is not deleted must refer to its content")
        task = ReadingTask(
            tenant=accepted.tenant,
            document_id=accepted.document_id,
            title=accepted.title,
            media_type=accepted.media_type,
            content=await self._originals.get(accepted.content_ref, accepted.content_digest),
            recipe=recipe,
        )
        with METRICS.stage_seconds.labels(SERVICE, "read").time():
            return await self._reader.read(task)

    async def _with_chunks(
        self, event: DocumentChunked, chunks: Sequence[Chunk]
    ) -> DocumentChunked:
        """The event with its chunks, or with a reference to them where they are many."""
        whole = event.model_copy(update={"chunks": tuple(chunks)})
        if len(await asyncio.to_thread(whole.to_json)) <= LARGEST_EVENT:
            return whole
        ref = await self._originals.put(await asyncio.to_thread(_chunks_json, chunks))
        return event.model_copy(update={"chunks_ref": ref.uri, "chunks_digest": ref.digest})


def _count(result: str) -> None:
    METRICS.documents.labels(SERVICE, result).inc()


def _recipe(release: Artifact) -> ChunkRecipe:
    try:
        return ChunkRecipe.from_settings(release.settings)
    except FailedPrecondition as error:
        # No document's fault: they wait until the release is rolled back.
        raise Retryable(f"ingestion release {release.version} cannot be used: {error}") from error


def _chunked_event(
    accepted: DocumentAccepted, revision: int, release: Artifact, title: str
) -> DocumentChunked:
    return DocumentChunked(
        tenant=accepted.tenant,
        document_id=accepted.document_id,
        submission_id=accepted.submission_id,
        submitted_at=accepted.submitted_at,
        title=title,
        media_type=accepted.media_type,
        source_uri=accepted.source_uri,
        metadata=accepted.metadata,
        acl=accepted.acl,
        deleted=accepted.deleted,
        revision=revision,
        content_digest=accepted.content_digest,
        ingestion_version=release.version,
    )


def _chunks_json(chunks: Sequence[Chunk]) -> bytes:
    return json.dumps([chunk.model_dump(mode="json") for chunk in chunks]).encode()
