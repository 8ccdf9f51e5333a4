"""XML of any kind: what its elements say, under their names."""

from lxml import etree

from gyre_ingestor.formats.html import read_fragment
from gyre_ingestor.formats.outline import Outline, ParsedDocument
from gyre_ingestor.refused import unreadable

_TITLES = ("title", "name", "heading", "head", "label")
_MARKUP = ("<p", "<br", "<a ", "<div", "<ul", "<b>", "<i>", "<em", "<strong", "<img", "<h")


def parse_xml(data: bytes, charset: str | None) -> ParsedDocument:
    """Elements that hold text alone are `name: text`, a line each; the title of one that holds
    others is a heading. HTML within, as feeds have it, is read as such. No entity is looked up.
    """
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, remove_comments=True, encoding=charset
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, LookupError) as error:
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
        text = " ".join((element.text or "").split())
        if not children:
            name = etree.QName(element).localname
            if not text:
                continue
            if any(sign in text for sign in _MARKUP):
                flush()
                read_fragment(text, outline)
            else:
                lines.append(f"{name}: {text}")
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
