"""The numbers that Word writes before headings and items of lists, which its files only imply."""

from collections.abc import Mapping
from typing import NamedTuple

from lxml import etree

_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_VAL = f"{_W}val"
_DEEPEST = 9
_OFF = ("0", "false", "off")
_ROMAN = (
    *((1000, "m"), (900, "cm"), (500, "d"), (400, "cd"), (100, "c"), (90, "xc"), (50, "l")),
    *((40, "xl"), (10, "x"), (9, "ix"), (5, "v"), (4, "iv"), (1, "i")),
)
_MOST = 4_000
"""Larger numbers are written in digits, in whatever style."""


class _Level(NamedTuple):
    start: int
    style: str
    text: str
    is_legal: bool


class _Place(NamedTuple):
    """Of a paragraph: the list, by its `numId`, and the level within it, from 0."""

    number: str
    level: int


class Numbers:
    """Counts a document's paragraphs, in their order (ECMA-376, part 1, section 17.9)."""

    def __init__(self, numbering: etree._Element | None, styles: etree._Element | None) -> None:
        self._abstract: dict[str, str] = {}
        self._levels: dict[str, dict[int, _Level]] = {}
        self._restarts: dict[str, dict[int, int]] = {}
        self._counts: dict[str, list[int | None]] = {}
        self._by_style: dict[str, _Place] = {}
        self._parents: dict[str, str] = {}
        for each in numbering.iterfind(f"{_W}abstractNum") if numbering is not None else ():
            levels = {_number(level, f"{_W}ilvl"): level for level in each.iterfind(f"{_W}lvl")}
            name = each.get(f"{_W}abstractNumId", "")
            self._levels[name] = {at: _level(level) for at, level in levels.items()}
        for each in numbering.iterfind(f"{_W}num") if numbering is not None else ():
            name = each.get(f"{_W}numId", "")
            self._abstract[name] = _value(each, "abstractNumId")
            self._restarts[name] = {
                _number(override, f"{_W}ilvl"): int(_value(override, "startOverride"))
                for override in each.iterfind(f"{_W}lvlOverride")
                if _value(override, "startOverride").isdigit()
            }
        for style in styles.iterfind(f"{_W}style") if styles is not None else ():
            name = style.get(f"{_W}styleId", "")
            self._parents[name] = _value(style, "basedOn")
            place = style.find(f"{_W}pPr/{_W}numPr")
            if place is not None:
                self._by_style[name] = _Place(_value(place, "numId"), _int(_value(place, "ilvl")))

    def label(self, paragraph: etree._Element) -> str:
        """What stands before it: `2.1`, `(a)`; empty where nothing or a bullet does."""
        place = self._place(paragraph)
        if place is None or not 0 <= place.level < _DEEPEST:
            return ""
        abstract = self._abstract.get(place.number, "")
        levels = self._levels.get(abstract, {})
        level = levels.get(place.level)
        if level is None:
            return ""
        counts = self._counts.setdefault(abstract, [None] * _DEEPEST)
        restart = self._restarts.get(place.number, {}).pop(place.level, None)
        current = counts[place.level]
        if restart is not None:
            counts[place.level] = restart
        else:
            counts[place.level] = level.start if current is None else current + 1
        counts[place.level + 1 :] = [None] * (_DEEPEST - place.level - 1)
        return "" if level.style in ("bullet", "none") else _written(level, levels, counts)

    def _place(self, paragraph: etree._Element) -> _Place | None:
        own = paragraph.find(f"{_W}pPr/{_W}numPr")
        style = _value(paragraph.find(f"{_W}pPr"), "pStyle")
        by_style = None
        for _ in range(_DEEPEST):
            if by_style is not None or not style:
                break
            by_style = self._by_style.get(style)
            style = self._parents.get(style, "")
        if own is None:
            return by_style
        number = _value(own, "numId") or (by_style.number if by_style else "")
        return None if number == "0" else _Place(number, _int(_value(own, "ilvl")))


def _level(level: etree._Element) -> _Level:
    legal = level.find(f"{_W}isLgl")
    return _Level(
        start=_int(_value(level, "start") or "1"),
        style=_value(level, "numFmt") or "decimal",
        text=_value(level, "lvlText"),
        is_legal=legal is not None and legal.get(_VAL) not in _OFF,
    )


def _written(level: _Level, levels: Mapping[int, _Level], counts: list[int | None]) -> str:
    text = level.text
    for at in range(_DEEPEST):
        mark = f"%{at + 1}"
        if mark in text and at in levels:
            count = counts[at]
            if count is None:
                count = levels[at].start
            text = text.replace(mark, _styled(count, "" if level.is_legal else levels[at].style))
    return " ".join(text.split())


def _styled(number: int, style: str) -> str:
    if not 0 < number < _MOST:
        return str(number)
    match style:
        case "lowerLetter" | "upperLetter":
            letters = chr(ord("a") + (number - 1) % 26) * ((number - 1) // 26 + 1)
            return letters if style == "lowerLetter" else letters.upper()
        case "lowerRoman" | "upperRoman":
            roman = _roman(number)
            return roman if style == "lowerRoman" else roman.upper()
        case "decimalZero":
            return f"{number:02}"
    return str(number)


def _roman(number: int) -> str:
    text = ""
    for value, sign in _ROMAN:
        count, number = divmod(number, value)
        text += sign * count
    return text


def _value(element: etree._Element | None, name: str) -> str:
    child = element.find(f"{_W}{name}") if element is not None else None
    return child.get(_VAL, "") if child is not None else ""


def _number(element: etree._Element, name: str) -> int:
    return _int(element.get(name, ""))


def _int(text: str) -> int:
    return int(text) if text.isdigit() else 0
