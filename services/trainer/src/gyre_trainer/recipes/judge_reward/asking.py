"""Lets a version of the judge score both answers of each held-out pair, each pair once."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from gyre_trainer.judge_calls import JudgeClient, Scores
from gyre_trainer.language_models.inputs import Sample
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.runs.verbs import COMPARE

_AT_ONCE = 2

PairScores = Mapping[str, tuple[Scores, Scores] | None]
"""By question id: of the better answer and of the worse one; None where one is too long."""


async def scores_of(
    folder: RunFolder, judge: JudgeClient, pairs: Sequence[Sample], version: str, *, who: str
) -> PairScores:
    """Kept in `scores-<who>.jsonl`: what was scored before an interruption is not scored again.
    Raises FailedPrecondition: the version cannot judge; Retryable: the judge is away.
    """
    path = folder.path / f"scores-{who}.jsonl"
    scores = _written(path)
    slots = asyncio.Semaphore(_AT_ONCE)

    async def ask(pair: Sample) -> None:
        async with slots:
            better, worse = [
                await judge.scores(pair.asked, answer, version)
                for answer in (pair.answer, pair.rejected)
            ]
        both = None if better is None or worse is None else (better, worse)
        scores[pair.row.question_id] = both
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([pair.row.question_id, both]) + "\n")
        folder.progress(COMPARE, len(scores), len(pairs), message=f"{who} judges pairs")

    async with asyncio.TaskGroup() as group:
        for pair in pairs:
            if pair.row.question_id not in scores:
                group.create_task(ask(pair))
    return scores


def _written(path: Path) -> dict[str, tuple[Scores, Scores] | None]:
    scores: dict[str, tuple[Scores, Scores] | None] = {}
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                question_id, both = json.loads(line)
            except ValueError:  # it was killed while it wrote
                continue
            scores[question_id] = both and (both[0], both[1])
    return scores
