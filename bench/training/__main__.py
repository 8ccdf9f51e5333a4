"""What DeepSpeed costs in training: beside a bare loop of torch and sentence-transformers' trainer.

    python -m bench.training [--questions 192] [--passages 800] [--epochs 3] [--rounds 1]

- bare: the same network, batches and loss in a plain loop of torch, one process
- deepspeed: `gyre_trainer.recipes.query_encoder.train` in one process, and in two
- peer: sentence-transformers' trainer with the same loss, one process

Real tokens (without padding) a second and a CPU-second, from the first step to the last, without
the start of the program; each process has one thread. Arms run A B C D D C B A. The last column
shows that they learn the same: the mean loss of the last epoch. Needs `make setup-train`; SciFact
where it is there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from gyre_trainer.recipes.query_encoder import TRAIN_MODULE
from gyre_trainer.training.launching import training_command, training_environment

from bench.report import data_folder, machine, median, table
from bench.training.data import some_pairs, write_run

ARMS = ("bare", "deepspeed 1", "deepspeed 2", "peer")
Figures = Mapping[str, float]


def measure(arm: str, folder: Path) -> Figures:
    """One arm, once, from the beginning."""
    kind, _, processes = arm.partition(" ")
    if kind == "deepspeed":
        return _deepspeed(folder, int(processes))
    command = [sys.executable, "-m", "bench.training.arms", kind, str(folder)]
    completed = subprocess.run(
        command, env=_environment(1), check=True, capture_output=True, text=True
    )
    figures: Figures = json.loads(completed.stdout.splitlines()[-1])
    return figures


def _deepspeed(folder: Path, processes: int) -> Figures:
    own = folder / "full"
    if own.exists():
        own.rename(folder / f"done-{len(list(folder.glob('done-*')))}")
    command = training_command(TRAIN_MODULE, folder, "full", workers=processes)
    subprocess.run(command, env=_environment(processes), check=True, capture_output=True, text=True)
    result = json.loads((own / "result.json").read_text())
    last = result["loss"][-(result["steps"] // result["settings"]["epochs"]) :]
    return {**result, "loss": sum(last) / len(last)}


def _environment(processes: int) -> Mapping[str, str]:
    """One thread a process: threads that wait for each other would count as work."""
    return training_environment(processes) | {"OMP_NUM_THREADS": "1"}


def main() -> None:
    """Reads the options and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    for name, default in (("questions", 192), ("passages", 800), ("epochs", 3), ("rounds", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    try:
        source: Path | None = data_folder("scifact")
    except SystemExit:
        source = None
    figures_by_arm: dict[str, list[Figures]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root) / "run"
        pairs = some_pairs(source, options.questions, options.passages)
        settings = {"epochs": str(options.epochs), "rehearsal": "0", "checkpoint_every": "1000"}
        write_run(folder, pairs, settings)
        print(
            f"{machine()}, {os.cpu_count()} threads; {len(pairs.questions)} questions of "
            f"{'SciFact' if source else 'invented words'}, {len(pairs.passages)} passages"
        )
        for arm in (*ARMS, *reversed(ARMS)) * options.rounds:
            figures_by_arm[arm].append(measure(arm, folder))
    print(
        table(("arm", "tokens/s", "tokens/CPU-s", "x floor", "loss"), list(_rows(figures_by_arm)))
    )


def _rows(figures_by_arm: Mapping[str, list[Figures]]) -> list[tuple[str, ...]]:
    def pace(arm: str, of: str) -> float:
        return median([each["tokens"] / each[of] for each in figures_by_arm[arm]])

    floor = pace("bare", "cpu_seconds")
    return [
        (
            arm,
            f"{pace(arm, 'seconds'):.0f}",
            f"{pace(arm, 'cpu_seconds'):.0f}",
            f"{pace(arm, 'cpu_seconds') / floor:.2f}",
            f"{median([each['loss'] for each in figures_by_arm[arm]]):.4f}",
        )
        for arm in figures_by_arm
    ]


if __name__ == "__main__":
    main()
