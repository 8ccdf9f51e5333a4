"""What corrections are worth to the shipped language model: ClapNQ, trained on one half.

    python -m bench.generator.training --home FOLDER [--port-offset N] [--arm gold|pooled]
        [--fold odd|even|all] [--questions 150] [--epochs 3] [--declined-share 0.15] [--marked]
        [--keep FILE] [--trained VERSION]
    python -m bench.generator.training --together FILE FILE

Needs a running system, its home, and `make setup-train setup-llm`. Trains by the recipe `sft` on
the odd lines (`--fold odd`) of the answerable and of the unanswerable questions, and lets the
generator answer the others by the extractive reader, the model as it comes, and the model as
trained, as they are released, which drops a sentence that no passage supports; `--marked` also with
such sentences marked. The arm `gold` reads the question's own passage and two look-alikes, `pooled`
what BM25 finds among all 300. `--fold all` trains on both halves, and asks every tenth question of
XQuAD (English) and of the Kubernetes glossary every second. `--trained` asks a version that an
earlier call trained. `--together` prints one table of the
results that `--keep` wrote.
"""

import argparse
import asyncio
import json
import resource
import subprocess
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from gyre_client import Addresses, AsyncClient, Caller
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Roles
from gyre_common.model_folders import ModelFolders, keep_model
from gyre_common.releases.builtin import (
    GENERATOR_VERSION,
    LANGUAGE_MODEL_VERSION,
)
from gyre_common.rpc import channel
from gyre_common.store import Store
from gyre_generator.passages import estimated_cost
from gyre_trainer.data_sets.answers import NO_ANSWER, AnswerKind, AnswerRow, mark_passages
from gyre_trainer.data_sets.asked import Asked, PassageRead, VersionAnswer
from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.generator_calls import Generator
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.export import FORMS, version_settings, write_candidate
from gyre_trainer.language_models.inputs import (
    RunData,
    Sample,
)
from gyre_trainer.language_models.measures import measured
from gyre_trainer.recipes.generator_sft.config import GeneratorSftConfig
from gyre_trainer.runs.folder import RunFolder
from gyre_trainer.training.launching import training_command, training_environment

from bench.answers.data import Case, clapnq, pooled, xquad
from bench.generator.cases import beside_look_alikes, glossary
from bench.generator.runs import BASE, PROMPT, write_run
from bench.report import machine, table

