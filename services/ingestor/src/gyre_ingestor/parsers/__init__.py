"""Text of a known media type → titled text with its structure."""

from gyre_ingestor.parsers.html import parse_html
from gyre_ingestor.parsers.markdown import parse_markdown
from gyre_ingestor.parsers.outline import ParsedDocument
from gyre_ingestor.parsers.plain import parse_plain

PARSERS = {
    "text/plain": parse_plain,
    "text/markdown": parse_markdown,
    "text/html": parse_html,
}


def parse(text: str, media_type: str) -> ParsedDocument:
    """Parse clean text; `media_type` is one of `PARSERS`."""
    return PARSERS[media_type](text)
