"""Bytes → text."""

import codecs
import re

import charset_normalizer
from gyre_common.events.documents import RejectionCode

from gyre_ingestor.refusal import DocumentRefused

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


def decode(data: bytes, charset: str | None, *, html: bool = False) -> str:
    """Decode by byte order mark, else as UTF-8, else as declared, else as the bytes suggest.

    UTF-8 goes before the declaration because other text hardly ever passes for it, while wrong
    declarations are common.

    Raises:
        DocumentRefused: no way of reading gives text.
    """
    text = _decode(data, charset or (_charset_in_html(data) if html else None))
    if text is None or not _reads_like_text(text[:_SAMPLE_BYTES]):
        raise DocumentRefused(
            RejectionCode.BAD_ENCODING,
            "content",
            f"is not text in {charset or 'any known character set'}",
            "send UTF-8, or name the character set in media_type (text/plain; charset=…)",
        )
    return text


def _decode(data: bytes, charset: str | None) -> str | None:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _strict(data, encoding)
    sample = data[:_SAMPLE_BYTES]
    wide = sample.count(0) > len(sample) // 10  # UTF-16 without a mark passes for UTF-8
    if not wide and (text := _strict(data, "utf-8")) is not None:
        return text
    if charset and (text := _strict(data, charset)) is not None:
        return text
    if charset:
        return None
    guess = charset_normalizer.from_bytes(sample).best()
    if guess is not None and (text := _strict(data, guess.encoding)) is not None:
        return text
    return _strict(data, "utf-8")


def _reads_like_text(sample: str) -> bool:
    return len(_CONTROL.findall(sample)) <= max(1, _MOST_CONTROL * len(sample))


def _strict(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError, ValueError):
        return None


def _charset_in_html(data: bytes) -> str | None:
    match = _META_CHARSET.search(data[:_META_PRESCAN_BYTES])
    return match.group(1).decode("ascii").lower() if match else None
