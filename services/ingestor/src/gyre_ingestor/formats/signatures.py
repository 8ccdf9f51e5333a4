"""What the bytes of a kind look like."""

import io
import zipfile
from collections.abc import Callable
from fnmatch import fnmatch

IsKind = Callable[[bytes], bool]

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
CONTAINERS = (ZIP, OLE)
"""Beginnings of files whose kind shows only in the whole of them."""

_TAR_MARK = slice(257, 262)
_PDF_WITHIN = 1024  # as readers of PDF do (Adobe, implementation note 13 of PDF Reference 1.7)


def is_zip(data: bytes) -> bool:
    """A zip package, also an empty one."""
    return data.startswith((ZIP, b"PK\x05\x06"))


def is_tar(data: bytes) -> bool:
    """By its first member's head (POSIX.1-1988 and later, pax and GNU's)."""
    return data[_TAR_MARK] == b"ustar"


def is_pdf(data: bytes) -> bool:
    """Its mark may stand behind bytes that are no text: other programs' heads, or nothing. In an
    archive it is a member's.
    """
    if is_zip(data) or is_tar(data):
        return False
    before, mark, _ = data[:_PDF_WITHIN].partition(b"%PDF-")
    return bool(mark) and (not before.strip() or b"\0" in data[:_PDF_WITHIN])


def is_rtf(data: bytes) -> bool:
    """By its first group."""
    return data.startswith(b"{\\rtf")


def holds_member(pattern: str) -> IsKind:
    """A zip package with a member of this name (ECMA-376, part 2); Office numbers some of them."""
    return lambda data: any(fnmatch(name, pattern) for name in _members(data))


def says_mimetype(name: str) -> IsKind:
    """A zip package whose member `mimetype` says so, as OpenDocument and EPUB have it."""
    return lambda data: _mimetype(data).startswith(name)


def holds_stream(*names: str) -> IsKind:
    """A compound file with one of these streams ([MS-CFB], section 2.6.1)."""
    marks = [f"{name}\0".encode("utf-16-le") for name in names]
    return lambda data: data.startswith(OLE) and any(_has_entry(data, mark) for mark in marks)


_UNREADABLE = {
    "WordDocument": ("an old Word file (.doc)", "save it as .docx and send that"),
    "PowerPoint Document": ("an old PowerPoint file (.ppt)", "save it as .pptx and send that"),
    "EncryptedPackage": ("encrypted with a password", "save it without a password and send that"),
    "VisioDocument": ("an old Visio file (.vsd)", "save it as PDF and send that"),
}
"""By the stream that tells, what a compound file is and what its sender can do."""


def unreadable_kind(data: bytes) -> tuple[str, str] | None:
    """Of compound files that nothing here reads: the problem and its fix."""
    known = (each for name, each in _UNREADABLE.items() if holds_stream(name)(data))
    return next(known, None)


def _has_entry(data: bytes, mark: bytes) -> bool:
    """Entries of the directory are 128 bytes long, each with its name in front."""
    at = data.find(mark)
    while at >= 0 and at % 128:
        at = data.find(mark, at + 1)
    return at >= 0


def _members(data: bytes) -> list[str]:
    if not data.startswith(ZIP):
        return []
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as package:
            return package.namelist()
    except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError):
        return []


def _mimetype(data: bytes) -> str:
    """It stands first and is not compressed, so that it can be read in place."""
    head = data[:200] if data.startswith(ZIP) else b""
    at = head.find(b"mimetype")
    return head[at + len("mimetype") :].decode("ascii", "replace") if at >= 0 else ""
