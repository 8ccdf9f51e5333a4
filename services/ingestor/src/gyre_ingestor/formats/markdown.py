"""Markdown: CommonMark with tables, YAML front matter, site generators' tags and embedded HTML."""

import re
from collections.abc import Iterator
from html import escape, unescape

import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.footnote import footnote_plugin
from mdit_py_plugins.front_matter import front_matter_plugin

from gyre_ingestor.formats.html import inline_text, read_fragment
from gyre_ingestor.formats.outline import Outline
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.refused import unreadable

FRONT_MATTER_CHARACTERS = 64 * 1024
_BAD_FRONT_MATTER = "has front matter that cannot be read"
_HEADING_ANCHOR = re.compile(r"(?<!\s)\s*\{#[^{}\s]*\}\s*$")
_HIDES = re.compile(r"\s*+<(?P<name>div|section|article|aside|details|p|span)\b", re.IGNORECASE)
_TEMPLATE_TAG = re.compile(r"\{\{[<%]\s*+(?P<name>[^\s{}>%]*+)(?P<arguments>[^{}]*)[>%]\}\}")
_TAG_ARGUMENT = re.compile(
    r'(?:(?P<name>[\w-]+)\s*=\s*)?(?:"(?P<quoted>[^"]*)"|`(?P<raw>[^`]*)`|(?P<bare>[^\s"=]+))'
)
_TEXT_ARGUMENTS = ("text", "title", "caption")
_WITHOUT_PROSE = ("comment", "mermaid")
_MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
_MARKDOWN.use(front_matter_plugin).use(footnote_plugin, inline=False)


def parse_markdown(text: str) -> ParsedDocument:
    """Read Markdown. Its title is the front matter's `title`, else its first level-1 heading."""
    outline = Outline()
    title = read_markdown(text, outline)
    return outline.finish(title)


def read_markdown(text: str, outline: Outline) -> str:
    """Add what a Markdown text says to an outline; the title of its front matter, or nothing."""
    title = ""
    tokens = iter(_MARKDOWN.parse(_without_template_tags(text)))
    for token in tokens:
        match token.type:
            case "front_matter":
                fields = _fields(token.content)
                title = _text(fields.get("title"))
                outline.paragraph(_text(fields.get("description")))
            case "heading_open":
                heading = _HEADING_ANCHOR.sub("", _inline(next(tokens)))
                outline.heading(int(token.tag[1]), heading)
            case "inline":
                outline.paragraph(_inline(token).strip())
            case "bullet_list_open":
                outline.open_list()
            case "ordered_list_open":
                outline.open_list(int(token.attrs.get("start", 1)))
            case "bullet_list_close" | "ordered_list_close":
                outline.close_list()
            case "list_item_open":
                outline.open_item()
            case "footnote_open":
                outline.paragraph(f"[{_footnote_name(token)}] {_footnote_text(tokens)}")
            case "fence" | "code_block":
                outline.code(token.content, token.info.partition(" ")[0][:32])
            case "table_open":
                outline.table(_rows(tokens))
            case "html_block":
                if (hidden := _HIDES.match(token.content)) and _hides_what_follows(token.content):
                    _pass_over(tokens, hidden["name"].lower())
                else:
                    read_fragment(token.content, outline)
    return title


def _hides_what_follows(html: str) -> bool:
    """Whether its element stays open, with Markdown in it, and shows nothing."""
    probe = Outline()
    read_fragment(f"{html}<p>x</p>", probe)
    return not probe.finish().text


def _pass_over(tokens: Iterator[Token], name: str) -> None:
    for token in tokens:
        if token.type == "html_block" and f"</{name}" in token.content.lower():
            break


def _inline(block: Token) -> str:
    """What a reader sees of a block's inline tokens: words, not markup or link targets; the mark of
    a footnote in brackets.
    """
    children = block.children or ()
    has_html = any(token.type == "html_inline" for token in children)
    text = "".join(_escaped(token) if has_html else _words(token) for token in children)
    return inline_text(text) if has_html else text


def _escaped(token: Token) -> str:
    """As HTML."""
    if token.type == "html_inline":
        return token.content
    return "<br>" if token.type == "hardbreak" else escape(_words(token))


