"""Text without markup."""

import re

from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.parsed_document import ParsedDocument

_BLANK_LINE = re.compile(r"\n[ \t]*\n")


def parse_plain(text: str) -> ParsedDocument:
    """Paragraphs stand between blank lines; there are no headings and no title."""
    outline = Outline()
    read_plain(text, outline)
    return outline.finish()


def read_plain(text: str, outline: Outline) -> None:
    """Add the paragraphs of a text to an outline."""
    for paragraph in _BLANK_LINE.split(text):
        outline.paragraph(paragraph)
