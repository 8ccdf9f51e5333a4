"""Books in EPUB: the chapters in their order, each an XHTML page."""

import posixpath
from urllib.parse import unquote
from zipfile import ZipFile

from lxml import etree

from gyre_ingestor.formats.html import charset_of_page, read_page
from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.packages import member_text, open_package
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.refused import unreadable
from gyre_ingestor.text_decoding import decode

_CONTAINER = "META-INF/container.xml"
_PAGES = ("application/xhtml+xml", "text/html")
_ANY = "{*}"


def parse_epub(data: bytes, _: str | None) -> ParsedDocument:
    """Along the spine (EPUB 3.3, section 5.7); what is not linear, as the cover, is left out."""
    outline = Outline()
    with open_package(data) as package:
        root, folder = _package_document(package)
        manifest = {
            item.get("id"): item
            for item in root.iterfind(f".//{_ANY}manifest/{_ANY}item")
            if item.get("media-type") in _PAGES and "nav" not in (item.get("properties") or "")
        }
        for reference in root.iterfind(f".//{_ANY}spine/{_ANY}itemref"):
            item = manifest.get(reference.get("idref"))
            if item is None or reference.get("linear") == "no":
                continue
            name = posixpath.normpath(posixpath.join(folder, unquote(item.get("href", ""))))
            page = member_text(package, name)
            read_page(decode(page, charset_of_page(page)), outline)
        title = root.findtext(f".//{_ANY}metadata/{_ANY}title") or ""
    return outline.finish(title)


def _package_document(package: ZipFile) -> tuple[etree._Element, str]:
    container = etree.fromstring(member_text(package, _CONTAINER))
    rootfile = container.find(f".//{_ANY}rootfile")
    if rootfile is None:
        raise unreadable("is a book that names no package document")
    name = rootfile.get("full-path", "")
    return etree.fromstring(member_text(package, name)), posixpath.dirname(name)
