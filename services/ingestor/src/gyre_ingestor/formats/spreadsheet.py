"""Spreadsheets of Excel and OpenDocument: each sheet is a section with its tables."""

import io
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from python_calamine import CalamineWorkbook, SheetVisibleEnum

from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.packages import check_package
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.formats.signatures import ZIP
from gyre_ingestor.refused import unreadable

_MOST_CELLS = 2_000_000


def parse_spreadsheet(data: bytes, _: str | None) -> ParsedDocument:
    """Values as they were last computed; hidden sheets are not read. Empty rows part tables; the
    first row of one names its columns.
    """
    if data.startswith(ZIP):
        check_package(data)
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
    outline = Outline()
    cells = 0
    for sheet in workbook.sheets_metadata:
        if sheet.visible is not SheetVisibleEnum.Visible:
            continue
        worksheet = workbook.get_sheet_by_name(sheet.name)
        cells += worksheet.total_height * worksheet.total_width
        if cells > _MOST_CELLS:
            raise unreadable(f"has more than {_MOST_CELLS:,} cells")
        rows = worksheet.to_python(skip_empty_area=True)
        _fill_merged(rows, worksheet)
        outline.at("sheet", sheet.name)
        outline.heading(2, sheet.name)
        for table in _tables([[_text(cell) for cell in row] for row in rows]):
            _read_table(table, outline)
    return outline.finish()


def _fill_merged(rows: list[list[Any]], worksheet: Any) -> None:
    """A merged cell stands in every place that it spans."""
    top, left = worksheet.start or (0, 0)
    for first, last in worksheet.merged_cell_ranges or ():
        y, x = first[0] - top, first[1] - left
        if not (0 <= y < len(rows) and 0 <= x < len(rows[y])):
            continue
        value = rows[y][x]
        for row in rows[y : last[0] - top + 1]:
            row[x : last[1] - left + 1] = [value] * len(row[x : last[1] - left + 1])


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
    """A row of one value on top of wider ones is a title; a single row has no names of columns."""
    while _values(rows[0]) == 1 and any(_values(row) > 1 for row in rows[1:]):
        outline.paragraph(next(filter(None, rows[0])))
        rows = rows[1:]
    outline.table(rows if len(rows) > 1 else [[], *rows])


def _values(row: list[str]) -> int:
    return len(set(filter(None, row)))


def _text(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.15g}"
        case datetime():
            is_day = (value.hour, value.minute, value.second) == (0, 0, 0)
            return value.date().isoformat() if is_day else value.isoformat(" ", "seconds")
        case date() | time() | timedelta():
            return str(value)
    return " ".join(str(value).split())
