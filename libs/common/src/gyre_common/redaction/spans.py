"""Which characters of a text are personal data, and of what kind."""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from gyre_common.personal_data import PersonalData


class Span(NamedTuple):
    """Characters `start`..`end` of a text."""

    start: int
    end: int
    kind: PersonalData


Detector = Callable[[str], Iterable[Span]]
"""Finds spans, in any order, which may overlap; time is linear in the text's length."""

GONE = "[…]"
"""What stands where personal data was dropped, so that what was apart does not join."""
_PLACEHOLDER = re.compile(r"\[(?:" + "|".join(PersonalData) + r")(?::[0-9a-f]{12})?\]|\[…\]")
_BEFORE = 60


def placeholder(kind: PersonalData, pseudonym: str = "") -> str:
    """What stands in a text in place of personal data: `[EMAIL_ADDRESS]`, `[PERSON:3f9a…]`."""
    return f"[{kind}:{pseudonym}]" if pseudonym else f"[{kind}]"


def placeholders(text: str) -> Iterator[tuple[int, int]]:
    """Where a text holds placeholders already."""
    return (match.span() for match in _PLACEHOLDER.finditer(text))


def words_before(text: str, at: int) -> str:
    """What may say of a value that stands at `at` what it is, without placeholders."""
    return _PLACEHOLDER.split(text[max(0, at - _BEFORE) : at])[-1]
