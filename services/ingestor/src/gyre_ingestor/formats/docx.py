"""Word documents: mammoth makes HTML of them, which is read as any page is."""

import io
import zipfile
from fnmatch import fnmatch

import mammoth
from lxml import etree

from gyre_ingestor.formats.html import read_fragment
from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.packages import open_package
from gyre_ingestor.formats.parsed_document import ParsedDocument

_PARTS = ("word/document*.xml", "word/footnotes*.xml", "word/endnotes*.xml")
_STYLES_PART = "word/styles.xml"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_OFF = ("0", "false", "off")
_STYLE_MAP = """
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
comment-reference =>
"""


def parse_docx(data: bytes, _: str | None) -> ParsedDocument:
    """Headings by their styles, lists, tables, footnotes; what is deleted or hidden is not read.
    Word keeps no pages: they come about when it is printed.
    """
    result = mammoth.convert_to_html(
        io.BytesIO(_prepared(data)),
        style_map=_STYLE_MAP,
        convert_image=mammoth.images.img_element(lambda _: {"src": ""}),
    )
    outline = Outline()
    read_fragment(result.value, outline, names_in_first_row=True)
    return outline.finish()


def _prepared(data: bytes) -> bytes:
    """The package with its text alone: without the runs that are formatted as hidden, formulas in
    plain characters, which mammoth passes over.
    """
    rewritten = io.BytesIO()
    with open_package(data) as package, zipfile.ZipFile(rewritten, "w") as copy:
        hidden_styles = _hidden_styles(package)
        for name in package.namelist():
            if name.startswith("word/media/"):
                continue
            part = package.read(name)
            if any(fnmatch(name, pattern) for pattern in _PARTS):
                part = _readable(part, hidden_styles)
            copy.writestr(name, part)
    return rewritten.getvalue()


def _readable(part: bytes, hidden_styles: frozenset[str]) -> bytes:
    root = etree.fromstring(part)
    for run in list(root.iter(f"{_W}r")):
        style = run.find(f"{_W}rPr/{_W}rStyle")
        by_style = style is not None and style.get(f"{_W}val") in hidden_styles
        if by_style or _is_hidden(run):
            run.clear()
    for formula in list(root.iter(f"{_M}oMath")):
        _write_formula(formula)
    return etree.tostring(root)


def _hidden_styles(package: zipfile.ZipFile) -> frozenset[str]:
    if _STYLES_PART not in package.namelist():
        return frozenset()
    styles = etree.fromstring(package.read(_STYLES_PART)).iter(f"{_W}style")
    return frozenset(each.get(f"{_W}styleId", "") for each in styles if _is_hidden(each))


def _is_hidden(formatted: etree._Element) -> bool:
    mark = formatted.find(f"{_W}rPr/{_W}vanish")
    return mark is not None and mark.get(f"{_W}val") not in _OFF


def _write_formula(formula: etree._Element) -> None:
    run = etree.Element(f"{_W}r")
    etree.SubElement(run, f"{_W}t").text = _formula_text(formula)
    paragraph = formula.getparent()
    if paragraph is not None:
        run.tail, formula.tail = formula.tail, None
        paragraph.replace(formula, run)


def _formula_text(element: etree._Element) -> str:
    """`a/b`, `x^2`, `x_i`, `√(x)`: Office Math (ECMA-376, part 1, section 22.1) in a line."""
    texts = [(etree.QName(each).localname, _formula_text(each)) for each in element]
    parts = dict(texts)
    match etree.QName(element).localname:
        case "t":
            return element.text or ""
        case "f":
            return f"{_grouped(parts.get('num', ''))}/{_grouped(parts.get('den', ''))}"
        case "sSup":
            return f"{parts.get('e', '')}^{_grouped(parts.get('sup', ''))}"
        case "sSub":
            return f"{parts.get('e', '')}_{_grouped(parts.get('sub', ''))}"
        case "rad":
            return f"√({parts.get('e', '')})"
    return "".join(text for _, text in texts)


def _grouped(text: str) -> str:
    return text if len(text) == 1 or text.isalnum() else f"({text})"
