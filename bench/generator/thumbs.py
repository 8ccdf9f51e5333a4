"""What thumbs alone are worth to the shipped language model: ClapNQ, trained on one half.

    python -m bench.generator.thumbs --home FOLDER [--port-offset N] [--fold odd|even]
        [--recipes dpo kto] [--questions 150] [--draws 3] [--temperature 0.8] [--wrong 0.1]
        [--epochs 3] [--keep FILE]
    python -m bench.generator.thumbs --together FILE FILE

Needs a running system, its home, and `make setup-train setup-llm`. The model as it comes answers
each answerable question of one fold several times, from its own passage and two look-alikes. A
reader knows the people's answer: thumbs up for an answer that is at least as near to it (ROUGE-L)
as the median of all, down for the others, and one thumb in ten the other way round. `dpo` learns
from a liked answer against the one that is disliked of each question, `kto` from both by
themselves, as data sets have them. The other fold is asked. Every version answers always and keeps
all that it writes (`answers_at` 0, unsupported sentences marked), so that no rule of declining
hides what was learned.
"""

import argparse
import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from gyre_client import Addresses, AsyncClient, Caller
from gyre_common.events.releases import Roles
from gyre_common.releases.builtin import LANGUAGE_MODEL_SETTINGS
from gyre_common.rpc import channel
from gyre_trainer.data_sets.answers import AnswerKind, AnswersKind
from gyre_trainer.data_sets.question_context import QuestionContext
from gyre_trainer.generator_calls import Generator
from gyre_trainer.language_models.config import AnswersConfig, Variant
from gyre_trainer.language_models.export import FORMS, version_settings
from gyre_trainer.language_models.inputs import RunData, Sample
from gyre_trainer.language_models.measures import rouge_l
from gyre_trainer.recipes.generator_dpo.config import GeneratorDpoConfig
from gyre_trainer.recipes.generator_kto.config import GeneratorKtoConfig

from bench.answers.data import Case
from bench.generator.answering import (
    ANSWER_TOKENS,
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
from bench.generator.cases import halves
from bench.generator.runs import (
    PROMPT,
    base_folder_of,
    register,
    sample_of,
    store_of,
    train_run,
    write_run,
)
from bench.report import machine

AS_IT_COMES = "as it comes"
ALWAYS = {"answers_at": "0", "unsupported": "mark"}
CONFIGS: dict[str, type[AnswersConfig]] = {"dpo": GeneratorDpoConfig, "kto": GeneratorKtoConfig}
KINDS = {"dpo": AnswersKind.PAIRS, "kto": AnswersKind.LABELLED}


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--home", type=Path)
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--fold", choices=("odd", "even"), default="odd")
    parser.add_argument("--recipes", nargs="+", choices=tuple(CONFIGS), default=list(CONFIGS))
    parser.add_argument("--questions", type=int, default=150, help="of both folds")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--temperature", type=float, default=0.8)
    parser.add_argument("--wrong", type=float, default=0.1, help="share of wrong thumbs")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--context-tokens", type=int, default=700)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--together", type=Path, nargs="+")
    options = parser.parse_args()
    if options.together:
        print(both_tables(joined(options.together)))
    elif options.home is None:
        parser.error("--home is missing: name the folder of a running system")
    else:
        asyncio.run(run(options))


async def run(options: argparse.Namespace) -> None:
    """One fold."""
    learned, test_cases = (
        [case for case in cases if case.gold_answers]
        for cases in halves("gold", options.fold, questions=options.questions)
    )
    addresses = Addresses.on("127.0.0.1", port_offset=options.port_offset)
    async with (
        channel(addresses.generator) as connection,
        AsyncClient(addresses, Caller(tenant=TENANT, actor="bench")) as gyre,
    ):
        generator = Generator(connection)
        base = await base_folder_of(options.home)
        versions = {AS_IT_COMES: "smollm2-135m-instruct-always"}
        settings = {**LANGUAGE_MODEL_SETTINGS, **ALWAYS}
        await register(gyre, store_of(options.home), versions[AS_IT_COMES], base, settings)
        await generator.try_version(TENANT, versions[AS_IT_COMES])
        thumbs = await thumbs_of(generator, learned, versions[AS_IT_COMES], options)
        print(f"## ClapNQ, thumbs for {options.fold} lines\n\n{machine()}", flush=True)
        print(in_words(thumbs), flush=True)
        for recipe in options.recipes:
            with TemporaryDirectory() as folder:
                version, costs = await train(
                    recipe, Path(folder), thumbs, base, generator, gyre, options
                )
            versions[recipe] = version
            print(f"{recipe}: {costs}", flush=True)
        results = {
            name: await results_of(generator, version, test_cases, options.context_tokens)
            for name, version in versions.items()
        }
    print(f"\n{both_tables(results)}\n")
    if options.keep:
        keep(options.keep, results)


