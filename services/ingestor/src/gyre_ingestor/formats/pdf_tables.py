"""Tables of a PDF that are ruled: lines on the page tell their cells, also merged ones."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from liteparse import LayoutBlock, LayoutCell

from gyre_ingestor.formats.outline import joined_names

_NEAR = 2.5
_SHORTEST = 6.0
_MOST_RULES = 2_000
"""A page with more of them is a drawing."""

_MOST_CELLS = 5_000
_LONGEST_CELL = 1_500
"""Characters. What holds more is a frame around text."""


class _Box(NamedTuple):
    left: float
    top: float
    right: float
    bottom: float

    def holds(self, other: "_Box") -> bool:
        return (
            self.left - _NEAR <= other.left
            and other.right <= self.right + _NEAR
            and self.top - _NEAR <= other.top
            and other.bottom <= self.bottom + _NEAR
        )

    def meets(self, other: "_Box", margin: float) -> bool:
        return (
            self.left - margin <= other.right
            and other.left <= self.right + margin
            and self.top - margin <= other.bottom
            and other.top <= self.bottom + margin
        )


class _Region(NamedTuple):
    """A cell, over columns `left`..`right` and rows `top`..`bottom`, both included."""

    left: int
    top: int
    right: int
    bottom: int


def with_ruled_tables(page: Any) -> list[LayoutBlock]:
    """The page's blocks, with tables by their rules in place of what LiteParse makes of them. One
    stays as it is where a block stands half within it, or its rules part nothing.
    """
    blocks = list(page.blocks or ())
    rules = list(dict.fromkeys(_rules(page.vector_graphics)))
    if len(rules) > _MOST_RULES:
        return blocks
    words = [
        (word.text, _box(word))
        for item in page.text_items
        for word in (item.words or [item])
        if item.rotation == 0
    ]
    for group in _groups(rules):
        outer = _around(group)
        inside = [block for block in blocks if block.bbox and _box(block.bbox).meets(outer, -_NEAR)]
        inside = [block for block in inside if block.kind not in ("figure", "rule")]
        if not inside or not all(outer.holds(_box(block.bbox)) for block in inside):
            continue
        table = _table(group, [each for each in words if outer.holds(each[1])])
        if table is not None:
            at = next(at for at, block in enumerate(blocks) if block is inside[0])
            blocks[at:at] = table
            blocks = [block for block in blocks if not any(block is each for each in inside)]
    return blocks


def _rules(graphics: Any) -> Iterator[_Box]:
    """Lines, thin rectangles and the sides of framed ones, upright or level."""
    if graphics is None:
        return
    for line in graphics.lines:
        yield from _straight(
            _Box(
                min(line.x1, line.x2),
                min(line.y1, line.y2),
                max(line.x1, line.x2),
                max(line.y1, line.y2),
            )
        )
    for shape in graphics.shapes:
        left, top, right, bottom = _corners(shape.bbox)
        if shape.has_curve:
            continue
        if min(right - left, bottom - top) < _NEAR:
            yield from _straight(_Box(left, top, right, bottom))
        elif shape.stroke:
            yield from _straight(_Box(left, top, right, top))
            yield from _straight(_Box(left, bottom, right, bottom))
            yield from _straight(_Box(left, top, left, bottom))
            yield from _straight(_Box(right, top, right, bottom))


def _straight(box: _Box) -> Iterator[_Box]:
    wide, high = box.right - box.left, box.bottom - box.top
    if min(wide, high) < _NEAR and max(wide, high) >= _SHORTEST:
        yield box


def _groups(rules: Sequence[_Box]) -> Iterator[list[_Box]]:
    """Rules that touch each other, directly or by way of others."""
    left = sorted(rules, key=lambda rule: (rule.top, rule.left))
    while left:
        group, pending = [], [left.pop(0)]
        while pending:
            rule = pending.pop()
            group.append(rule)
            touching = [each for each in left if each.meets(rule, _NEAR)]
            pending += touching
            left = [each for each in left if not each.meets(rule, _NEAR)]
        yield group


def _table(rules: Sequence[_Box], words: Sequence[tuple[str, _Box]]) -> list[LayoutBlock] | None:
    upright = [rule for rule in rules if rule.bottom - rule.top > rule.right - rule.left]
    level = [rule for rule in rules if rule.bottom - rule.top <= rule.right - rule.left]
    xs = _distinct([(rule.left + rule.right) / 2 for rule in upright])
    ys = _distinct([(rule.top + rule.bottom) / 2 for rule in level])
    columns, rows = len(xs) - 1, len(ys) - 1
    if columns < 2 or rows < 2 or columns * rows > _MOST_CELLS:
        return None
    regions = _regions(xs, ys, upright, level)
    if regions is None:
        return None
    texts = {region: _text(region, xs, ys, words) for region in set(regions.values())}
    if len(texts) < 4 or max(map(len, texts.values())) > _LONGEST_CELL:
        return None
    return _blocks(regions, texts, columns, rows)


def _distinct(places: Iterable[float]) -> list[float]:
    distinct: list[float] = []
    for place in sorted(places):
        if not distinct or place - distinct[-1] > _NEAR:
            distinct.append(place)
    return distinct


def _regions(
    xs: Sequence[float], ys: Sequence[float], upright: Sequence[_Box], level: Sequence[_Box]
) -> dict[tuple[int, int], _Region] | None:
    """Of each column and row the cell that covers it; None where cells are no rectangles."""
    walls = [[_covered(x, (top + bottom) / 2, upright) for x in xs] for top, bottom in pairwise(ys)]
    floors = [
        [_covered(y, (left + right) / 2, level, is_level=True) for left, right in pairwise(xs)]
        for y in ys
    ]
    regions: dict[tuple[int, int], _Region] = {}
    for top in range(len(ys) - 1):
        for left in range(len(xs) - 1):
            if (left, top) in regions:
                continue
            right, bottom = left, top
            while right + 2 < len(xs) and not walls[top][right + 1]:
                right += 1
            while bottom + 2 < len(ys) and not floors[bottom + 1][left]:
                bottom += 1
            region = _Region(left, top, right, bottom)
            for place in ((x, y) for x in range(left, right + 1) for y in range(top, bottom + 1)):
                if place in regions:
                    return None
                regions[place] = region
    return regions


def _covered(at: float, middle: float, rules: Sequence[_Box], *, is_level: bool = False) -> bool:
    for rule in rules:
        first, last = (rule.left, rule.right) if is_level else (rule.top, rule.bottom)
        place = (rule.top + rule.bottom) / 2 if is_level else (rule.left + rule.right) / 2
        if abs(place - at) <= _NEAR and first <= middle <= last:
            return True
    return False


def _text(
    region: _Region, xs: Sequence[float], ys: Sequence[float], words: Sequence[tuple[str, _Box]]
) -> str:
    """Line by line."""
    box = _Box(xs[region.left], ys[region.top], xs[region.right + 1], ys[region.bottom + 1])
    own = []
    for text, word in words:
        x, y = (word.left + word.right) / 2, (word.top + word.bottom) / 2
        if box.left <= x < box.right and box.top <= y < box.bottom:
            own.append((word.bottom, word.left, text))
    lines: list[list[tuple[float, float, str]]] = []
    for word_at in sorted(own):
        if lines and word_at[0] - lines[-1][0][0] < 2 * _NEAR:
            lines[-1].append(word_at)
        else:
            lines.append([word_at])
    in_order = (sorted(line, key=lambda each: each[1]) for line in lines)
    return " ".join(text for line in in_order for _, _, text in line)


def _blocks(
    regions: dict[tuple[int, int], _Region], texts: dict[_Region, str], columns: int, rows: int
) -> list[LayoutBlock]:
    """The table, its header first; rows of one cell above it are paragraphs."""
    blocks: list[LayoutBlock] = []
    first = 0
    while first < rows - 1 and regions[0, first] == regions[columns - 1, first]:
        region = regions[0, first]
        blocks.append(LayoutBlock("paragraph", text=texts[region]))
        first = region.bottom + 1
    tops = {regions[x, first] for x in range(columns)} if first < rows else set()
    if not tops:
        return blocks
    last = max(region.bottom for region in tops)
    if last == first and any(region.right > region.left for region in tops):
        last += 1
    heads = [_row(regions, texts, columns, y) for y in range(first, min(last + 1, rows))]
    body = [_row(regions, texts, columns, y) for y in range(last + 1, rows)]
    if not body:
        heads, body = heads[:1], heads[1:]
    header = [LayoutCell(name) for name in joined_names(heads)]
    cells = [[LayoutCell(text) for text in row] for row in body]
    return [*blocks, LayoutBlock("table", header=header, rows=cells)]


def _row(
    regions: dict[tuple[int, int], _Region], texts: dict[_Region, str], columns: int, y: int
) -> list[str]:
    if regions[0, y] == regions[columns - 1, y]:
        return [texts[regions[0, y]]]
    return [texts[regions[x, y]] for x in range(columns)]


def _around(boxes: Sequence[_Box]) -> _Box:
    return _Box(
        min(box.left for box in boxes),
        min(box.top for box in boxes),
        max(box.right for box in boxes),
        max(box.bottom for box in boxes),
    )


def _box(place: Any) -> _Box:
    return _Box(place.x, place.y, place.x + place.width, place.y + place.height)


def _corners(bbox: Sequence[float]) -> tuple[float, float, float, float]:
    left, top, width, height = bbox
    return left, top, left + width, top + height
