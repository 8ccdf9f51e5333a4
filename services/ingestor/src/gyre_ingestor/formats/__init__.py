"""Every format that documents may come in, and how its bytes become one parsed document."""

from gyre_ingestor.formats.format import Format, of_text
from gyre_ingestor.formats.html import charset_of_page, parse_html
from gyre_ingestor.formats.markdown import parse_markdown
from gyre_ingestor.formats.plain import parse_plain

FORMATS = {
    "text/plain": Format(of_text(parse_plain), (".txt", ".text")),
    "text/markdown": Format(
        of_text(parse_markdown), (".md", ".markdown"), ("text/x-markdown", "text/md")
    ),
    "text/html": Format(
        of_text(parse_html, charset_of_page),
        (".html", ".htm", ".xhtml"),
        ("application/xhtml+xml",),
    ),
}
"""By media type."""
