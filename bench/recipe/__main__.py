"""What settings of the recipe are worth on questions that taught it nothing, cross-validated.

    python -m bench.recipe RUN [--folder PATH] [--folds 4] [--arm "NAME=VALUE …"] …

RUN is the folder of a run that `bench.loop` made in a system with a --home of its own
(HOME/runs/<id>): its data set, its corpus, what live found. Its training questions are dealt into
folds; each arm learns from the votes on the others and is judged on those left out, by the
benchmark's own judgements: nDCG@10 of documents, fused by live's weights, less that of the base.
The first arm is the recipe as it is, and the others stand beside it, question by question. One
training for each arm and fold, as many at once as there are cores; needs `make setup-train`.
"""

import argparse
import asyncio
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from gyre_cli.demo.corpus import DemoQuestion
from gyre_common.errors import GyreError
from gyre_common.lines import folded
from gyre_trainer.recipes.query_encoder.config import QueryEncoderConfig
from gyre_trainer.training.bootstrap import Floats, Names, mean_and_error

from bench.loop.beir import demo_questions
from bench.recipe.folds import Fold, liked_documents, rows_of, texts_of, train_fold
from bench.recipe.judging import SHARES, HeldOutQuestion, QuestionScores, score_questions
from bench.report import data_folder, machine, table

AS_IT_IS = "as it is"


@dataclass(frozen=True)
class FoldTask:
    """One training."""

    arm: str
    settings: Mapping[str, str]
    fold: Fold


async def run(run_folder: Path, folder: Path, arms: Sequence[str], folds: int) -> None:
    """Trains every arm on every fold, then prints the table."""
    tasks = [
        FoldTask(arm, settings_of(arm), Fold(number, folds))
        for number in range(folds)
        for arm in (AS_IT_IS, *arms)
    ]
    by_text = {folded(question.text): question for question in demo_questions(folder, "train")}
    waiting = iter(tasks)
    scores: dict[str, list[QuestionScores]] = {arm: [] for arm in (AS_IT_IS, *arms)}

    async def work() -> None:
        for task in waiting:
            values = await asyncio.to_thread(one, run_folder, by_text, task)
            scores[task.arm] += values
            print(f"{task.arm}: fold {task.fold.number + 1} of {folds}", flush=True)

    async with asyncio.TaskGroup() as group:
        for _ in range(os.cpu_count() or 1):
            group.create_task(work())
    show(scores)


def settings_of(arm: str) -> Mapping[str, str]:
    """`NAME=VALUE NAME=VALUE` as a recipe reads it."""
    if arm == AS_IT_IS:
        return {}
    settings = dict(pair.partition("=")[::2] for pair in arm.split())
    try:
        QueryEncoderConfig.from_settings(settings)
    except GyreError as error:
        raise SystemExit(f"error: --arm {arm!r}: {error}") from error
    return settings


def one(
    run_folder: Path, by_text: Mapping[str, DemoQuestion], task: FoldTask
) -> list[QuestionScores]:
    """Trains one arm without one fold, and judges it on that."""
    rows, texts = rows_of(run_folder), texts_of(run_folder)
    held_out: dict[str, HeldOutQuestion] = {}
    for row in rows:
        question = by_text.get(folded(texts[row["tenant"], row["question_id"]]))
        if task.fold.leaves_out(row) and question is not None:
            held_out.setdefault(
                question.question_id, HeldOutQuestion(row["question_id"], row["cluster"], question)
            )
    training_rows = [row for row in rows if not task.fold.leaves_out(row)]
    with tempfile.TemporaryDirectory() as scratch:
        own = train_fold(run_folder, training_rows, task.settings, Path(scratch) / "run")
        return list(score_questions(own, list(held_out.values()), liked_documents(training_rows)))


def show(scores: Mapping[str, Sequence[QuestionScores]]) -> None:
    """Gains over the base in points (nDCG@10 × 100), and over the recipe as it is."""
    print(machine())
    first = {each.name: each for each in scores[AS_IT_IS]}
    lines = []
    for arm, values in scores.items():
        for share in SHARES:
            gains = [each.tuned[share] - each.base for each in values]
            beside = [each.tuned[share] - first[each.name].tuned[share] for each in values]
            new = np.array([each.new for each in values], dtype=bool)
            clusters = np.array([each.cluster for each in values])
            lines.append(
                (
                    arm,
                    f"{share:g}",
                    points(np.array(gains), clusters),
                    points(np.array(gains)[~new], clusters[~new]),
                    points(np.array(gains)[new], clusters[new]),
                    "" if arm == AS_IT_IS else points(np.array(beside), clusters),
                )
            )
    new_ones = sum(each.new for each in first.values())
    print(f"{len(first)} questions, of which {new_ones} new; gain ± standard error")
    print(table(("arm", "share", "all", "voted", "new", "beside the first arm"), lines))


def points(gains: Floats, clusters: Names) -> str:
    """Mean and standard error in points; empty where there is nothing."""
    if not len(gains):
        return ""
    mean, error = mean_and_error(100 * gains, np.ones(len(gains)), clusters)
    return f"{mean:+.2f} ± {error:.2f}"


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run's folder")
    parser.add_argument("--folder", type=Path, default=None, help="in BEIR's layout [SciFact]")
    parser.add_argument("--folds", type=int, default=4)
    parser.add_argument("--arm", action="append", default=[], help='"NAME=VALUE NAME=VALUE"')
    arguments = parser.parse_args()
    if arguments.folds < 2:
        raise SystemExit("error: --folds: at least 2")
    if not (arguments.run / "prepared.json").is_file():
        raise SystemExit(f"error: {arguments.run} is no folder of a run that has been prepared")
    folder = arguments.folder or data_folder("scifact")
    asyncio.run(run(arguments.run.absolute(), folder, arguments.arm, arguments.folds))


if __name__ == "__main__":
    main()
