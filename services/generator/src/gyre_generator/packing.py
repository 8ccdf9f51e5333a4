"""Fits the best passages into the token budget, whole, in an order that reads well."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from gyre_generator.passages import Passage
from gyre_generator.tokens import estimated_tokens

_PER_PASSAGE = 12
"""Tokens that a passage's number, heading and separators take."""


@dataclass(frozen=True, slots=True)
class Packed:
    """Passages as they are read; the first is number 1 of the citations."""

    passages: tuple[Passage, ...]
    tokens: int

    @property
    def chunk_ids(self) -> frozenset[UUID]:
        """The chunks that were used."""
        return frozenset(p.chunk_id for p in self.passages)


def pack(passages: Sequence[Passage], *, budget: int) -> Packed:
    """Take passages best first while they fit, each whole; skip what says the same again, and what
    was only shown to explore.

    One that does not fit is left out and smaller ones behind it still get their chance. Pieces of
    one document that touch are put side by side in reading order, at the place of the better one.
    """
    chosen: list[Passage] = []
    spent = 0
    for passage in sorted(passages, key=lambda p: p.rank):
        if passage.explored:
            continue
        cost = _PER_PASSAGE + estimated_tokens(f"{passage.heading}\n{passage.text}")
        if spent + cost > budget or not passage.text.strip() or _repeats(passage, chosen):
            continue
        chosen.append(passage)
        spent += cost
    return Packed(tuple(_neighbours_together(chosen)), spent)


def _repeats(passage: Passage, chosen: Sequence[Passage]) -> bool:
    text = _plain(passage.text)
    return any(p.chunk_id == passage.chunk_id or text in _plain(p.text) for p in chosen)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _neighbours_together(chosen: Sequence[Passage]) -> list[Passage]:
    runs: list[list[Passage]] = []
    for passage in chosen:
        touching = [run for run in runs if any(_touch(passage, other) for other in run)]
        if not touching:
            runs.append([passage])
            continue
        first, *others = touching
        for other in others:
            first.extend(other)
            runs.remove(other)
        first.append(passage)
    return [p for run in runs for p in sorted(run, key=lambda p: p.ordinal)]


def _touch(one: Passage, other: Passage) -> bool:
    return (
        one.document_id == other.document_id
        and one.revision == other.revision
        and abs(one.ordinal - other.ordinal) == 1
    )
