"""Reads [1] and [1, 3] out of text that arrives in pieces."""

import re

from gyre_common.text import sentences

from gyre_generator.backends import Claim

_MARKER = re.compile(r"(?<!\s)\s*\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
_MARKER_START = re.compile(r"(?<!\s)\s*(?:\[[\d\s,;]{0,40})?\Z")


class MarkerReader:
    """Takes markers out of a text and remembers what they stood behind.

    Brackets inside backticks are code, not markers. Pieces may end anywhere, also inside a marker:
    what may still become one is held back until it is clear.
    """

    def __init__(self) -> None:
        self.text = ""
        self._buffer = ""
        self._marks: list[tuple[int, int]] = []
        self._code = False

    def feed(self, piece: str, *, final: bool = False) -> str:
        """The text that is now sure to be part of the answer: all of it with the `final` piece."""
        self._buffer += piece
        before = len(self.text)
        while self._buffer:
            tick = self._buffer.find("`")
            if self._code:
                self._emit(tick + 1 if tick >= 0 else len(self._buffer))
                self._code = tick < 0
                continue
            plain = self._buffer if tick < 0 else self._buffer[:tick]
            marker = _MARKER.search(plain)
            if marker:
                self._emit(marker.start())
                numbers = re.findall(r"\d+", marker.group(1))
                self._marks += [(len(self.text), int(number)) for number in numbers]
                self._buffer = self._buffer[marker.end() - marker.start() :]
            elif tick >= 0:
                self._emit(tick + 1)
                self._code = True
            else:
                marker_start = None if final else _MARKER_START.search(plain)
                self._emit(marker_start.start() if marker_start else len(plain))
                break
        return self.text[before:]

    def claims(self) -> tuple[Claim, ...]:
        """What the markers say: the sentence that each one ends, or stands in, rests on it."""
        spans = [(s.start, s.end) for s in reversed(sentences(self.text))]
        claims: dict[Claim, None] = {}
        for at, number in self._marks:
            start, end = next((span for span in spans if span[0] < at), (0, 0))
            if start < end:
                claims[Claim(start, end, number)] = None
        return tuple(claims)

    def _emit(self, length: int) -> None:
        self.text += self._buffer[:length]
        self._buffer = self._buffer[length:]