def _words(token: Token) -> str:
    match token.type:
        case "text" | "code_inline" | "text_special":
            return token.content
        case "softbreak":
            return " "
        case "hardbreak":
            return "\n"
        case "image":
            return unescape(token.content)
        case "footnote_ref":
            return f"[{_footnote_name(token)}]"
    return ""


def _footnote_name(token: Token) -> str:
    return str(token.meta.get("label") or token.meta["id"] + 1)


def _footnote_text(tokens: Iterator[Token]) -> str:
    texts = []
    for token in tokens:
        if token.type == "footnote_close":
            break
        if token.type == "inline":
            texts.append(_inline(token).strip())
        elif token.type in ("fence", "code_block"):
            texts.append(token.content.strip())
    return "\n".join(texts)


def _rows(tokens: Iterator[Token]) -> list[list[str]]:
    rows: list[list[str]] = []
    for token in tokens:
        if token.type == "table_close":
            break
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "inline":
            rows[-1].append(" ".join(_inline(token).split()))
    return rows


def _fields(front_matter: str) -> dict[object, object]:
    """What the front matter says; nothing where it cannot be read: the text is still good."""
    if len(front_matter) > FRONT_MATTER_CHARACTERS:
        return {}
    try:
        fields = yaml.load(front_matter, Loader=yaml.CSafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return {}
    except (LookupError, AttributeError) as error:  # of a constructor: `!!int ""`, `!!bool x`
        raise unreadable(_BAD_FRONT_MATTER) from error
    return fields if isinstance(fields, dict) else {}


def _text(value: object) -> str:
    try:
        return str(value) if isinstance(value, str | int | float) else ""
    except ValueError as error:  # a number of more digits than Python writes
        raise unreadable(_BAD_FRONT_MATTER) from error


def _without_template_tags(text: str) -> str:
    """Replace each tag, such as `{{< note >}}` and `{{% tab name="x" %}}`, by the words that its
    reader would see, as far as the tag tells them.

    Text between an opening and a closing tag stays, except for comments and diagrams; what tags say
    is code becomes a block of code.
    """
    tags = list(_TEMPLATE_TAG.finditer(text))
    last_closings = {tag["name"]: tag.start() for tag in tags if tag["name"].startswith("/")}
    parts: list[str] = []
    end = 0
    opening: re.Match[str] | None = None
    for tag in tags:
        if opening is not None:
            if tag["name"] == f"/{opening['name']}":
                if opening["name"] not in _WITHOUT_PROSE:
                    parts.append(_code_block(opening, text[opening.end() : tag.start()]))
                opening, end = None, tag.end()
            continue
        parts.append(text[end : tag.start()])
        end = tag.end()
        is_code = tag["name"] == "highlight" or (
            tag["name"] == "tab" and "codelang" in tag["arguments"]
        )
        is_closed = last_closings.get(f"/{tag['name']}", 0) > tag.start()
        if is_closed and (is_code or tag["name"] in _WITHOUT_PROSE):
            opening = tag
        else:
            parts.append(_tag_words(tag))
    return "".join([*parts, text[end:]])


def _code_block(opening: re.Match[str], inside: str) -> str:
    code = _TEMPLATE_TAG.sub(_tag_words, inside).strip("\n")
    return f"{_tag_words(opening)}\n\n```\n{code}\n```\n"


def _tag_words(tag: re.Match[str]) -> str:
    named_arguments: dict[str, str] = {}
    positional_arguments: list[str] = []
    for argument in _TAG_ARGUMENT.finditer(tag["arguments"]):
        value = argument["quoted"] or argument["raw"] or argument["bare"] or ""
        if argument["name"]:
            named_arguments[argument["name"]] = value
        else:
            positional_arguments.append(value)
    match tag["name"]:
        case "heading":
            return positional_arguments[0] if positional_arguments else ""
        case "tab":
            return named_arguments.get("name", "")
        case "glossary_tooltip" if "text" not in named_arguments:
            return named_arguments.get("term_id", "").replace("-", " ")
    texts = (named_arguments.get(key) for key in _TEXT_ARGUMENTS)
    return next(filter(None, texts), "")
