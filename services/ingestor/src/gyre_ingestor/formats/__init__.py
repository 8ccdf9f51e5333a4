"""Every format that documents may come in, and how its text becomes one parsed document."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from gyre_ingestor.formats.html import parse_html
from gyre_ingestor.formats.markdown import parse_markdown
from gyre_ingestor.formats.outline import Outline, ParsedDocument

_BLANK_LINE = re.compile(r"\n[ \t]*\n")


@dataclass(frozen=True)
class Format:
    """How clean text is parsed; `endings` of file names and `aliases` of the media type tell it."""

    parse: Callable[[str], ParsedDocument]
    endings: tuple[str, ...]
    aliases: tuple[str, ...] = ()


def _parse_plain(text: str) -> ParsedDocument:
    """Paragraphs stand between blank lines; there are no headings and no title."""
    outline = Outline()
    for paragraph in _BLANK_LINE.split(text):
        outline.paragraph(paragraph)
    return outline.finish()


FORMATS = {
    "text/plain": Format(_parse_plain, (".txt", ".text")),
    "text/markdown": Format(parse_markdown, (".md", ".markdown"), ("text/x-markdown", "text/md")),
    "text/html": Format(parse_html, (".html", ".htm", ".xhtml"), ("application/xhtml+xml",)),
}
"""By media type."""
