"""XML of any kind: what its elements say, under their names."""

import re

from lxml import etree

from gyre_ingestor.formats.html import read_fragment
from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.refused import unreadable
from gyre_ingestor.text_decoding import decode

_DECLARATION = re.compile(r"\A\s*+<\?xml\b[^>]*+>")
_DECLARED = re.compile(
    rb"\s*+<\?xml\b[^>]{0,200}?encoding\s*=\s*[\"'](?P<charset>[A-Za-z0-9._:-]{1,40})"
)
_DECLARATION_BYTES = 1024
_TITLES = ("title", "name", "heading", "head", "label")
_MARKUP = ("<p", "<br", "<a ", "<div", "<ul", "<b>", "<i>", "<em", "<strong", "<img", "<h")


def parse_xml(data: bytes, charset: str | None) -> ParsedDocument:
    """Elements that hold text alone are `name: text`, a line each, attributes likewise; the title
    of one that holds others is a heading. HTML within, as feeds have it, is read as such. No entity
    is looked up.
    """
    declared = _DECLARED.match(data[:_DECLARATION_BYTES])
    text = decode(data, charset or (declared["charset"].decode() if declared else None))
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(_DECLARATION.sub("", text, count=1), parser)
    except etree.XMLSyntaxError as error:
        raise unreadable(f"is no XML ({str(error)[:100]})") from error
    outline = Outline()
    _read(root, outline)
    return outline.finish()


def _read(root: etree._Element, outline: Outline) -> None:
    """Without recursion over the document's depth, which the parser bounds at 256."""
    lines: list[str] = []

    def flush() -> None:
        outline.paragraph("\n".join(lines))
        lines.clear()

    pending = [(root, 1)]
    while pending:
        element, level = pending.pop()
        children = [each for each in element if isinstance(each.tag, str)]
        for key, value in element.items():
            if value:
                lines.append(f"{etree.QName(key).localname}: {value!s}")
        if not children:
            name, text = etree.QName(element).localname, "".join(map(str, element.itertext()))
            if any(sign in text for sign in _MARKUP):
                flush()
                read_fragment(text, outline)
            elif text.strip():
                lines.append(f"{name}: {' '.join(text.split())}")
            continue
        flush()
        if _is_prose(element):
            outline.paragraph(" ".join("".join(map(str, element.itertext())).split()))
            continue
        title = next((each for each in children if _names(each)), None)
        if title is not None:
            outline.heading(min(level, 6), " ".join("".join(map(str, title.itertext())).split()))
        pending += [(each, level + 1) for each in reversed(children) if each is not title]
    flush()


def _names(element: etree._Element) -> bool:
    is_name = etree.QName(element).localname.lower() in _TITLES
    return is_name and bool("".join(map(str, element.itertext())).strip())


def _is_prose(element: etree._Element) -> bool:
    """Whether text stands between its elements."""
    return any((each.tail or "").strip() for each in element) or bool(
        (element.text or "").strip() and len(element)
    )
