"""Walks a page as a reader reads it, and writes its parts into an outline."""

import re
from collections.abc import Callable
from contextlib import suppress

from selectolax.lexbor import LexborHTMLParser, LexborNode

from gyre_ingestor.formats.html.tables import caption_of, is_data_table, rows_of
from gyre_ingestor.formats.html.visibility import Visibility
from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.formats.raised import raised_words

_BLOCKS = frozenset(
    """
    address article aside blockquote body caption center dd details dialog div dl dt fieldset
    figcaption figure form header hgroup hr html legend li main ol p section summary table tbody td
    tfoot th thead tr ul
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_RAISED = frozenset(["sup", "sub"])
_STRUCK = frozenset(["del", "s", "strike"])
_MARKED = _RAISED | _STRUCK | {"a"}
_SPACE = re.compile(r"[ \t\r\n\f]+")
_META_CHARSET = re.compile(
    rb"""<meta[^>]{0,200}?charset\s*=\s*(?:["']\s*)?([a-z0-9_:.-]{1,40})""", re.I
)
_META_PRESCAN_BYTES = 1024
_LOOKS_LIKE_XHTML = re.compile(r"<\?xml\b|http://www\.w3\.org/(?:1999/xhtml|TR/xhtml)")
_SELF_CLOSED = re.compile(r"<(?P<name>[A-Za-z][\w:-]*+)(?P<rest>[^<>]*+)(?<=/)>")
_VOID = frozenset(
    "area base br col embed hr img input link meta param source track wbr".split()  # noqa: SIM905
)
_CLOSE = 4
"""Pieces of text before a superscript, by which it is read."""


def charset_of_page(data: bytes) -> str | None:
    """What its `meta` element says (HTML Living Standard, section 13.2.3.2)."""
    match = _META_CHARSET.search(data[:_META_PRESCAN_BYTES])
    return match.group(1).decode("ascii").lower() if match else None


def parse_html(text: str) -> ParsedDocument:
    """Read a page: what it calls its main parts or its articles, else its body."""
    outline = Outline()
    title = read_page(text, outline)
    return outline.finish(title)


def read_page(text: str, outline: Outline, *, is_mail: bool = False) -> str:
    """Add what a page says to an outline; its title, or nothing. What a mail quotes stands behind
    `>`, as in mails of plain text.
    """
    tree = LexborHTMLParser(_with_closing_tags(text))
    reader = _HtmlReader(outline, Visibility(tree), marks_quotes=is_mail)
    for root in reader.roots(tree.body) if tree.body is not None else ():
        reader.read(root)
    title = tree.css_first("head > title")
    return title.text() if title is not None else ""


def _with_closing_tags(text: str) -> str:
    """XHTML may close an element in its opening tag, which HTML takes for an open one."""
    if not _LOOKS_LIKE_XHTML.search(text, 0, _META_PRESCAN_BYTES):
        return text
    return _SELF_CLOSED.sub(_closed, text)


def _closed(tag: re.Match[str]) -> str:
    name = tag["name"]
    return tag.group() if name.lower() in _VOID else f"<{name}{tag['rest'][:-1]}></{name}>"


def read_fragment(html: str, outline: Outline, *, names_in_first_row: bool = False) -> None:
    """Add what a piece of HTML says to an outline. `names_in_first_row` is for sources that cannot
    say which rows of a table name its columns.
    """
    tree = LexborHTMLParser(html)
    if tree.body is not None:
        _HtmlReader(outline, Visibility(tree), names_in_first_row).read(tree.body)


def inline_text(html: str) -> str:
    """What a reader sees of a paragraph's content: words, a line for each that a break begins."""
    tree = LexborHTMLParser(html)
    return _HtmlReader(Outline(), Visibility(tree)).inline(tree.body)


class _HtmlReader:
    """Walks a tree without recursion, so that no depth of nesting can overflow the stack."""

    def __init__(
        self,
        outline: Outline,
        visibility: Visibility,
        names_in_first_row: bool = False,
        *,
        marks_quotes: bool = False,
    ) -> None:
        self._outline = outline
        self._visibility = visibility
        self._names_in_first_row = names_in_first_row
        self._marks_quotes = marks_quotes
        self._quotes = 0
        self._is_flat = False
        self._inline: list[str] = []
        self._marked: list[int] = []
        self._shown: list[bool] = []

    def roots(self, body: LexborNode) -> list[LexborNode]:
        """The elements that hold the text, none inside another."""
        for is_part in (_is_main, _is_article):
            parts = self._topmost(body, is_part)
            if any(part.text(strip=True) for part in parts):
                return parts
        return [body]

    def read(self, root: LexborNode) -> None:
        self._walk(root)
        self._end_paragraph()

    def inline(self, root: LexborNode | None) -> str:
        """Its words as one paragraph, whatever blocks it holds."""
        self._is_flat = True
        if root is not None:
            self._walk(root)
        return "".join(self._inline)

    def _topmost(self, body: LexborNode, is_part: Callable[[LexborNode], bool]) -> list[LexborNode]:
        parts, pending = [], [body]
        while pending:
            node = pending.pop()
            if is_part(node):
                parts.append(node)
            elif not self._visibility.hides(node):
                pending += reversed(list(node.iter()))
        return [part for part in parts if not self._visibility.hides(part)]

    def _walk(self, root: LexborNode) -> None:
        self._shown = [self._visibility.is_shown(root)]
        pending = _unread_children(root)
        while pending:
            node, is_read = pending.pop()
            if is_read:
                self._leave(node)
                self._shown.pop()
            elif self._enter(node):
                shown = self._visibility.shows_text(node)
                self._shown.append(self._shown[-1] if shown is None else shown)
                pending += [(node, True), *_unread_children(node)]

    def _enter(self, node: LexborNode) -> bool:
        """Take in what `node` itself says; tell whether its children are still to be read."""
        tag = node.tag or ""
        if tag == "-text":
            if not self._shown[-1]:
                return False
            self._inline.append(_SPACE.sub(" ", node.text_content or ""))
        elif self._visibility.hides(node):
            return False
        elif tag == "br":
            self._inline.append("\n")
        elif tag in ("img", "pre") and not self._visibility.is_shown(node):
            return False
        elif tag == "img":
            self._inline.append(_SPACE.sub(" ", node.attributes.get("alt") or ""))
        elif tag == "pre":
            self._end_paragraph()
            if self._is_flat:
                self._inline.append(node.text())
            else:
                self._outline.code(node.text())
            return False
        elif tag == "table" and not self._is_flat and is_data_table(node):
            self._end_paragraph()
            rows = rows_of(node, self._cell, self._visibility.hides)
            if self._names_in_first_row and not any(rows[0]) and len(rows) > 2:
                rows = rows[1:]
            self._outline.table(rows, caption=caption_of(node, self._cell))
            return False
        elif tag in _MARKED:
            self._marked.append(len(self._inline))
        elif tag in _HEADINGS or tag in _BLOCKS:
            self._end_paragraph()
            match tag:
                case "ul":
                    self._outline.open_list()
                case "ol":
                    self._outline.open_list(_first_number(node))
                case "li":
                    self._outline.open_item(_label_of(node))
                case "blockquote":
                    self._quotes += self._marks_quotes
        return True

    def _leave(self, node: LexborNode) -> None:
        tag = node.tag or ""
        if tag in _HEADINGS and not self._is_flat and not self._quotes:
            self._outline.heading(_HEADINGS[tag], "".join(self._inline))
            self._inline.clear()
        elif tag in _MARKED:
            # A block in between ended the paragraph that it began in.
            start = min(self._marked.pop(), len(self._inline))
            if tag in _RAISED:
                before = "".join(self._inline[max(0, start - _CLOSE) : start])
                self._inline[start:] = [_raised(node, before, "".join(self._inline[start:]))]
            elif tag in _STRUCK:
                self._inline[start:] = [_struck("".join(self._inline[start:]))]
            elif _is_note(node):
                self._inline[start:] = [f"[{''.join(self._inline[start:]).strip(' []')}]"]
        elif tag in _BLOCKS or tag in _HEADINGS:
            if tag == "dt" and "".join(self._inline).rstrip()[-1:].isalnum():
                self._inline.append(":")
            self._end_paragraph()
            if tag in ("ul", "ol"):
                self._outline.close_list()
            elif tag == "blockquote":
                self._quotes -= self._marks_quotes

    def _cell(self, node: LexborNode) -> str:
        if self._visibility.hides(node):
            return ""
        text = _HtmlReader(Outline(), self._visibility).inline(node)
        return _squeeze(text.replace("\n", " "))

    def _end_paragraph(self) -> None:
        if self._is_flat:
            self._inline.append("\n")
            return
        lines = map(_squeeze, "".join(self._inline).split("\n"))
        self._inline.clear()
        quoted = "> " * self._quotes
        if text := "\n".join(f"{quoted}{line}" for line in lines if line):
            self._outline.paragraph(text)


def _raised(node: LexborNode, before: str, inside: str) -> str:
    """The mark of a footnote, which is a link within the page, stands in brackets."""
    text = " ".join(inside.split())
    link = node.css_first("a[href]")
    if text and link is not None and (link.attributes.get("href") or "").startswith("#"):
        return text if text.startswith("[") else f"[{text}]"
    return raised_words(before, inside, is_upper=node.tag == "sup")


def _struck(text: str) -> str:
    """What holds no more, as Markdown has it."""
    return re.sub(r"\S(?:.*\S)?", r"~~\g<0>~~", text, count=1, flags=re.DOTALL)


def _is_note(link: LexborNode) -> bool:
    """The mark of a footnote in a book."""
    attributes = link.attributes
    return attributes.get("epub:type") == "noteref" or attributes.get("role") == "doc-noteref"


def _unread_children(node: LexborNode) -> list[tuple[LexborNode, bool]]:
    return [(child, False) for child in reversed(list(node.iter(include_text=True)))]


def _squeeze(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def _first_number(node: LexborNode) -> int:
    with suppress(ValueError):
        return int(node.attributes.get("start") or 1)
    return 1


def _label_of(item: LexborNode) -> str:
    """What stands before it where that is not the next number; see also `docx`."""
    value = item.attributes.get("value") or ""
    return f"{value}." if value.isdigit() else item.attributes.get("data-label") or ""


def _is_main(node: LexborNode) -> bool:
    return node.tag == "main" or node.attributes.get("role") == "main"


def _is_article(node: LexborNode) -> bool:
    return node.tag == "article"
