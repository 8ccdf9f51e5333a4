"""Superscripts and subscripts of a PDF: its text as LiteParse gives it says nothing of them."""

import ctypes
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import groupby, takewhile
from operator import attrgetter
from statistics import mode
from typing import Any, NamedTuple

import pypdfium2
import pypdfium2.raw as pdfium

from gyre_ingestor.formats.raised import raised_words

_SMALLEST, _LARGEST = 0.4, 0.87
"""How high a raised character is, as a part of the one that it stands beside."""

_RISES = (0.12, 0.8)
_FALLS = (-0.6, -0.05)
"""How far from the other's baseline, in heights of that."""

_HIGHER = 1.05
_GAP = 1.6
_LONGEST = 12
_BEFORE, _AFTER = 12, 6
_MOST = 2_000
_NOTE_AFTER = re.compile(r"[^\W\d]{4}\Z|[.,;:!?\"”’»]\Z")
_NOTE = re.compile(r"(?:\d{1,3}|[a-z*†‡§¶])\Z")


class _Character(NamedTuple):
    text: str
    x: float
    y: float
    height: float


class RaisedText(NamedTuple):
    """Without any white space; `before` and `after` are the text on both sides of it, up to what
    else is raised on its line, whose baseline is `y`.
    """

    before: str
    inside: str
    after: str
    is_upper: bool
    y: float


def write_raised_texts(data: bytes, pages: Sequence[Any]) -> None:
    """Write `10^6` into the blocks of LiteParse's pages for what reads 106, and marks of footnotes
    in brackets. Only pages whose lines differ in height are looked at, as that costs time.
    """
    uneven = [page for page in pages if page.blocks and _is_uneven(page.text_items)]
    if not uneven:
        return
    with suppress(pypdfium2.PdfiumError), pypdfium2.PdfDocument(data) as document:
        for page in uneven:
            page.blocks = _with_raised(page.blocks, _raised_texts(document[page.page_num - 1]))


def _is_uneven(items: Sequence[Any]) -> bool:
    """Whether some text is smaller than most of it, or a line higher than its letters."""
    sizes = [(each.font_size, each.height / each.font_size) for each in items if each.font_size]
    if not sizes:
        return False
    size = mode(size for size, _ in sizes)
    height = mode(round(height, 1) for _, height in sizes)
    return any(own <= _LARGEST * size or high > _HIGHER * height for own, high in sizes)


def _raised_texts(page: pypdfium2.PdfPage) -> list[RaisedText]:
    """In the order of the page's content."""
    characters = list(_characters(page))
    runs = list(_runs(characters))[:_MOST]
    within = {at for start, end, _ in runs for at in range(start, end)}
    raised = (_raised(characters, run, within) for run in runs)
    return [each for each in raised if each.before or each.after]


def _characters(page: pypdfium2.PdfPage) -> Iterator[_Character]:
    """Those that leave ink, with their origins."""
    text = page.get_textpage()
    x, y, box = ctypes.c_double(), ctypes.c_double(), pdfium.FS_RECTF()
    for at in range(text.count_chars()):
        character = chr(pdfium.FPDFText_GetUnicode(text, at))
        if character.isspace() or character < " ":
            continue
        pdfium.FPDFText_GetCharOrigin(text, at, x, y)
        pdfium.FPDFText_GetLooseCharBox(text, at, box)
        if box.top > box.bottom:
            yield _Character(character, x.value, y.value, box.top - box.bottom)


def _runs(characters: Sequence[_Character]) -> Iterator[tuple[int, int, _Character]]:
    """First and last place of what is raised, and what it stands beside."""
    at = 0
    while at < len(characters):
        beside = _base(characters, at)
        if beside is None:
            at += 1
            continue
        end = at + 1
        while end < len(characters) and _is_raised(characters[end], beside, characters[end - 1]):
            end += 1
        if end - at <= _LONGEST:
            yield at, end, beside
        at = end


