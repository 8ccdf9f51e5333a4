"""Reads [1] and [1, 3] out of text that arrives in pieces."""

import re
from collections.abc import Iterator

from gyre_common.text import sentences

from gyre_generator.backends.port import Claim

_MARKER = re.compile(r"(?<!\s)\s*\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
_BEGUN = re.compile(r"(?<!\s)\s*(?:\[[\d\s,;]{0,40})?\Z")
_NUMBER = re.compile(r"\d+")


class MarkerReader:
    """Takes markers out of a text and remembers what they stood behind.

    Brackets inside backticks are code, not markers. Pieces may end anywhere, also inside a marker:
    what may still become one is held back until it is clear.
    """

    def __init__(self) -> None:
        self.text = ""
        self._held = ""
        self._marks: list[tuple[int, int]] = []
        self._code = False

    def feed(self, piece: str) -> str:
        """The text that is now sure to be part of the answer."""
        self._held += piece
        return self._release(final=False)

    def finish(self) -> str:
        """The rest."""
        return self._release(final=True)

    def claims(self) -> tuple[Claim, ...]:
        """What the markers say: the sentence that each one ends, or stands in, rests on it."""
        spans = [(s.start, s.end) for s in sentences(self.text)]
        found: dict[tuple[int, int, int], Claim] = {}
        for at, number in self._marks:
            start, end = _sentence_before(spans, at)
            if start < end:
                found.setdefault((start, end, number), Claim(start, end, number))
        return tuple(found.values())

    def _release(self, *, final: bool) -> str:
        before = len(self.text)
        while self._held:
            tick = self._held.find("`")
            if self._code:
                self._say(tick + 1 if tick >= 0 else len(self._held))
                self._code = tick < 0
                continue
            plain = self._held if tick < 0 else self._held[:tick]
            marker = _MARKER.search(plain)
            if marker:
                self._say(marker.start())
                self._marks += [(len(self.text), n) for n in _numbers(marker.group(1))]
                self._held = self._held[marker.end() - marker.start() :]
            elif tick >= 0:
                self._say(tick + 1)
                self._code = True
            else:
                begun = None if final else _BEGUN.search(plain)
                self._say(begun.start() if begun else len(plain))
                break
        return self.text[before:]

    def _say(self, length: int) -> None:
        self.text += self._held[:length]
        self._held = self._held[length:]


def _numbers(listed: str) -> Iterator[int]:
    return (int(found.group()) for found in _NUMBER.finditer(listed))


def _sentence_before(spans: list[tuple[int, int]], at: int) -> tuple[int, int]:
    """The last sentence that begins before the marker."""
    return next((span for span in reversed(spans) if span[0] < at), (0, 0))
