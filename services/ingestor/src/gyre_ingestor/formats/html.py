"""HTML, as a whole page or as a piece inside Markdown: what a reader sees, with its structure."""

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from gyre_ingestor.formats.outline import Outline, ParsedDocument

_HIDDEN_TAGS = frozenset(
    """
    script style noscript template nav footer svg math iframe object canvas video audio
    form button select input textarea dialog head link meta
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
_BLOCKS = frozenset(
    """
    address article aside blockquote body center dd details div dl dt fieldset figcaption figure
    header hgroup hr html li main ol p section summary table tbody td tfoot th thead tr ul
    """.split()  # noqa: SIM905
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SPACE = re.compile(r"[ \t\r\n\f]+")


def parse_html(text: str) -> ParsedDocument:
    """Read a page: its `<main>` or only `<article>` where it has one, else its body."""
    tree = LexborHTMLParser(text)
    outline = Outline()
    articles = tree.css("article")
    root = tree.css_first("main") or (articles[0] if len(articles) == 1 else None) or tree.body
    if root is not None:
        _HtmlReader(outline).read(root)
    title = tree.css_first("head > title")
    return outline.finish(title.text() if title is not None else "")


def read_fragment(html: str, outline: Outline) -> None:
    """Add what a piece of HTML says to an outline."""
    body = LexborHTMLParser(html).body
    if body is not None:
        _HtmlReader(outline).read(body)


class _HtmlReader:
    """Walks a tree without recursion, so that no depth of nesting can overflow the stack."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._inline: list[str] = []

    def read(self, root: LexborNode) -> None:
        pending = _unread_children(root)
        while pending:
            node, is_read = pending.pop()
            if is_read:
                self._leave(node)
            elif self._enter(node):
                pending += [(node, True), *_unread_children(node)]
        self._end_paragraph()

    def _enter(self, node: LexborNode) -> bool:
        """Take in what `node` itself says; tell whether its children are still to be read."""
        tag = node.tag or ""
        if tag == "-text":
            self._inline.append(_SPACE.sub(" ", node.text_content or ""))
        elif tag in _HIDDEN_TAGS or tag.startswith("-"):
            return False
        elif tag == "br":
            self._inline.append("\n")
        elif tag == "img":
            self._inline.append(_SPACE.sub(" ", node.attributes.get("alt") or ""))
        elif tag == "pre":
            self._end_paragraph()
            self._outline.code(node.text())
            return False
        elif tag == "table" and _is_data_table(node):
            self._end_paragraph()
            self._outline.table(_rows(node))
            return False
        elif tag in _HEADINGS or tag in _BLOCKS:
            self._end_paragraph()
            match tag:
                case "ul":
                    self._outline.open_list()
                case "ol":
                    self._outline.open_list(1)
                case "li":
                    self._outline.open_item()
        return True

    def _leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag in _HEADINGS:
            self._outline.heading(_HEADINGS[tag], "".join(self._inline))
            self._inline.clear()
        elif tag in _BLOCKS:
            self._end_paragraph()
            if tag in ("ul", "ol"):
                self._outline.close_list()

    def _end_paragraph(self) -> None:
        lines = map(_squeeze, "".join(self._inline).split("\n"))
        self._inline.clear()
        if text := "\n".join(filter(None, lines)):
            self._outline.paragraph(text)


def _unread_children(node: LexborNode) -> list[tuple[LexborNode, bool]]:
    return [(child, False) for child in reversed(list(node.iter(include_text=True)))]


def _squeeze(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def _is_data_table(table: LexborNode) -> bool:
    """Tables inside tables lay out a page; headings or code inside one are to be kept apart."""
    return table.css_first("tr") is not None and table.css_first("td table, td pre, td h2") is None


def _rows(table: LexborNode) -> list[list[str]]:
    """The cells of every row, the header first; an empty one where the table has none."""
    rows = table.css("tr")
    cells = [[_squeeze(cell.text(separator=" ")) for cell in row.css("th, td")] for row in rows]
    has_header = rows[0].css_first("th") is not None and rows[0].css_first("td") is None
    return cells if has_header else [[], *cells]
