"""A sheet is read as somebody sees it."""

import io
import struct
from collections.abc import Callable, Sequence
from zipfile import ZipFile

import pytest
import xlrd
import xlsxwriter
import xlwt
from gyre_common.events.documents import RejectionCode
from gyre_ingestor.formats import cell_formats_xls
from gyre_ingestor.formats.cell_formats_xls import formats_of_old_sheets
from gyre_ingestor.formats.cell_formats_xlsb import formats_of_binary_sheets
from gyre_ingestor.formats.opendocument_sheets import parse_opendocument_sheets
from gyre_ingestor.formats.spreadsheet import parse_spreadsheet
from gyre_ingestor.refused import DocumentRefused
from xlrd.compdoc import CompDocError
from xlsxwriter.worksheet import Worksheet

from tests.files import a_zip, an_ods

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


def test_an_old_sheet_is_read_as_it_is_displayed() -> None:
    book = xlwt.Workbook()
    sheet, hidden = book.add_sheet("Prices"), book.add_sheet("Notes")
    hidden.visibility = 1
    hidden.write(0, 0, "secret")
    rows: list[list[object]] = [
        ["Plan", "Share", "Cost", "Price"],
        ["a", 0.5, 1, 1234.5],
        ["b", 1, 2, 3],
        ["c", 1, 2, 4],
    ]
    codes = ["General", "0%", "General", '#,##0.00 "€"']
    for y, row in enumerate(rows):
        for x, (value, code) in enumerate(zip(row, codes, strict=True)):
            sheet.write(y, x, value, xlwt.easyxf(num_format_str=code))
    sheet.row(2).hidden = True
    sheet.row(3).hidden, sheet.row(3).level = True, 1
    sheet.col(2).hidden = True
    file = io.BytesIO()
    book.save(file)
    assert parse_spreadsheet(file.getvalue(), None).text == (
        "## Prices\n\n"
        "- Plan: a; Share: 50%; Price: 1,234.50 €\n- Plan: c; Share: 100%; Price: 4.00 €"
    )
    assert formats_of_old_sheets(file.getvalue()[:2_000]) == {}


def test_an_old_sheet_is_read_without_formats_where_these_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    book, file = xlwt.Workbook(), io.BytesIO()
    percent = xlwt.easyxf(num_format_str="0%")
    book.add_sheet("Prices").write(0, 0, 0.5, percent)
    book.save(file)
    assert parse_spreadsheet(file.getvalue(), None).text == "## Prices\n\n50%"

    monkeypatch.setattr(cell_formats_xls, "MOST_CELLS", 0)
    assert parse_spreadsheet(file.getvalue(), None).text == "## Prices\n\n0.5"

    def breaks(**options: object) -> None:
        raise CompDocError("MSAT extension: accessing sector 9 but only 4 in file")

    monkeypatch.setattr(xlrd, "open_workbook", breaks)
    assert parse_spreadsheet(file.getvalue(), None).text == "## Prices\n\n0.5"


def a_record(kind: int, content: bytes = b"") -> bytes:
    """Of a binary workbook: [MS-XLSB], section 2.1.4."""
    head = bytes([kind]) if kind < 0x80 else bytes([kind & 0x7F | 0x80, kind >> 7])
    size = len(content)
    return (
        head + (bytes([size & 0x7F | 0x80, size >> 7]) if size > 0x7F else bytes([size])) + content
    )


def a_text(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode("utf-16-le")


def an_xlsb(rows: Sequence[tuple[int, int, Sequence[tuple[int, float | str]]]]) -> bytes:
    """Each row has its number, its flags, and its cells: a style, and a number or a text. The third
    column is hidden. Style 1 is `0%`, style 2 has a code of its own.
    """
    sheet = [
        a_record(129),
        a_record(148, struct.pack("<4I", 0, 9, 0, 9)),
        a_record(390),
        a_record(60, struct.pack("<4IH", 2, 2, 2560, 0, 1)),
        a_record(391),
        a_record(145),
    ]
    for number, flags, cells in rows:
        sheet.append(
            a_record(0, struct.pack("<2IH", number, 0, 300) + bytes([0, flags, 0, 0, 0, 0]))
        )
        for column, (style, value) in enumerate(cells):
            place = struct.pack("<2I", column, style)
            is_text = isinstance(value, str)
            content = a_text(value) if isinstance(value, str) else struct.pack("<d", value)
            sheet.append(a_record(6 if is_text else 5, place + content))
    styles = [
        a_record(615, struct.pack("<I", 1)),
        a_record(44, struct.pack("<H", 164) + a_text('#,##0.00 "€"')),
        a_record(616),
        a_record(617, struct.pack("<I", 3)),
        *(a_record(47, struct.pack("<2H", 0, code) + bytes(12)) for code in (0, 9, 164)),
        a_record(618),
    ]
    book = a_record(156, struct.pack("<2I", 0, 1) + a_text("rId1") + a_text("Prices"))
    relations = "http://schemas.openxmlformats.org/package/2006/relationships"
    kind = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet"
    related = f'<Relationship Id="rId1" Type="{kind}" Target="worksheets/sheet1.bin"/>'
    return a_zip(
        {
            "xl/workbook.bin": a_record(131) + a_record(143) + book + a_record(144) + a_record(132),
            "xl/_rels/workbook.bin.rels": (
                f'<Relationships xmlns="{relations}">{related}</Relationships>'.encode()
            ),
            "xl/styles.bin": b"".join(styles),
            "xl/worksheets/sheet1.bin": b"".join([*sheet, a_record(146), a_record(130)]),
        }
    )


def test_a_binary_sheet_is_read_as_it_is_displayed() -> None:
    data = an_xlsb(
        [
            (0, 0, [(0, "Plan"), (0, "Share"), (0, "Cost"), (0, "Price")]),
            (1, 0, [(0, "a"), (1, 0.5), (0, 1.0), (2, 1234.5)]),
            (2, 0x10, [(0, "b"), (1, 1.0), (0, 2.0), (2, 3.0)]),
            (3, 0x11, [(0, "c"), (1, 1.0), (0, 2.0), (2, 4.0)]),
        ]
    )
    assert parse_spreadsheet(data, None).text == (
        "## Prices\n\n"
        "- Plan: a; Share: 50%; Price: 1,234.50 €\n- Plan: c; Share: 100%; Price: 4.00 €"
    )


@pytest.mark.parametrize("name", ["xl/styles.bin", "xl/worksheets/sheet1.bin", "xl/workbook.bin"])
def test_of_a_binary_part_that_is_cut_short_what_stands_before_is_read(name: str) -> None:
    with ZipFile(io.BytesIO(an_xlsb([(0, 0x10, [(1, 0.5)]), (1, 0, [(1, 0.5)])]))) as package:
        parts = {each: package.read(each) for each in package.namelist()}
        whole = formats_of_binary_sheets(package)["Prices"]
    assert (whole.hidden_rows, whole.codes) == ({0}, {(0, 0): "0%", (1, 0): "0%"})
    for end in range(len(parts[name])):
        cut = io.BytesIO(a_zip({**parts, name: parts[name][:end]}))
        with ZipFile(cut) as package:
            for formats in formats_of_binary_sheets(package).values():
                assert formats.codes.items() <= whole.codes.items()
