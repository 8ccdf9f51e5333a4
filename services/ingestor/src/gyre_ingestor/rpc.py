"""The ingestor's gRPC edge."""

from datetime import datetime
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp
from gyre.ingestor.v1 import ingestor_pb2 as pb
from gyre.ingestor.v1 import ingestor_pb2_grpc as pb_grpc
from gyre_common.document_index import DocumentHappening, DocumentRecord, DocumentState
from gyre_common.rpc import Register, request_context

from gyre_ingestor.front_door import FrontDoor

_STATES = {
    DocumentState.INDEXED: pb.DOCUMENT_STATE_INDEXED,
    DocumentState.REJECTED: pb.DOCUMENT_STATE_REJECTED,
    DocumentState.DELETED: pb.DOCUMENT_STATE_DELETED,
}


def register(door: FrontDoor) -> Register:
    """Add the service to a server."""
    return lambda server: pb_grpc.add_IngestorServiceServicer_to_server(
        IngestorServicer(door), server
    )


class IngestorServicer(pb_grpc.IngestorServiceServicer):
    """Translates between messages and the front door."""

    def __init__(self, door: FrontDoor) -> None:
        self._door = door

    async def SubmitDocument(
        self, request: pb.SubmitDocumentRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.SubmitDocumentResponse:
        """Replies once Kafka has the submission."""
        submission_id = await self._door.submit(
            request_context(),
            _fields(request.document),
            idempotency_key=request.idempotency_key,
        )
        return pb.SubmitDocumentResponse(submission_id=str(submission_id))

    async def DeleteDocument(
        self, request: pb.DeleteDocumentRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.DeleteDocumentResponse:
        """Replies once Kafka has the deletion."""
        submission_id = await self._door.delete(
            request_context(), request.document_id, idempotency_key=request.idempotency_key
        )
        return pb.DeleteDocumentResponse(submission_id=str(submission_id))

    async def GetDocument(
        self, request: pb.GetDocumentRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.GetDocumentResponse:
        """Where a document stands."""
        record = await self._door.get(request_context(), request.document_id)
        return pb.GetDocumentResponse(document=_status(record))

    async def ListDocuments(
        self, request: pb.ListDocumentsRequest, context: grpc.aio.ServicerContext[Any, Any]
    ) -> pb.ListDocumentsResponse:
        """One page of documents."""
        records, next_page_token = await self._door.page(
            request_context(), page_size=request.page_size, page_token=request.page_token
        )
        return pb.ListDocumentsResponse(
            documents=[_status(record) for record in records], next_page_token=next_page_token
        )


def _fields(document: pb.Document) -> dict[str, Any]:
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


def _status(record: DocumentRecord) -> pb.DocumentStatus:
    return pb.DocumentStatus(
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


def _event(happening: DocumentHappening) -> pb.DocumentEvent:
    return pb.DocumentEvent(
        state=_STATES[happening.state],
        submission_id=str(happening.submission_id),
        revision=-1 if happening.revision is None else happening.revision,
        submitted_at=_timestamp(happening.submitted_at),
        happened_at=_timestamp(happening.happened_at),
        code=happening.code,
        detail=happening.detail,
    )


def _timestamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message
