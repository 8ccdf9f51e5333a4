"""Names that no word announces, by a spaCy pipeline that an installed package carries."""

import re
from collections.abc import Iterator
from functools import cache, lru_cache
from importlib import import_module
from typing import NamedTuple, Protocol, cast

from gyre_common.personal_data import PersonalData
from gyre_common.redaction.spans import Span, placeholders

_PIECE = re.compile(r"[^\n]{1,2000}(?=\s|$)|[^\n]{1,2000}")
"""A line, or what of it can be read at once."""
_PEOPLE = frozenset({"PERSON", "PER"})
_NOT_NEEDED = ("tagger", "parser", "senter", "morphologizer", "attribute_ruler", "lemmatizer")
_REMEMBERED = 20_000
"""Lines: passages come again with every answer that rests on them, and twice in its record."""


class _Entity(NamedTuple):
    start_char: int
    end_char: int
    label_: str


class _Document(Protocol):
    @property
    def ents(self) -> tuple[_Entity, ...]: ...


class _Pipeline(Protocol):
    def __call__(self, text: str) -> _Document: ...


def names(text: str, pipeline: str) -> Iterator[Span]:
    """Line by line; one with placeholders has been read before, and its names are gone."""
    for piece in _PIECE.finditer(text):
        line = piece.group()
        if line != line.lower() and not any(placeholders(line)):
            for start, end in _names_in(line, pipeline):
                yield Span(piece.start() + start, piece.start() + end, PersonalData.PERSON)


@lru_cache(maxsize=_REMEMBERED)
def _names_in(line: str, pipeline: str) -> tuple[tuple[int, int], ...]:
    return tuple(
        (entity.start_char, entity.end_char)
        for entity in _load(pipeline)(line).ents
        if entity.label_ in _PEOPLE and _is_name(line[entity.start_char : entity.end_char])
    )


def _is_name(text: str) -> bool:
    return text[:1].isupper() and not any(each.isdecimal() for each in text)


@cache
def _load(pipeline: str) -> _Pipeline:
    return cast("_Pipeline", import_module("spacy").load(pipeline, exclude=_NOT_NEEDED))
