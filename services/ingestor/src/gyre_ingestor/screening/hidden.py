"""Text within a text that people do not read and a model may: coded, or in characters that no
font shows.
"""

import base64
import binascii
import re
from collections.abc import Iterator

_CODED = re.compile(r"(?<![A-Za-z0-9+/=])[A-Za-z0-9+/]{40,}={0,2}(?![A-Za-z0-9+/=])")
_MOST_CODED = 100
_LONGEST_CODED = 20_000
_SHARE_OF_TEXT = 0.95
_TAGS = re.compile("[\U000e0020-\U000e007e]{8,}")
_FIRST_TAG = 0xE0000


def hidden_texts(text: str) -> Iterator[tuple[str, int, int]]:
    """What base64 (RFC 4648) and Unicode's tag characters (U+E0020 to U+E007E) hold, and where."""
    for match in _TAGS.finditer(text):
        shown = "".join(chr(ord(one) - _FIRST_TAG) for one in match.group())
        yield shown, *match.span()
    for number, match in enumerate(_CODED.finditer(text)):
        if number == _MOST_CODED:
            return
        decoded = _decoded(match.group()[:_LONGEST_CODED])
        if decoded:
            yield decoded, *match.span()


def _decoded(coded: str) -> str:
    """Empty where it holds no text."""
    whole = coded[: len(coded) // 4 * 4]
    try:
        text = base64.b64decode(whole, validate=True).decode("utf-8", "ignore")
    except (binascii.Error, ValueError):
        return ""
    words = sum(one.isalnum() or one.isspace() or one in ".,:;!?'\"-()" for one in text)
    return text if " " in text and words >= _SHARE_OF_TEXT * len(text) else ""
