"""Word documents: mammoth makes HTML of them, which is read as any page is."""

import html
import io
import re
import zipfile
from collections.abc import Iterable
from fnmatch import fnmatch

import mammoth
from lxml import etree

from gyre_ingestor.formats.docx_numbers import Numbers
from gyre_ingestor.formats.docx_parts import (
    LABEL,
    Styles,
    add_outline_styles,
    edge_paragraphs,
    make_readable,
    parsed_part,
)
from gyre_ingestor.formats.html import read_fragment
from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.packages import note_on_embedded, open_package
from gyre_ingestor.formats.parsed_document import ParsedDocument

_BODY = "word/document*.xml"
_NOTES = ("word/footnotes*.xml", "word/endnotes*.xml")
_HEADS, _FEET = "word/header*.xml", "word/footer*.xml"
_STYLES = "word/styles.xml"
_STYLE_MAP = """
p[style-name='Title'] => h1:fresh
p[style-name='Subtitle'] => p:fresh
comment-reference =>
""" + "".join(f"p[style-name='outline-{level}'] => h{level}:fresh\n" for level in range(1, 7))
_BACK = re.compile(r' ?<a href="#[\w-]{1,80}">↑</a>')
_LABEL = re.compile(rf"(?P<item><li>)?{LABEL[0]}(?P<label>[^{LABEL[1]}]{{0,80}}+){LABEL[1]}")


def parse_docx(data: bytes, _: str | None) -> ParsedDocument:
    """Headings by their styles, lists and headings with their numbers, tables, footnotes, comments;
    heads and feet once, without page numbers. What is deleted or hidden is not read. Word keeps no
    pages: they come about when it is printed.
    """
    with open_package(data) as package:
        prepared = _prepared(package)
        heads, feet = _edges(package, _HEADS), _edges(package, _FEET)
        note = note_on_embedded(package)
    result = mammoth.convert_to_html(
        io.BytesIO(prepared),
        style_map=_STYLE_MAP,
        convert_image=mammoth.images.img_element(lambda _: {"src": ""}),
    )
    outline = Outline()
    outline.note(note)
    _read_edges(heads, outline)
    page = _LABEL.sub(_written_label, _BACK.sub("", result.value))
    read_fragment(page, outline, names_in_first_row=True)
    _read_edges(feet, outline)
    return outline.finish()


def _prepared(package: zipfile.ZipFile) -> bytes:
    """The package with its text alone, as `docx_parts` makes it readable."""
    rewritten = io.BytesIO()
    styles_part = parsed_part(package, _STYLES)
    styles = Styles(styles_part)
    numbers = Numbers(parsed_part(package, "word/numbering.xml"), styles_part)
    with zipfile.ZipFile(rewritten, "w") as copy:
        for name in package.namelist():
            if name.startswith("word/media/"):
                continue
            part = package.read(name)
            is_body = fnmatch(name, _BODY)
            if is_body or any(fnmatch(name, pattern) for pattern in _NOTES):
                root = etree.fromstring(part)
                make_readable(root, styles, numbers if is_body else None)
                part = etree.tostring(root)
            elif name == _STYLES and styles_part is not None:
                add_outline_styles(styles_part)
                part = etree.tostring(styles_part)
            copy.writestr(name, part)
    return rewritten.getvalue()


def _edges(package: zipfile.ZipFile, pattern: str) -> list[str]:
    names = sorted(name for name in package.namelist() if fnmatch(name, pattern))
    parts = (parsed_part(package, name) for name in names)
    texts = (text for part in parts if part is not None for text in edge_paragraphs(part))
    return list(dict.fromkeys(filter(None, texts)))


def _read_edges(texts: Iterable[str], outline: Outline) -> None:
    for text in texts:
        if any(map(str.isalpha, text)):
            outline.paragraph(text)


def _written_label(match: re.Match[str]) -> str:
    if match["item"]:
        return f'<li data-label="{html.escape(html.unescape(match["label"]))}">'
    return f"{match['label']} "
