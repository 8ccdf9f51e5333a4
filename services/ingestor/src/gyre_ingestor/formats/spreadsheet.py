"""Spreadsheets of Excel: each sheet is a section with its tables."""

import io
from collections.abc import Mapping
from datetime import date, time, timedelta
from typing import Any

from python_calamine import CalamineWorkbook, SheetTypeEnum, SheetVisibleEnum

from gyre_ingestor.formats.cell_formats import SheetFormats, formats_of_sheets
from gyre_ingestor.formats.cell_formats_xls import formats_of_old_sheets
from gyre_ingestor.formats.cell_formats_xlsb import WORKBOOK, formats_of_binary_sheets
from gyre_ingestor.formats.number_formats import displayed, plain
from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.packages import open_package
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.formats.sheet_tables import MOST_CELLS, read_rows
from gyre_ingestor.formats.signatures import ZIP
from gyre_ingestor.refused import unreadable

_WORKBOOK = "xl/workbook.xml"


def parse_spreadsheet(data: bytes, _: str | None) -> ParsedDocument:
    """Values as they were last computed and as they are displayed; hidden sheets, rows and columns
    are not read.
    """
    formats = _formats(data)
    workbook = CalamineWorkbook.from_filelike(io.BytesIO(data))
    outline = Outline()
    cells = 0
    for sheet in workbook.sheets_metadata:
        if (
            sheet.visible is not SheetVisibleEnum.Visible
            or sheet.typ is not SheetTypeEnum.WorkSheet
        ):
            continue
        worksheet = workbook.get_sheet_by_name(sheet.name)
        cells += worksheet.total_height * worksheet.total_width
        if cells > MOST_CELLS:
            raise unreadable(f"has more than {MOST_CELLS:,} cells")
        rows = _shown(worksheet, formats.get(sheet.name, SheetFormats()))
        outline.at("sheet", sheet.name)
        outline.heading(2, sheet.name)
        read_rows(rows, outline)
    return outline.finish()


def _formats(data: bytes) -> Mapping[str, SheetFormats]:
    if not data.startswith(ZIP):
        return formats_of_old_sheets(data)
    with open_package(data) as package:
        if WORKBOOK in package.namelist():
            return formats_of_binary_sheets(package)
        return formats_of_sheets(package) if _WORKBOOK in package.namelist() else {}


def _shown(worksheet: Any, formats: SheetFormats) -> list[list[str]]:
    """The texts of the cells that are not hidden."""
    top, left = worksheet.start or (0, 0)
    rows = [
        [_text(cell, formats.codes.get((y, x), "")) for x, cell in enumerate(row, start=left)]
        for y, row in enumerate(worksheet.to_python(skip_empty_area=True), start=top)
    ]
    _fill_merged(rows, worksheet)
    return [
        [cell for x, cell in enumerate(row, start=left) if x not in formats.hidden_columns]
        for y, row in enumerate(rows, start=top)
        if y not in formats.hidden_rows
    ]


def _fill_merged(rows: list[list[str]], worksheet: Any) -> None:
    """A merged cell stands in every place that it spans."""
    top, left = worksheet.start or (0, 0)
    for first, last in worksheet.merged_cell_ranges or ():
        y, x = first[0] - top, first[1] - left
        if not (0 <= y < len(rows) and 0 <= x < len(rows[y])):
            continue
        value = rows[y][x]
        for row in rows[y : last[0] - top + 1]:
            row[x : last[1] - left + 1] = [value] * len(row[x : last[1] - left + 1])


def _text(value: object, code: str) -> str:
    if code and type(value) is int:  # in `.xls` whole numbers are
        value = float(value)
    if code and isinstance(value, float | date | time | timedelta):
        return displayed(value, code)
    return plain(value)
