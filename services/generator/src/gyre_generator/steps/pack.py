"""Fits the best passages into the token budget, whole, in an order that reads well."""

from collections.abc import AsyncGenerator, Sequence

from gyre_generator.passages import RetrievedPassage, estimated_tokens
from gyre_generator.progress import AnswerProgress, StepResult

_PER_PASSAGE = 12
"""Tokens that a passage's number, heading and separators take."""


async def pack(progress: AnswerProgress, *, budget: int) -> AsyncGenerator[StepResult, None]:
    """Within so many tokens."""
    yield StepResult(packed_passages=pack_passages(progress.retrieved.passages, budget=budget))


def pack_passages(
    passages: Sequence[RetrievedPassage], *, budget: int
) -> tuple[RetrievedPassage, ...]:
    """Take passages best first while they fit, each whole; skip what says the same again, and what
    was only shown to explore.

    One that does not fit is left out and smaller ones behind it still get their chance. Pieces of
    one document that touch are put side by side in reading order, at the place of the better one.
    """
    chosen: list[RetrievedPassage] = []
    used_tokens = 0
    for passage in sorted(passages, key=lambda p: p.rank):
        if passage.explored:
            continue
        cost = _PER_PASSAGE + estimated_tokens(f"{passage.heading}\n{passage.text}")
        if used_tokens + cost > budget or not passage.text.strip() or _repeats(passage, chosen):
            continue
        chosen.append(passage)
        used_tokens += cost
    return tuple(_group_neighbours(chosen))


def _repeats(passage: RetrievedPassage, chosen: Sequence[RetrievedPassage]) -> bool:
    text = _plain(passage.text)
    return any(p.chunk_id == passage.chunk_id or text in _plain(p.text) for p in chosen)


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _group_neighbours(chosen: Sequence[RetrievedPassage]) -> list[RetrievedPassage]:
    runs: list[list[RetrievedPassage]] = []
    for passage in chosen:
        adjacent = [run for run in runs if any(_are_adjacent(passage, other) for other in run)]
        if not adjacent:
            runs.append([passage])
            continue
        first, *others = adjacent
        for other in others:
            first.extend(other)
            runs.remove(other)
        first.append(passage)
    return [p for run in runs for p in sorted(run, key=lambda p: p.ordinal)]


def _are_adjacent(one: RetrievedPassage, other: RetrievedPassage) -> bool:
    same_text = (one.document_id, one.revision) == (other.document_id, other.revision)
    return same_text and abs(one.ordinal - other.ordinal) == 1
