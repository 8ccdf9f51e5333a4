"""Requests to take documents, as JSON or as files, read one by one: what is wrong with one keeps
none of the others out.
"""

import base64
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PureWindowsPath
from typing import Annotated, Any

from fastapi import Request
from gyre.ingestor.v1 import ingestor_pb2
from gyre_client import AsyncClient, GyreError, InvalidInput
from gyre_common.lines import has_control_characters
from gyre_common.near_names import near_name
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from gyre_gateway.errors import invalid_input
from gyre_gateway.uploads import File, UploadForm, Uploads

MOST_DOCUMENTS = 1_000
_LONGEST_ID = 512
_OF_FILES = ("document_id", "title", "media_type", "language", "source_uri", "metadata", "acl")

DocumentId = Annotated[str, Field(min_length=1, max_length=_LONGEST_ID)]


class DocumentBody(BaseModel):
    """A document as on the topic `documents.submitted.v1`: exactly one of `text`,
    `content_base64` and `content_uri` carries it, unless it is `deleted`.
    """

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "document_id": "kitchen/tea.md",
                    "text": "# Tea\n\nGreen tea: 80 degrees.",
                    "metadata": {"team": "kitchen"},
                    "acl": ["staff"],
                }
            ]
        },
    )

    document_id: DocumentId
    title: str = ""
    text: str = ""
    content_base64: str = ""
    content_uri: str = ""
    media_type: str = ""
    language: str = ""
    source_uri: str = ""
    metadata: dict[str, str] = {}
    acl: list[str] = []
    deleted: bool = False


@dataclass(frozen=True)
class NotTaken:
    """A document that is refused, and why."""

    document_id: str
    error: GyreError


Draft = ingestor_pb2.Document | NotTaken


async def read_documents(request: Request, uploads: Uploads) -> Sequence[Draft]:
    """At least one. Raises InvalidInput, and what `Uploads.receive` raises."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        drafts = _of_form(await uploads.receive(request))
    elif kind == "application/json":
        drafts = _of_json(await request.json())
    else:
        raise InvalidInput(
            "content-type",
            f"is {kind[:100] or 'missing'}",
            "send application/json, or files as multipart/form-data",
        )
    return _each_once(drafts)


async def take(
    gyre: AsyncClient, document: ingestor_pb2.Document, *, idempotency_key: str = ""
) -> str:
    """The submission's id. Raises GyreError; InvalidInput by the names that requests have."""
    try:
        return await gyre.documents.submit(document, idempotency_key=idempotency_key)
    except InvalidInput as error:
        field = error.field.removeprefix("document.")
        raise InvalidInput(field, error.problem, error.fix, code=error.code) from error


def _of_json(body: object) -> Sequence[Draft]:
    if not isinstance(body, dict):
        raise InvalidInput("body", "is not a JSON object", 'send {"document_id": …, "text": …}')
    if "documents" not in body:
        return [_draft(body)]
    documents = body.pop("documents")
    if body:
        raise InvalidInput(str(next(iter(body)))[:100], "stands beside documents", "leave it out")
    if not isinstance(documents, list) or not 0 < len(documents) <= MOST_DOCUMENTS:
        raise InvalidInput(
            "documents", f"is no list of 1 to {MOST_DOCUMENTS:,}", "send [{…}, {…}], in parts"
        )
    return [_draft(each) for each in documents]


def _draft(fields: object) -> Draft:
    if not isinstance(fields, dict):
        return NotTaken("", InvalidInput("documents", "holds what is no object", "send [{…}, {…}]"))
    try:
        return ingestor_pb2.Document(**DocumentBody.model_validate(fields).model_dump())
    except ValidationError as error:
        return NotTaken(
            str(fields.get("document_id", ""))[:_LONGEST_ID], invalid_input(error, DocumentBody)
        )


def _of_form(form: UploadForm) -> Sequence[Draft]:
    if not form.files:
        raise InvalidInput("file", "is missing", "send one or more, as curl -F file=@PATH")
    fields = _fields(form.fields)
    if "document_id" in fields and len(form.files) > 1:
        raise InvalidInput(
            "document_id", "is one, and the files are several", "leave it out: file names do"
        )
    return [_draft_of_file(file, fields) for file in form.files]


def _fields(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name == "acl":
            groups = filter(None, map(str.strip, value.split(",")))
            fields.setdefault("acl", []).extend(groups)
        elif name not in _OF_FILES:
            near = near_name(name, _OF_FILES)
            fix = f"did you mean `{near}`?" if near else f"send {', '.join(_OF_FILES)}"
            raise InvalidInput(name[:100], "is not known here", fix)
        elif name in fields:
            raise InvalidInput(name, "is there twice", "send it once: it holds for every file")
        else:
            fields[name] = _metadata(value) if name == "metadata" else value
    try:
        DocumentBody.model_validate({"document_id": "any", **fields})
    except ValidationError as error:
        raise invalid_input(error, DocumentBody) from error
    return fields


def _metadata(value: str) -> object:
    try:
        return from_json(value or "{}")
    except ValueError as error:
        raise InvalidInput("metadata", "is not JSON", 'send {"team": "kitchen"}') from error


def _draft_of_file(file: File, fields: dict[str, Any]) -> Draft:
    try:
        document_id = fields.get("document_id") or _document_id(file.name)
    except InvalidInput as error:
        return NotTaken(_printable(file.name), error)
    if not file.content and not file.uri:
        return NotTaken(document_id, InvalidInput("file", "is empty", "send one with text in it"))
    content = base64.b64encode(file.content).decode()
    return ingestor_pb2.Document(
        **{**fields, "document_id": document_id}, content_base64=content, content_uri=file.uri
    )


def _document_id(file_name: str) -> str:
    """The path under which a file was sent; of one that leads out of its folder the last name."""
    path = PureWindowsPath(file_name.strip())  # its separators are those of all systems
    leads_out = path.anchor or ".." in path.parts
    document_id = path.name if leads_out else path.as_posix()
    if document_id in ("", ".", "..") or has_control_characters(document_id):
        problem = "has a name that cannot be a document_id"
    elif len(document_id) > _LONGEST_ID:
        problem = f"has a name of {len(document_id):,} characters"
    else:
        return document_id
    raise InvalidInput(f"file {_printable(file_name)!r}", problem, "send another as document_id")


def _printable(name: str) -> str:
    return "".join(each if each.isprintable() else "�" for each in name[:100])


def _each_once(drafts: Sequence[Draft]) -> Sequence[Draft]:
    """The later would take the place of the earlier, or the other way round."""
    times = Counter(draft.document_id for draft in drafts)
    again = InvalidInput(
        "document_id", "is there twice", "send files under their paths, or one after the other"
    )
    return [
        NotTaken(draft.document_id, again)
        if times[draft.document_id] > 1 and isinstance(draft, ingestor_pb2.Document)
        else draft
        for draft in drafts
    ]
