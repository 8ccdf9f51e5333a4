"""A sheet is read as somebody sees it."""

import io
from collections.abc import Callable

import pytest
import xlsxwriter
from gyre_common.events.documents import RejectionCode
from gyre_ingestor.formats.opendocument_sheets import parse_opendocument_sheets
from gyre_ingestor.formats.spreadsheet import parse_spreadsheet
from gyre_ingestor.refused import DocumentRefused
from xlsxwriter.worksheet import Worksheet

from tests.files import an_ods

Format = Callable[[str], object]


def read(write: Callable[[Worksheet, Format], object]) -> str:
    """What is read of a sheet, below its name."""
    file = io.BytesIO()
    with xlsxwriter.Workbook(file) as workbook:
        sheet = workbook.add_worksheet("Prices")
        write(sheet, lambda code: workbook.add_format({"num_format": code}))
    return parse_spreadsheet(file.getvalue(), None).text.removeprefix("## Prices\n\n")


def test_numbers_are_read_as_they_are_displayed() -> None:
    def write(sheet: Worksheet, shown_as: Format) -> None:
        sheet.write_row(1, 1, ["Plan", "Share", "Price", "Total"])
        sheet.write_row(2, 1, ["Basic", 3])
        sheet.write(3, 1, "Pro")
        sheet.write(3, 2, 0.5, shown_as("0%"))
        sheet.write(3, 3, 1234.5, shown_as('#,##0.00 "€"'))
        sheet.write_formula(3, 4, "=1+1", shown_as("0.00"), 2)

    assert read(write) == (
        "- Plan: Basic; Share: 3\n- Plan: Pro; Share: 50%; Price: 1,234.50 €; Total: 2.00"
    )


def test_hidden_rows_and_columns_are_not_read_and_collapsed_groups_are() -> None:
    def write(sheet: Worksheet, _: Format) -> None:
        for number, row in enumerate([["Plan", "Cost", "Price"], ["a", 1, 2], ["b", 3, 4]]):
            sheet.write_row(number, 0, row)
        sheet.set_row(1, None, None, {"hidden": True})
        sheet.set_row(2, None, None, {"hidden": True, "level": 1})
        sheet.set_column("B:B", None, None, {"hidden": True})

    assert read(write) == "- Plan: b; Price: 4"


def test_amounts_are_no_names_of_columns() -> None:
    def write(sheet: Worksheet, _: Format) -> None:
        sheet.write_row(0, 0, ["Revenue", "$500,000"])
        sheet.write_row(1, 0, ["Profit", "$200,000"])
        sheet.write_row(3, 0, ["Region", 2025, 2026])
        sheet.write_row(4, 0, ["North", 5, 6])
        sheet.write_row(6, 0, ["Signed:"])

    assert read(write) == (
        "| Revenue | $500,000 |\n| Profit | $200,000 |\n\n- Region: North; 2025: 5; 2026: 6\n\n"
        "Signed:"
    )


def test_an_open_document_sheet_is_read_as_it_is_displayed() -> None:
    assert parse_opendocument_sheets(an_ods(), None).text == (
        "## Prices\n\n- Plan: Basic one; Share: 50 %\n- Plan: Basic one; Share: 60 %\n"
        "- Plan: All; Share: All\n- Plan: All; Share: All"
    )


@pytest.mark.parametrize("repeated", ["rows", "columns"])
def test_a_sheet_of_a_million_rows_is_refused_before_they_are_made(repeated: str) -> None:
    with pytest.raises(DocumentRefused, match="more than 2,000,000 cells") as refused:
        parse_opendocument_sheets(an_ods(f'table:number-{repeated}-repeated="9000000"'), None)
    assert refused.value.code is RejectionCode.CORRUPT
