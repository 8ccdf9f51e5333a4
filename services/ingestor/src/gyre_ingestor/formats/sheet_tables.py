"""The rows of a sheet as tables."""

import re
from collections.abc import Iterator, Sequence

from gyre_ingestor.formats.outline import Outline

MOST_CELLS = 2_000_000
"""Of all sheets together."""

_AMOUNT = re.compile(r"[^\w\s]{0,3}\d[\d.,' ]*+(?:[%€$£¥]|[A-Z]{1,3})?\Z")
_YEAR = re.compile(r"(?:19|20)\d{2}\Z")


def read_rows(rows: Sequence[list[str]], outline: Outline) -> None:
    """Empty rows part tables. The first row of one names its columns, unless it holds an amount."""
    for table in _tables(rows):
        _read_table(table, outline)


def _tables(rows: Sequence[list[str]]) -> Iterator[list[list[str]]]:
    """The stretches between empty rows."""
    table: list[list[str]] = []
    for row in [*rows, []]:
        if any(row):
            table.append(row)
        elif table:
            yield table
            table = []


def _read_table(rows: list[list[str]], outline: Outline) -> None:
    """A row of one value on top of wider ones is a title."""
    while (
        rows
        and _values(rows[0]) == 1
        and (len(rows) == 1 or any(_values(row) > 1 for row in rows[1:]))
    ):
        outline.paragraph(next(filter(None, rows[0])))
        rows = rows[1:]
    if rows:
        outline.table(rows if len(rows) > 1 and not _holds_amount(rows[0]) else [[], *rows])


def _values(row: list[str]) -> int:
    return len(set(filter(None, row)))


def _holds_amount(row: list[str]) -> bool:
    """Names of columns may be years or small numbers in order, but no amounts beside words."""
    amounts = [bool(_AMOUNT.match(cell)) and not _YEAR.match(cell) for cell in row if cell]
    return any(amounts) and not all(amounts[1:] if len(amounts) > 2 else amounts)
