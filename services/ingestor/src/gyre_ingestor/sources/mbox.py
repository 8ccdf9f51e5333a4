"""A mailbox in a file (mbox, RFC 4155): each mail is a document."""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass
from email.parser import BytesHeaderParser
from functools import partial
from pathlib import Path
from typing import BinaryIO

from gyre_common.errors import InvalidInput
from gyre_common.outside_content import open_below
from pydantic import Field

from gyre_ingestor.sources.imap import MAIL
from gyre_ingestor.sources.source import (
    Cursor,
    Item,
    ItemUnreadable,
    Known,
    Problem,
    SourceKind,
    SourceSettings,
    SourceUnreachable,
    Surroundings,
)

_BEGIN = b"From "
_QUOTED = re.compile(rb"^>+From ")
_LONGEST_LINE = 64 * 1024
_HEAD_BYTES = 64 * 1024
_ODD = re.compile(r"[^A-Za-z0-9@._+=-]")
_LONGEST_NAME = 200


class MboxSettings(SourceSettings):
    """What a file of mails is told."""

    path: str = Field(description="Absolute, under GYRE_ALLOWED_CONTENT_ROOTS of the ingestor.")


@dataclass(frozen=True)
class _Mail:
    """Where in the file it stands, and what it is."""

    start: int
    end: int
    digest: str
    message_id: str

    @property
    def name(self) -> str:
        """By its own id, so that it stays the same when others go."""
        cleaned = _ODD.sub("_", self.message_id.strip("<> "))[:_LONGEST_NAME]
        return f"{cleaned or self.digest[:32]}.eml"


class MboxSource:
    """Reads the file line by line: neither it nor a mail is ever in memory as a whole.

    Python's own `mailbox` opens the file for writing, and holds each mail whole.
    """

    def __init__(self, root: Path, parts: tuple[str, ...]) -> None:
        self._root = root
        self._parts = parts

    async def items(
        self, known: Mapping[str, Known], cursor: Cursor
    ) -> AsyncGenerator[Item | Problem, None]:
        """See `Source`."""
        for mail in await asyncio.to_thread(self._scan):
            yield Item(mail.name, mail.digest, partial(self._read, mail), media_type=MAIL)

    async def close(self) -> None:
        """See `Source`: nothing is open."""

    def _scan(self) -> list[_Mail]:
        path = self._root.joinpath(*self._parts)
        try:
            with open_below(self._root, self._parts) as file:
                mails = list(_mails(file))
                empty = not mails and file.tell() > 0
        except InvalidInput as error:
            raise SourceUnreachable(f"{path} {error.problem}: name the file itself") from error
        except OSError as error:
            raise SourceUnreachable(
                f"{path} cannot be read ({error.strerror or error}): let the ingestor read it"
            ) from error
        if empty:
            raise SourceUnreachable(f"{path} is no mbox: it does not begin with a line 'From '")
        return mails

    async def _read(self, mail: _Mail) -> AsyncGenerator[bytes, None]:
        try:
            file = await asyncio.to_thread(open_below, self._root, self._parts)
        except (InvalidInput, OSError) as error:
            raise ItemUnreadable(f"its file cannot be read any more ({error})") from error
        digest = hashlib.sha256()
        with file:
            file.seek(mail.start)
            for line in _lines_until(file, mail.end):
                digest.update(line)
                yield _QUOTED.sub(lambda match: match.group()[1:], line)
        if digest.hexdigest() != mail.digest:
            raise ItemUnreadable("the file changed while it was read: the next sync takes it")


def open_mbox(settings: MboxSettings, around: Surroundings) -> MboxSource:
    """Raises InvalidInput: it is no file that may be read."""
    root, parts = around.folder_of("path", settings.path)
    if not parts:
        raise InvalidInput("path", "is a folder", "name the file of the mailbox")
    return MboxSource(root, parts)


MBOX = SourceKind(MboxSettings, open_mbox)


def _mails(file: BinaryIO) -> Iterator[_Mail]:
    """A mail begins after a line `From …` that begins the file or follows an empty line."""
    start: int | None = None
    head, digest, after_empty, at = bytearray(), hashlib.sha256(), True, 0
    while line := file.readline(_LONGEST_LINE):
        if after_empty and line.startswith(_BEGIN):
            if start is not None:
                yield _mail(start, at, digest.hexdigest(), head)
            start, head, digest = at + len(line), bytearray(), hashlib.sha256()
        elif start is not None:
            digest.update(line)
            if len(head) < _HEAD_BYTES:
                head += line
        after_empty = not line.strip(b"\r\n")
        at += len(line)
    if start is not None:
        yield _mail(start, at, digest.hexdigest(), head)


def _mail(start: int, end: int, digest: str, head: bytearray) -> _Mail:
    header = BytesHeaderParser().parsebytes(bytes(head))
    return _Mail(start, end, digest, str(header.get("Message-ID", "")))


def _lines_until(file: BinaryIO, end: int) -> Iterator[bytes]:
    while (left := end - file.tell()) > 0 and (line := file.readline(min(left, _LONGEST_LINE))):
        yield line
