"""Takes documents that hold others apart: archives, mails with attachments, and those in them."""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from gyre_common.errors import Retryable
from gyre_common.events.documents import RejectionCode
from gyre_common.redaction import redact

from gyre_ingestor.file_names import BY_ENDING, FileRules, is_binary
from gyre_ingestor.formats import FORMATS
from gyre_ingestor.formats.archives import DAMAGE
from gyre_ingestor.formats.format import Format, Member
from gyre_ingestor.formats.packages import MOST_UNPACKED
from gyre_ingestor.media_types import media_type_of, telling_part
from gyre_ingestor.refused import DocumentRefused, unreadable

MOST_FILES = 5_000
DEEPEST = 5

_LONGEST_NAME = 512
_LONGEST_PATH = 240
_SHORTEST_PATH = 40
_PIECE = 1024 * 1024


@dataclass(frozen=True)
class UnpackedFile:
    """A document within another one: its path there, and the file that has its bytes now."""

    path: str
    file: Path


def unpack(
    data: bytes, media_type: str, tenant: str, document_id: str, folder: Path
) -> list[UnpackedFile]:
    """Writes every document within into the folder, archives in archives and attachments of mails
    too: up to `DEEPEST` levels, `MOST_FILES` files and `MOST_UNPACKED` bytes, whether they are
    documents or not.

    What is hidden, has an ending that no document has, or has none and is binary, is passed over,
    as in a folder that is submitted. `document_id`/path can be the name of a document; two that
    differ in case or Unicode form alone get numbers. Personal data in a path is redacted.

    Raises:
        DocumentRefused: there is more; an archive holds no document, or is damaged.
        Retryable: the folder's disk is full.
    """
    document_format = FORMATS[media_type]
    unpacked = _Unpacked(folder, tenant, _room(document_id))
    unpacked.add_members(document_format, data, PurePosixPath(document_id).name)
    if not unpacked.files and not document_format.has_text:
        fix = "pack files whose names end as those of documents do"
        raise DocumentRefused(RejectionCode.EMPTY, "content", "holds no document", fix)
    return unpacked.files


class _TooMuch(DocumentRefused):
    """More than a document may hold, wherever within it."""

    def __init__(self, problem: str) -> None:
        whole = unreadable(problem)
        super().__init__(whole.code, whole.field, whole.problem, whole.fix)


@dataclass
class _Unpacked:
    """The budget is for the whole: what is within and damaged costs itself alone."""

    folder: Path
    tenant: str
    room: int
    files: list[UnpackedFile] = field(default_factory=list)
    paths: set[str] = field(default_factory=set)
    numbers: Counter[str] = field(default_factory=Counter)
    size: int = 0
    count: int = 0

    def add_members(
        self, document_format: Format, data: bytes, name: str, above: str = "", depth: int = 1
    ) -> None:
        """Of one document, whose path is `above`."""
        if document_format.members is None:
            return
        members = document_format.members(data, name)
        while (member := self._next(members)) is not None:
            path, content = member
            if depth > DEEPEST:
                raise _TooMuch(f"holds archives in archives, more than {DEEPEST} deep")
            self.count += 1
            if self.count > MOST_FILES:
                raise _TooMuch(f"holds more than {MOST_FILES:,} files")
            parts = _parts(f"{above}/{path}")
            file = self.folder / str(self.count)
            self._write(content, file)
            if parts and not _is_passed_over(parts, file):
                unpacked = UnpackedFile(self._unique(self._redacted(parts)), file)
                self.files.append(unpacked)
                self._add_members_of(unpacked, depth)
            else:
                file.unlink()

    def _add_members_of(self, unpacked: UnpackedFile, depth: int) -> None:
        data = unpacked.file.read_bytes()
        try:
            media_type = media_type_of(telling_part(data), None, (unpacked.path,))
        except DocumentRefused:  # it is told so when it is submitted itself
            return
        name = PurePosixPath(unpacked.path).name
        try:
            self.add_members(FORMATS[media_type.name], data, name, unpacked.path, depth + 1)
        except (_TooMuch, Retryable, MemoryError):
            raise
        except Exception:  # noqa: BLE001 - as above, whatever its parser raises
            return

    def _next(self, members: Iterator[Member]) -> Member | None:
        with _damage_refused():
            return next(members, None)

    def _write(self, content: BinaryIO, file: Path) -> None:
        try:
            with file.open("wb") as copy:
                for piece in _pieces(content):
                    self.size += len(piece)
                    if self.size > MOST_UNPACKED:
                        raise _TooMuch(f"unpacks to more than {MOST_UNPACKED // 1024**2} MiB")
                    copy.write(piece)
        except OSError as error:
            raise Retryable(f"cannot unpack into {self.folder}: {error.strerror}") from error

    def _redacted(self, parts: list[str]) -> str:
        *folders, name = parts
        suffix = PurePosixPath(name).suffix
        ending = suffix if suffix.lower() in BY_ENDING else ""
        stem = redact(name.removesuffix(ending), self.tenant)
        return "/".join([*(redact(each, self.tenant) for each in folders), f"{stem}{ending}"])

    def _unique(self, path: str) -> str:
        chosen, same = _shortened(path, self.room), _folded(path)
        while _folded(chosen) in self.paths:
            self.numbers[same] += 1
            number = self.numbers[same] + 1
            whole = PurePosixPath(path)
            numbered = whole.with_name(f"{whole.stem} ({number}){whole.suffix}")
            chosen = _shortened(str(numbered), self.room)
        self.paths.add(_folded(chosen))
        return chosen


def _pieces(content: BinaryIO) -> Iterator[bytes]:
    while True:
        with _damage_refused():
            piece = content.read(_PIECE)
        if not piece:
            return
        yield piece


@contextmanager
def _damage_refused() -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise unreadable(f"is a damaged archive ({error})") from error


def _room(document_id: str) -> int:
    """Bytes, as characters may take four."""
    room = min(_LONGEST_PATH, _LONGEST_NAME - len(document_id) - 1)
    if room < _SHORTEST_PATH:
        problem = "is too long for what it holds to be called after it"
        fix = f"use at most {_LONGEST_NAME - _SHORTEST_PATH - 1} characters"
        raise DocumentRefused(RejectionCode.TOO_LARGE, "document_id", problem, fix)
    return room


def _parts(path: str) -> list[str]:
    """Of a path as archives have them, with nothing that leads elsewhere or does not print."""
    text = path.encode("utf-8", "replace").decode()
    normal = unicodedata.normalize("NFC", text.replace("\\", "/"))
    printable = "".join(one if one.isprintable() else "_" for one in normal)
    return [part for part in printable.split("/") if part not in ("", ".", "..")]


def _is_passed_over(parts: list[str], file: Path) -> bool:
    if "__MACOSX" in parts or not FileRules().take("/".join(parts)):
        return True
    return not PurePosixPath(parts[-1]).suffix and is_binary(file)


def _shortened(path: str, room: int) -> str:
    """The same path always gives the same name; its ending stays."""
    if len(path.encode()) <= room:
        return path
    digest, suffix = hashlib.sha256(path.encode()).hexdigest()[:12], PurePosixPath(path).suffix[:12]
    beginning = room - len(digest) - len(suffix.encode()) - 1
    return f"{path.encode()[:beginning].decode('utf-8', 'ignore')}~{digest}{suffix}"


def _folded(path: str) -> str:
    return unicodedata.normalize("NFKC", path.casefold())