TENANT = "bench-generator"
WORKERS = 2


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--arm", choices=("gold", "pooled"), default="gold")
    parser.add_argument("--fold", choices=("odd", "even", "all"), default="odd")
    parser.add_argument("--questions", type=int, default=150, help="of each kind, both folds")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--declined-share", type=float, default=0.15)
    parser.add_argument("--context-tokens", type=int, default=700)
    parser.add_argument("--marked", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--trained", default="")
    parser.add_argument("--together", type=Path, nargs="+")
    options = parser.parse_args()
    if options.together:
        print(report(joined(options.together)))
    elif options.home is None:
        parser.error("--home is missing: name the folder of a running system")
    else:
        asyncio.run(run(options))


async def run(options: argparse.Namespace) -> None:
    """One fold of one arm."""
    learned, asked = learned_and_asked(options)
    addresses = Addresses.on("127.0.0.1", port_offset=options.port_offset)
    async with (
        channel(addresses.generator) as connection,
        AsyncClient(addresses, Caller(tenant=TENANT, actor="bench")) as gyre,
    ):
        generator = Generator(connection)
        trained, costs = {"trained": options.trained}, f"trained before: {options.trained}"
        if not options.trained:
            with TemporaryDirectory() as folder:
                trained, costs = await train(options, Path(folder), learned, generator, gyre)
        versions = {"reader": GENERATOR_VERSION, "as it comes": LANGUAGE_MODEL_VERSION, **trained}
        print(f"## ClapNQ, arm {options.arm}, trained on {options.fold} lines\n", flush=True)
        print(f"{machine()}\n{costs}\n", flush=True)
        for name, cases in asked.items():
            results = {
                label: await results_of(generator, version, cases, options)
                for label, version in versions.items()
            }
            print(f"### {name}\n\n{report(results)}\n", flush=True)
            if options.keep:
                path = options.keep.with_stem(f"{options.keep.stem}-{name}")
                path.write_text(json.dumps({k: list(map(asdict, v)) for k, v in results.items()}))


@dataclass(frozen=True)
class Result:
    """Of one question."""

    answerable: bool
    score: float
    token_f1: float
    declined: bool
    grounded: float | None
    seconds: float


def joined(paths: Sequence[Path]) -> dict[str, list[Result]]:
    """What several folds found, version by version."""
    results: dict[str, list[Result]] = {}
    for path in paths:
        for name, rows in json.loads(path.read_text()).items():
            results.setdefault(name, []).extend(Result(**row) for row in rows)
    return results


def learned_and_asked(options: argparse.Namespace) -> tuple[list[Case], dict[str, list[Case]]]:
    """Those that are learned from, and those that are asked, by where they come from."""
    if options.fold == "all":
        both_folds = [case for half in halves(options) for case in half]
        of_xquad = xquad("en")
        asked = {"xquad": pooled(of_xquad[::10], of_xquad), "glossary": glossary()[::2]}
        return both_folds, asked
    learned, others = halves(options)
    return learned, {"clapnq": others}


def halves(options: argparse.Namespace) -> tuple[list[Case], list[Case]]:
    """Of ClapNQ."""
    kinds = [cases[: options.questions] for cases in clapnq()]
    corpus = [case for cases in clapnq() for case in cases]
    if options.arm == "gold":
        kinds = [[beside_look_alikes(*pair) for pair in both(cases, corpus)] for cases in kinds]
    else:
        kinds = [pooled(cases, corpus) for cases in kinds]
    odd, even = ([c for cases in kinds for c in cases[start::2]] for start in (0, 1))
    return (even, odd) if options.fold == "even" else (odd, even)


def both(cases: Sequence[Case], corpus: Sequence[Case]) -> list[tuple[Case, Case]]:
    return list(zip(cases, pooled(cases, corpus), strict=True))


def wanted_of(case: Case) -> str:
    return case.gold_answers[0] if case.gold_answers else NO_ANSWER


def asked_of(case: Case, context_tokens: int | None = None) -> Asked:
    """As many passages as fit, or all."""
    read, left = [], context_tokens
    for one in case.passages:
        if left is not None:
            left -= estimated_cost(one)
            if left < 0:
                break
        read.append(PassageRead(str(one.chunk_id), one.document_id, one.heading, one.text))
    return Asked(TENANT, case.question, (), tuple(read))


async def train(
    options: argparse.Namespace,
    path: Path,
    cases: Sequence[Case],
    generator: Generator,
    gyre: AsyncClient,
) -> tuple[dict[str, str], str]:
    """What was trained, registered, by a label; and what the training took."""
    config = GeneratorSftConfig(
        epochs=options.epochs,
        context_tokens=options.context_tokens,
        declined_share=options.declined_share,
    )
    folder = await run_folder(options, path, cases, generator, config)
    store = Store(f"file://{options.home.absolute()}/store")
    command = training_command(
        "gyre_trainer.recipes.generator_sft.train", path, Variant.LOW_RANK, workers=WORKERS
    )
    began = time.monotonic()
    await asyncio.to_thread(subprocess.run, command, env=training_environment(WORKERS), check=True)
    minutes, used = (time.monotonic() - began) / 60, resource.getrusage(resource.RUSAGE_CHILDREN)
    form = FORMS[Variant.LOW_RANK]
    result = write_candidate(folder, form)
    data = RunData(folder)
    name, settings = data.spec.version, version_settings(data, config, form)
    base, marked = data.inputs.base.settings, {"unsupported": "mark"}
    versions: dict[str, tuple[str, Path, dict[str, str]]] = {
        "trained": (name, folder.candidate, settings)
    }
    if options.marked:
        own = {**settings, **marked}
        versions |= {
            "as it comes, marked": (f"{name}-base-marked", data.base_folder, {**base, **marked}),
            "trained, marked": (f"{name}-marked", folder.candidate, own),
        }
    for version, files, said in versions.values():
        stored = await keep_model(store, files)
        await gyre.releases.register_files(
            Roles.GENERATOR,
            version,
            digest=stored.digest,
            uri=stored.uri,
            settings={**said, "model": version},
            reason="bench.generator.training",
            tenant=EVERY_TENANT,
        )
    costs = (
        f"train: {len(cases)} corrections, {result.tokens:,} tokens, {minutes:.1f} min, "
        f"{(used.ru_utime + used.ru_stime) / 60:.1f} CPU-min, "
        f"{result.tokens / result.cpu_seconds:.0f} tokens a CPU-s, "
        f"{used.ru_maxrss / 2**20:.1f} GiB the larger of {WORKERS} workers, "
        f"loss {result.loss[0]:.2f} → {result.loss[-1]:.2f}"
    )
    labels = {label: version for label, (version, *_) in versions.items()}
    return labels, f"{costs}, answers from {settings['answers_at']}"


async def run_folder(
    options: argparse.Namespace,
    path: Path,
    cases: Sequence[Case],
    generator: Generator,
    config: GeneratorSftConfig,
) -> RunFolder:
    """What `prepare` would have written, of these cases alone."""
    render = generator.render(PROMPT, options.context_tokens)
    store = Store(f"file://{options.home.absolute()}/store")
    base_folder = await ModelFolders(store, options.home / "models" / "bench").folder(BASE)
    samples = []
    for number, case in enumerate(cases):
        sample = await sample_of(number, case, render)
        sure = await generator.confidence(sample.asked, PROMPT, options.context_tokens)
        samples.append(sample.model_copy(update={"confidence": sure}))
    return write_run(
        path,
        "sft",
        samples,
        tenant=TENANT,
        base_folder=base_folder,
        settings={
            "epochs": config.epochs,
            "context_tokens": options.context_tokens,
            "declined_share": config.declined_share,
        },
    )


async def sample_of(
    number: int, case: Case, render: Callable[[Asked], Awaitable[tuple[str, str]]]
) -> Sample:
    asked = asked_of(case)
    system, user = await render(asked)
    shown = {str(n): each.text for n, each in enumerate(asked.read, start=1)}
    user, passages = mark_passages(user, shown)
    kind = AnswerKind.CORRECTION if case.gold_answers else AnswerKind.DECLINED
    row = AnswerRow(
        question_id=f"q{number}",
        tenant=TENANT,
        part=DataSetPart.FIT,
        cluster=f"c{number}",
        kind=kind,
        weight=1.0,
    )
    return Sample(
        row=row, asked=asked, system=system, user=user, passages=passages, answer=wanted_of(case)
    )


async def results_of(
    generator: Generator, version: str, cases: Sequence[Case], options: argparse.Namespace
) -> list[Result]:
    """One after the other, as the local engine does; a language model reads what it learned on."""
    await generator.try_version(TENANT, version)
    budget = None if version == GENERATOR_VERSION else options.context_tokens
    versions = {Roles.GENERATOR.value: version}
    if budget:
        versions[Roles.ANSWER_PROMPT.value] = PROMPT
    results = []
    for case in cases:
        given = await generator.answer(asked_of(case, budget), versions, max_tokens=256)
        answer = given or VersionAnswer("")
        found = measured(answer, wanted_of(case))
        results.append(
            Result(
                answerable=bool(case.gold_answers),
                score=found.score,
                token_f1=found.token_f1,
                declined=found.declined,
                grounded=found.grounded,
                seconds=answer.seconds,
            )
        )
    return results


def report(results: dict[str, list[Result]]) -> str:
    """By version; the interval is of the mean ROUGE-L under resampling of questions."""
    rows = []
    for name, found in results.items():
        is_answerable = np.array([one.answerable for one in found])
        rouge = np.array([one.score for one in found])[is_answerable]
        f1 = np.array([one.token_f1 for one in found])[is_answerable]
        declined = np.array([one.declined for one in found])
        spoken = is_answerable & ~declined
        picks = np.random.default_rng(0).integers(0, len(rouge), (10_000, len(rouge)))
        low, high = np.percentile(rouge[picks].mean(axis=1), [2.5, 97.5])
        grounded = [one.grounded for one in found if one.grounded is not None]
        rates = [(~declined)[is_answerable].mean()]
        if not is_answerable.all():
            rates.append(declined[~is_answerable].mean())
        of_spoken = [one.score for one, said in zip(found, spoken, strict=True) if said]
        seconds = [one.seconds for one in found if one.seconds > 0.2] or [0.0]
        cells = (
            f"{rouge.mean():.3f} ({low:.3f} to {high:.3f})",
            f"{np.mean(of_spoken) if of_spoken else 0:.3f}",
            f"{f1.mean():.3f}",
            f"{np.mean(rates):.3f}",
            f"{declined[is_answerable].mean():.0%}",
            f"{np.mean(grounded) if grounded else 0:.3f}",
            f"{np.mean(seconds):.1f}",
        )
        rows.append((name, *cells))
    head = (
        "version",
        "ROUGE-L, answerable (95 %)",
        "of those answered",
        "token F1",
        "abstention, balanced",
        "declined, answerable",
        "grounded",
        "s an answer",
    )
    return table(head, rows)


if __name__ == "__main__":
    main()