def both_tables(results: Mapping[str, Sequence[Result]]) -> str:
    return f"{report(results)}\n\n{gains(results, AS_IT_COMES)}"


@dataclass(frozen=True)
class Thumb:
    """One reader's, on one answer; the score is its ROUGE-L to the people's."""

    answer: str
    score: float
    liked: bool


Thumbs = list[tuple[Case, list[Thumb]]]


async def thumbs_of(
    generator: Generator, cases: Sequence[Case], version: str, options: argparse.Namespace
) -> Thumbs:
    """Of each case's answers."""
    versions = {Roles.GENERATOR.value: version, Roles.ANSWER_PROMPT.value: PROMPT}
    drawn: list[tuple[Case, list[tuple[str, float]]]] = []
    for case in cases:
        answers = set()
        for seed in range(options.draws):
            answer = await generator.answer(
                context_of(case, options.context_tokens),
                versions,
                max_tokens=ANSWER_TOKENS,
                seed=seed,
                temperature=options.temperature,
            )
            answers.add(answer.text.strip() if answer else "")
        scored = [(each, rouge_l(each, wanted_of(case))) for each in sorted(answers) if each]
        drawn.append((case, scored))
    median = np.median([score for _, scored in drawn for _, score in scored])
    chance = random.Random(0)

    def thumb(answer: str, score: float) -> Thumb:
        is_wrong = chance.random() < options.wrong
        return Thumb(answer, score, bool(score >= median) != is_wrong)

    return [(case, [thumb(*each) for each in scored]) for case, scored in drawn]


def in_words(thumbs: Thumbs) -> str:
    """How many there are, and how near to the people's answers."""
    each = [thumb for _, of_case in thumbs for thumb in of_case]
    up, down = ([one.score for one in each if one.liked is liked] for liked in (True, False))
    return (
        f"{len(each)} thumbs for answers to {len(thumbs)} questions: {len(up)} up (mean ROUGE-L "
        f"{np.mean(up):.3f}), {len(down)} down ({np.mean(down):.3f})"
    )


async def train(
    recipe: str,
    path: Path,
    thumbs: Thumbs,
    base_folder: Path,
    generator: Generator,
    gyre: AsyncClient,
    options: argparse.Namespace,
) -> tuple[str, str]:
    """The version that was trained and registered, and what that took."""
    render = generator.render(PROMPT, options.context_tokens)
    samples: list[Sample] = []
    for case, of_case in thumbs:
        context = context_of(case)
        prompt = await render(context)
        liked = next((one for one in of_case if one.liked), None)
        disliked = next((one for one in of_case if not one.liked), None)
        samples += samples_of(recipe, len(samples), context, prompt, liked, disliked, options.wrong)
    folder = write_run(
        path,
        recipe,
        samples,
        tenant=TENANT,
        base_folder=base_folder,
        settings={"epochs": options.epochs, "context_tokens": options.context_tokens},
        kind=KINDS[recipe],
    )
    program = f"gyre_trainer.recipes.generator_{recipe}.train"
    costs = await asyncio.to_thread(train_run, folder, program)
    data = RunData(folder)
    config = CONFIGS[recipe].from_settings(data.spec.settings)
    settings = {**version_settings(data, config, FORMS[Variant.LOW_RANK]), **ALWAYS}
    await register(gyre, store_of(options.home), data.spec.version, folder.candidate, settings)
    return data.spec.version, f"{len(samples)} of {KINDS[recipe]}, {costs}"


def samples_of(
    recipe: str,
    number: int,
    context: QuestionContext,
    prompt: tuple[str, str],
    liked: Thumb | None,
    disliked: Thumb | None,
    wrong: float,
) -> list[Sample]:
    """Of one question, each trusted as a single reader is."""
    one = partial(sample_of, context=context, prompt=prompt, tenant=TENANT, weight=1 - 2 * wrong)
    if recipe == "dpo":
        if liked is None or disliked is None:
            return []
        liked_first = one(number, answer=liked.answer, kind=AnswerKind.LIKED)
        return [liked_first.model_copy(update={"rejected": disliked.answer})]
    samples = []
    if liked:
        samples.append(one(number, answer=liked.answer, kind=AnswerKind.LIKED))
    if disliked:
        bad = one(number, answer=disliked.answer, kind=AnswerKind.DISLIKED)
        changed = {"desirable": False, "question_id": f"{bad.row.question_id}-disliked"}
        samples.append(bad.model_copy(update={"row": bad.row.model_copy(update=changed)}))
    return samples


if __name__ == "__main__":
    main()
