"""Documents: submitted one by one or many at once, looked up, listed, deleted."""

import uuid
from collections.abc import AsyncGenerator, Sequence
from typing import TypedDict, Unpack

from gyre.ingestor.v1 import ingestor_pb2
from gyre.ingestor.v1.ingestor_pb2_grpc import IngestorServiceStub

from gyre_client.parts import LoopT, Part, method, stream
from gyre_client.submission import PATIENCE_SECONDS, Draft, Progress, Submitter

_PAGE = 500


class DocumentFilters(TypedDict, total=False):
    """What a list of documents holds, as in ListDocumentsRequest; deleted ones are in it only
    where their state is asked for. With `duplicates` each names the one most like it.
    """

    search: str
    state: ingestor_pb2.DocumentState
    document_ids: Sequence[str]
    duplicates: bool
    language: str
    only_screened: bool


class Documents(Part[LoopT]):
    """The front door for documents of the caller's tenant."""

    stub, service = IngestorServiceStub, "ingestor"

    @method
    async def submit(self, document: ingestor_pb2.Document, *, idempotency_key: str = "") -> str:
        """Returns the submission's id once Kafka has it; it is searchable a moment later."""
        request = ingestor_pb2.SubmitDocumentRequest(
            document=document, idempotency_key=idempotency_key or str(uuid.uuid4())
        )
        reply: ingestor_pb2.SubmitDocumentResponse = await self._call("SubmitDocument", request)
        return reply.submission_id

    @method
    async def submit_all(
        self,
        drafts: Sequence[Draft],
        progress: Progress,
        *,
        wait: bool = True,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Sends many, and with `wait` follows each until it is searchable or turned away.

        What became of each stands in `progress`, which others may read meanwhile.

        Raises:
            GyreError: the ingestor cannot be reached, does not accept the caller, or nothing has
                moved for `patience_seconds`.
        """
        await Submitter(self._connection, progress).submit(
            drafts, wait=wait, patience_seconds=patience_seconds
        )

    @method
    async def get(self, document_id: str) -> ingestor_pb2.DocumentStatus:
        """Where it stands, and what happened to it. Raises NotFound."""
        request = ingestor_pb2.GetDocumentRequest(document_id=document_id)
        reply: ingestor_pb2.GetDocumentResponse = await self._call("GetDocument", request)
        return reply.document

    @method
    async def parts(self, document_id: str) -> list[str]:
        """The names of the documents that an archive or a mail holds. Raises NotFound."""
        request = ingestor_pb2.GetDocumentRequest(document_id=document_id)
        reply: ingestor_pb2.GetDocumentResponse = await self._call("GetDocument", request)
        return [part.document_id for part in reply.parts]

    @method
    async def page(
        self, *, page_size: int = 0, page_token: str = "", **filters: Unpack[DocumentFilters]
    ) -> ingestor_pb2.ListDocumentsResponse:
        """One page of `list`, of fewer than `page_size` where they are large, and the token of the
        next. Raises InvalidInput.
        """
        request = ingestor_pb2.ListDocumentsRequest(
            page_size=page_size, page_token=page_token, **filters
        )
        reply: ingestor_pb2.ListDocumentsResponse = await self._call("ListDocuments", request)
        return reply

    @stream
    async def list(
        self, **filters: Unpack[DocumentFilters]
    ) -> AsyncGenerator[ingestor_pb2.DocumentStatus, None]:
        """By document_id, as far as you read. Raises InvalidInput."""
        request = ingestor_pb2.ListDocumentsRequest(page_size=_PAGE, **filters)
        async for page in self._pages("ListDocuments", request):
            for one in page.documents:
                yield one

    @method
    async def release(self, document_id: str, *, reason: str = "") -> None:
        """Lets a document out of the quarantine, now and when the same content comes again; it is
        searchable a moment later. Raises NotFound, FailedPrecondition (nothing was seen in it).
        """
        verdict = ingestor_pb2.QUARANTINE_VERDICT_RELEASED
        await self._decide(document_id, verdict, reason)

    @method
    async def confirm_quarantine(self, document_id: str, *, reason: str = "") -> None:
        """Keeps a document out of search, also one that is marked or was released. Raises as
        `release`.
        """
        verdict = ingestor_pb2.QUARANTINE_VERDICT_CONFIRMED
        await self._decide(document_id, verdict, reason)

    async def _decide(
        self, document_id: str, verdict: ingestor_pb2.QuarantineVerdict, reason: str
    ) -> None:
        request = ingestor_pb2.DecideQuarantineRequest(
            document_id=document_id, verdict=verdict, reason=reason, actor=self._actor
        )
        await self._call("DecideQuarantine", request)

    @method
    async def formats(self) -> dict[str, str]:
        """What documents may be: media types by the ending of a file's name."""
        request = ingestor_pb2.ListFormatsRequest()
        reply: ingestor_pb2.ListFormatsResponse = await self._call("ListFormats", request)
        return {ending: each.media_type for each in reply.formats for ending in each.endings}

    @method
    async def start_index_rebuild(self) -> str:
        """Reads all documents again for the shadow's index; returns the rebuild's id. Raises
        FailedPrecondition: there is no shadow.
        """
        request = ingestor_pb2.StartIndexRebuildRequest()
        reply: ingestor_pb2.StartIndexRebuildResponse = await self._call(
            "StartIndexRebuild", request
        )
        return reply.rebuild_id

    @method
    async def index_rebuild(self) -> ingestor_pb2.GetIndexRebuildResponse:
        """How far the last rebuild is."""
        request = ingestor_pb2.GetIndexRebuildRequest()
        reply: ingestor_pb2.GetIndexRebuildResponse = await self._call("GetIndexRebuild", request)
        return reply

    @method
    async def delete(self, document_id: str, *, idempotency_key: str = "") -> str:
        """Returns the submission's id once Kafka has it."""
        request = ingestor_pb2.DeleteDocumentRequest(
            document_id=document_id, idempotency_key=idempotency_key or str(uuid.uuid4())
        )
        reply: ingestor_pb2.DeleteDocumentResponse = await self._call("DeleteDocument", request)
        return reply.submission_id
