"""How a table reads as text."""

from collections.abc import Sequence
from itertools import zip_longest

LONG_TABLE_CHARACTERS = 800


def table_text(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """One line a row, cells between bars.

    A table too long for one passage is split between rows, where the header would be lost: there
    each cell stands behind its column's name instead, so that every row makes sense alone.
    """
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows) if any(cells)]
    if not any(header) or sum(map(len, lines)) <= LONG_TABLE_CHARACTERS:
        return "\n".join(lines)
    return "\n".join(_record(header, row) for row in rows if any(row))


def _record(header: Sequence[str], row: Sequence[str]) -> str:
    cells = (
        f"{name}: {cell}" if name else cell
        for name, cell in zip_longest(header, row, fillvalue="")
        if cell
    )
    return f"- {'; '.join(cells)}"
