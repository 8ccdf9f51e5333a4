"""/v1/documents: taken in as JSON or as files, listed, shown and deleted."""

import asyncio
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse
from gyre.ingestor.v1 import ingestor_pb2
from gyre_client import AsyncClient, GyreError
from gyre_client.documents import DocumentFilters
from pydantic import BaseModel, ConfigDict

from gyre_gateway.document_request import DocumentBody, Draft, NotTaken, read_documents, take
from gyre_gateway.errors import error_body, error_reply, renamed
from gyre_gateway.identity import Gyre
from gyre_gateway.replies import (
    MOMENT,
    PAGE_FIELDS,
    After,
    IdempotencyKey,
    Json,
    Limit,
    as_json,
    page,
    replying,
)
from gyre_gateway.routing import Route

router = APIRouter(tags=["documents"], route_class=Route)

_AT_ONCE = 16
_STATES = {
    "indexed": ingestor_pb2.DOCUMENT_STATE_INDEXED,
    "rejected": ingestor_pb2.DOCUMENT_STATE_REJECTED,
    "deleted": ingestor_pb2.DOCUMENT_STATE_DELETED,
    "quarantined": ingestor_pb2.DOCUMENT_STATE_QUARANTINED,
}
_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "document_id": {"type": "string", "description": "Of one file; else its path."},
        "title": {"type": "string"},
        "media_type": {"type": "string", "description": "What is found out where it is missing."},
        "language": {"type": "string", "description": "Such as de; told from the text if missing."},
        "source_uri": {"type": "string", "description": "Where people find the original."},
        "metadata": {"type": "string", "description": 'JSON, such as {"team": "kitchen"}'},
        "acl": {"type": "string", "description": "Groups that may read it, with commas between."},
    },
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": DocumentBody.model_json_schema()},
            "multipart/form-data": {"schema": _FORM},
        },
    }
}

_DOCUMENT_ID = "kitchen/tea.md"
_SUBMISSION: Json = {
    "document_id": _DOCUMENT_ID,
    "submission_id": "0199a1b2-0000-7000-8000-000000000004",
}
_STATUS = ingestor_pb2.DocumentStatus(
    document_id=_DOCUMENT_ID,
    state=ingestor_pb2.DOCUMENT_STATE_INDEXED,
    title="Tea",
    media_type="text/markdown",
    language="en",
    metadata={"team": "kitchen"},
    acl=["staff"],
    chunk_count=3,
    encoder_version="minilm-1",
    timeline=[
        ingestor_pb2.DocumentEvent(
            state=ingestor_pb2.DOCUMENT_STATE_INDEXED,
            submission_id=_SUBMISSION["submission_id"],
            submitted_at=MOMENT,
            happened_at=MOMENT,
        )
    ],
    duplicates=[
        ingestor_pb2.DuplicateDocument(
            document_id="archive/tea.md", title="Tea", similarity=0.9, newer=False
        )
    ],
)


@router.post(
    "/v1/documents",
    summary="Submit documents",
    status_code=HTTPStatus.ACCEPTED,
    responses=replying(page([_SUBMISSION]), HTTPStatus.ACCEPTED),
    openapi_extra=_BODY,
)
async def submit(
    request: Request, gyre: Gyre, idempotency_key: IdempotencyKey = ""
) -> JSONResponse:
    """One document, `{"documents": [{…}, {…}]}`, or files as multipart/form-data.

    The reply means that they are safe, not that they are searchable yet, and says of each that was
    refused why. Where none was taken it has the status of the first error.
    """
    drafts = await read_documents(request, request.app.state.uploads)
    slots = asyncio.Semaphore(_AT_ONCE)
    outcomes = await asyncio.gather(
        *(_submit(gyre, draft, idempotency_key, slots) for draft in drafts)
    )
    refused = [one for one in outcomes if isinstance(one, NotTaken)]
    data = [_refusal(one) if isinstance(one, NotTaken) else one for one in outcomes]
    if len(refused) == len(outcomes):
        return error_reply(refused[0].error, **page(data))
    return JSONResponse(page(data), HTTPStatus.ACCEPTED)


