"""What a document's bytes are."""

import codecs
import re
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlsplit

import filetype  # type: ignore[import-untyped]
from gyre_common.events.documents import RejectionCode

from gyre_ingestor.file_names import media_type_by_name
from gyre_ingestor.formats import FORMATS
from gyre_ingestor.formats.signatures import CONTAINERS, unreadable_kind
from gyre_ingestor.refused import DocumentRefused

HEAD_BYTES = 8192
"""As much of a document as its kind shows in."""

_BY_ALIAS = {alias: name for name, each in FORMATS.items() for alias in each.aliases}
_ENDINGS = ", ".join(each.endings[0] for each in FORMATS.values())
_SEND_KNOWN_FORMAT = f"send the document as one of {_ENDINGS}"
_LIKE = {"+json": "application/json", "+xml": "application/xml", "text/": "text/plain"}
"""What a media type that is unknown is read as, by a part of its name (RFC 6838, section 4.2.8)."""

_SAYS_NOTHING = frozenset(["application/octet-stream", "binary/octet-stream"])

_READABLE_HEADS = {"application/postscript"}
_CONTROL_BYTE = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_LOOKS_LIKE_HTML = re.compile(
    rb"\s*+(?:<\?xml[^>]*+>\s*+)?(?:(?><!--.*?-->)\s*+)*+<(?:!doctype html|html)\b", re.I | re.S
)
_LOOKS_LIKE_XML = re.compile(rb"\s*+<\?xml\b")
_MAIL_HEADER = (
    rb"(?:Return-Path|Received|Delivered-To|Message-ID|From|To|Cc|Date|Subject|MIME-Version|Sender"
    rb"|Reply-To|Content-Type|X-[A-Za-z-]{1,40}):"
    rb"[^\r\n]{0,998}\r?\n(?:[ \t][^\r\n]{0,998}\r?\n){0,50}"
)
_LOOKS_LIKE_MAIL = re.compile(
    rb"(?:From \S{1,200} [^\r\n]{0,200}\d{4}\r?\n)?" + _MAIL_HEADER + _MAIL_HEADER, re.I
)
_LOOKS_LIKE_MARKDOWN = re.compile(rb"\A---\r?\n|^#{1,6} \S|^```", re.M)


@dataclass(frozen=True)
class MediaType:
    """One of `FORMATS` and, where one was declared, the character set."""

    name: str
    charset: str | None = None

    def __str__(self) -> str:
        return f"{self.name}; charset={self.charset}" if self.charset else self.name


def telling_part(data: bytes) -> bytes:
    """What `media_type_of` wants of a document: the whole of a package, else its beginning."""
    return data if data.startswith(CONTAINERS) else data[:HEAD_BYTES]


def media_type_of(data: bytes, declared: str | None, names: tuple[str | None, ...]) -> MediaType:
    """Decide how to read a document by its `telling_part`.

    What is no plain text is told by its bytes; `declared`, and `names` that may end in `.md`, are
    hints that tell kinds of text apart: what only looks like a sheet by name is text. Raises
    DocumentRefused: it is nothing that can be read.
    """
    kind = next((name for name, each in FORMATS.items() if each.is_kind and each.is_kind(data)), "")
    if kind:
        return MediaType(kind)
    if old := unreadable_kind(data):
        raise DocumentRefused(
            RejectionCode.UNSUPPORTED_MEDIA_TYPE, "content", f"is {old[0]}", old[1]
        )
    binary = _binary_kind(data)
    media_type = declared_type(declared)
    if media_type is not None and binary:
        problem = f"says {media_type.name}, but the content is {binary}"
        raise DocumentRefused(
            RejectionCode.MEDIA_TYPE_MISMATCH, "media_type", problem, _SEND_KNOWN_FORMAT
        )
    if media_type is not None and not FORMATS[media_type.name].is_kind:
        return media_type
    if binary:
        raise DocumentRefused(
            RejectionCode.UNSUPPORTED_MEDIA_TYPE, "content", f"is {binary}", _SEND_KNOWN_FORMAT
        )
    return MediaType(_by_name(names) or _by_content(data[:HEAD_BYTES]))


def declared_type(declared: str | None) -> MediaType | None:
    """None where the label says nothing. Raises DocumentRefused as `parse_media_type`."""
    if not declared or declared.partition(";")[0].strip().lower() in _SAYS_NOTHING:
        return None
    return parse_media_type(declared)


def parse_media_type(declared: str) -> MediaType:
    """Read a media type (RFC 9110, section 8.3.1).

    Raises DocumentRefused: Gyre cannot read that type.
    """
    header = Message()
    header["content-type"] = "".join(c if c.isprintable() else " " for c in declared)
    name = header.get_content_type() if "/" in declared else declared.strip().lower()
    name = _BY_ALIAS.get(name, name)
    if name not in FORMATS:
        name = next((known for sign, known in _LIKE.items() if sign in name), name)
    if name not in FORMATS:
        problem = f"{name[:100]!r} cannot be read"
        raise DocumentRefused(
            RejectionCode.UNSUPPORTED_MEDIA_TYPE, "media_type", problem, _SEND_KNOWN_FORMAT
        )
    return MediaType(name, header.get_content_charset())


def _binary_kind(head: bytes) -> str | None:
    """The kind of a binary format by its first bytes.

    Two letters are enough for some of them ("BM" for a bitmap), so a head that reads like text is
    text, except for the formats whose heads always do.
    """
    kind = filetype.guess(head)
    if kind is None:
        return None
    mime = str(kind.mime)
    return mime if mime in _READABLE_HEADS or _CONTROL_BYTE.search(head) else None


def _by_name(names: tuple[str | None, ...]) -> str | None:
    for name in filter(None, names):
        with suppress(ValueError):  # an address that is none has no path
            path = urlsplit(name).path if "://" in name else name
            media_type = media_type_by_name(path)
            if media_type and not FORMATS[media_type].is_kind:
                return media_type
    return None


def _by_content(head: bytes) -> str:
    head = head.removeprefix(codecs.BOM_UTF8)
    if _LOOKS_LIKE_HTML.match(head):
        return "text/html"
    if _LOOKS_LIKE_MAIL.match(head):
        return "message/rfc822"
    if _LOOKS_LIKE_XML.match(head):
        return "application/xml"
    return "text/markdown" if _LOOKS_LIKE_MARKDOWN.search(head) else "text/plain"
