"""Reads [1] and [1, 3] out of text that arrives in pieces."""

import re
from collections.abc import Iterable

from gyre_common.text import sentences

from gyre_generator.backends import Claim

OwnMarkers = frozenset[tuple[str, tuple[int, ...]]]
"""Brackets that passages have themselves: the word before one, and its numbers."""

_MARKER = re.compile(r"(?<!\s)\s*\[(\d{1,3}(?:\s*[,;]\s*\d{1,3})*)\]")
_REACH = 80
_LAST_WORD = re.compile(r"(?<!\w)\w{1,64}\W{0,16}\Z")
_MARKER_START = re.compile(r"(?<!\s)\s*(?:\[[\d\s,;]{0,40})?\Z")


def own_markers(texts: Iterable[str]) -> OwnMarkers:
    """Of passages, whose sentences a model may repeat with their brackets: `in 1450 [3]`."""
    return frozenset(
        (_last_word(text[max(0, match.start() - _REACH) : match.start()]), _numbers(match))
        for text in texts
        for match in _MARKER.finditer(text)
    )


class MarkerReader:
    """Takes markers out of a text and remembers what they stood behind.

    Brackets inside backticks are code, not markers, and those of the passages' `own` are text.
    Pieces may end anywhere, also inside a marker: what may still become one is held back until it
    is clear.
    """

    def __init__(self, own: OwnMarkers = frozenset()) -> None:
        self.text = ""
        self._own = own
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
                numbers, length = _numbers(marker), marker.end() - marker.start()
                if (_last_word(self.text[-_REACH:]), numbers) in self._own:
                    self._emit(length)
                    continue
                self._marks += [(len(self.text), number) for number in numbers]
                self._buffer = self._buffer[length:]
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


def _numbers(marker: re.Match[str]) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", marker.group(1)))


def _last_word(text: str) -> str:
    word = _LAST_WORD.search(text)
    return word.group().casefold() if word else ""
