"""What a document is: by what its producer says, by its name, and by its bytes."""

import re
from dataclasses import dataclass
from email.message import Message
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import filetype  # type: ignore[import-untyped]
from gyre_common.events.documents import RejectionCode

from gyre_ingestor.refusal import DocumentRefused

PLAIN, MARKDOWN, HTML = "text/plain", "text/markdown", "text/html"
SUPPORTED = (PLAIN, MARKDOWN, HTML)

HEAD_BYTES = 8192
"""As much of a document as its kind shows in."""

_ALIASES = {
    "text/x-markdown": MARKDOWN,
    "text/md": MARKDOWN,
    "application/xhtml+xml": HTML,
}
_ENDINGS = {
    ".txt": PLAIN,
    ".text": PLAIN,
    ".md": MARKDOWN,
    ".markdown": MARKDOWN,
    ".html": HTML,
    ".htm": HTML,
    ".xhtml": HTML,
}
_READABLE_HEADS = {"application/pdf", "application/rtf", "application/postscript"}
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_LOOKS_LIKE_HTML = re.compile(
    rb"\s*+(?:<\?xml[^>]*+>\s*+)?(?:(?><!--.*?-->)\s*+)*+<(?:!doctype html|html)\b", re.I | re.S
)
_LOOKS_LIKE_MARKDOWN = re.compile(rb"\A---\r?\n|^#{1,6} \S|^```", re.M)


@dataclass(frozen=True)
class MediaType:
    """A supported media type and, where one was declared, the character set."""

    name: str
    charset: str | None = None

    def __str__(self) -> str:
        return f"{self.name}; charset={self.charset}" if self.charset else self.name


def media_type_of(head: bytes, declared: str | None, names: tuple[str | None, ...]) -> MediaType:
    """Decide how to read a document by its first `HEAD_BYTES`.

    `names` are file names or addresses that may end in `.md`.

    Raises:
        DocumentRefused: it is nothing that can be read, or not what it is declared to be.
    """
    binary = _binary_kind(head)
    if not declared:
        if binary:
            raise _unsupported("content", f"is {binary}")
        return MediaType(_by_name(names) or _by_content(head))
    media_type = parse_media_type(declared)
    if binary:
        raise DocumentRefused(
            RejectionCode.MEDIA_TYPE_MISMATCH,
            "media_type",
            f"says {media_type.name}, but the content is {binary}",
            f"send the document as {', '.join(SUPPORTED)}",
        )
    return media_type


def parse_media_type(declared: str) -> MediaType:
    """Read a media type (RFC 9110, section 8.3.1).

    Raises:
        DocumentRefused: Gyre cannot read that type.
    """
    header = Message()
    header["content-type"] = "".join(c if c.isprintable() else " " for c in declared)
    name = header.get_content_type() if "/" in declared else declared.strip().lower()
    name = _ALIASES.get(name, name)
    if name not in SUPPORTED:
        raise _unsupported("media_type", f"{name[:100]!r} cannot be read")
    return MediaType(name, header.get_content_charset())


def _unsupported(field: str, problem: str) -> DocumentRefused:
    return DocumentRefused(
        RejectionCode.UNSUPPORTED_MEDIA_TYPE,
        field,
        problem,
        f"send the document as {', '.join(SUPPORTED)}",
    )


def _binary_kind(head: bytes) -> str | None:
    """The kind of a binary format by its first bytes.

    Two letters are enough for some of them ("BM" for a bitmap), so a head that reads like text is
    text, except for the formats whose heads always do.
    """
    kind = filetype.guess(head)
    if kind is None:
        return None
    mime = str(kind.mime)
    return mime if mime in _READABLE_HEADS or _CONTROL.search(head) else None


def _by_name(names: tuple[str | None, ...]) -> str | None:
    for name in names:
        ending = PurePosixPath(_path(name or "")).suffix.lower()
        if ending in _ENDINGS:
            return _ENDINGS[ending]
    return None


def _path(name: str) -> str:
    try:
        return urlsplit(name).path if "://" in name else name
    except ValueError:  # an address that is none has no path
        return ""


def _by_content(head: bytes) -> str:
    head = head.removeprefix(b"\xef\xbb\xbf")
    if _LOOKS_LIKE_HTML.match(head):
        return HTML
    return MARKDOWN if _LOOKS_LIKE_MARKDOWN.search(head) else PLAIN
