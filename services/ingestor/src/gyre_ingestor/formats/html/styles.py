"""What a page's own style sheets and its elements' attributes say of how elements look."""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

import tinycss2
from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

SIDES = ("left", "top", "right", "bottom", "text-indent")
_PROPERTIES = frozenset(
    [
        *("display", "visibility", "color", "background", "background-color", "font-size"),
        *("width", "height", "max-width", "max-height", "overflow", *SIDES),
        *("background-clip", "-webkit-background-clip"),
    ]
)
_MOST_RULES = 3_000
_MOST_BYTES = 1_000_000
_MEDIA = ("", "all", "screen", "only screen")
_NOT_READ = "noscript style, template style, svg style"
_MOMENTARY = re.compile(r":(?:hover|focus(?:-within|-visible)?|active|target|checked)(?![\w-])")
_ALWAYS = ":not(no-element)"
_NAMES = re.compile(
    r"(?P<id>#[\w-]+)|(?P<class>\.[\w-]+|\[[^\]]{0,200}\]|:[\w-]+)|(?P<tag>[a-zA-Z][\w-]*)"
)

Style = Mapping[str, list[Any]]
"""The tokens of each property without white space."""

_Rank = tuple[bool, bool, tuple[int, int, int], int]
"""Important, inline, specificity, order (CSS Cascade Level 4, section 6)."""


class _Declared(NamedTuple):
    rank: _Rank
    values: list[Any]


class Styles:
    """Of a page. Linked sheets are not fetched; rules that hold on small screens, in print or while
    something is pointed at are passed over.
    """

    def __init__(self, tree: LexborHTMLParser) -> None:
        self._by_node: dict[int, dict[str, _Declared]] = {}
        self._opened: set[int] = set()
        unread = {each.mem_id for each in tree.css(_NOT_READ)}
        sheets = (each for each in tree.css("style") if each.mem_id not in unread)
        texts = (each.text() for each in sheets if _is_for_screens(each.attributes.get("media")))
        rules = _rules(tinycss2.parse_stylesheet("\n".join(texts)[:_MOST_BYTES], True, True))
        for order, (selectors, declarations) in enumerate(islice(rules, _MOST_RULES)):
            for selector in selectors:
                self._apply(tree, selector, declarations, order)

    def opens(self, node: LexborNode) -> bool:
        """Whether it is shown once something is clicked or pointed at."""
        return node.mem_id in self._opened

    def of(self, node: LexborNode) -> Style:
        """What is declared of the element itself."""
        declared = self._by_node.get(node.mem_id)
        inline = node.attributes.get("style") if "style" in node.attributes else ""
        if not inline:
            return {name: each.values for name, each in declared.items()} if declared else {}
        declared = dict(declared or {})
        for each in tinycss2.parse_blocks_contents(inline):
            if each.type == "declaration":
                _declare(declared, each, (bool(each.important), True, (0, 0, 0), 0))
        return {name: each.values for name, each in declared.items()}

    def _apply(
        self, tree: LexborHTMLParser, selector: str, declarations: list[Any], order: int
    ) -> None:
        lasting = _MOMENTARY.sub(_ALWAYS, selector)
        with suppress(SelectolaxError):
            for node in tree.css(lasting):
                if lasting != selector:
                    if any(_shows(each) for each in declarations):
                        self._opened.add(node.mem_id)
                elif node.tag not in ("html", "body") or not any(map(_hides, declarations)):
                    declared = self._by_node.setdefault(node.mem_id, {})
                    for each in declarations:
                        rank = (bool(each.important), False, _specificity(selector), order)
                        _declare(declared, each, rank)


def _is_for_screens(media: str | None) -> bool:
    return " ".join((media or "").lower().split()) in _MEDIA


def _rules(rules: Iterable[Any]) -> Iterator[tuple[list[str], list[Any]]]:
    """Selectors and declarations of those that tell whether something is shown."""
    for rule in rules:
        if rule.type == "at-rule" and rule.lower_at_keyword == "media" and rule.content:
            if _is_for_screens(tinycss2.serialize(rule.prelude)):
                yield from _rules(tinycss2.parse_rule_list(rule.content, True, True))
        elif rule.type == "qualified-rule":
            declarations = [
                each
                for each in tinycss2.parse_blocks_contents(rule.content, True, True)
                if each.type == "declaration" and each.lower_name in _PROPERTIES
            ]
            if declarations:
                yield list(_selectors(rule.prelude)), declarations


def _selectors(prelude: Iterable[Any]) -> Iterator[str]:
    part: list[Any] = []
    for token in [*prelude, None]:
        if token is None or (token.type == "literal" and token.value == ","):
            if selector := tinycss2.serialize(part).strip():
                yield selector
            part = []
        else:
            part.append(token)


def _specificity(selector: str) -> tuple[int, int, int]:
    """Selectors Level 4, section 17, but that what brackets hold counts as what stands without."""
    kinds = [match.lastgroup for match in _NAMES.finditer(selector)]
    return kinds.count("id"), kinds.count("class"), kinds.count("tag")


def _declare(declared: dict[str, _Declared], declaration: Any, rank: _Rank) -> None:
    name = declaration.lower_name
    if name not in declared or declared[name].rank <= rank:
        tokens = [token for token in declaration.value if token.type != "whitespace"]
        declared[name] = _Declared(rank, tokens)


def _words(declaration: Any) -> list[str]:
    return [token.lower_value for token in declaration.value if token.type == "ident"]


def _hides(declaration: Any) -> bool:
    hiding = {"display": "none", "visibility": "hidden"}.get(declaration.lower_name)
    return hiding in _words(declaration)


def _shows(declaration: Any) -> bool:
    name = declaration.lower_name
    return name in ("display", "visibility", "max-height", "height") and not _hides(declaration)
