"""HTML, as a whole page or as a piece inside Markdown: what a reader sees, with its structure."""

from gyre_ingestor.formats.html.reader import (
    charset_of_page,
    inline_text,
    parse_html,
    read_fragment,
    read_page,
)

__all__ = ["charset_of_page", "inline_text", "parse_html", "read_fragment", "read_page"]
