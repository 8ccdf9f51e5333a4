"""Tables of HTML as rows of text, each cell in every place that it spans."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import takewhile

from selectolax.lexbor import LexborNode

from gyre_ingestor.formats.outline import joined_names

_MOST_SPANNED = 1_000
"""Columns or rows. HTML Living Standard, section 4.9.11, has as many columns."""

_MOST_REPEATED = 1_000_000
"""Characters that a table grows by, at most: a small page must not become a large text."""

_LAYOUT = "td table, th table, td pre, td h2"

Cell = Callable[[LexborNode], str]
"""What a cell shows, in a line; nothing where it is hidden."""

Hides = Callable[[LexborNode], bool]


def is_data_table(table: LexborNode) -> bool:
    """Tables inside tables lay out a page; headings or code inside one are to be kept apart."""
    return table.css_first("tr") is not None and table.css_first(_LAYOUT) is None


def caption_of(table: LexborNode, cell: Cell) -> str:
    """Empty where it has none."""
    caption = table.css_first("caption")
    return cell(caption) if caption is not None else ""


def rows_of(table: LexborNode, cell: Cell, hides: Hides) -> list[list[str]]:
    """The cells of every row that is shown, the header first; an empty one where the table has
    none. Header rows become one, top to bottom.
    """
    rows = [row for row in table.css("tr") if not hides(row)]
    heads = len(list(takewhile(_is_header, rows)))
    texts = _Grid(cell).rows(rows)
    return [joined_names(texts[:heads]), *texts[heads:]]


class _Grid:
    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._hanging: dict[int, tuple[int, str]] = {}
        self._repeated = 0

    def rows(self, rows: Sequence[LexborNode]) -> list[list[str]]:
        return [self._row(row) for row in rows]

    def _row(self, row: LexborNode) -> list[str]:
        texts: list[str] = []
        cells = row.css("th, td")
        is_whole = len(cells) == 1 and not self._hanging
        for one in cells:
            self._fill(texts)
            text = self._cell(one)
            columns, down = _span(one, "colspan"), _span(one, "rowspan")
            for _ in range(columns if self._has_room(len(text) * (columns - 1)) else 1):
                if down > 1:
                    self._hanging[len(texts)] = (down - 1, text)
                texts.append(text)
        self._fill(texts)
        return texts[:1] if is_whole else texts

    def _fill(self, texts: list[str]) -> None:
        """What hangs down from above, up to the next free column."""
        while hanging := self._hanging.pop(len(texts), None):
            rows, text = hanging
            if rows > 1 and self._has_room(len(text) + 1):
                self._hanging[len(texts)] = (rows - 1, text)
            texts.append(text)

    def _has_room(self, characters: int) -> bool:
        self._repeated += characters
        return self._repeated <= _MOST_REPEATED


def _is_header(row: LexborNode) -> bool:
    in_head = row.parent is not None and row.parent.tag == "thead"
    return in_head or (row.css_first("th") is not None and row.css_first("td") is None)


def _span(cell: LexborNode, name: str) -> int:
    with suppress(ValueError):
        return max(1, min(int(cell.attributes.get(name) or 1), _MOST_SPANNED))
    return 1
