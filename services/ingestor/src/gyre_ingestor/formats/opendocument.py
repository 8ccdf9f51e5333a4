"""OpenDocument texts and presentations."""

import io
from typing import Any

from odfdo import Document

from gyre_ingestor.formats.markdown import parse_markdown
from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.packages import check_package
from gyre_ingestor.formats.parsed_document import ParsedDocument

_TITLES = ("title", "subtitle")


def parse_opendocument_text(data: bytes, _: str | None) -> ParsedDocument:
    """By way of the Markdown that `odfdo` writes."""
    return parse_markdown(_opened(data).to_markdown())


def parse_opendocument_slides(data: bytes, _: str | None) -> ParsedDocument:
    """In the order of the slides; titles are headings."""
    outline = Outline()
    for number, page in enumerate(
        _opened(data).body.get_elements("descendant::draw:page"), start=1
    ):
        outline.at("slide", number)
        for frame in page.get_elements("descendant::draw:frame"):
            is_title = frame.get_attribute("presentation:class") in _TITLES
            for paragraph in frame.get_elements("descendant::text:p|descendant::text:h"):
                text = str(paragraph.inner_text).strip()
                if is_title:
                    outline.heading(2, text)
                else:
                    outline.paragraph(text)
    return outline.finish()


def _opened(data: bytes) -> Any:
    check_package(data)
    return Document(io.BytesIO(data))
