"""The recipe `sft` with a teacher: questions that nobody answered are answered by a version."""

import re
from pathlib import Path
from typing import Any

import pytest
from gyre.generator.v1 import generator_pb2 as pb
from gyre_common.errors import (
    CONTEXT_TOO_LONG,
    EMPTY_ANSWER,
    DeadlineExceeded,
    FailedPrecondition,
    GyreError,
    Unavailable,
)
from gyre_common.no_answer import NO_ANSWER
from gyre_trainer.data_sets.answers import AnswerKind
from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.language_models.inputs import RunData, Sample
from gyre_trainer.recipes.generator_sft.prepare import prepare

from tests.fakes.generator import fake_generator
from tests.training.answer_runs import SETTINGS, Stage
from tests.unit.trainer.answer_facts import many_answers, with_unanswered

NUMBER = re.compile(r"matter(\d+)")


@pytest.fixture
async def begun(tmp_path: Path, tiny_language_model: Path) -> Stage:
    stage = Stage(tmp_path)
    facts = with_unanswered(many_answers(90), 6)
    settings = {**SETTINGS, "teacher": "big", "teacher_weight": "0.3"}
    await stage.begin(tiny_language_model, facts=facts, settings=settings)
    return stage


def taught(stage: Stage) -> dict[int, Sample]:
    samples = RunData(stage.folder).samples(DataSetPart.FIT)
    of_teacher = [each for each in samples if each.row.kind is AnswerKind.DISTILLED]
    return {int(each.row.question_id[-4:]): each for each in of_teacher}


def teach(question: str) -> str | pb.AnswerResponse | FailedPrecondition:
    number = int(NUMBER.findall(question)[0])
    answers: dict[int, str | pb.AnswerResponse | FailedPrecondition] = {
        91: "Not answered here.",
        92: FailedPrecondition("the window is small", code=CONTEXT_TOO_LONG),
        93: FailedPrecondition("it wrote nothing", code=EMPTY_ANSWER),
    }
    return answers.get(number, f"It is taught{number}.")


async def test_what_a_teacher_answers_is_learned(begun: Stage) -> None:
    async with fake_generator({"big": teach}) as generator:
        await prepare(begun.folder, begun.settings(generator.address))
    assert generator.groups == {()}, "it sees no example that not everybody may read"
    samples = taught(begun)
    assert {number: sample.answer for number, sample in samples.items()} == {
        90: "It is taught90.",
        91: NO_ANSWER,
        94: "It is taught94.",
        95: "It is taught95.",
    }
    assert {sample.row.weight for sample in samples.values()} == {0.3}
    assert not any(b"taught" in path.read_bytes() for path in begun.folder.data_set.iterdir())


@pytest.mark.parametrize(
    "how",
    [
        {"reached_max_tokens": True},
        {"content_filtered": True},
        {"repeated_itself": True},
        {"outcome": pb.OUTCOME_ABSTAINED},
    ],
    ids=["too long", "filtered", "repeats itself", "held back"],
)
async def test_what_was_cut_off_teaches_nothing(begun: Stage, how: dict[str, Any]) -> None:
    def cut(question: str) -> str | pb.AnswerResponse | FailedPrecondition:
        if "matter95" not in question:
            return teach(question)
        text = "It is taught95, and it is also\n\nThe answer was stopped by a check."
        return pb.AnswerResponse(answer=text, latency_ms={"total": 1.0}, **how)

    async with fake_generator({"big": cut}) as generator:
        await prepare(begun.folder, begun.settings(generator.address))
    assert sorted(taught(begun)) == [90, 91, 94]


@pytest.mark.parametrize(
    "failure",
    [
        FailedPrecondition("the server refused (429): quota is used up"),
        Unavailable("the model server is over its limit: quota is used up"),
    ],
    ids=["refuses", "goes on limiting"],
)
async def test_a_teacher_that_refuses_is_told_and_not_asked_again_what_it_answered(
    begun: Stage, monkeypatch: pytest.MonkeyPatch, failure: GyreError
) -> None:
    for patience in ("_KNOWN_WITHIN", "_PATIENCE"):
        monkeypatch.setattr(f"gyre_trainer.generator_calls.{patience}", 0.0)

    def refusing(question: str) -> str | pb.AnswerResponse | FailedPrecondition:
        if "matter95" in question:
            raise failure
        return teach(question)

    async with fake_generator({"big": refusing}) as generator:
        with pytest.RaisesGroup(pytest.RaisesExc(type(failure), match="quota is used up")):
            await prepare(begun.folder, begun.settings(generator.address))
        assert not begun.folder.prepared_file.exists()
        before = generator.call_counts.total()
        generator.versions["big"] = teach
        await prepare(begun.folder, begun.settings(generator.address))
    assert generator.call_counts.total() < 2 * before
    assert sorted(taught(begun)) == [90, 91, 94, 95]


@pytest.mark.parametrize(
    "failure",
    [
        Unavailable("the model server is over its limit", retry_after_seconds=0.01),
        DeadlineExceeded("the model server is too slow"),
    ],
    ids=["limits", "times out"],
)
async def test_a_teacher_that_limits_or_times_out_is_asked_again(
    begun: Stage, failure: GyreError
) -> None:
    failures = 2

    def late(question: str) -> str | pb.AnswerResponse | FailedPrecondition:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise failure
        return teach(question)

    async with fake_generator({"big": late}) as generator:
        await prepare(begun.folder, begun.settings(generator.address))
    assert sorted(taught(begun)) == [90, 91, 94, 95]


async def test_a_teacher_that_is_no_version_is_told(
    begun: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gyre_trainer.generator_calls._KNOWN_WITHIN", 0.0)
    async with fake_generator({}) as generator:
        with pytest.raises(FailedPrecondition, match="big is broken"):
            await prepare(begun.folder, begun.settings(generator.address))
