"""The gRPC edge: translates messages to the core's words and back."""

from collections.abc import Mapping
from types import MappingProxyType

from gyre.ingestor.v1 import ingestor_pb2, ingestor_pb2_grpc
from gyre_common.document_index import DocumentHappening, DocumentRecord, DocumentState
from gyre_common.rpc import ServicerContext, request_context

from gyre_ingestor.front_door import FrontDoor

_STATES: Mapping[DocumentState, ingestor_pb2.DocumentState] = MappingProxyType(
    {
        DocumentState.INDEXED: ingestor_pb2.DOCUMENT_STATE_INDEXED,
        DocumentState.REJECTED: ingestor_pb2.DOCUMENT_STATE_REJECTED,
        DocumentState.DELETED: ingestor_pb2.DOCUMENT_STATE_DELETED,
    }
)


class IngestorRpc(ingestor_pb2_grpc.IngestorServiceServicer):
    """Serves gyre.ingestor.v1.IngestorService."""

    def __init__(self, door: FrontDoor) -> None:
        self._door = door

    async def SubmitDocument(
        self, request: ingestor_pb2.SubmitDocumentRequest, context: ServicerContext
    ) -> ingestor_pb2.SubmitDocumentResponse:
        """Replies once Kafka has the submission."""
        submission_id = await self._door.submit(
            request_context(),
            _fields(request.document),
            idempotency_key=request.idempotency_key,
        )
        return ingestor_pb2.SubmitDocumentResponse(submission_id=str(submission_id))

    async def DeleteDocument(
        self, request: ingestor_pb2.DeleteDocumentRequest, context: ServicerContext
    ) -> ingestor_pb2.DeleteDocumentResponse:
        """Replies once Kafka has the deletion."""
        submission_id = await self._door.delete(
            request_context(), request.document_id, idempotency_key=request.idempotency_key
        )
        return ingestor_pb2.DeleteDocumentResponse(submission_id=str(submission_id))

    async def GetDocument(
        self, request: ingestor_pb2.GetDocumentRequest, context: ServicerContext
    ) -> ingestor_pb2.GetDocumentResponse:
        """Where a document stands."""
        record = await self._door.get(request_context(), request.document_id)
        return ingestor_pb2.GetDocumentResponse(document=_status(record))

    async def ListDocuments(
        self, request: ingestor_pb2.ListDocumentsRequest, context: ServicerContext
    ) -> ingestor_pb2.ListDocumentsResponse:
        """One page of documents."""
        records, next_page_token = await self._door.page(
            request_context(), page_size=request.page_size, page_token=request.page_token
        )
        return ingestor_pb2.ListDocumentsResponse(
            documents=[_status(record) for record in records], next_page_token=next_page_token
        )


def _fields(document: ingestor_pb2.Document) -> Mapping[str, object]:
    """What the message says; in proto3 an empty string is one that was not sent."""
    return {
        "document_id": document.document_id,
        "title": document.title or None,
        "text": document.text or None,
        "content_base64": document.content_base64 or None,
        "content_uri": document.content_uri or None,
        "media_type": document.media_type or None,
        "source_uri": document.source_uri or None,
        "metadata": dict(document.metadata),
        "acl": tuple(document.acl),
        "deleted": document.deleted,
    }


def _status(record: DocumentRecord) -> ingestor_pb2.DocumentStatus:
    return ingestor_pb2.DocumentStatus(
        document_id=record.document_id,
        state=_STATES[record.state],
        title=record.title,
        media_type=record.media_type,
        source_uri=record.source_uri or "",
        metadata=record.metadata,
        acl=record.acl,
        revision=record.revision,
        content_digest=record.content_digest or "",
        chunk_count=record.chunk_count,
        index=record.index,
        encoder_version=record.encoder_version or "",
        timeline=[_event(happening) for happening in record.timeline],
    )


def _event(happening: DocumentHappening) -> ingestor_pb2.DocumentEvent:
    return ingestor_pb2.DocumentEvent(
        state=_STATES[happening.state],
        submission_id=str(happening.submission_id),
        revision=-1 if happening.revision is None else happening.revision,
        submitted_at=happening.submitted_at,
        happened_at=happening.happened_at,
        code=happening.code,
        detail=happening.detail,
    )
