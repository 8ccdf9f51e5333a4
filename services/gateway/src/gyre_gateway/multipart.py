"""Reads multipart/form-data (RFC 7578) piece by piece; no more of it is held than just came."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fastapi import Request
from gyre_client import InvalidInput
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from gyre_gateway.disconnect import ClientGone

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_LONGEST_HEADER = 64 * 1024
"""So that a file's name that is too long can be refused by its name."""


@dataclass(frozen=True)
class BodyPart:
    """A field, or a file where there is a `file_name`. `data` is there until the next part."""

    name: str
    file_name: str | None
    data: AsyncIterator[bytes]


async def parts(request: Request) -> AsyncGenerator[BodyPart, None]:
    """The parts of a form as they come. Raises InvalidInput where it is none; ClientGone."""
    async with aclosing(_pieces(request)) as pieces:
        async for head in pieces:
            if isinstance(head, _Head):
                yield BodyPart(head.name, head.file_name, _data(pieces))


@dataclass(frozen=True)
class _Head:
    name: str
    file_name: str | None


_END = b""
"""Of a part: its data never comes empty."""


async def _data(pieces: AsyncIterator[_Head | bytes]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        if not isinstance(piece, bytes) or piece == _END:
            return
        yield piece


async def _pieces(request: Request) -> AsyncGenerator[_Head | bytes, None]:
    form = _Form()
    try:
        boundary = parse_options_header(request.headers["content-type"])[1].get(b"boundary")
        if not boundary:
            raise _malformed("has no boundary")
        parser = MultipartParser(boundary, form.callbacks(), max_header_size=_LONGEST_HEADER)
        async for chunk in request.stream():
            parser.write(chunk)
            for piece in form.pieces:
                yield piece
            form.pieces.clear()
    except FormParserError as error:
        raise _malformed(f"is not multipart/form-data ({error})") from error
    except ClientDisconnect as error:
        raise ClientGone from error
    if not form.ended:
        raise _malformed("ends in the middle")


class _Form:
    """What the parser has read and nobody has taken yet."""

    def __init__(self) -> None:
        self.pieces: list[_Head | bytes] = []
        self.ended = False
        self._headers: dict[bytes, bytes] = {}
        self._name = self._value = b""

    def callbacks(self) -> "MultipartCallbacks":
        return {
            "on_part_begin": self._headers.clear,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": lambda: self.pieces.append(_END),
            "on_end": self._on_end,
        }

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._name.lower()] = self._value
        self._name = self._value = b""

    def _on_headers_finished(self) -> None:
        options = parse_options_header(self._headers.get(b"content-disposition"))[1]
        if b"name" not in options:
            raise _malformed("has a part without a name")
        file_name = options.get(b"filename")
        self.pieces.append(
            _Head(_text(options[b"name"]), None if file_name is None else _text(file_name))
        )

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if end > start:
            self.pieces.append(data[start:end])

    def _on_end(self) -> None:
        self.ended = True


def _text(value: bytes) -> str:
    return value.decode(errors="replace")


def _malformed(problem: str) -> InvalidInput:
    return InvalidInput("body", problem, "send it as browsers do, or with curl -F file=@PATH")
