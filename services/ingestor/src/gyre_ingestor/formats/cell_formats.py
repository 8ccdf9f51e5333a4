"""How the cells of an Excel sheet are shown: their number formats, and what of them is hidden."""

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from zipfile import ZipFile

from lxml import etree

from gyre_ingestor.formats.packages import member_text

_MAIN = "{*}"
_RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_STRICT_RELATION = "{http://purl.oclc.org/ooxml/officeDocument/relationships}id"
_ON = ("1", "true")
WIDEST = 16_384
_BUILT_IN = {
    1: "0",
    2: "0.00",
    3: "#,##0",
    4: "#,##0.00",
    9: "0%",
    10: "0.00%",
    11: "0.00E+00",
    12: "# ?/?",
    13: "# ??/??",
    15: "d-mmm-yy",
    16: "d-mmm",
    17: "mmm-yy",
    18: "h:mm AM/PM",
    19: "h:mm:ss AM/PM",
    20: "h:mm",
    21: "h:mm:ss",
    37: "#,##0 ;(#,##0)",
    38: "#,##0 ;(#,##0)",
    39: "#,##0.00;(#,##0.00)",
    40: "#,##0.00;(#,##0.00)",
    45: "mm:ss",
    46: "[h]:mm:ss",
    47: "mm:ss.0",
    48: "##0.0E+0",
}
"""ECMA-376, part 1, section 18.8.30."""

_BY_MACHINE = (0, 14, 22)
"""General, and dates in the order of the reader's machine."""


@dataclass
class SheetFormats:
    """Rows and columns count from 0. `codes` holds what is not General."""

    codes: dict[tuple[int, int], str] = field(default_factory=dict)
    hidden_rows: set[int] = field(default_factory=set)
    hidden_columns: set[int] = field(default_factory=set)


def formats_of_sheets(package: ZipFile) -> Mapping[str, SheetFormats]:
    """By the sheets' names. What a reader opens at a click, a collapsed group, is not hidden."""
    names = set(package.namelist())
    workbook = etree.fromstring(member_text(package, "xl/workbook.xml"))
    relations = etree.fromstring(member_text(package, "xl/_rels/workbook.xml.rels"))
    parts = {
        each.get("Id"): posixpath.normpath(posixpath.join("/xl", each.get("Target", "")))[1:]
        for each in relations
    }
    codes = _codes(package) if "xl/styles.xml" in names else []
    sheets = {}
    for sheet in workbook.iterfind(f".//{_MAIN}sheet"):
        part = parts.get(sheet.get(_RELATION) or sheet.get(_STRICT_RELATION))
        if part in names:
            sheets[sheet.get("name", "")] = _formats(package, part, codes)
    return sheets


def _codes(package: ZipFile) -> list[str]:
    """Of each style of a cell; empty for General."""
    styles = etree.fromstring(member_text(package, "xl/styles.xml"))
    own = {
        each.get("numFmtId"): each.get("formatCode", "")
        for each in styles.iterfind(f"{_MAIN}numFmts/{_MAIN}numFmt")
    }
    numbers = (each.get("numFmtId", "0") for each in styles.iterfind(f"{_MAIN}cellXfs/{_MAIN}xf"))
    return [code_of(int(each), own.get(each, "")) for each in numbers]


def code_of(number: int, own: str) -> str:
    """The code of the format of that number, `own` where the workbook says what it is; empty for
    General and where the reader's machine decides.
    """
    code = "" if number in _BY_MACHINE else own or _BUILT_IN.get(number, "")
    return "" if code == "General" else code


def _formats(package: ZipFile, part: str, codes: list[str]) -> SheetFormats:
    formats = SheetFormats()
    row = column = -1
    with package.open(part) as file:
        for event, element in etree.iterparse(
            file, events=("start", "end"), tag=(f"{_MAIN}row", f"{_MAIN}c", f"{_MAIN}col")
        ):
            name = etree.QName(element).localname
            if event == "end":
                element.clear(keep_tail=False)
            elif name == "col":
                if _is_hidden(element):
                    last = min(int(element.get("max", "0")), WIDEST)
                    formats.hidden_columns |= set(range(int(element.get("min", "1")) - 1, last))
            elif name == "row":
                row, column = int(element.get("r") or row + 2) - 1, -1
                if _is_hidden(element):
                    formats.hidden_rows.add(row)
            else:
                column = _column(element.get("r")) if element.get("r") else column + 1
                style = int(element.get("s") or 0)
                if style < len(codes) and codes[style]:
                    formats.codes[row, column] = codes[style]
    return formats


def _is_hidden(element: Any) -> bool:
    return element.get("hidden") in _ON and element.get("outlineLevel", "0") == "0"


def _column(reference: str) -> int:
    number = 0
    for letter in reference:
        if not letter.isalpha():
            break
        number = number * 26 + ord(letter.upper()) - ord("A") + 1
    return number - 1
