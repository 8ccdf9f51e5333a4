"""One text, redacted, with the way from its old characters to the new ones."""

import hashlib
import hmac
from bisect import bisect_right
from collections.abc import Callable, Sequence

from gyre_common.personal_data import PersonalData, Redaction
from gyre_common.redaction.choices import Choices
from gyre_common.redaction.spans import GONE, Span, placeholder

_PSEUDONYM = 12
_PASSES = 4
"""What is replaced may let something else be seen; a second pass nearly always finds nothing."""
_WORDS = frozenset({PersonalData.PERSON, PersonalData.STREET_ADDRESS, PersonalData.URL})

_Write = Callable[[PersonalData, str], str]


class _Edit:
    """What one pass replaced: characters `start`..`end` before, `new_start`..`new_end` after."""

    def __init__(self, spans: Sequence[Span], lengths: Sequence[int]) -> None:
        self._starts = [span.start for span in spans]
        self._ends = [span.end for span in spans]
        self._new: list[tuple[int, int]] = []
        shift = 0
        for span, length in zip(spans, lengths, strict=True):
            start = span.start + shift
            self._new.append((start, start + length))
            shift += length - (span.end - span.start)

    def offset(self, at: int, *, is_end: bool) -> int:
        index = bisect_right(self._starts, at - 1 if is_end else at) - 1
        if index < 0:
            return at
        new_start, new_end = self._new[index]
        if at >= self._ends[index]:
            return new_end + at - self._ends[index]
        return new_end if is_end else new_start


class RedactedText:
    """`text` is what may be kept of the original."""

    def __init__(self, text: str, edits: Sequence[_Edit] = ()) -> None:
        self.text = text
        self._edits = edits

    def start(self, at: int) -> int:
        """Where what began at that character of the original begins now."""
        for edit in self._edits:
            at = edit.offset(at, is_end=False)
        return at

    def end(self, at: int) -> int:
        """Where what ended before that character of the original ends now."""
        for edit in self._edits:
            at = edit.offset(at, is_end=True)
        return at


def redact_text(text: str, tenant: str, choices: Choices) -> RedactedText:
    """Pass over a text until nothing more is seen in it."""
    write = _writer(choices, tenant)
    if write is None:
        return RedactedText(text)
    # Imported at the first text that needs it: it is large, and most processes keep every text.
    from gyre_common.redaction.finding import find

    edits: list[_Edit] = []
    while len(edits) < _PASSES:
        spans = find(text, choices.kinds, choices.pipeline)
        if not spans:
            break
        new = [write(span.kind, text[span.start : span.end]) for span in spans]
        edits.append(_Edit(spans, [len(each) for each in new]))
        text = _replaced(text, spans, new)
    return RedactedText(text, edits)


def _replaced(text: str, spans: Sequence[Span], new: Sequence[str]) -> str:
    pieces: list[str] = []
    at = 0
    for span, piece in zip(spans, new, strict=True):
        pieces += (text[at : span.start], piece)
        at = span.end
    return "".join((*pieces, text[at:]))


def _writer(choices: Choices, tenant: str) -> _Write | None:
    """What is written in place of a value; None where values stay."""
    match choices.of(tenant):
        case Redaction.KEEP:
            return None
        case Redaction.MASK:
            return lambda kind, _: placeholder(kind)
        case Redaction.HASH:
            return lambda kind, value: placeholder(
                kind, _pseudonym(choices.key, tenant, kind, value)
            )
        case Redaction.DROP:
            return lambda *_: GONE


def _pseudonym(key: bytes, tenant: str, kind: PersonalData, value: str) -> str:
    """The same for a value however it is written: HMAC-SHA-256 (RFC 2104), its first 48 bits."""
    same = " ".join(value.casefold().split())
    if kind not in _WORDS:
        same = "".join(each for each in same if each.isalnum() or each in "@.")
    message = "\n".join((tenant, kind, same)).encode()
    return hmac.new(key, message, hashlib.sha256).hexdigest()[:_PSEUDONYM]
