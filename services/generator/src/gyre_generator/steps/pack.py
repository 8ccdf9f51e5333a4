"""Chooses what the back end reads, within a budget of tokens."""

from collections.abc import AsyncGenerator, Sequence

from gyre_common.errors import CONTEXT_TOO_LONG, FailedPrecondition
from gyre_common.events.releases import Roles

from gyre_generator.backends import WindowedBackend
from gyre_generator.passages import RetrievedPassage, estimated_cost
from gyre_generator.progress import AnswerProgress, StepResult

_NO_EXAMPLES = f"{Roles.ANSWER_PROMPT}: no examples: the model's window has no room for them"


async def pack(progress: AnswerProgress, *, budget: int) -> AsyncGenerator[StepResult, None]:
    """Within so many tokens, see `pack_passages`, and within what the back end can read: examples
    give way where the window is too short for both.
    """
    backend = progress.latest(lambda report: report.backend)
    artifacts = progress.latest(lambda report: report.artifacts) or {}

    def choose(tokens: int) -> tuple[RetrievedPassage, ...]:
        return pack_passages(progress.retrieved, budget=tokens)

    packed, examples = choose(budget), progress.examples
    if isinstance(backend, WindowedBackend):
        try:
            packed = await backend.fit(progress.ask, artifacts, choose, budget, examples)
        except FailedPrecondition as error:
            if error.code != CONTEXT_TOO_LONG or not examples:
                raise
            packed = await backend.fit(progress.ask, artifacts, choose, budget)
            yield StepResult(examples=(), fallbacks=(_NO_EXAMPLES,))
    yield StepResult(packed_passages=packed)


def pack_passages(
    passages: Sequence[RetrievedPassage], *, budget: int
) -> tuple[RetrievedPassage, ...]:
    """Take passages best first while they fit, each whole; skip what says the same again, and what
    was only shown to explore.

    One that does not fit is left out and smaller ones behind it still get their chance. Pieces of
    one document that touch are put side by side in reading order, at the place of the better one.
    """
    chosen: list[RetrievedPassage] = []
    chosen_texts: list[str] = []
    used_tokens = 0
    for passage in sorted(passages, key=lambda p: p.rank):
        cost = estimated_cost(passage)
        plain = " ".join(passage.text.split()).casefold()
        repeats = any(plain in text for text in chosen_texts)
        if passage.explored or not plain or repeats or used_tokens + cost > budget:
            continue
        chosen.append(passage)
        chosen_texts.append(plain)
        used_tokens += cost
    return tuple(_group_neighbours(chosen))


def _group_neighbours(chosen: Sequence[RetrievedPassage]) -> list[RetrievedPassage]:
    runs: list[list[RetrievedPassage]] = []
    for passage in chosen:
        adjacent = [run for run in runs if any(_are_adjacent(passage, other) for other in run)]
        if not adjacent:
            runs.append([passage])
            continue
        first, *others = adjacent
        first += [passage, *(p for run in others for p in run)]
        runs = [run for run in runs if run not in others]
    return [p for run in runs for p in sorted(run, key=lambda p: p.ordinal)]


def _are_adjacent(one: RetrievedPassage, other: RetrievedPassage) -> bool:
    same_text = (one.document_id, one.revision) == (other.document_id, other.revision)
    return same_text and abs(one.ordinal - other.ordinal) == 1
