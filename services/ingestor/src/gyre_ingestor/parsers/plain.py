"""Plain text: paragraphs stand between blank lines."""

import re

from gyre_ingestor.parsers.outline import BlockKind, Outline, ParsedDocument

_BLANK_LINE = re.compile(r"\n[ \t]*\n")


def parse_plain(text: str) -> ParsedDocument:
    """Split plain text into paragraphs; it has no headings and no title."""
    outline = Outline()
    for paragraph in _BLANK_LINE.split(text):
        outline.block(BlockKind.PARAGRAPH, paragraph)
    return outline.finish()
