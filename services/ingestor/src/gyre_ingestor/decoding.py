"""What a document's bytes are: their media type, and the text in them."""

import codecs
import re
import unicodedata
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import urlsplit

import chardetng_py  # type: ignore[import-untyped]
import filetype  # type: ignore[import-untyped]
import webencodings  # type: ignore[import-untyped]
from gyre_common.errors import InvalidInput
from gyre_common.events.documents import RejectionCode

from gyre_ingestor.formats import FORMATS

HEAD_BYTES = 8192
"""As much of a document as its kind shows in."""

_BY_ALIAS = {alias: name for name, each in FORMATS.items() for alias in each.aliases}
_BY_ENDING = {ending: name for name, each in FORMATS.items() for ending in each.endings}
_SEND_KNOWN_FORMAT = f"send the document as {', '.join(FORMATS)}"

_READABLE_HEADS = {"application/pdf", "application/rtf", "application/postscript"}
_CONTROL_BYTE = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_LOOKS_LIKE_HTML = re.compile(
    rb"\s*+(?:<\?xml[^>]*+>\s*+)?(?:(?><!--.*?-->)\s*+)*+<(?:!doctype html|html)\b", re.I | re.S
)
_LOOKS_LIKE_MARKDOWN = re.compile(rb"\A---\r?\n|^#{1,6} \S|^```", re.M)

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with that one's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_META_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*(?:["']\s*)?([a-z0-9_:.-]{1,40})""", re.I
)
_META_PRESCAN_BYTES = 1024  # HTML Living Standard, section 13.2.3.2
_SAMPLE_BYTES = 64 * 1024
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f\ufffd]")
_MOST_CONTROL = 0.01
_WINDOWS = "windows-"
_SINGLE_BYTE_GAPS = "gyre-single-byte-gaps"
_REPLACEMENT = "\ufffd"
_OF_SEVERAL_BYTES = re.compile(r"[^\x00-\x7f\ufffd]")
_LINE_ENDS = re.compile(r"\r\n?|\u2028|\u2029|\x85|\x0c")
_INVISIBLE = re.compile(
    r"[\x00-\x08\x0b\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u061c\u200b\u200e\u200f\u202a-\u202e"
    r"\u2060\u2066-\u2069\ufeff\ud800-\udfff]"
)
_LIGATURE = re.compile("[\ufb00-\ufb06]")


class DocumentRefused(InvalidInput):
    """The document itself is at fault."""

    code: RejectionCode

    def __init__(self, code: RejectionCode, field: str, problem: str, fix: str) -> None:
        super().__init__(field, problem, fix, code=code)

    def __reduce__(self) -> tuple[Any, ...]:  # it travels between processes
        return DocumentRefused, (self.code, self.field, self.problem, self.fix)


@dataclass(frozen=True)
class MediaType:
    """One of `FORMATS` and, where one was declared, the character set."""

    name: str
    charset: str | None = None

    def __str__(self) -> str:
        return f"{self.name}; charset={self.charset}" if self.charset else self.name


def media_type_of(head: bytes, declared: str | None, names: tuple[str | None, ...]) -> MediaType:
    """Decide how to read a document by its first `HEAD_BYTES`.

    `names` are file names or addresses that may end in `.md`. Raises DocumentRefused: it is nothing
    that can be read, or not what it is declared to be.
    """
    binary = _binary_kind(head)
    if declared:
        media_type = parse_media_type(declared)
        if binary:
            problem = f"says {media_type.name}, but the content is {binary}"
            raise DocumentRefused(
                RejectionCode.MEDIA_TYPE_MISMATCH, "media_type", problem, _SEND_KNOWN_FORMAT
            )
        return media_type
    if binary:
        raise DocumentRefused(
            RejectionCode.UNSUPPORTED_MEDIA_TYPE, "content", f"is {binary}", _SEND_KNOWN_FORMAT
        )
    return MediaType(_by_name(names) or _by_content(head))


def parse_media_type(declared: str) -> MediaType:
    """Read a media type (RFC 9110, section 8.3.1).

    Raises DocumentRefused: Gyre cannot read that type.
    """
    header = Message()
    header["content-type"] = "".join(c if c.isprintable() else " " for c in declared)
    name = header.get_content_type() if "/" in declared else declared.strip().lower()
    name = _BY_ALIAS.get(name, name)
    if name not in FORMATS:
        problem = f"{name[:100]!r} cannot be read"
        raise DocumentRefused(
            RejectionCode.UNSUPPORTED_MEDIA_TYPE, "media_type", problem, _SEND_KNOWN_FORMAT
        )
    return MediaType(name, header.get_content_charset())


def decode(data: bytes, media_type: MediaType) -> str:
    """The text: lines end in "\\n", no control characters, soft hyphens, ligatures, zero-width or
    direction marks, composed (NFC).

    Decoded by byte order mark, else as UTF-8 where no more than single bytes are broken, else as
    declared, else as the bytes suggest. UTF-8 goes before the declaration because other text hardly
    ever passes for it, while wrong declarations are common. A label means what browsers take it for
    (WHATWG Encoding Standard, section 4.2): iso-8859-1 is windows-1252. Raises DocumentRefused: no
    way of reading gives text.
    """
    charset = media_type.charset
    if not charset and media_type.name == "text/html":
        match = _META_CHARSET.search(data[:_META_PRESCAN_BYTES])
        charset = match.group(1).decode("ascii").lower() if match else None
    text = _decode(data, charset)
    sample = (text or "")[:_SAMPLE_BYTES]
    if text is None or len(_CONTROL.findall(sample)) > max(1, _MOST_CONTROL * len(sample)):
        problem = f"is not text in {charset or 'any known character set'}"
        fix = "send UTF-8, or name the character set in media_type (text/plain; charset=…)"
        raise DocumentRefused(RejectionCode.BAD_ENCODING, "content", problem, fix)
    return normalized(text)


def normalized(text: str) -> str:
    """Text of any source in the form that `decode` promises."""
    visible = _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))
    plain = _LIGATURE.sub(lambda match: unicodedata.normalize("NFKC", match.group()), visible)
    return unicodedata.normalize("NFC", plain)


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
            if media_type := _BY_ENDING.get(PurePosixPath(path).suffix.lower()):
                return media_type
    return None


def _by_content(head: bytes) -> str:
    head = head.removeprefix(codecs.BOM_UTF8)
    if _LOOKS_LIKE_HTML.match(head):
        return "text/html"
    return "text/markdown" if _LOOKS_LIKE_MARKDOWN.search(head) else "text/plain"


def _decode(data: bytes, charset: str | None) -> str | None:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    sample = data[:_SAMPLE_BYTES]
    if wide := _wide_encoding(sample):
        return data.decode(wide, "replace")
    text = data.decode("utf-8", "replace")
    if _is_utf_8(data, text):
        return text
    return _decode_as(data, charset or chardetng_py.detect(sample))


def _wide_encoding(sample: bytes) -> str | None:
    """UTF-16 without a mark: text of any script holds spaces and line ends, half of them zeros. As
    UTF-8 it would pass for text.
    """
    if sample.count(0) <= len(sample) // 10:
        return None
    return "utf-16-le" if sample[1::2].count(0) > sample[::2].count(0) else "utf-16-be"


def _is_utf_8(data: bytes, text: str) -> bool:
    """Whether characters of several bytes outnumber what is broken: by chance they do not."""
    broken = text.count(_REPLACEMENT) - data.count(_REPLACEMENT.encode())
    if not broken:
        return True
    return len(_OF_SEVERAL_BYTES.findall(text)) > broken


def _decode_as(data: bytes, label: str) -> str | None:
    """None for a label that nobody knows. A byte that the character set leaves out is a replacement
    character; those of Windows' sets below 0xA0 are control characters, as browsers have them.
    """
    encoding = webencodings.lookup(label)
    if encoding is None:
        try:
            return data.decode(label)
        except (ValueError, LookupError):
            return None
    gaps = _SINGLE_BYTE_GAPS if encoding.name.startswith(_WINDOWS) else "replace"
    # The standard reads gbk as gb18030, which holds it.
    codec = "gb18030" if encoding.name == "gbk" else encoding.codec_info.name
    return data.decode(codec, gaps)


def _single_byte_gap(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    byte = error.object[error.start]
    return (chr(byte) if byte < 0xA0 else _REPLACEMENT), error.start + 1


codecs.register_error(_SINGLE_BYTE_GAPS, _single_byte_gap)