@router.get("/v1/documents", summary="List documents", responses=replying(page([as_json(_STATUS)])))
async def list_documents(
    gyre: Gyre,
    limit: Limit = 100,
    after: After = "",
    search: str = "",
    state: Literal["indexed", "rejected", "deleted", "quarantined"] | None = None,
    document_id: Annotated[list[str] | None, Query()] = None,
    language: str = "",
    *,
    duplicates: bool = False,
) -> Json:
    """By document_id; deleted ones only where their state is asked for.

    `search` finds words, or parts of words, of title or document_id. `document_id`, up to 100
    times, names those that are meant. `language` is one such as de, or und where it cannot be told.
    With `duplicates` each names the one with the same content or most of the same text. A page may
    hold fewer than `limit`; `timeline` has the newest, and all of documents that are named.
    """
    filters = DocumentFilters(
        search=search, document_ids=document_id or (), language=language, duplicates=duplicates
    )
    if state:
        filters["state"] = _STATES[state]
    with renamed({**PAGE_FIELDS, "document_ids": "document_id"}):
        reply = await gyre.documents.page(page_size=limit, page_token=after, **filters)
    return page(map(as_json, reply.documents), reply.next_page_token)


@router.get(
    "/v1/documents/{document_id:path}",
    summary="Show a document",
    responses=replying(as_json(_STATUS)),
)
async def show(document_id: str, gyre: Gyre) -> Json:
    """Where it stands, in `timeline` what happened to it, and in `duplicates` which documents have
    the same content or nearly the same text.

    A submission was accepted (`accepted_at`: checked and stored) and cut into passages
    (`chunked_at`) before it was searchable, deleted or turned away (`happened_at`); of one that was
    turned away `stage`, `code` and `detail` say where, why, and what to do. `notes` say what of the
    newest revision was not read, `screening` what was seen in it, and what was decided of that.
    """
    return as_json(await gyre.documents.get(document_id))


@router.delete(
    "/v1/documents/{document_id:path}",
    summary="Delete a document",
    status_code=HTTPStatus.ACCEPTED,
    responses=replying({**_SUBMISSION, "deleted": True}, HTTPStatus.ACCEPTED),
)
async def delete(document_id: str, gyre: Gyre, idempotency_key: IdempotencyKey = "") -> Json:
    """It is gone from search a moment later. 404 where there is none, or none that the caller may
    read.
    """
    with renamed({"document.document_id": "document_id"}):
        submission_id = await gyre.documents.delete(document_id, idempotency_key=idempotency_key)
    return {"document_id": document_id, "submission_id": submission_id, "deleted": True}


class QuarantineDecision(BaseModel):
    """`released`: it is searchable, as any other; `confirmed`: it stays out, or goes out again."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"verdict": "released", "reason": "a quote"}]},
    )

    verdict: Literal["released", "confirmed"]
    reason: str = ""


@router.post(
    "/v1/documents/{document_id:path}/quarantine",
    summary="Decide of a document in quarantine",
    status_code=HTTPStatus.ACCEPTED,
    responses=replying({"document_id": _DOCUMENT_ID, "verdict": "released"}, HTTPStatus.ACCEPTED),
)
async def decide(document_id: str, body: QuarantineDecision, gyre: Gyre) -> Json:
    """Of a document in which something was seen (`screening` in its `timeline`), held or marked.

    The last decision holds for this content of it, also when it comes again; it takes effect a
    moment later. `reason`: why, in a line, which stands in its history.
    """
    if body.verdict == "released":
        await gyre.documents.release(document_id, reason=body.reason)
    else:
        await gyre.documents.confirm_quarantine(document_id, reason=body.reason)
    return {"document_id": document_id, "verdict": body.verdict}


async def _submit(
    gyre: AsyncClient, draft: Draft, idempotency_key: str, slots: asyncio.Semaphore
) -> Json | NotTaken:
    if isinstance(draft, NotTaken):
        return draft
    try:
        async with slots:
            submission_id = await take(gyre, draft, idempotency_key=idempotency_key)
    except GyreError as error:
        return NotTaken(draft.document_id, error)
    return {"document_id": draft.document_id, "submission_id": submission_id}


def _refusal(refused: NotTaken) -> Json:
    return {"document_id": refused.document_id, **error_body(refused.error)[1]}
