"""Markdown: CommonMark with tables, YAML front matter, site generators' tags and embedded HTML."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.front_matter import front_matter_plugin

from gyre_ingestor.parsers.html import HtmlReader
from gyre_ingestor.parsers.inline import inline_text
from gyre_ingestor.parsers.outline import BlockKind, Outline, ParsedDocument
from gyre_ingestor.parsers.tables import table_text
from gyre_ingestor.parsers.template_tags import unwrap_template_tags

FRONT_MATTER_CHARACTERS = 64 * 1024
_HEADING_ANCHOR = re.compile(r"(?<!\s)\s*\{#[^{}\s]*\}\s*$")
_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"]).use(front_matter_plugin)


def parse_markdown(text: str) -> ParsedDocument:
    """Read Markdown. Its title is the front matter's `title`, else its first level-1 heading."""
    return _MarkdownReader().read(_MARKDOWN.parse(unwrap_template_tags(text)))


@dataclass
class _List:
    """An open list; `number` is None for bullets."""

    number: int | None

    def next_marker(self) -> str:
        if self.number is None:
            return "- "
        self.number += 1
        return f"{self.number - 1}. "


class _MarkdownReader:
    def __init__(self) -> None:
        self._outline = Outline()
        self._html = HtmlReader(self._outline)
        self._title = ""
        self._lists: list[_List] = []
        self._marker = ""

    def read(self, tokens: Sequence[Token]) -> ParsedDocument:
        stream = iter(tokens)
        for token in stream:
            match token.type:
                case "front_matter":
                    self._front_matter(token.content)
                case "heading_open":
                    text = _HEADING_ANCHOR.sub("", _inline(next(stream)))
                    self._outline.heading(int(token.tag[1]), text)
                case "inline":
                    self._paragraph(_inline(token))
                case "bullet_list_open":
                    self._lists.append(_List(None))
                case "ordered_list_open":
                    self._lists.append(_List(int(token.attrs.get("start", 1))))
                case "bullet_list_close" | "ordered_list_close":
                    self._lists.pop()
                case "list_item_open":
                    self._marker = self._lists[-1].next_marker()
                case "fence" | "code_block":
                    self._outline.code(token.content, token.info.partition(" ")[0][:32])
                case "table_open":
                    self._outline.block(BlockKind.TABLE, _table(stream))
                case "html_block":
                    self._html.read_fragment(token.content)
        return self._outline.finish(self._title)

    def _front_matter(self, content: str) -> None:
        fields = _fields(content)
        self._title = _text(fields.get("title"))
        self._outline.block(BlockKind.PARAGRAPH, _text(fields.get("description")))

    def _paragraph(self, text: str) -> None:
        if not self._lists:
            self._outline.block(BlockKind.PARAGRAPH, text)
            return
        indent = "  " * (len(self._lists) - 1)
        self._outline.block(BlockKind.ITEM, f"{indent}{self._marker}{text.strip()}")
        self._marker = "  "


def _inline(token: Token) -> str:
    return inline_text(token.children or ())


def _table(stream: Iterator[Token]) -> str:
    rows: list[list[str]] = []
    for token in stream:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(" ".join(_inline(token).split()))
    return table_text(rows[0], rows[1:])


def _fields(front_matter: str) -> dict[object, object]:
    """What the front matter says; nothing where it cannot be read: the text is still good."""
    if len(front_matter) > FRONT_MATTER_CHARACTERS:
        return {}
    try:
        fields = yaml.load(front_matter, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def _text(value: object) -> str:
    return str(value) if isinstance(value, str | int | float) else ""
