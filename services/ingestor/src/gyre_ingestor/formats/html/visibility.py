"""Whether a browser shows an element, as far as the page itself says so."""

import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode
from tinycss2.color4 import parse_color

from gyre_ingestor.formats.html.styles import SIDES, Style, Styles

_HIDDEN_TAGS = frozenset(
    """
    script style noscript template nav footer svg math iframe object canvas video audio
    input select option datalist textarea progress meter head link meta
    """.split()  # noqa: SIM905 - a list of words reads better as words
)
_OPENERS = "[aria-controls], [data-bs-target], [data-target], summary"
_OPENS = ("aria-controls", "data-bs-target", "data-target")
_TITLES = frozenset(["h1", "h2", "h3", "h4", "h5", "h6", "summary", "dt", "legend"])
_INLINE = frozenset(["span", "b", "strong", "em", "small", "a", "sup", "sub", "abbr", "code"])
_OFF_SCREEN = -999
_TINY = 1.0
_FAR = 64
"""Elements above, which bounds what deep nesting costs."""

_WHITE = parse_color("white")
_SEE_THROUGH = ("none", "inherit", "initial", "unset")
_NAME = re.compile(r"#?([^\s#]+)")


class Visibility:
    """Of a page's elements.

    What opens at a click, as the panels of an accordion do, is shown.
    """

    def __init__(self, tree: LexborHTMLParser) -> None:
        self._styles = Styles(tree)
        self._opened = {
            name
            for opener in tree.css(_OPENERS)
            for attribute in _OPENS
            for name in _NAME.findall(opener.attributes.get(attribute) or "")
        }

    def hides(self, node: LexborNode) -> bool:
        """Whether nobody sees the element and what is in it, or it is no part of the text: menus,
        controls of a form, code of the page.
        """
        tag, attributes = node.tag or "", node.attributes
        if tag in _HIDDEN_TAGS or tag.startswith("-"):
            return True
        if tag == "dialog" and "open" not in attributes:
            return True
        if tag == "button" and not (_is_title(node) or _stands_in_text(node)):
            return True
        if attributes.get("id") in self._opened:
            return False
        if "hidden" in attributes and attributes["hidden"] != "until-found":
            return True
        if attributes.get("aria-hidden") == "true" and not _is_word(node):
            return True
        style = self._styles.of(node)
        return bool(style) and self._is_hidden(node, style)

    def shows_text(self, node: LexborNode) -> bool | None:
        """Whether text right within is shown, by what elements inherit and may set anew; None where
        the page says nothing of the element.
        """
        style = self._styles.of(node)
        if "visibility" in style and _word(style["visibility"]) in ("hidden", "collapse"):
            return self._opens(node)
        if "font-size" in style and _is_tiny(style["font-size"]):
            return False
        return True if {"visibility", "font-size"} & style.keys() else None

    def is_shown(self, node: LexborNode) -> bool:
        """Whether its own text is shown, by the nearest element from it upwards that says so."""
        verdicts = (self.shows_text(each) for each in (node, *islice(_ancestors(node), _FAR)))
        return next((shown for shown in verdicts if shown is not None), True)

    def _opens(self, node: LexborNode) -> bool:
        """By a rule for what is clicked or pointed at, or a button right before it."""
        before = node.prev
        while before is not None and before.tag == "-text":
            before = before.prev
        is_panel = before is not None and (before.tag == "button" or "onclick" in before.attributes)
        return self._styles.opens(node) or ("style" not in node.attributes and is_panel)

    def _is_hidden(self, node: LexborNode, style: Style) -> bool:
        word = {name: _word(values) for name, values in style.items()}
        number = {name: _number(values) for name, values in style.items()}
        if word.get("display") == "none":
            return not self._opens(node)
        if any((number.get(side) or 0) <= _OFF_SCREEN for side in SIDES):
            return True
        is_flat = 0 in (number.get(name) for name in ("width", "height", "max-height", "max-width"))
        if is_flat and word.get("overflow") in ("hidden", "clip"):
            return not self._opens(node)
        color = _color(style.get("color", []))
        if color is None:
            return False
        if color.alpha == 0:  # a letter can show the picture behind it
            return not any(name.endswith("background-clip") for name in style)
        return _same(color, self._background(node))

    def _background(self, node: LexborNode) -> Any:
        """The nearest that the page names; white where none does, None where nobody can tell."""
        for each in (node, *islice(_ancestors(node), _FAR)):
            style = self._styles.of(each)
            if own := style.get("background-color") or style.get("background"):
                color = _color(own)
                if (color is None and _word(own) in _SEE_THROUGH) or (color and color.alpha == 0):
                    continue
                return color
            if name := each.attributes.get("bgcolor"):
                return _color([name])
        return _WHITE


def _is_title(button: LexborNode) -> bool:
    """Of something that it opens: a question of a list of them, say."""
    if any(name in button.attributes for name in ("aria-expanded", *_OPENS)):
        return True
    return any(each.tag in _TITLES for each in islice(_ancestors(button), _FAR))


def _stands_in_text(button: LexborNode) -> bool:
    """As a word of a sentence: "press [Save] to keep it"."""
    beside = (each for each in (button.prev, button.next) if each is not None)
    return any(each.tag == "-text" and each.text(strip=True) for each in beside)


def _is_word(node: LexborNode) -> bool:
    """What is hidden from readers of screens alone, as a price that is read out in words beside it;
    pictures made of letters are none.
    """
    classes = (node.attributes.get("class") or "").lower()
    return node.tag in _INLINE and "icon" not in classes and "symbol" not in classes


def _word(values: list[Any]) -> str:
    return values[0].lower_value if values and values[0].type == "ident" else ""


def _number(values: list[Any]) -> float | None:
    is_number = values and values[0].type in ("dimension", "number", "percentage")
    return float(values[0].value) if is_number else None


def _is_tiny(values: list[Any]) -> bool:
    size = _number(values)
    if size is None:
        return False
    is_absolute = values[0].type == "dimension" and values[0].lower_unit in ("px", "pt")
    return size == 0 or (is_absolute and size <= _TINY)


def _color(values: list[Any]) -> Any:
    """The first that is one of its own, not a word such as `inherit`; None where none is."""
    colors = (parse_color(value) for value in values)
    return next((color for color in colors if color and color != "currentcolor"), None)


def _same(one: Any, other: Any) -> bool:
    return other is not None and one.to("srgb").coordinates == other.to("srgb").coordinates


def _ancestors(node: LexborNode) -> Iterator[LexborNode]:
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent
