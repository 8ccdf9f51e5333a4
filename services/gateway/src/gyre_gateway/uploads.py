"""Files on their way in: small ones are held, others go to the store while they come."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import Request
from gyre_client import InvalidInput, Unavailable
from gyre_common.dated_store import DatedStore
from gyre_common.errors import Retryable

from gyre_gateway.errors import Refused
from gyre_gateway.multipart import BodyPart, parts

MOST_FILES = 1_000
_MOST_FIELDS, _LONGEST_FIELD = 300, 64 * 1024
_SMALL, _HELD = 256 * 1024, 8 * 1024 * 1024
"""What travels in a message, and how much of that one request may hold. In bytes."""


@dataclass(frozen=True)
class File:
    """What was sent: its `content`, or where in the store it lies."""

    name: str
    content: bytes = b""
    uri: str = ""


@dataclass
class UploadForm:
    """What was sent, in order."""

    fields: list[tuple[str, str]] = field(default_factory=list)
    files: list[File] = field(default_factory=list)


class Uploads:
    """Receives forms, each file of `max_bytes` at most."""

    def __init__(self, store: DatedStore, *, max_bytes: int) -> None:
        self._store = store
        self._max_bytes = max_bytes

    async def receive(self, request: Request) -> UploadForm:
        """Once all of it is here.

        Raises:
            InvalidInput: it is no form, or has more than one may have.
            Refused: a file is too large; the rest of it is not waited for.
            Unavailable: the store takes nothing.
        """
        form = UploadForm()
        room = _HELD
        async with aclosing(parts(request)) as received:
            async for part in received:
                if part.file_name is None:
                    form.fields.append((part.name, await _field(part, len(form.fields))))
                    continue
                _check_file(part, len(form.files))
                file = await self._keep(part.file_name, part, min(_SMALL, room))
                room -= len(file.content)
                form.files.append(file)
        return form

    async def _keep(self, name: str, part: BodyPart, most: int) -> File:
        held = bytearray()
        async with aclosing(self._bounded(name, part)) as data:
            async for piece in data:
                held += piece
                if len(held) > most:
                    return File(name, uri=await self._put(bytes(held), data))
        return File(name, content=bytes(held))

    async def _put(self, head: bytes, rest: AsyncIterator[bytes]) -> str:
        async def whole() -> AsyncIterator[bytes]:
            yield head
            async for piece in rest:
                yield piece

        try:
            return (await self._store.put_stream(whole())).uri
        except Retryable as error:
            raise Unavailable(str(error)) from error

    async def _bounded(self, name: str, part: BodyPart) -> AsyncGenerator[bytes, None]:
        size = 0
        async for piece in part.data:
            size += len(piece)
            if size > self._max_bytes:
                raise Refused(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"file {name[:100]} has more than {self._max_bytes:,} bytes, and nothing of "
                    "this request was taken: split it, or raise GYRE_MAX_DOCUMENT_BYTES",
                    code="too_large",
                )
            yield piece


def _check_file(part: BodyPart, number: int) -> None:
    if part.name != "file":
        raise InvalidInput(part.name[:100], "is no field for files", "send each as `file`")
    if number == MOST_FILES:
        raise InvalidInput(
            "file", f"is there more than {MOST_FILES:,} times", "send the others after these"
        )


async def _field(part: BodyPart, number: int) -> str:
    if part.name == "file":
        raise InvalidInput("file", "has no file name", "send it with one, as curl -F file=@PATH")
    if number == _MOST_FIELDS:
        raise InvalidInput(part.name[:100], f"is behind {_MOST_FIELDS} fields", "send fewer")
    value = bytearray()
    async for piece in part.data:
        value += piece
        if len(value) > _LONGEST_FIELD:
            raise InvalidInput(part.name[:100], f"has more than {_LONGEST_FIELD:,} bytes", "cut it")
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput(part.name[:100], "is not UTF-8", "send it in UTF-8") from error
