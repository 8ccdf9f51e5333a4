"""Text inside a Markdown block, without its markup."""

import re
from collections.abc import Sequence
from html import unescape

from markdown_it.token import Token

_BREAKING_TAG = re.compile(r"<\s*br\b", re.IGNORECASE)


def inline_text(tokens: Sequence[Token]) -> str:
    """What a reader sees of these inline tokens: words, not markup or link targets."""
    parts: list[str] = []
    for token in tokens:
        match token.type:
            case "text" | "code_inline" | "text_special":
                parts.append(token.content)
            case "softbreak":
                parts.append(" ")
            case "hardbreak":
                parts.append("\n")
            case "image":
                parts.append(unescape(token.content))
            case "html_inline" if _BREAKING_TAG.match(token.content):
                parts.append("\n")
    return "".join(parts)
