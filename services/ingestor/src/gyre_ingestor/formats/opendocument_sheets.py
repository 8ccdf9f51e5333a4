"""Spreadsheets of OpenDocument, which hold every cell's text as it is displayed."""

from typing import Any, BinaryIO
from zipfile import ZipFile

from lxml import etree

from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.packages import member_text, open_package
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.formats.sheet_tables import MOST_CELLS, read_rows
from gyre_ingestor.refused import unreadable

_TABLE = "{urn:oasis:names:tc:opendocument:xmlns:table:1.0}"
_TEXT = "{urn:oasis:names:tc:opendocument:xmlns:text:1.0}"
_STYLE = "{urn:oasis:names:tc:opendocument:xmlns:style:1.0}"
_BODY = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}body"
_SPACES = (f"{_TEXT}s", f"{_TEXT}tab", f"{_TEXT}line-break")
_CELLS = (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell")
_HIDDEN = ("collapse", "filter")
_CONTENT = "content.xml"


def parse_opendocument_sheets(data: bytes, _: str | None) -> ParsedDocument:
    """What is displayed, each sheet a section: no hidden sheets, rows and columns, and no
    comments. A merged cell stands in every place that it spans.
    """
    outline = Outline()
    with open_package(data) as package:
        hidden_styles = _hidden_styles(package)
        with package.open(_CONTENT) as content:
            _Sheets(outline, hidden_styles).read(content)
    return outline.finish()


def _hidden_styles(package: ZipFile) -> frozenset[str]:
    """Of sheets."""
    if _CONTENT not in package.namelist():
        member_text(package, _CONTENT)
    hidden = set()
    with package.open(_CONTENT) as content:
        for _, element in etree.iterparse(
            content, events=("start", "end"), tag=(f"{_STYLE}style", _BODY)
        ):
            if element.tag == _BODY:
                break
            properties = element.find(f"{_STYLE}table-properties")
            if properties is not None and properties.get(f"{_TABLE}display") == "false":
                hidden.add(element.get(f"{_STYLE}name", ""))
    return frozenset(hidden)


class _Sheets:
    """Row by row, so that a large sheet is never a large tree."""

    def __init__(self, outline: Outline, hidden_styles: frozenset[str]) -> None:
        self._outline = outline
        self._hidden_styles = hidden_styles
        self._cells = 0
        self._new_sheet()

    def _new_sheet(self) -> None:
        self._rows: list[list[str]] = []
        self._hidden_columns: set[int] = set()
        self._columns = 0
        self._hanging: dict[int, tuple[int, str]] = {}

    def read(self, content: BinaryIO | Any) -> None:
        names = ("table", "table-column", "table-row")
        for event, element in etree.iterparse(
            content, events=("start", "end"), tag=[f"{_TABLE}{name}" for name in names]
        ):
            name = etree.QName(element).localname
            if event == "start" and name == "table":
                self._new_sheet()
            elif event == "end":
                match name:
                    case "table-column":
                        self._read_column(element)
                    case "table-row":
                        self._read_row(element)
                        element.clear(keep_tail=False)
                    case "table":
                        self._finish(element)

    def _read_column(self, column: Any) -> None:
        last = self._columns + _repeated(column, "columns")
        if column.get(f"{_TABLE}visibility") in _HIDDEN:
            self._hidden_columns |= set(range(self._columns, min(last, MOST_CELLS)))
        self._columns = last

    def _read_row(self, row: Any) -> None:
        texts: list[str] = []
        for cell in row.iterchildren(_CELLS):
            repeated = _repeated(cell, "columns")
            text = _displayed(cell)
            if not text and repeated > 1 and cell.getnext() is None:
                break  # up to the sheet's right end
            self._count(repeated)
            for _ in range(repeated):
                texts.append(text or self._from_above(len(texts)))
            self._span(cell, text, len(texts) - 1)
        count = _repeated(row, "rows")
        if row.get(f"{_TABLE}visibility") in _HIDDEN:
            return
        shown = [text for x, text in enumerate(texts) if x not in self._hidden_columns]
        if not any(shown):
            count = 1
        self._count((count - 1) * len(shown))
        self._rows += [shown] * count

    def _from_above(self, column: int) -> str:
        rows, text = self._hanging.pop(column, (0, ""))
        if rows > 1:
            self._hanging[column] = (rows - 1, text)
        return text

    def _span(self, cell: Any, text: str, column: int) -> None:
        """Covered cells follow, and take the text from what hangs down into them."""
        down = _number(cell, "number-rows-spanned")
        wide = min(_number(cell, "number-columns-spanned"), MOST_CELLS)
        if text and (down > 1 or wide > 1):
            self._count(wide)
            for x in range(column, column + wide):
                own = down - 1 if x == column else down
                if own:
                    self._hanging[x] = (own, text)

    def _count(self, cells: int) -> None:
        self._cells += cells
        if self._cells > MOST_CELLS:
            raise unreadable(f"has more than {MOST_CELLS:,} cells")

    def _finish(self, sheet: Any) -> None:
        if sheet.get(f"{_TABLE}style-name") not in self._hidden_styles and any(
            map(any, self._rows)
        ):
            name = sheet.get(f"{_TABLE}name", "")
            self._outline.at("sheet", name)
            self._outline.heading(2, name)
            read_rows(self._rows, self._outline)
        self._new_sheet()


def _repeated(element: Any, of: str) -> int:
    return _number(element, f"number-{of}-repeated")


def _number(element: Any, name: str) -> int:
    return max(1, int(element.get(f"{_TABLE}{name}") or 1))


def _displayed(cell: Any) -> str:
    """Tabs, breaks and runs of spaces are elements of their own."""
    words = []
    for paragraph in cell.iterchildren(f"{_TEXT}p", f"{_TEXT}h"):
        for element in list(paragraph.iter(*_SPACES)):
            element.text = " "
        words.append("".join(paragraph.itertext()))
    return " ".join(" ".join(words).split())