def _base(characters: Sequence[_Character], at: int) -> _Character | None:
    """What a character is raised beside: the one before, or at a line's start the one behind."""
    if at and _is_raised(characters[at], characters[at - 1], characters[at - 1]):
        return characters[at - 1]
    mark, behind = characters[at], characters[at + 1 : at + 4]
    is_first = not at or abs(characters[at - 1].y - mark.y) > mark.height
    for each in behind if is_first and _NOTE.match(mark.text) else ():
        if _is_apart(mark, each, _RISES) and 0 < each.x - mark.x < 4 * _GAP * mark.height:
            return each
    return None


def _is_raised(one: _Character, beside: _Character, before: _Character) -> bool:
    is_near = -0.5 * before.height < one.x - before.x < _GAP * before.height
    return is_near and (_is_apart(one, beside, _RISES) or _is_apart(one, beside, _FALLS))


def _is_apart(one: _Character, beside: _Character, bounds: tuple[float, float]) -> bool:
    least, most = bounds
    is_small = _SMALLEST <= one.height / beside.height <= _LARGEST
    return is_small and least <= (one.y - beside.y) / beside.height <= most


def _raised(
    characters: Sequence[_Character], run: tuple[int, int, _Character], within: set[int]
) -> RaisedText:
    start, end, beside = run

    def text(places: Iterable[int]) -> str:
        return "".join(characters[at].text for at in places)

    def is_beside(at: int) -> bool:
        return at not in within and abs(characters[at].y - beside.y) < 0.6 * beside.height

    before = takewhile(is_beside, range(start - 1, max(-1, start - _BEFORE), -1))
    after = takewhile(is_beside, range(end, min(len(characters), end + _AFTER)))
    return RaisedText(
        before=text(before)[::-1],
        inside=text(range(start, end)),
        after=text(after),
        is_upper=characters[start].y > beside.y,
        y=beside.y,
    )


def _with_raised(blocks: list[Any], raised: Sequence[RaisedText]) -> list[Any]:
    left = list(raised)
    for block in blocks:
        if block.text:
            block.text, left = _written(block.text, left)
        for cell in [*(block.header or ()), *(cell for row in block.rows or () for cell in row)]:
            cell.text, left = _written(cell.text, left)
    for _, line in groupby(left, attrgetter("y")):
        blocks = _put_back(blocks, list(line))
    return blocks


def _written(text: str, raised: list[RaisedText]) -> tuple[str, list[RaisedText]]:
    """And what was not met."""
    places = [at for at, character in enumerate(text) if not character.isspace()]
    squeezed = "".join(text[at] for at in places)
    left, parts, done, cursor = [], [], 0, 0
    for each in raised:
        begin = max(0, cursor - len(each.before))
        at = squeezed.find(each.before + each.inside + each.after, begin)
        if at < 0:
            left.append(each)
            continue
        start = at + len(each.before)
        cursor = start + len(each.inside)
        first = places[start - 1] + 1 if start else 0
        parts.append(text[done:first])
        parts.append(_mark("".join(parts)[-40:], each))
        done = places[cursor - 1] + 1
    return "".join([*parts, text[done:]]), left


def _mark(before: str, raised: RaisedText) -> str:
    is_note = raised.is_upper and _NOTE.match(raised.inside) and raised.inside not in "*†‡"
    if is_note and (not before.strip() or _NOTE_AFTER.search(before.rstrip())):
        return f"[{raised.inside}]"
    return raised_words(before.rstrip(), raised.inside, is_upper=raised.is_upper)


def _put_back(blocks: list[Any], line: list[RaisedText]) -> list[Any]:
    """What stands so far from its line that LiteParse took it for a paragraph of its own."""
    apart = "".join(each.inside for each in line)
    alone = next((each for each in blocks if "".join((each.text or "").split()) == apart), None)
    if alone is None:
        return blocks
    for each in line:
        for block in blocks:
            places = [at for at, letter in enumerate(block.text or "") if not letter.isspace()]
            at = "".join(block.text[place] for place in places).find(each.before + each.after)
            if at >= 0 and each.before and block is not alone:
                end = places[at + len(each.before) - 1] + 1
                text = block.text
                block.text = text[:end] + _mark(text[:end][-40:], each) + text[end:]
                break
    return [block for block in blocks if block is not alone]
