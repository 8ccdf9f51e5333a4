"""The recipe `sft` verb after verb: from what people said to a verdict, on real facts and files."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from gyre_common.errors import (
    CONTEXT_TOO_LONG,
    EMPTY_ANSWER,
    FailedPrecondition,
    Unavailable,
)
from gyre_common.events.releases import Artifact
from gyre_common.events.training import Decision
from gyre_common.no_answer import NO_ANSWER
from gyre_common.store import Store
from gyre_trainer.data_sets.answers import AnswerKind
from gyre_trainer.data_sets.frozen import DataSetPart
from gyre_trainer.language_models.config import Variant
from gyre_trainer.language_models.inputs import RunData
from gyre_trainer.recipes.generator_sft.compare import compare
from gyre_trainer.recipes.generator_sft.export import export
from gyre_trainer.recipes.generator_sft.prepare import prepare
from gyre_trainer.recipes.generator_sft.train import train

from tests.fakes.generator import Version, fake_generator
from tests.training.answer_runs import CANDIDATE, SETTINGS, Stage, right, wrong
from tests.training.tiny_runs import never
from tests.unit.trainer.answer_facts import many_preferences, with_golden
from tests.unit.trainer.training_facts import MORNING

GOLDEN = 2


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, tiny_language_model: Path) -> Stage:
    """A run whose candidate is written."""
    stage = Stage(tmp_path_factory.mktemp("stage"))

    async def begin() -> None:
        await stage.begin(tiny_language_model, facts=with_golden(many_preferences(90), GOLDEN))
        async with fake_generator({}) as generator:
            await prepare(stage.folder, stage.settings(generator.address))

    asyncio.run(begin())
    train(stage.folder, Variant.LOW_RANK, never)
    asyncio.run(export(stage.folder, stage.settings()))
    return stage


@pytest.fixture
def compared_anew(exported: Stage) -> Stage:
    """The run as it is before it is compared."""
    for path in (exported.folder.verdict_file, *exported.folder.path.glob("answers-*.jsonl")):
        path.unlink(missing_ok=True)
    return exported


async def test_what_people_said_becomes_samples_and_a_version(exported: Stage) -> None:
    prepared, data = exported.folder.prepared(), RunData(exported.folder)
    assert prepared.votes == 90
    parts = {part: data.samples(part) for part in DataSetPart}
    assert sum(map(len, parts.values())) == 90 + GOLDEN
    assert all(parts.values())
    sample = next(s for s in parts[DataSetPart.FIT] if s.row.kind is AnswerKind.DECLINED)
    assert sample.answer == NO_ANSWER
    learned = [*parts[DataSetPart.FIT], *parts[DataSetPart.VALIDATION]]
    assert {sample.confidence for sample in learned} == {0.75}
    assert {sample.confidence for sample in parts[DataSetPart.GATE]} == {None}
    candidate = exported.folder.exported()
    assert candidate.version == CANDIDATE
    assert candidate.settings == {
        "backend": "openai",
        "model": CANDIDATE,
        "answers_at": "0.3",
        "prompt": "answer-1",
        "context_tokens": "1024",
        "base": "tiny",
    }
    assert candidate.uri is not None
    card = json.loads((exported.folder.candidate / "card.json").read_text())
    assert card["data_set"]["digest"] == prepared.data_set
    assert card["base"]["version"] == "tiny"
    assert (
        "groups whose documents it has seen: none"
        in (exported.folder.candidate / "README.md").read_text()
    )


async def verdict(stage: Stage, live: Version, candidate: Version) -> Any:
    async with fake_generator({"tiny": live, CANDIDATE: candidate}) as generator:
        await compare(stage.folder, stage.settings(generator.address))
    assert generator.prompts == {"answer-1"}
    return stage.folder.verdict()


async def test_a_candidate_that_answers_as_people_wrote_passes(compared_anew: Stage) -> None:
    outcome = await verdict(compared_anew, wrong, right)
    assert (outcome.decision, outcome.reasons) == (Decision.PASSED, ())
    slices = {each.name: each for each in outcome.slices}
    assert slices["overall"].candidate == slices["golden"].candidate == 100
    assert slices["answered: sentences with a source"].candidate == 100
    assert slices["declining: balanced accuracy"].live == 50
    assert slices["declining: balanced accuracy"].candidate == 100
    assert slices["new"].examples == slices["overall"].examples
    report = json.loads(
        await Store(compared_anew.store_url).get(outcome.report_uri, outcome.report)
    )
    assert report["words"]["live"] == 3
    assert (report["tokens"]["live"], report["seconds"]["candidate"]) == (40, 0.25)
    assert "Verdict: **passed**" in (compared_anew.folder.path / "README.md").read_text()


async def test_a_candidate_that_loses_golden_questions_is_refused(compared_anew: Stage) -> None:
    # Their numbers come behind those of the 90 others and of what is disliked.
    outcome = await verdict(
        compared_anew,
        lambda q: right(q) if "10" in q else wrong(q),
        lambda q: wrong(q) if "matter105" in q else right(q),
    )
    assert outcome.decision is Decision.REFUSED
    assert outcome.reasons[0].startswith("a loss on golden questions: ")


async def test_a_candidate_that_is_no_better_is_refused(compared_anew: Stage) -> None:
    outcome = await verdict(compared_anew, wrong, wrong)
    assert outcome.decision is Decision.REFUSED
    assert outcome.reasons[0].startswith("no gain overall: +0.0")


async def test_a_candidate_that_always_declines_is_refused(compared_anew: Stage) -> None:
    outcome = await verdict(compared_anew, right, lambda _: NO_ANSWER)
    assert outcome.decision is Decision.REFUSED
    assert any("it declines rightly less often" in reason for reason in outcome.reasons)


async def test_a_candidate_that_writes_nothing_has_answered_nothing(compared_anew: Stage) -> None:
    empty = FailedPrecondition("it wrote an empty answer", code=EMPTY_ANSWER)
    outcome = await verdict(compared_anew, right, lambda _: empty)
    assert outcome.decision is Decision.REFUSED


async def test_a_candidate_that_cannot_read_what_live_can_has_answered_nothing(
    compared_anew: Stage,
) -> None:
    too_long = FailedPrecondition("the window is small", code=CONTEXT_TOO_LONG)
    outcome = await verdict(compared_anew, right, lambda _: too_long)
    assert outcome.decision is Decision.REFUSED
    assert {each.name: each for each in outcome.slices}["overall"].candidate == 0


async def test_questions_that_live_cannot_read_are_left_out(compared_anew: Stage) -> None:
    too_long = FailedPrecondition("the window is small", code=CONTEXT_TOO_LONG)
    outcome = await verdict(compared_anew, lambda _: too_long, right)
    assert outcome.decision is Decision.TOO_SMALL
    card = (compared_anew.folder.path / "README.md").read_text()
    assert "the prompt is longer than the live model can read" in card


async def test_a_compare_that_was_interrupted_asks_only_what_is_missing(
    compared_anew: Stage,
) -> None:
    many = len(RunData(compared_anew.folder).samples(DataSetPart.GATE))
    too_long = FailedPrecondition("the window is small", code=CONTEXT_TOO_LONG)
    versions: dict[str, Version] = {
        "tiny": wrong,
        CANDIDATE: lambda question: too_long if "13" in question else right(question),
    }
    async with fake_generator(versions) as generator:
        await compare(compared_anew.folder, compared_anew.settings(generator.address))
        calls = generator.call_counts.total()
        assert 0 < calls < 2 * many
        compared_anew.folder.verdict_file.unlink()
        path = compared_anew.folder.path / "answers-candidate.jsonl"
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[:-3]) + lines[-1][:7])
        await compare(compared_anew.folder, compared_anew.settings(generator.address))
    assert generator.call_counts.total() == calls + 3


async def test_what_live_answered_in_an_earlier_run_is_not_asked_again(
    compared_anew: Stage,
) -> None:
    earlier = compared_anew.folder.path.parent / "earlier"
    async with fake_generator({"tiny": wrong, CANDIDATE: right}) as generator:
        address = compared_anew.settings(generator.address)
        await compare(compared_anew.folder, address)
        many = generator.call_counts["tiny"]
        earlier.mkdir()
        for name in ("answers-live.jsonl", "answers-candidate.jsonl"):
            (compared_anew.folder.path / name).rename(earlier / name)
        (earlier / "answers-candidate.jsonl").write_text('["of-another-version", null]\n')
        await compare(compared_anew.folder, address)
    assert generator.call_counts == {"tiny": many, CANDIDATE: 2 * many}


async def test_nobody_is_asked_for_a_tenant_that_keeps_its_own_version(
    compared_anew: Stage,
) -> None:
    with changed_run(compared_anew, tenant="*", unaffected=["acme"]):
        async with fake_generator({}) as generator:
            await compare(compared_anew.folder, compared_anew.settings(generator.address))
    outcome = compared_anew.folder.verdict()
    assert (outcome.decision, outcome.reasons[0]) == (
        Decision.TOO_SMALL,
        "nothing could be compared",
    )
    card = (compared_anew.folder.path / "README.md").read_text()
    assert "questions left out: its tenant has a version of its own" in card


async def test_asking_stops_when_the_intervals_decide_unless_all_are_wanted(
    compared_anew: Stage,
) -> None:
    many = len(RunData(compared_anew.folder).samples(DataSetPart.GATE)) - GOLDEN
    outcome = await verdict(compared_anew, wrong, right)
    report = json.loads((compared_anew.folder.path / "report.json").read_text())
    assert (report["asked"], report["held_out"]) == (22, many)
    assert outcome.summary.endswith(f"; 22 of {many} questions asked, its intervals decide")
    card = (compared_anew.folder.path / "README.md").read_text()
    assert f"Asked: 22 of {many} questions; then it stopped, because its intervals decide." in card
    with changed_run(compared_anew, settings=SETTINGS | {"stop_early": "false"}):
        outcome = await verdict(compared_anew, wrong, right)
    slices = {each.name: each for each in outcome.slices}
    assert slices["overall"].examples == many
    assert "asked" not in outcome.summary


@contextmanager
def changed_run(stage: Stage, **fields: object) -> Iterator[None]:
    """The run was asked to do something else."""
    before = stage.folder.spec_file.read_text()
    stage.folder.spec_file.write_text(json.dumps(json.loads(before) | fields))
    try:
        yield
    finally:
        stage.folder.spec_file.write_text(before)


async def test_a_version_that_is_refused_is_told_in_the_generators_words(
    compared_anew: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gyre_trainer.generator_calls._KNOWN_WITHIN", 0.0)
    async with fake_generator({"tiny": wrong}) as generator:
        with pytest.raises(FailedPrecondition, match=f"{CANDIDATE} is broken"):
            await compare(compared_anew.folder, compared_anew.settings(generator.address))


async def test_a_generator_that_is_away_is_told(
    compared_anew: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gyre_trainer.generator_calls._PATIENCE", 0.0)
    with pytest.raises(Unavailable):
        await compare(compared_anew.folder, compared_anew.settings())


async def test_an_adapter_that_names_another_base_is_refused(compared_anew: Stage) -> None:
    path = compared_anew.folder.candidate / "adapter_config.json"
    before = path.read_text()
    path.write_text(before.replace('"tiny"', '"other"'))
    try:
        with pytest.raises(FailedPrecondition, match="was made for other"):
            await compare(compared_anew.folder, compared_anew.settings())
    finally:
        path.write_text(before)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backend": "extractive"}, "tiny is no language model, so it cannot learn"),
        ({"backend": "openai", "base": "other"}, "tiny is an adapter of other"),
    ],
)
async def test_a_base_that_cannot_be_trained_is_told(
    tmp_path: Path, tiny_language_model: Path, settings: dict[str, str], message: str
) -> None:
    stage = Stage(tmp_path)
    base = Artifact(
        version="tiny", digest="sha256:" + "1" * 64, settings=settings, registered_at=MORNING
    )
    await stage.begin(tiny_language_model, base_artifact=base)
    with pytest.raises(FailedPrecondition, match=message):
        await prepare(stage.folder, stage.settings())
