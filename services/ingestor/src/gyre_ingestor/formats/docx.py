"""Word documents: mammoth makes HTML of them, which is read as any page is."""

import io
import zipfile

import mammoth
from lxml import etree

from gyre_ingestor.formats.html import read_fragment
from gyre_ingestor.formats.outline import Outline, ParsedDocument
from gyre_ingestor.formats.packages import member_text, open_package

_MAIN = "word/document.xml"
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
_OFF = ("0", "false", "off")
_STYLES = """
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
        style_map=_STYLES,
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
        root = etree.fromstring(member_text(package, _MAIN))
        for run in list(root.iter(f"{_W}r")):
            hidden = run.find(f"{_W}rPr/{_W}vanish")
            if hidden is not None and hidden.get(f"{_W}val") not in _OFF:
                run.clear()
        for formula in list(root.iter(f"{_M}oMath")):
            _write_formula(formula)
        copy.writestr(_MAIN, etree.tostring(root))
        for name in package.namelist():
            if name != _MAIN and not name.startswith("word/media/"):
                copy.writestr(name, package.read(name))
    return rewritten.getvalue()


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
