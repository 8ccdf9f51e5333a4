"""Deals a run's training questions into folds, and trains on all but one."""

import json
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gyre_common.store import digest_of
from gyre_trainer.recipes.query_encoder import TRAIN_MODULE
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.training.launching import training_command, training_environment

VARIANT = "full"
_SHARED = ("corpus.jsonl", "corpus.npy", "live.jsonl", "questions.jsonl")

Row = Mapping[str, Any]
"""A line of `train.jsonl`; see docs/guides/data-sets.md."""

Reference = tuple[str, str]
"""The tenant and the id of a question."""


@dataclass(frozen=True)
class Fold:
    """Which of how many parts is left out. Near-identical questions stay together."""

    number: int
    of: int

    def leaves_out(self, row: Row) -> bool:
        """Whether the fold is to judge this row's question, and not to learn from it."""
        number_of_cluster = int(
            digest_of(str(row["cluster"]).encode()).removeprefix("sha256:")[:12], 16
        )
        return number_of_cluster % self.of == self.number


def rows_of(run: Path) -> list[Row]:
    """The labelled questions of the training side."""
    with (run / "data_set" / "train.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def texts_of(run: Path) -> Mapping[Reference, str]:
    """What the questions say."""
    with (run / "questions.jsonl").open(encoding="utf-8") as lines:
        texts = [json.loads(line) for line in lines]
    return {(text["tenant"], text["question_id"]): text["question"] for text in texts}


def liked_documents(rows: Iterable[Row]) -> frozenset[str]:
    """The documents with a positive label to learn from."""
    return frozenset(
        passage["document_id"]
        for row in rows
        if row["part"] == "fit"
        for passage in row["shown"]
        if (passage["label"] or 0) > 0
    )


def train_fold(run: Path, rows: Iterable[Row], settings: Mapping[str, str], own: Path) -> RunFolder:
    """The run's folder anew in `own`, with these questions only, trained by one process.

    Raises:
        SystemExit: the training failed; its last line is told.
    """
    (own / "data_set").mkdir(parents=True)
    for name in _SHARED:
        (own / name).symlink_to(run / name)
    questions = "".join(json.dumps(row) + "\n" for row in rows).encode()
    (own / "data_set" / "train.jsonl").write_bytes(questions)
    manifest = {"files": {"train.jsonl": {"digest": digest_of(questions)}}}
    (own / "data_set" / "manifest.json").write_text(json.dumps(manifest))
    spec = json.loads((run / "run.json").read_text(encoding="utf-8"))
    (own / "run.json").write_text(json.dumps({**spec, "settings": settings}))
    inputs = json.loads((run / "inputs.json").read_text(encoding="utf-8"))
    (own / "inputs.json").write_text(json.dumps({**inputs, "data_set": ""}))
    completed = subprocess.run(
        training_command(TRAIN_MODULE, own, VARIANT, workers=1),
        env=training_environment(1) | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    if completed.returncode:
        errors = [line for line in completed.stderr.splitlines() if line.startswith("error: ")]
        raise SystemExit(errors[-1] if errors else completed.stderr[-2000:])
    return RunFolder(own)
