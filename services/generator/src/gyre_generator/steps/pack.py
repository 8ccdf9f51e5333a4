"""Fits the best passages into the token budget, whole, in an order that reads well."""

from collections.abc import AsyncGenerator, Sequence

from gyre_generator.passages import Passage
from gyre_generator.progress import Progress, Report
from gyre_generator.tokens import estimated_tokens

_PER_PASSAGE = 12
"""Tokens that a passage's number, heading and separators take."""


async def pack(progress: Progress, *, budget: int) -> AsyncGenerator[Report, None]:
    """Within so many tokens."""
    yield Report(packed=packed(progress.retrieved.passages, budget=budget))


def packed(passages: Sequence[Passage], *, budget: int) -> tuple[Passage, ...]:
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
    return tuple(_neighbours_together(chosen))


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
