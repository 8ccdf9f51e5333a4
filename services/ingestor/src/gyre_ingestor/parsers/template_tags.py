"""Tags of site generators in Markdown, such as `{{< note >}}` and `{{% tab name="x" %}}`."""

import re
from collections import deque
from collections.abc import Callable, Iterator

_TAG = re.compile(r"\{\{[<%](?P<body>[^{}]*)[>%]\}\}")
_ARGUMENT = re.compile(
    r'(?:(?P<name>[\w-]+)\s*=\s*)?(?:"(?P<quoted>[^"]*)"|`(?P<raw>[^`]*)`|(?P<bare>[^\s"=]+))'
)
_TEXT_ARGUMENTS = ("text", "title", "caption")


def unwrap_template_tags(text: str) -> str:
    """Replace each tag by the words that its reader would see, as far as the tag tells them.

    Text between an opening and a closing tag stays, except for comments and diagrams.
    """
    if "{{<" not in text and "{{%" not in text:
        return text
    text = _replace(text, _is_without_prose, _drop)
    return _TAG.sub(_words, _replace(text, _is_code, _as_code_block))


def _replace(
    text: str,
    is_match: Callable[[re.Match[str]], bool],
    replacement: Callable[[re.Match[str], str], str],
) -> str:
    """Replace wanted tags together with all up to their closing ones."""
    parts, end = [], 0
    for opening, closing in _pairs(text, is_match):
        inside = text[opening.end() : closing.start()]
        parts += [text[end : opening.start()], replacement(opening, inside)]
        end = closing.end()
    return "".join([*parts, text[end:]])


def _pairs(
    text: str, is_match: Callable[[re.Match[str]], bool]
) -> Iterator[tuple[re.Match[str], re.Match[str]]]:
    """Wanted tags, each with the first one that closes it; pairs do not overlap."""
    tags = list(_TAG.finditer(text))
    closings: dict[str, deque[re.Match[str]]] = {}
    for tag in tags:
        if (name := _name(tag)).startswith("/"):
            closings.setdefault(name[1:], deque()).append(tag)
    end = 0
    for tag in tags:
        if tag.start() < end or not is_match(tag):
            continue
        closing_tags = closings.get(_name(tag), deque())
        while closing_tags and closing_tags[0].start() < tag.end():
            closing_tags.popleft()
        if closing_tags:
            yield tag, closing_tags[0]
            end = closing_tags[0].end()


def _name(tag: re.Match[str]) -> str:
    return tag["body"].strip().partition(" ")[0]


def _is_without_prose(tag: re.Match[str]) -> bool:
    return _name(tag) in ("comment", "mermaid")


def _is_code(tag: re.Match[str]) -> bool:
    """Tell whether what follows is code, as far as the tag says it."""
    return _name(tag) == "highlight" or (_name(tag) == "tab" and "codelang" in tag["body"])


def _drop(tag: re.Match[str], inside: str) -> str:
    return ""


def _as_code_block(tag: re.Match[str], code: str) -> str:
    arguments = tag["body"].strip().partition(" ")[2]
    return f"{_words_of('tab', arguments)}\n\n```\n{code.strip(chr(10))}\n```\n"


def _words(tag: re.Match[str]) -> str:
    name, _, arguments = tag["body"].strip().partition(" ")
    return _words_of(name, arguments)


def _words_of(name: str, arguments: str) -> str:
    named_arguments: dict[str, str] = {}
    positional_arguments: list[str] = []
    for argument in _ARGUMENT.finditer(arguments):
        value = argument["quoted"] or argument["raw"] or argument["bare"] or ""
        if argument["name"]:
            named_arguments[argument["name"]] = value
        else:
            positional_arguments.append(value)
    match name:
        case "heading":
            return positional_arguments[0] if positional_arguments else ""
        case "tab":
            return named_arguments.get("name", "")
        case "glossary_tooltip" if "text" not in named_arguments:
            return named_arguments.get("term_id", "").replace("-", " ")
        case _:
            return next(
                (named_arguments[key] for key in _TEXT_ARGUMENTS if named_arguments.get(key)), ""
            )
