"""Superscripts and subscripts in plain characters, so that 10⁶ is not read as 106."""

import re

_ORDINAL = re.compile(r"(?:st|nd|rd|th|er|re|ère|e|ème|o|a|º|ª)\Z", re.IGNORECASE)
_SYMBOLS = {"tm": "™", "sm": "℠", **{mark: mark for mark in "®™℠©*†‡"}}
_SIMPLE = re.compile(r"[-+−]?\w+\Z")
_FORMULA = re.compile(r"(?:[A-Z][a-z]?|[)\]])\Z")


def raised_words(before: str, inside: str, *, is_upper: bool) -> str:
    """What stands raised or lowered, `inside`, behind the text `before`.

    `10^6`, `m^2`, `x_i`; `1st`, `H2O` and `Brand™` as people write them.
    """
    text = " ".join(inside.split())
    last = before[-1:]
    if not text or not last or last.isspace():
        return inside if text else ""
    if symbol := _SYMBOLS.get(text.casefold()):
        return symbol
    if is_upper:
        if last.isdigit() and _ORDINAL.match(text):
            return inside
        sign = "^"
    else:
        if last == "/":  # the lower half of a fraction
            return inside
        if text.isdigit() and _FORMULA.search(before[-2:]):
            return inside
        sign = "_"
    return f"{sign}{text}" if _SIMPLE.match(text) else f"{sign}({text})"
