"""Bytes → the text in them, as browsers read it."""

import codecs
import re
import unicodedata

import chardetng_py
import webencodings
from gyre_common.events.documents import RejectionCode

from gyre_ingestor.refused import DocumentRefused

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16: its mark begins with that one's
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
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
    r"\u2060-\u2064\u2066-\u2069\ufeff\ud800-\udfff]"
)
_SURROGATE = re.compile("[\ud800-\udfff]")
_NO_CHARACTER_SETS = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape"})
"""Python's codecs for names and for its own source. They take hours for megabytes, or read what is
written as something else."""
_LIGATURE = re.compile("[\ufb00-\ufb06]")


def decode(data: bytes, charset: str | None = None) -> str:
    """As `decode_raw`, normalized."""
    return normalized(decode_raw(data, charset))


def decode_raw(data: bytes, charset: str | None = None) -> str:
    """The text, every character of it.

    Decoded by byte order mark, else as UTF-8 where no more than single bytes are broken, else as
    `charset`, else as the bytes suggest. UTF-8 goes before the declaration because other text
    hardly ever passes for it, while wrong declarations are common. A label means what browsers take
    it for (WHATWG Encoding Standard, section 4.2): iso-8859-1 is windows-1252. Raises
    DocumentRefused: no way of reading gives text.
    """
    text = _decode(data, charset)
    sample = (text or "")[:_SAMPLE_BYTES]
    if text is None or len(_CONTROL.findall(sample)) > max(1, _MOST_CONTROL * len(sample)):
        problem = f"is not text in {charset or 'any known character set'}"
        fix = "send UTF-8, or name the character set in media_type (text/plain; charset=…)"
        raise DocumentRefused(RejectionCode.BAD_ENCODING, "content", problem, fix)
    return text


def normalized(text: str) -> str:
    """Lines end in "\\n"; no control characters, soft hyphens, zero-width or direction marks;
    ligatures in letters, composed (NFC). What is so already stays as it is.
    """
    visible = _INVISIBLE.sub("", _LINE_ENDS.sub("\n", text))
    plain = _LIGATURE.sub(lambda match: unicodedata.normalize("NFKC", match.group()), visible)
    return unicodedata.normalize("NFC", plain)


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
    """None for a label that nobody knows, or that names no character set. A byte that the set
    leaves out is a replacement character; those of Windows' sets below 0xA0 are control characters,
    as browsers have them.
    """
    try:
        encoding = webencodings.lookup(label)
        if encoding is None:
            if codecs.lookup(label).name in _NO_CHARACTER_SETS:
                return None
            return _SURROGATE.sub(_REPLACEMENT, data.decode(label))
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
