"""HTML, as a whole page or as a piece inside Markdown: what a reader sees, with its structure."""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from gyre_ingestor.parsers.outline import BlockKind, Outline, ParsedDocument
from gyre_ingestor.parsers.tables import table_text

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
        HtmlReader(outline).read(root)
    title = tree.css_first("head > title")
    return outline.finish(_squeeze(title.text()) if title is not None else "")


class HtmlReader:
    """Walks a tree without recursion, so that no depth of nesting can overflow the stack."""

    def __init__(self, outline: Outline) -> None:
        self._outline = outline
        self._inline: list[str] = []
        self._lists: list[int | None] = []
        self._marker = ""

    def read_fragment(self, html: str) -> None:
        """Read a piece of HTML."""
        body = LexborHTMLParser(html).body
        if body is not None:
            self.read(body)

    def read(self, root: LexborNode) -> None:
        """Read everything below `root`."""
        node = root.child
        depth = 0
        while node is not None:
            child = node.child if self._enter(node) else None
            if child is not None:
                node, depth = child, depth + 1
                continue
            while node.next is None and depth:
                parent = node.parent
                if parent is None:
                    break
                node, depth = parent, depth - 1
                self._leave(node)
            node = node.next
        self._end_paragraph()

    def _enter(self, node: LexborNode) -> bool:
        """Take in what `node` itself says; tell whether its children are still to be read."""
        tag = node.tag or ""
        if tag == "-text":
            self._inline.append(node.text_content or "")
        elif tag in _HIDDEN_TAGS or tag.startswith("-"):
            return False
        elif tag == "br":
            self._inline.append("\n")
        elif tag == "img":
            self._inline.append(node.attributes.get("alt") or "")
        elif tag == "pre":
            self._end_paragraph()
            self._outline.code(node.text())
            return False
        elif tag in _HEADINGS:
            self._end_paragraph()
        elif tag == "table" and _is_data_table(node):
            self._end_paragraph()
            header, *rows = _rows(node)
            self._outline.block(BlockKind.TABLE, table_text(header, rows))
            return False
        elif tag in _BLOCKS:
            self._end_paragraph()
            self._enter_list(tag)
        return True

    def _leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag in _HEADINGS:
            self._outline.heading(_HEADINGS[tag], "".join(self._inline))
            self._inline.clear()
        elif tag in _BLOCKS:
            self._end_paragraph()
            if tag in ("ul", "ol") and self._lists:
                self._lists.pop()

    def _enter_list(self, tag: str) -> None:
        if tag in ("ul", "ol"):
            self._lists.append(1 if tag == "ol" else None)
        elif tag == "li":
            number = self._lists[-1] if self._lists else None
            self._marker = "- " if number is None else f"{number}. "
            if number is not None:
                self._lists[-1] = number + 1

    def _end_paragraph(self) -> None:
        lines = (_squeeze(line) for line in _lines(self._inline))
        text = "\n".join(line for line in lines if line)
        self._inline.clear()
        if not text:
            return
        if not self._lists:
            self._outline.block(BlockKind.PARAGRAPH, text)
            return
        indent = "  " * (min(len(self._lists), 8) - 1)
        self._outline.block(BlockKind.ITEM, f"{indent}{self._marker}{text}")
        self._marker = "  "


def _lines(inline: list[str]) -> Iterator[str]:
    """Only `<br>` breaks a line; other white space in HTML is one space."""
    line: list[str] = []
    for part in inline:
        if part == "\n":
            yield "".join(line)
            line.clear()
        else:
            line.append(part)
    yield "".join(line)


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
