"""The second act: people correct answers, a language model learns from that, and goes live."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from gyre.generator.v1 import generator_pb2
from gyre.trainer.v1 import trainer_pb2
from gyre_client import AsyncClient, GyreError
from gyre_client.submission import in_turns
from gyre_common.events.releases import Roles
from gyre_common.model_folders import SHIPPED_MODELS
from gyre_common.releases.builtin import LANGUAGE_MODEL_FILE, LANGUAGE_MODEL_VERSION
from gyre_local.control import running_state

from gyre_cli.command import Cli
from gyre_cli.commands.runs import install
from gyre_cli.demo.corpus import SEED, DemoCorpus, DemoQuestion, Size
from gyre_cli.demo.correcting import CorrectionTally, ask, ask_and_correct, nearness
from gyre_cli.demo.measures import QualityComparison, paired
from gyre_cli.demo.stages import Stages
from gyre_cli.demo.switching import Switch, promote_again, roll_back
from gyre_cli.demo.training import train

_TRAINING = {
    "context_tokens": "160",
    "longest": "512",
    "answer_tokens": "64",
    "answers_at": "0.1",
}
"""The manual's pages are short, and so are the replies. Whether there is one is left to the model:
people ask in other words than the manual has, so the reader is seldom sure.
"""

_AT_ONCE = 2
_SWITCHED_WITHIN = 60.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Example:
    """A question with its answers before and after."""

    question: str
    before: str
    after: str


@dataclass
class SecondAct:
    """What it found. Without a release the later parts stay empty; `quality` is the mean nearness
    of answers to replies, on questions that nobody corrected; `run_cpu_minutes` are by stage.
    """

    tally: CorrectionTally = field(default_factory=CorrectionTally)
    run: trainer_pb2.Run = field(default_factory=trainer_pb2.Run)
    run_cpu_minutes: dict[str, float] = field(default_factory=dict)
    quality: QualityComparison | None = None
    last_correction_to_live_seconds: float | None = None
    rollback: Switch | None = None
    promotion: Switch | None = None
    example: Example | None = None


async def second_act(
    cli: Cli, system: AsyncClient, corpus: DemoCorpus, size: Size, stages: Stages
) -> SecondAct:
    """Raises GyreError, also where the language model cannot be installed."""
    await asyncio.to_thread(_install, cli)
    act, questions = SecondAct(), corpus.untouched_answers
    with stages.stage("asking before the corrections", len(questions)) as show:
        before = await _answers(system, questions, show)
    with stages.stage("the crowd asks and corrects", len(corpus.corrected)) as show:
        act.tally = await ask_and_correct(system, corpus.corrected, show, seed=SEED)
    last_word_at = time.monotonic()
    with stages.clock("training the language model, and gate"):
        settings = {**_TRAINING, "epochs": str(size.epochs)}
        act.run, act.run_cpu_minutes = await train(cli, system, recipe="sft", settings=settings)
    if act.run.state != "released":
        return act
    await _until_it_answers(system, act.run.version)
    act.last_correction_to_live_seconds = time.monotonic() - last_word_at
    with stages.stage("asking after the release", len(questions)) as show:
        after = await _answers(system, questions, show)
    act.quality = paired(_nearness(before, questions), _nearness(after, questions))
    act.example = _example(questions, before, after)
    role, reader = Roles.GENERATOR, before[0].versions[Roles.GENERATOR]
    act.rollback = await roll_back(system, role, partial(_until_it_answers, system, reader))
    until = partial(_until_it_answers, system, act.run.version)
    act.promotion = await promote_again(system, role, act.run.version, until)
    return act


def _install(cli: Cli) -> None:
    weights = SHIPPED_MODELS / LANGUAGE_MODEL_VERSION / LANGUAGE_MODEL_FILE
    if not weights.is_file() and running_state(cli.settings.home) is not None:
        install(cli, "setup-llm", "what runs language models (250 MB, once)")


async def _answers(
    system: AsyncClient, questions: Sequence[DemoQuestion], show: Callable[[int], None]
) -> list[generator_pb2.AnswerResponse]:
    """In the order of the questions."""
    answers: dict[str, generator_pb2.AnswerResponse] = {}

    async def one(question: DemoQuestion) -> None:
        answers[question.question_id] = await ask(system, question)
        show(len(answers))

    await in_turns(questions, one, _AT_ONCE)
    return [answers[question.question_id] for question in questions]


def _nearness(
    answers: Sequence[generator_pb2.AnswerResponse], questions: Sequence[DemoQuestion]
) -> list[float]:
    return [
        nearness(answer, question.reply)
        for answer, question in zip(answers, questions, strict=True)
    ]


def _example(
    questions: Sequence[DemoQuestion],
    before: Sequence[generator_pb2.AnswerResponse],
    after: Sequence[generator_pb2.AnswerResponse],
) -> Example | None:
    """The first question that both answered."""
    for question, old, new in zip(questions, before, after, strict=True):
        if all(each.outcome == generator_pb2.OUTCOME_ANSWERED for each in (old, new)):
            return Example(question.text, old.answer, new.answer)
    return None


async def _until_it_answers(system: AsyncClient, version: str) -> None:
    """Returns once a question is answered by that version."""
    deadline = time.monotonic() + _SWITCHED_WITHIN
    while True:
        # A few words: what is being written when the release arrives is written to its end.
        answer = await system.answers.ask(
            "Which version answers?", timeout=_SWITCHED_WITHIN, max_tokens=16
        )
        if answer.versions[Roles.GENERATOR] == version:
            return
        if time.monotonic() > deadline:
            raise GyreError(
                f"generator {answer.versions[Roles.GENERATOR]} still answers tenant "
                f"{system.caller.tenant} after {_SWITCHED_WITHIN:.0f} s: see `gyre logs generator`"
            )
        await asyncio.sleep(_POLL_SECONDS)
