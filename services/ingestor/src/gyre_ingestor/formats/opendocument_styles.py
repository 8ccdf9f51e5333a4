"""What the styles of an OpenDocument file say that matters to its text."""

from collections.abc import Iterable
from typing import Any

_URN = "{{urn:oasis:names:tc:opendocument:xmlns:{}:1.0}}"
NAMES = {
    name: _URN.format(whole)
    for name, whole in {
        **{each: each for each in ("office", "text", "table", "style", "presentation")},
        "draw": "drawing",
        "svg": "svg-compatible",
    }.items()
}
"""Namespaces, as they stand before the names of elements."""

_STYLE, _TEXT, _PRESENTATION = NAMES["style"], NAMES["text"], NAMES["presentation"]
_DEEPEST = 10


class Styles:
    """By their names; a style may be based on another."""

    def __init__(self, roots: Iterable[Any]) -> None:
        self._parents: dict[str, str] = {}
        self._texts: dict[str, Any] = {}
        self._numbered: dict[str, set[int]] = {}
        self._hidden_slides: set[str] = set()
        for root in roots:
            for style in root.iter(f"{_STYLE}style"):
                self._take(style)
            for style in root.iter(f"{_TEXT}list-style"):
                self._numbered[style.get(f"{_STYLE}name", "")] = {
                    int(level.get(f"{_TEXT}level", "0"))
                    for level in style.iterchildren(f"{_TEXT}list-level-style-number")
                    if level.get(f"{_STYLE}num-format")
                }

    def hides(self, name: str) -> bool:
        """Text of this style."""
        return self._of(name, f"{_TEXT}display") == "none"

    def mark(self, name: str) -> str:
        """The element of HTML for raised, lowered or struck words of this style; empty for none."""
        position = self._of(name, f"{_STYLE}text-position").split(" ")[0]
        if position == "super" or (position[:1].isdigit() and position != "0%"):
            return "sup"
        if position == "sub" or position.startswith("-"):
            return "sub"
        through = self._of(name, f"{_STYLE}text-line-through-style")
        return "s" if through not in ("", "none") else ""

    def numbers(self, name: str, level: int) -> bool:
        """Whether a list of this style is numbered at a level, counted from 1."""
        return level in self._numbered.get(name, ())

    def hides_slide(self, name: str) -> bool:
        """A slide of this style."""
        return name in self._hidden_slides

    def _take(self, style: Any) -> None:
        name = style.get(f"{_STYLE}name", "")
        self._parents[name] = style.get(f"{_STYLE}parent-style-name", "")
        properties = style.find(f"{_STYLE}text-properties")
        if properties is not None:
            self._texts[name] = properties
        slide = style.find(f"{_STYLE}drawing-page-properties")
        if slide is not None and slide.get(f"{_PRESENTATION}visibility") == "hidden":
            self._hidden_slides.add(name)

    def _of(self, name: str, attribute: str) -> str:
        for _ in range(_DEEPEST):
            properties = self._texts.get(name)
            if properties is not None and (value := properties.get(attribute)):
                return str(value)
            name = self._parents.get(name, "")
            if not name:
                break
        return ""
