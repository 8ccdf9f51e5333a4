"""What corrections are worth to the shipped language model: ClapNQ, trained on one half.

    python -m bench.generator.training --home FOLDER [--port-offset N] [--arm gold|pooled|retrieved]
        [--fold odd|even|all] [--questions 150] [--epochs 3] [--declined-share 0.15] [--marked]
        [--keep FILE] [--trained VERSION]
    python -m bench.generator.training --together FILE FILE

Needs a running system, its home, and `make setup-train setup-llm`. Trains by the recipe `sft` on
the odd lines (`--fold odd`) of the answerable and of the unanswerable questions, and lets the
generator answer the others by the extractive reader, the model as it comes, and the model as
trained, as they are released, which drops a sentence that no passage supports; `--marked` also with
such sentences marked. The arm `gold` reads the question's own passage and two look-alikes, `pooled`
what BM25 finds among all 300, `retrieved` what `Retrieve` returns where all 300 are documents.
`--fold all` trains on both halves, and asks every tenth question of XQuAD (English) and of the
Kubernetes glossary every second, of which it reads what BM25 finds. `--trained` asks a version that
an earlier call trained. `--together` prints the tables of the results that `--keep` wrote.
"""

import argparse
import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from gyre_cli.demo.costs import in_words
from gyre_client import Addresses, AsyncClient, Caller
from gyre_common.releases.builtin import GENERATOR_VERSION, LANGUAGE_MODEL_VERSION
from gyre_common.rpc import channel
from gyre_trainer.data_sets.answers import AnswerKind
from gyre_trainer.generator_calls import Generator
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.export import FORMS, version_settings
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.recipes.generator_sft.config import GeneratorSftConfig
from gyre_trainer.runs.folder import RunFolder

from bench.answers.data import Case, pooled, xquad
from bench.generator.answering import (
    TENANT,
    Result,
    context_of,
    gains,
    joined,
    keep,
    report,
    results_of,
    wanted_of,
)
from bench.generator.cases import glossary, halves, retrieved
from bench.generator.runs import (
    PROMPT,
    base_folder_of,
    counted,
    register,
    sample_of,
    store_of,
    train_run,
    write_run,
)
from bench.report import machine


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--arm", choices=("gold", "pooled", "retrieved"), default="gold")
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
        print(both_tables(joined(options.together)))
    elif options.home is None:
        parser.error("--home is missing: name the folder of a running system")
    else:
        asyncio.run(run(options))


async def run(options: argparse.Namespace) -> None:
    """One fold of one arm."""
    addresses = Addresses.on("127.0.0.1", port_offset=options.port_offset)
    async with (
        channel(addresses.generator) as connection,
        AsyncClient(addresses, Caller(tenant=TENANT, actor="bench")) as gyre,
    ):
        learned, test_cases = await train_and_test_cases(options, gyre)
        generator = Generator(connection)
        trained, costs = {"trained": options.trained}, f"trained before: {options.trained}"
        if not options.trained:
            with TemporaryDirectory() as folder:
                trained, costs = await train(options, Path(folder), learned, generator, gyre)
        versions = {"reader": GENERATOR_VERSION, "as it comes": LANGUAGE_MODEL_VERSION, **trained}
        print(f"## ClapNQ, arm {options.arm}, trained on {options.fold} lines\n", flush=True)
        print(f"{machine()}\n{costs}\n", flush=True)
        for name, cases in test_cases.items():
            results: dict[str, list[Result]] = {}
            minutes: dict[str, float] = {}
            for label, version in versions.items():
                with counted(options.home, label, minutes):
                    given = await results_of(generator, version, cases, options.context_tokens)
                results[label] = given
            print(f"### {name}\n\n{both_tables(results)}\n", flush=True)
            print(f"CPU-min of asking, with the system: {in_words(minutes)}\n", flush=True)
            if options.keep:
                keep(options.keep.with_stem(f"{options.keep.stem}-{name}"), results)


def both_tables(results: Mapping[str, Sequence[Result]]) -> str:
    return f"{report(results)}\n\n{gains(results, 'reader')}\n\n{gains(results, 'as it comes')}"


async def train_and_test_cases(
    options: argparse.Namespace, gyre: AsyncClient
) -> tuple[list[Case], dict[str, list[Case]]]:
    """Those that are learned from, and those that are asked, by where they come from."""
    learned, others = halves(options.arm, options.fold, questions=options.questions)
    if options.arm == "retrieved":
        learned, others = await retrieved(gyre, learned), await retrieved(gyre, others)
    if options.fold != "all":
        return learned, {"clapnq": others}
    of_xquad = xquad("en")
    test_cases = {"xquad": pooled(of_xquad[::10], of_xquad), "glossary": glossary()[::2]}
    return [*learned, *others], test_cases


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
    minutes: dict[str, float] = {}
    with counted(options.home, "prepare", minutes):
        folder = await run_folder(options, path, cases, generator, config)
    costs = await asyncio.to_thread(train_run, folder, "gyre_trainer.recipes.generator_sft.train")
    form = FORMS[Variant.LOW_RANK]
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
    store = store_of(options.home)
    for version, files, own_settings in versions.values():
        await register(gyre, store, version, files, own_settings)
    labels = {label: version for label, (version, *_) in versions.items()}
    answering = f"answers from {settings['answers_at']}"
    costs = f"{len(cases)} corrections, {in_words(minutes)} CPU-min; train: {costs}; {answering}"
    return labels, costs


async def run_folder(
    options: argparse.Namespace,
    path: Path,
    cases: Sequence[Case],
    generator: Generator,
    config: GeneratorSftConfig,
) -> RunFolder:
    """What `prepare` would have written, of these cases alone."""
    render = generator.render(PROMPT, options.context_tokens)
    samples = []
    for number, case in enumerate(cases):
        context = context_of(case)
        kind = AnswerKind.CORRECTION if case.gold_answers else AnswerKind.DECLINED
        sure = await generator.confidence(context, PROMPT, options.context_tokens)
        sample = sample_of(number, context, await render(context), wanted_of(case), kind, TENANT)
        samples.append(sample.model_copy(update={"confidence": sure}))
    base_folder = await base_folder_of(options.home)
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


if __name__ == "__main__":
    main()
