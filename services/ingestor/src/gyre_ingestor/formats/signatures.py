"""What the bytes of a kind look like."""

import io
import zipfile
from collections.abc import Callable

IsKind = Callable[[bytes], bool]

ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
CONTAINERS = (ZIP, OLE)
"""Beginnings of files whose kind shows only in the whole of them."""

_PDF_WITHIN = 1024  # as readers of PDF do (Adobe, implementation note 13 of PDF Reference 1.7)


def is_pdf(data: bytes) -> bool:
    """Its mark may stand behind other bytes."""
    return b"%PDF-" in data[:_PDF_WITHIN]


def is_rtf(data: bytes) -> bool:
    """By its first group."""
    return data.startswith(b"{\\rtf")


def holds_member(name: str) -> IsKind:
    """A zip package with this member (ECMA-376, part 2)."""
    return lambda data: name in _members(data)


def says_mimetype(name: str) -> IsKind:
    """A zip package whose member `mimetype` says so, as OpenDocument and EPUB have it."""
    return lambda data: _mimetype(data).startswith(name)


def holds_stream(*names: str) -> IsKind:
    """A compound file with one of these streams ([MS-CFB], section 2.6.1)."""
    marks = [name.encode("utf-16-le") for name in names]
    return lambda data: data.startswith(OLE) and any(mark in data for mark in marks)


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
