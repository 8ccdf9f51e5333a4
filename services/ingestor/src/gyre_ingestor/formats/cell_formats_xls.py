"""How the cells of an old Excel file are shown: calamine tells what they hold alone."""

import io
import logging
from collections.abc import Mapping
from typing import Any

import xlrd

from gyre_ingestor.formats.cell_formats import SheetFormats, code_of
from gyre_ingestor.formats.sheet_tables import MOST_CELLS

log = logging.getLogger(__name__)


def formats_of_old_sheets(data: bytes) -> Mapping[str, SheetFormats]:
    """By the sheets' names; of a file that cannot be read so far, nothing."""
    sheets: dict[str, SheetFormats] = {}
    try:
        with _opened(data) as book:
            codes = [
                code_of(each.format_key, book.format_map[each.format_key].format_str)
                for each in book.xf_list
            ]
            for number, name in enumerate(book.sheet_names()):
                sheets[name] = _formats(book.sheet_by_index(number), codes)
                book.unload_sheet(number)
    except Exception as error:  # noqa: BLE001 - calamine still reads much of what xlrd breaks on
        log.info("a sheet is read without its formats", extra={"cause": repr(error)})
    return sheets


def _opened(data: bytes) -> Any:
    return xlrd.open_workbook(
        file_contents=data,
        formatting_info=True,
        on_demand=True,
        logfile=io.StringIO(),
        ragged_rows=True,
        ignore_workbook_corruption=True,
    )


def _formats(sheet: Any, codes: list[str]) -> SheetFormats:
    formats = SheetFormats()
    formats.hidden_rows |= {row for row, each in sheet.rowinfo_map.items() if _is_hidden(each)}
    columns = sheet.colinfo_map.items()
    formats.hidden_columns |= {column for column, each in columns if _is_hidden(each)}
    if sheet.nrows * sheet.ncols > MOST_CELLS:
        return formats
    for row in range(sheet.nrows):
        for column in range(sheet.row_len(row)):
            if code := codes[sheet.cell_xf_index(row, column)]:
                formats.codes[row, column] = code
    return formats


def _is_hidden(info: Any) -> bool:
    """What a reader opens at a click, a collapsed group, is not."""
    return bool(info.hidden) and not info.outline_level
