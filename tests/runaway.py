"""Finds inputs on which a regular expression takes more than linear time.

Python's engine backtracks. What makes it run away is a stretch that the pattern can read in several
ways, or from several starts, before something that does not come. So stretches are made from the
pattern's own parts, repeated, and put before an end that does not fit.
"""

import re
import string
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from re import _compiler, _constants, _parser  # type: ignore[attr-defined]
from typing import Any

LONGEST = 4_096
"""Characters of an input; one that takes suspiciously long is tried four times as long."""

_WINDOW = 3
_EXPONENTIAL_SECONDS = 0.2
_SUSPICIOUS_SECONDS = 0.002
_GROWTH = 8.0
"""Four times the input may take four times as long; quadratic time takes sixteen times."""

_PREFERENCES = (" a0", "a0 ", "0a ", "\n a", "(/<-")
_ALPHABET = string.printable + "é–字"
_ENDS = ("", "\0")
Pattern = re.Pattern[str] | re.Pattern[bytes]


@dataclass(frozen=True)
class Runaway:
    """`start`, `pump` over and over, `end`: `seconds` of CPU at `length` characters."""

    start: str
    pump: str
    end: str
    length: int
    seconds: float


def find_runaway(pattern: Pattern, *, anchored: bool = False) -> Runaway | None:
    """The first input that takes more than linear time; None where there is none.

    `anchored` patterns are only used by `match` and `fullmatch`; others are looked for from every
    place of a text.
    """
    uses = (pattern.match, pattern.fullmatch) if anchored else (_all_matches(pattern),)
    for start, pump in dict.fromkeys(_stretches(pattern)):
        for end in _ENDS:
            for use in uses:
                if runaway := _grow(pattern, use, start, pump, end):
                    return runaway
    return None


def _all_matches(pattern: Pattern) -> Callable[[Any], object]:
    return lambda text: sum(1 for _ in pattern.finditer(text))


def _grow(
    pattern: Pattern, use: Callable[[Any], object], start: str, pump: str, end: str
) -> Runaway | None:
    def seconds(repeats: int) -> float:
        text = start + pump * repeats + end
        data = text if isinstance(pattern.pattern, str) else text.encode()
        before = time.process_time()
        use(data)
        return time.process_time() - before

    most = LONGEST // len(pump)
    for repeats in _sizes(most):
        took = seconds(repeats)
        if took > _EXPONENTIAL_SECONDS:
            return Runaway(start, pump, end, len(pump) * repeats, took)
    if took < _SUSPICIOUS_SECONDS:
        return None
    short, long = (min(seconds(size) for _ in range(3)) for size in (most, most * 4))
    if long > _GROWTH * short:
        return Runaway(start, pump, end, len(pump) * most * 4, long)
    return None


def _sizes(most: int) -> Iterator[int]:
    """Small steps first: exponential time must show before it takes for ever."""
    size = 8
    while size < most:
        yield size
        size = size + 3 if size < 40 else size * 2
    yield most


def _stretches(pattern: Pattern) -> Iterator[tuple[str, str]]:
    """What may stand before, and what may be repeated."""
    tree = _parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
    for preferred in _PREFERENCES:
        sampler = _Sampler(tree.state, pattern.flags, preferred)
        for start, pump in sampler.stretches(tree, ""):
            if 0 < len(pump) <= LONGEST // 64:
                yield start, pump
                yield "", pump


class _Sampler:
    """Makes texts that parts of a pattern match. Of a class of characters, `preferred` go first."""

    def __init__(self, state: Any, flags: int, preferred: str) -> None:
        self._state = state
        self._flags = flags
        self._preferred = preferred

    def stretches(self, items: Any, before: str) -> Iterator[tuple[str, str]]:
        """Texts of a few neighbouring parts at every depth, each with the text that leads there."""
        parts = list(_joined(items))
        for at, part in enumerate(parts):
            lead = before + self._text_of(parts[:at])
            for until in range(at + 1, min(at + _WINDOW, len(parts)) + 1):
                yield lead, self._text_of(parts[at:until])
            for inner in _inside(*part[0]):
                yield from self.stretches(inner, lead)
        yield before, self._text_of(parts)

    def _text_of(self, parts: Iterable[Any]) -> str:
        return "".join(self._text(*item) for part in parts for item in part)

    def _text(self, op: Any, value: Any) -> str:
        match str(op):
            case "LITERAL":
                return chr(value)
            case "IN" | "ANY" | "NOT_LITERAL":
                return self._character(op, value)
            case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
                least, most, body = value
                repeats: int = max(least, min(1, most))
                return self._text_of([list(body)]) * repeats
            case "BRANCH":
                return self._text_of([list(value[1][0])])
            case "SUBPATTERN":
                return self._text_of([list(value[-1])])
            case "ATOMIC_GROUP":
                return self._text_of([list(value)])
        return ""  # anchors and assertions take no characters

    def _character(self, op: Any, value: Any) -> str:
        one = _compiler.compile(_parser.SubPattern(self._state, [(op, value)]), self._flags)
        as_bytes = not self._flags & re.UNICODE
        fitting = (
            c for c in self._preferred + _ALPHABET if one.match(c.encode() if as_bytes else c)
        )
        return str(next(fitting, ""))


def _joined(items: Any) -> Iterator[list[Any]]:
    """Letters of a word belong together."""
    word: list[Any] = []
    for item in items:
        if item[0] is _constants.LITERAL:
            word.append(item)
            continue
        if word:
            yield word
            word = []
        yield [item]
    if word:
        yield word


def _inside(op: Any, value: Any) -> list[Any]:
    """The sequences that an item is made of."""
    match str(op):
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return [value[2]]
        case "BRANCH":
            return list(value[1])
        case "SUBPATTERN" | "ASSERT" | "ASSERT_NOT":
            return [value[-1]]
        case "ATOMIC_GROUP":
            return [value]
    return []
