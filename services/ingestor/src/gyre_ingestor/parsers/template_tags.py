"""Tags of site generators in Markdown, such as `{{< note >}}` and `{{% tab name="x" %}}`."""

import re

_TAG = re.compile(r"\{\{[<%]\s*(?P<body>[^{}]*?)\s*[>%]\}\}")
_ARGUMENT = re.compile(
    r'(?:(?P<name>[\w-]+)\s*=\s*)?(?:"(?P<quoted>[^"]*)"|`(?P<raw>[^`]*)`|(?P<bare>[^\s"=]+))'
)
_WITHOUT_PROSE = re.compile(
    r"\{\{[<%]\s*(?P<tag>comment|mermaid)\b[^}]*[>%]\}\}.*?"
    r"\{\{[<%]\s*/(?P=tag)\s*[>%]\}\}",
    re.DOTALL,
)
_CODE = re.compile(
    r"\{\{[<%]\s*(?P<tag>tab|highlight)\b(?P<arguments>[^}]*)[>%]\}\}(?P<code>.*?)"
    r"\{\{[<%]\s*/(?P=tag)\s*[>%]\}\}",
    re.DOTALL,
)
_SHOWN = ("text", "title", "caption")


def unwrap_template_tags(text: str) -> str:
    """Replace each tag by the words that its reader would see, as far as the tag tells them.

    Text between an opening and a closing tag stays, except for comments and diagrams.
    """
    if "{{<" not in text and "{{%" not in text:
        return text
    return _TAG.sub(_words, _CODE.sub(_fenced, _WITHOUT_PROSE.sub("", text)))


def _fenced(block: re.Match[str]) -> str:
    """Code between tags, where the tag says that it is code."""
    if block["tag"] == "tab" and "codelang" not in block["arguments"]:
        return block[0]
    name = _words_of("tab", block["arguments"])
    return f"{name}\n\n```\n{block['code'].strip(chr(10))}\n```\n"


def _words(tag: re.Match[str]) -> str:
    name, _, arguments = tag["body"].partition(" ")
    return _words_of(name, arguments)


def _words_of(name: str, arguments: str) -> str:
    named: dict[str, str] = {}
    positional: list[str] = []
    for argument in _ARGUMENT.finditer(arguments):
        value = argument["quoted"] or argument["raw"] or argument["bare"] or ""
        if argument["name"]:
            named[argument["name"]] = value
        else:
            positional.append(value)
    match name:
        case "heading":
            return positional[0] if positional else ""
        case "tab":
            return named.get("name", "")
        case "glossary_tooltip" if "text" not in named:
            return named.get("term_id", "").replace("-", " ")
        case _:
            return next((named[key] for key in _SHOWN if named.get(key)), "")
