"""OpenDocument texts and presentations: their XML is made a page, which is read as any page is."""

from html import escape
from typing import Any
from zipfile import ZipFile

from lxml import etree

from gyre_ingestor.formats.html import read_fragment
from gyre_ingestor.formats.opendocument_styles import NAMES, Styles
from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.packages import member_text, open_package
from gyre_ingestor.formats.parsed_document import ParsedDocument

_TEXT, _TABLE, _DRAW = NAMES["text"], NAMES["table"], NAMES["draw"]
_OFFICE, _PRESENTATION, _SVG = NAMES["office"], NAMES["presentation"], NAMES["svg"]
_CONTENT, _STYLES = "content.xml", "styles.xml"
_NOT_TEXT = frozenset(
    [
        *(f"{_TEXT}tracked-changes", f"{_TEXT}table-of-content", f"{_TEXT}alphabetical-index"),
        *(f"{_OFFICE}annotation", f"{_PRESENTATION}notes", f"{_DRAW}object", f"{_OFFICE}forms"),
        *(f"{_SVG}title", f"{_SVG}desc", f"{_OFFICE}event-listeners"),
    ]
)
_PASSED = {
    f"{_TEXT}list-item": "li",
    f"{_TEXT}list-header": "li",
    f"{_TEXT}p": "p",
    f"{_TABLE}table": "table",
}
_CELLS = (f"{_TABLE}table-cell", f"{_TABLE}covered-table-cell")
_HIDDEN = ("collapse", "filter")
_FURNITURE = ("page-number", "date-time", "footer", "header")
_TITLES = ("title", "subtitle")
_DEEPEST_HEADING = 6
_MOST_SPACES = 100
_MOST_REPEATED = 1_000


def parse_opendocument_text(data: bytes, _: str | None) -> ParsedDocument:
    """Headings, lists, tables, footnotes; nothing deleted or hidden, and no comments."""
    outline = Outline()
    with open_package(data) as package:
        body, styles = _opened(package)
    page = _Page(styles)
    read_fragment(page.inside(body), outline, names_in_first_row=True)
    read_fragment("".join(page.notes), outline)
    return outline.finish()


def parse_opendocument_slides(data: bytes, _: str | None) -> ParsedDocument:
    """In their order, with notes; titles are headings, hidden slides are not read."""
    outline = Outline()
    with open_package(data) as package:
        body, styles = _opened(package)
    for number, slide in enumerate(body.iter(f"{_DRAW}page"), start=1):
        if styles.hides_slide(slide.get(f"{_DRAW}style-name", "")):
            continue
        outline.at("slide", number)
        page = _Page(styles)
        notes = "".join(map(page.inside, slide.iterchildren(f"{_PRESENTATION}notes")))
        read_fragment(page.inside(slide) + notes, outline, names_in_first_row=True)
    return outline.finish()


def _opened(package: ZipFile) -> tuple[Any, Styles]:
    content = etree.fromstring(member_text(package, _CONTENT))
    roots = [content]
    if _STYLES in package.namelist():
        roots.insert(0, etree.fromstring(package.read(_STYLES)))
    body = content.find(f"{_OFFICE}body")
    return content if body is None else body, Styles(roots)


class _Page:
    """Makes HTML. `notes` are the footnotes met so far."""

    def __init__(self, styles: Styles) -> None:
        self._styles = styles
        self._lists: list[str] = []
        self.notes: list[str] = []

    def inside(self, element: Any) -> str:
        """What stands in an element, without itself."""
        parts = [escape(element.text or "")]
        for child in element:
            if isinstance(child.tag, str) and child.tag not in _NOT_TEXT:
                parts.append(self._of(child))
            parts.append(escape(child.tail or ""))
        return "".join(parts)

    def _of(self, element: Any) -> str:
        tag, style = element.tag, element.get(f"{_TEXT}style-name", "")
        if _is_hidden(element) or self._styles.hides(style):
            return ""
        if tag in _PASSED:
            return f"<{_PASSED[tag]}>{self.inside(element)}</{_PASSED[tag]}>"
        if tag == f"{_TEXT}h":
            level = min(_number(element, f"{_TEXT}outline-level"), _DEEPEST_HEADING)
            return f"<h{level}>{self.inside(element)}</h{level}>"
        if tag == f"{_TEXT}span":
            mark = self._styles.mark(style)
            inside = self.inside(element)
            return f"<{mark}>{inside}</{mark}>" if mark else inside
        if tag == f"{_TEXT}s":
            return " " * min(_number(element, f"{_TEXT}c"), _MOST_SPACES)
        if tag == f"{_TEXT}tab":
            return " "
        if tag == f"{_TEXT}line-break":
            return "<br>"
        if tag == f"{_TEXT}note":
            return self._note(element)
        if tag == f"{_TEXT}list":
            return self._list(element, style)
        if tag == f"{_TABLE}table-row":
            return self._row(element)
        if tag == f"{_DRAW}frame":
            return self._frame(element)
        return self.inside(element)

    def _note(self, note: Any) -> str:
        mark = escape(note.findtext(f"{_TEXT}note-citation") or "*")
        body = note.find(f"{_TEXT}note-body")
        if body is not None:
            self.notes.append(f"<p>[{mark}] {' '.join(map(self.inside, body))}</p>")
        return f'<sup><a href="#note">{mark}</a></sup>'

    def _list(self, element: Any, style: str) -> str:
        """One within another may take its style from that."""
        self._lists.append(style or (self._lists[-1] if self._lists else ""))
        inside = self.inside(element)
        level = len(self._lists)
        name = "ol" if self._styles.numbers(self._lists.pop(), level) else "ul"
        return f"<{name}>{inside}</{name}>"

    def _row(self, row: Any) -> str:
        parent = row.getparent()
        is_head = parent is not None and parent.tag == f"{_TABLE}table-header-rows"
        name = "th" if is_head else "td"
        cells = []
        for cell in row.iterchildren(*_CELLS):
            if cell.tag == _CELLS[0]:
                wide = _number(cell, f"{_TABLE}number-columns-spanned")
                high = _number(cell, f"{_TABLE}number-rows-spanned")
                spans = f' colspan="{wide}" rowspan="{high}"'
                repeated = min(_number(cell, f"{_TABLE}number-columns-repeated"), _MOST_REPEATED)
                cells.append(f"<{name}{spans}>{self.inside(cell)}</{name}>" * repeated)
        return f"<tr>{''.join(cells)}</tr>"

    def _frame(self, frame: Any) -> str:
        kind = frame.get(f"{_PRESENTATION}class")
        if kind in _FURNITURE:
            return ""
        inside = self.inside(frame)
        if kind in _TITLES:
            words = " ".join("".join(frame.itertext()).split())
            return f"<h2>{escape(words)}</h2>"
        if frame.find(f"{_DRAW}image") is not None:
            described = frame.findtext(f"{_SVG}desc") or frame.findtext(f"{_SVG}title") or ""
            inside += f'<img alt="{escape(described)}">'
        return inside


def _is_hidden(element: Any) -> bool:
    return (
        element.get(f"{_TEXT}display") == "none"
        or element.get(f"{_TEXT}is-hidden") == "true"
        or element.get(f"{_TABLE}visibility") in _HIDDEN
    )


def _number(element: Any, name: str) -> int:
    value = element.get(name) or ""
    return max(1, int(value)) if value.isdigit() else 1
