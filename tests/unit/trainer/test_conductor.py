"""How a run goes from verb to verb, and how it ends whatever happens."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import Conflict, FailedPrecondition, InvalidInput, NotFound, Retryable
from gyre_common.events.releases import ReleaseChanged
from gyre_common.events.training import (
    TRAINING_FINISHED,
    TRAINING_STARTED,
    TrainingFinished,
    TrainingProgressed,
    TrainingStarted,
)
from gyre_common.signature import Signature
from gyre_trainer.runs.conductor import Conductor
from gyre_trainer.runs.starting import PACKAGES_MISSING
from gyre_trainer.runs.verbs import VerbFailed

from tests.eventually import eventually
from tests.unit.trainer.run_fakes import Stage, a_new_run, a_report, applied, ended

BOB = Signature(actor="bob", reason="votes came in")
VERBS = ["prepare", "train full", "train low-rank", "export", "compare"]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def finished(stage: Stage) -> TrainingFinished:
    event = stage.bus.published[-1][1]
    assert isinstance(event, TrainingFinished)
    return event


async def test_what_passes_is_told_with_all_that_the_release_controller_needs(stage: Stage) -> None:
    async with stage.conductor() as conductor:
        run = await conductor.start(a_new_run())
        run = await ended(conductor, run.run_id)
    assert (run.state, stage.verbs.ran) == ("released", VERBS)
    version, event = stage.folder(run.run_id).spec().version, finished(stage)
    assert event.verdict is not None
    assert event.candidate is not None
    assert (event.outcome, event.version, event.hold) == ("passed", version, False)
    assert event.candidate.digest == stage.registry.registered["query-encoder"].digest
    assert event.against == {"query-encoder": "minilm-l6-v2", "retrieval": "hybrid-1"}
    fitted = event.verdict.companions["retrieval"]
    assert fitted.fits == version
    assert (fitted.settings["bm25_weight"], fitted.settings["dense_weight"]) == ("0.4", "0.6")
    assert fitted.settings["title_boost"] == "2"


async def test_a_verdict_is_in_the_unit_that_people_quote_and_begins_with_the_whole(
    stage: Stage,
) -> None:
    async with stage.conductor() as conductor:
        await ended(conductor, (await conductor.start(a_new_run())).run_id)
    verdict = finished(stage).verdict
    assert verdict is not None
    assert verdict.decision == "passed"
    assert verdict.explanation.startswith("100 would be the best order")
    assert [one.name for one in verdict.slices] == ["overall", "voted", "new"]
    whole = verdict.slices[0]
    assert (whole.difference, whole.low, whole.high, whole.examples) == (5.0, 3.0, 7.0, 100)


async def test_the_end_tells_what_was_learned_from_and_what_came_of_it(stage: Stage) -> None:
    async with stage.conductor() as conductor:
        run = await conductor.start(a_new_run(reason="more votes"))
        await ended(conductor, run.run_id)
    topics = [topic.name for topic, _ in stage.bus.published]
    assert topics[0] == TRAINING_STARTED.name
    assert topics[-1] == TRAINING_FINISHED.name
    event = finished(stage)
    assert event.report_uri is not None
    assert event.report is not None
    assert (event.votes, event.reason) == (12, "more votes")
    report = await stage.store.get(event.report_uri, event.report)
    assert b'"verdict":"passed"' in report


async def test_what_is_refused_is_told_with_its_reasons(stage: Stage) -> None:
    stage.verbs.report = a_report(gain=-0.05)
    async with stage.conductor() as conductor:
        run = await ended(conductor, (await conductor.start(a_new_run())).run_id)
    assert run.state == "refused"
    assert "no gain overall" in run.message
    assert finished(stage).verdict is not None


async def test_what_is_held_asks_the_release_controller_to_wait(stage: Stage) -> None:
    async with stage.conductor() as conductor:
        run = await ended(conductor, (await conductor.start(a_new_run(hold=True))).run_id)
    assert run.state == "passed"
    assert finished(stage).hold


async def test_a_run_goes_on_until_its_verdict_was_applied_and_then_says_what_it_came_to(
    stage: Stage,
) -> None:
    """The release controller may be away when a run ends."""
    stage.applies = False
    states: list[tuple[str, str]] = []

    async def watched(conductor: Conductor, run_id: UUID) -> None:
        async for run in conductor.book.watch(run_id, "default"):
            states[:] = [*states, (run.state, run.stage)]

    async with stage.conductor() as conductor:
        run = await conductor.start(a_new_run())
        watching = asyncio.create_task(watched(conductor, run.run_id))
        await eventually(lambda: states and states[-1] == ("running", "settling"))
        assert "has yet to apply" in conductor.book.run(run.run_id, "default").message
        other = await conductor.start(a_new_run())  # its role is free meanwhile
        await conductor.cancel(other.run_id, "default", "bob")
        event = next(e for _, e in stage.bus.published if isinstance(e, TrainingFinished))
        stage.book.apply([applied(event, "passed", "but it was not released: why not")])
        await asyncio.wait_for(watching, 5)
    run = stage.book.run(run.run_id, "default")
    assert (run.state, states[-1][0]) == ("passed", "passed")
    assert run.message.endswith("questions); but it was not released: why not")


async def test_a_verb_that_fails_ends_the_run_with_its_own_words(stage: Stage) -> None:
    stage.verbs.failing["prepare"] = VerbFailed("too few votes: 3 questions to train on")
    async with stage.conductor() as conductor:
        run = await ended(conductor, (await conductor.start(a_new_run())).run_id)
    assert (run.state, run.message) == ("failed", "too few votes: 3 questions to train on")
    assert stage.registry.registered == {}


async def test_a_failed_run_goes_on_from_the_verb_that_failed(stage: Stage) -> None:
    stage.verbs.failing["train low-rank"] = VerbFailed("was killed by SIGKILL")
    async with stage.conductor() as conductor:
        run = await ended(conductor, (await conductor.start(a_new_run())).run_id)
        assert run.state == "failed"
        stage.verbs.ran.clear()
        await conductor.resume(run.run_id, "default", BOB)
        run = await ended(conductor, run.run_id)
    assert (run.state, stage.verbs.ran) == ("released", ["train low-rank", "export", "compare"])


async def test_a_bug_in_a_verb_does_not_end_the_trainer(stage: Stage) -> None:
    stage.verbs.failing["compare"] = ZeroDivisionError("division by zero")
    async with stage.conductor() as conductor:
        run = await ended(conductor, (await conductor.start(a_new_run())).run_id)
        assert run.message == "unexpected ZeroDivisionError: division by zero"
        assert (await conductor.start(a_new_run())).is_running


async def test_a_second_run_of_the_same_role_is_refused_by_the_name_of_the_first(
    stage: Stage,
) -> None:
    stage.verbs.waits["prepare"] = asyncio.Event()
    async with stage.conductor() as conductor:
        first = await conductor.start(a_new_run())
        with pytest.raises(Conflict, match=str(first.run_id)):
            await conductor.start(a_new_run(actor="bob"))
        other = await conductor.start(a_new_run(tenant="acme"))
        assert {run.run_id for run in conductor.book.runs("acme")} == {other.run_id}


async def test_of_two_starts_at_once_one_wins(stage: Stage) -> None:
    stage.verbs.waits["prepare"] = asyncio.Event()
    async with stage.conductor() as conductor:
        results = await asyncio.gather(
            conductor.start(a_new_run()), conductor.start(a_new_run()), return_exceptions=True
        )
    assert sorted(type(one).__name__ for one in results) == ["Conflict", "Run"]


async def test_a_cancelled_run_has_stopped_when_the_call_returns_and_can_be_resumed(
    stage: Stage,
) -> None:
    stage.verbs.waits["train full"] = asyncio.Event()
    async with stage.conductor() as conductor:
        run = await conductor.start(a_new_run())
        await eventually(lambda: "train full" in stage.verbs.ran)
        stopped = await conductor.cancel(run.run_id, "default", "bob")
        assert stage.verbs.ended[-1] == "train full"
        assert stopped.state == "cancelled"
        assert stopped.message.startswith("stopped by bob: `gyre train --resume")
        stage.verbs.waits["train full"].set()
        await conductor.resume(run.run_id, "default", BOB)
        assert (await ended(conductor, run.run_id)).state == "released"


async def test_who_resumed_a_run_is_recorded_and_has_to_say_so(stage: Stage) -> None:
    stage.verbs.failing["prepare"] = VerbFailed("no")
    async with stage.conductor() as conductor:
        run = await ended(conductor, (await conductor.start(a_new_run())).run_id)
        for wrong, field in (({"actor": " "}, "actor"), ({"reason": "x" * 513}, "reason")):
            with pytest.raises(InvalidInput, match=field):
                await conductor.resume(run.run_id, "default", replace(BOB, **wrong))
        run = await conductor.resume(run.run_id, "default", BOB)
        assert (run.actor, run.message) == ("ann", "resumed by bob: votes came in")
    events = [event for _, event in stage.bus.published if isinstance(event, TrainingStarted)]
    assert [(event.actor, event.reason, event.resumed) for event in events] == [
        ("ann", "", False),
        ("bob", "votes came in", True),
    ]


async def test_the_longest_name_of_a_base_leaves_room_for_the_runs(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = stage.registry.state

    def renamed(tenant: str, role: str) -> ReleaseChanged:
        release = state(tenant, role)
        version = f"{role}-".ljust(128, "x")
        artifacts = (release.artifacts[0].model_copy(update={"version": version}),)
        return release.model_copy(update={"live": version, "artifacts": artifacts})

    monkeypatch.setattr(stage.registry, "state", renamed)
    async with stage.conductor() as conductor:
        run = await ended(conductor, (await conductor.start(a_new_run())).run_id)
    version = stage.folder(run.run_id).spec().version
    assert (run.state, len(version)) == ("released", 128)
    assert version.endswith(f"x-{run.run_id.hex[-8:]}")


async def test_a_run_in_a_trainer_that_is_stopped_is_interrupted(stage: Stage) -> None:
    stage.verbs.waits["train full"] = asyncio.Event()
    async with stage.conductor() as conductor:
        run = await conductor.start(a_new_run())
        await eventually(lambda: "train full" in stage.verbs.ran)
    assert stage.book.run(run.run_id, "default").state == "interrupted"


async def test_a_run_in_a_trainer_that_was_killed_is_told_of_by_the_next_one(stage: Stage) -> None:
    stage.verbs.waits["train full"] = asyncio.Event()
    async with stage.conductor() as conductor:
        run = await conductor.start(a_new_run())
        await eventually(lambda: "train full" in stage.verbs.ran)
        started = stage.bus.published[0][1]
        assert isinstance(started, TrainingStarted)
    after = Stage(stage.path)
    after.book.apply([started])
    async with after.conductor() as conductor:
        assert conductor.book.run(run.run_id, "default").state == "interrupted"
        await conductor.resume(run.run_id, "default", BOB)
        assert (await ended(conductor, run.run_id)).state == "released"
    assert "prepare" not in after.verbs.ran


async def test_a_run_that_is_over_is_not_resumed(stage: Stage) -> None:
    async with stage.conductor() as conductor:
        run = await ended(conductor, (await conductor.start(a_new_run())).run_id)
        with pytest.raises(FailedPrecondition, match="is over"):
            await conductor.resume(run.run_id, "default", BOB)


async def test_without_its_packages_training_is_refused_by_a_code(stage: Stage) -> None:
    stage.missing = ["torch", "deepspeed"]
    async with stage.conductor() as conductor:
        with pytest.raises(FailedPrecondition, match="make setup-train") as refused:
            await conductor.start(a_new_run())
        assert refused.value.code == PACKAGES_MISSING
        assert stage.bus.published == []


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"recipe": "reranker"}, "recipe"),
        ({"profile": "huge"}, "profile"),
        ({"settings": {"epochz": "3"}}, "epochz"),
        ({"settings": {"verb_minutes": "soon"}}, "verb_minutes"),
        ({"settings": {"verb_minutes": "-1"}}, "verb_minutes"),
        ({"actor": " "}, "actor"),
    ],
)
async def test_a_wrong_request_starts_nothing(
    stage: Stage, wrong: dict[str, object], field: str
) -> None:
    async with stage.conductor() as conductor:
        with pytest.raises(InvalidInput, match=field):
            await conductor.start(a_new_run(**wrong))
    assert not (stage.path / "runs").exists()


async def test_the_time_that_verbs_have_is_no_setting_of_the_recipe(stage: Stage) -> None:
    async with stage.conductor() as conductor:
        settings = {"verb_minutes": "90", "epochs": "3"}
        run = await ended(conductor, (await conductor.start(a_new_run(settings=settings))).run_id)
    spec = stage.folder(run.run_id).spec()
    assert (spec.verb_minutes, spec.settings) == (90, {"epochs": "3"})
    assert stage.verbs.minutes == {90}


async def test_another_tenants_run_is_not_there(stage: Stage) -> None:
    async with stage.conductor() as conductor:
        run = await conductor.start(a_new_run())
        with pytest.raises(NotFound):
            conductor.book.run(run.run_id, "acme")


async def test_a_run_outlives_the_call_that_asked_for_it(stage: Stage) -> None:
    async with stage.conductor() as conductor:
        with use_context(RequestContext(tenant="default", deadline=time.monotonic())):
            run = await conductor.start(a_new_run())
        await ended(conductor, run.run_id)
    assert {context.deadline for context in stage.verbs.contexts} == {None}


async def test_a_run_goes_on_though_its_asker_left_while_it_was_being_written_down(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    published, confirmed, publish = asyncio.Event(), asyncio.Event(), stage.bus.publish

    async def slowly(*arguments: Any, **named: Any) -> None:
        await publish(*arguments, **named)
        published.set()
        await confirmed.wait()

    monkeypatch.setattr(stage.bus, "publish", slowly)
    async with stage.conductor() as conductor:
        asking = asyncio.create_task(conductor.start(a_new_run()))
        await published.wait()
        asking.cancel()
        await asyncio.wait([asking])
        confirmed.set()
        await eventually(lambda: conductor.book.runs("default"))
        (run,) = conductor.book.runs("default")
        assert (await ended(conductor, run.run_id)).state == "released"


async def test_a_stage_is_told_when_its_program_is_started_and_when_it_speaks(
    stage: Stage,
) -> None:
    async with stage.conductor() as conductor:
        await ended(conductor, (await conductor.start(a_new_run())).run_id)
    events = [event for _, event in stage.bus.published if isinstance(event, TrainingProgressed)]
    stages = [verb.removeprefix("train ") for verb in VERBS]
    words = ("its program is being started", "at work")
    progress = [(event.stage, event.message) for event in events]
    assert progress == [(name, word) for name in stages for word in words]


async def test_checkpoints_go_once_the_candidate_is_exported(stage: Stage) -> None:
    async with stage.conductor() as conductor:
        run = await ended(conductor, (await conductor.start(a_new_run())).run_id)
    names = [path.name for path in stage.folder(run.run_id).variant("full").iterdir()]
    assert names == ["result.json"]


async def test_folders_of_older_runs_go(stage: Stage) -> None:
    async with stage.conductor() as conductor:
        run_ids = [
            (await ended(conductor, (await conductor.start(a_new_run())).run_id)).run_id
            for _ in range(4)
        ]
        await eventually(lambda: stage.folder_names() == {str(one) for one in run_ids[-2:]})


async def test_a_run_whose_folder_is_gone_cannot_be_resumed(stage: Stage) -> None:
    stage.verbs.failing["prepare"] = VerbFailed("no")
    async with stage.conductor() as conductor:
        run = await ended(conductor, (await conductor.start(a_new_run())).run_id)
        stage.folder(run.run_id).spec_file.unlink()
        with pytest.raises(FailedPrecondition, match="not on this machine"):
            await conductor.resume(run.run_id, "default", BOB)


async def test_two_trainers_never_work_in_one_folder(stage: Stage) -> None:
    stage.verbs.failing["prepare"] = VerbFailed("no")
    async with stage.conductor() as conductor:
        run = await ended(conductor, (await conductor.start(a_new_run())).run_id)
        with stage.folders.claim(run.run_id), pytest.raises(Conflict, match="another trainer"):
            await conductor.resume(run.run_id, "default", BOB)


async def test_a_full_disk_starts_nothing(stage: Stage) -> None:
    (stage.path / "runs").write_text("in the way")
    async with stage.conductor() as conductor:
        with pytest.raises(Retryable, match="cannot write"):
            await conductor.start(a_new_run())
    assert stage.bus.published == []


@pytest.fixture(autouse=True)
async def _nothing_is_left_running() -> AsyncIterator[None]:
    yield
    tasks = [task for task in asyncio.all_tasks() if task.get_name().startswith("run ")]
    assert tasks == []
