"""The gRPC edge: translates messages to the core's words and back."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence

from google.protobuf.json_format import MessageToDict
from gyre.ingestor.v1 import ingestor_pb2, ingestor_pb2_grpc
from gyre_common.document_index import DocumentHappening, DocumentRecord, DocumentState
from gyre_common.errors import InvalidInput
from gyre_common.events.documents import QuarantineVerdict, Screening
from gyre_common.rpc import ServicerContext, request_context
from gyre_common.rpc.server import MAX_MESSAGE_BYTES

from gyre_ingestor.duplicates import Duplicate
from gyre_ingestor.formats import FORMATS
from gyre_ingestor.front_door import FrontDoor, token_after
from gyre_ingestor.index_rebuild import IndexRebuild
from gyre_ingestor.parts import Parts, PartsList
from gyre_ingestor.quarantine import QuarantineBook


class IngestorRpc(ingestor_pb2_grpc.IngestorServiceServicer):
    """Serves gyre.ingestor.v1.IngestorService."""

    def __init__(
        self, door: FrontDoor, parts: Parts, rebuild: IndexRebuild, quarantine: QuarantineBook
    ) -> None:
        self._door = door
        self._parts = parts
        self._rebuild = rebuild
        self._quarantine = quarantine

    async def SubmitDocument(
        self, request: ingestor_pb2.SubmitDocumentRequest, context: ServicerContext
    ) -> ingestor_pb2.SubmitDocumentResponse:
        """Replies once Kafka has the submission."""
        # In proto3 an empty string is one that was not sent: it is left out here.
        fields = MessageToDict(request.document, preserving_proto_field_name=True)
        submission_id = await self._door.submit(
            request_context(), {"document_id": "", **fields}, request.idempotency_key
        )
        return ingestor_pb2.SubmitDocumentResponse(submission_id=str(submission_id))

    async def UploadDocument(
        self,
        requests: AsyncIterator[ingestor_pb2.UploadDocumentRequest],
        context: ServicerContext,
    ) -> ingestor_pb2.SubmitDocumentResponse:
        """Replies once Kafka has the submission and the store its content."""
        first = await anext(requests, ingestor_pb2.UploadDocumentRequest())
        if not first.HasField("document"):
            fix = "send it in the first message, and data in those that follow"
            raise InvalidInput("document", "is missing", fix)
        fields = MessageToDict(first.document, preserving_proto_field_name=True)
        submission_id = await self._door.upload(
            request_context(),
            {"document_id": "", **fields},
            _data(first, requests),
            first.idempotency_key,
            size_bytes=first.size_bytes,
        )
        return ingestor_pb2.SubmitDocumentResponse(submission_id=str(submission_id))

    async def DeleteDocument(
        self, request: ingestor_pb2.DeleteDocumentRequest, context: ServicerContext
    ) -> ingestor_pb2.DeleteDocumentResponse:
        """Replies once Kafka has the deletion."""
        fields = {"document_id": request.document_id, "deleted": True}
        submission_id = await self._door.submit(request_context(), fields, request.idempotency_key)
        return ingestor_pb2.DeleteDocumentResponse(submission_id=str(submission_id))

    async def GetDocument(
        self, request: ingestor_pb2.GetDocumentRequest, context: ServicerContext
    ) -> ingestor_pb2.GetDocumentResponse:
        """Where a document stands."""
        record = await self._door.get(request_context(), request.document_id)
        [duplicates] = await self._door.duplicates(request_context(), [record])
        response = ingestor_pb2.GetDocumentResponse(document=_status(record, duplicates))
        known = FORMATS.get(record.media_type.partition(";")[0])
        if known is not None and known.members is not None:
            parts = await self._parts.of(record.tenant, record.document_id, request.submission_id)
            response.parts.extend(_parts(record.document_id, parts) if parts else ())
        return response

    async def ListDocuments(
        self, request: ingestor_pb2.ListDocumentsRequest, context: ServicerContext
    ) -> ingestor_pb2.ListDocumentsResponse:
        """One page of documents; it ends early where a reply would be too large."""
        records, next_page_token = await self._door.page(
            request_context(),
            page_size=request.page_size,
            page_token=request.page_token,
            search=request.search,
            state=_requested_state(request.state),
            document_ids=request.document_ids,
            language=request.language,
            only_screened=request.only_screened,
        )
        duplicates: Sequence[Sequence[Duplicate]] = [()] * len(records)
        if request.duplicates:
            duplicates = await self._door.duplicates(request_context(), records)
        are_named = bool(request.document_ids)
        documents = list(
            _that_fit(
                _listed(record, theirs, is_named=are_named)
                for record, theirs in zip(records, duplicates, strict=True)
            )
        )
        if len(documents) < len(records):
            next_page_token = token_after(documents[-1].document_id)
        return ingestor_pb2.ListDocumentsResponse(
            documents=documents, next_page_token=next_page_token
        )

    async def StartIndexRebuild(
        self, request: ingestor_pb2.StartIndexRebuildRequest, context: ServicerContext
    ) -> ingestor_pb2.StartIndexRebuildResponse:
        """Replies once Kafka has the order."""
        rebuild_id = await self._rebuild.start()
        return ingestor_pb2.StartIndexRebuildResponse(rebuild_id=str(rebuild_id))

    async def GetIndexRebuild(
        self, request: ingestor_pb2.GetIndexRebuildRequest, context: ServicerContext
    ) -> ingestor_pb2.GetIndexRebuildResponse:
        """How far it is."""
        progress = await self._rebuild.progress()
        return ingestor_pb2.GetIndexRebuildResponse(
            state=f"INDEX_REBUILD_STATE_{progress.state.name}",
            rebuild_id=str(progress.rebuild_id or ""),
            records_read=progress.records_read,
            records=progress.records,
            documents=progress.documents,
            documents_skipped=progress.skipped,
            documents_behind=progress.behind,
        )

    async def DecideQuarantine(
        self, request: ingestor_pb2.DecideQuarantineRequest, context: ServicerContext
    ) -> ingestor_pb2.DecideQuarantineResponse:
        """Replies once Kafka has the decision."""
        if request.verdict not in _VERDICTS:
            raise InvalidInput("verdict", f"is {request.verdict}", "send RELEASED or CONFIRMED")
        record = await self._door.get(request_context(), request.document_id)
        await self._quarantine.decide(
            record, _VERDICTS[request.verdict], actor=request.actor, reason=request.reason
        )
        return ingestor_pb2.DecideQuarantineResponse()

    async def ListFormats(
        self, request: ingestor_pb2.ListFormatsRequest, context: ServicerContext
    ) -> ingestor_pb2.ListFormatsResponse:
        """All that can be read."""
        return ingestor_pb2.ListFormatsResponse(
            formats=[
                ingestor_pb2.Format(media_type=name, endings=each.endings)
                for name, each in FORMATS.items()
            ]
        )


_STATES: Mapping[int, DocumentState] = {
    ingestor_pb2.DOCUMENT_STATE_INDEXED: DocumentState.INDEXED,
    ingestor_pb2.DOCUMENT_STATE_REJECTED: DocumentState.REJECTED,
    ingestor_pb2.DOCUMENT_STATE_DELETED: DocumentState.DELETED,
    ingestor_pb2.DOCUMENT_STATE_QUARANTINED: DocumentState.QUARANTINED,
}
_VERDICTS: Mapping[int, QuarantineVerdict] = {
    ingestor_pb2.QUARANTINE_VERDICT_RELEASED: QuarantineVerdict.RELEASED,
    ingestor_pb2.QUARANTINE_VERDICT_CONFIRMED: QuarantineVerdict.CONFIRMED,
}


async def _data(
    first: ingestor_pb2.UploadDocumentRequest,
    others: AsyncIterator[ingestor_pb2.UploadDocumentRequest],
) -> AsyncIterator[bytes]:
    yield first.data
    async for each in others:
        yield each.data


def _requested_state(number: int) -> DocumentState | None:
    if number and number not in _STATES:
        raise InvalidInput("state", f"is {number}", "name one of DocumentState, or none")
    return _STATES.get(number)


def _state(state: DocumentState) -> str:
    return f"DOCUMENT_STATE_{state.name}"


_NOT_IN_AN_EVENT = {"state", "submission_id", "acl", "revision", "screening"}
_NOT_SHOWN = {"tenant", "state", "encoded_count", "sketch", "bands", "timeline"}
_LARGEST_PAGE_BYTES = MAX_MESSAGE_BYTES // 4 * 3
"""No document alone comes near what is left: with its metadata it once was a record of Kafka."""


def _that_fit(
    documents: Iterable[ingestor_pb2.DocumentStatus],
) -> Iterator[ingestor_pb2.DocumentStatus]:
    """The first, and those behind it for which there is room."""
    size = 0
    for number, document in enumerate(documents):
        size += document.ByteSize()
        if number and size > _LARGEST_PAGE_BYTES:
            return
        yield document


def _listed(
    record: DocumentRecord, duplicates: Sequence[Duplicate], *, is_named: bool
) -> ingestor_pb2.DocumentStatus:
    """Who names documents may be after any of their submissions; who looks through them is not."""
    timeline = record.timeline if is_named else _newest(record)
    return _status(record.model_copy(update={"timeline": timeline}), duplicates[:1])


def _newest(record: DocumentRecord) -> tuple[DocumentHappening, ...]:
    """The last happening, the last of its state, and the last that tells what was seen in it."""
    own = [each for each in record.timeline if each.revision == record.revision]
    newest = [
        *record.timeline[-1:],
        *[each for each in record.timeline if each.state is record.state][-1:],
        *[each for each in own if each.screening][-1:],
    ]
    return tuple(each for each in record.timeline if each in newest)


def _status(record: DocumentRecord, duplicates: Sequence[Duplicate]) -> ingestor_pb2.DocumentStatus:
    return ingestor_pb2.DocumentStatus(
        **record.model_dump(exclude=_NOT_SHOWN),
        state=_state(record.state),
        timeline=map(_event, record.timeline),
        duplicates=map(_duplicate, duplicates),
    )


def _duplicate(duplicate: Duplicate) -> ingestor_pb2.DuplicateDocument:
    return ingestor_pb2.DuplicateDocument(
        document_id=duplicate.record.document_id,
        title=duplicate.record.title,
        same_content=duplicate.same_content,
        similarity=duplicate.similarity,
        newer=duplicate.newer,
    )


def _parts(document_id: str, parts: PartsList) -> Iterator[ingestor_pb2.DocumentPart]:
    for path in parts.paths:
        yield ingestor_pb2.DocumentPart(
            document_id=f"{document_id}/{path}", submission_id=str(parts.submission_of(path))
        )


def _event(happening: DocumentHappening) -> ingestor_pb2.DocumentEvent:
    same_fields = happening.model_dump(exclude=_NOT_IN_AN_EVENT)
    return ingestor_pb2.DocumentEvent(
        **same_fields,
        state=_state(happening.state),
        submission_id=str(happening.submission_id),
        revision=-1 if happening.revision is None else happening.revision,
        screening=_screening(happening.screening) if happening.screening else None,
    )


def _screening(screening: Screening) -> ingestor_pb2.Screening:
    verdict = f"QUARANTINE_VERDICT_{screening.verdict.name}" if screening.verdict else None
    return ingestor_pb2.Screening(**screening.model_dump(exclude={"verdict"}), verdict=verdict)
