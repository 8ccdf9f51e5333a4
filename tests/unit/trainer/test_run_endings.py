"""Whatever befalls a run or its end, it is told once and in truth, and blocks nobody."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from gyre_common.errors import Conflict
from gyre_common.events.topic import Topic
from gyre_common.events.training import TRAINING_FINISHED, TrainingFinished, TrainingStarted
from gyre_trainer.recipes.query_encoder.prepare import dropped_note
from gyre_trainer.runs.conductor import Conductor
from gyre_trainer.runs.verbs import VerbFailed

from tests.eventually import eventually
from tests.unit.trainer.run_fakes import Stage, a_new_run, ended


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def finished(stage: Stage) -> list[TrainingFinished]:
    return [event for _, event in stage.bus.published if isinstance(event, TrainingFinished)]


async def test_a_run_whose_end_waits_for_kafka_is_not_stopped_but_told_and_its_role_is_free(
    stage: Stage, caplog: pytest.LogCaptureFixture
) -> None:
    stage.verbs.waits["prepare"] = asyncio.Event()
    stage.verbs.failing["prepare"] = VerbFailed("too few votes")
    async with stage.conductor() as conductor:
        run = await conductor.start(a_new_run())
        await eventually(lambda: stage.verbs.ran)
        stage.bus.down = True
        stage.verbs.waits["prepare"].set()
        await eventually(lambda: "a run's end waits for Kafka" in caplog.text)
        stopping = asyncio.create_task(conductor.cancel(run.run_id, "default", "bob"))
        stage.bus.down = False
        stopped = await stopping
        assert (stopped.state, stopped.message) == ("failed", "too few votes")
        assert (await conductor.start(a_new_run())).is_running


async def test_what_was_judged_is_not_called_cancelled(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    publishing, may_go_on, publish = asyncio.Event(), asyncio.Event(), stage.bus.publish

    async def slowly(topic: Topic[Any], event: Any, **about: Any) -> None:
        if topic is TRAINING_FINISHED:
            publishing.set()
            await may_go_on.wait()
        await publish(topic, event, **about)

    monkeypatch.setattr(stage.bus, "publish", slowly)
    async with stage.conductor() as conductor:
        run = await conductor.start(a_new_run())
        await publishing.wait()
        stopping = asyncio.create_task(conductor.cancel(run.run_id, "default", "bob"))
        await asyncio.sleep(0)
        may_go_on.set()
        assert (await stopping).state in ("running", "released")
        assert (await ended(conductor, run.run_id)).state == "released"
    assert [event.outcome for event in finished(stage)] == ["passed"]


def cut_short(path: Path) -> None:
    path.write_text('{"data_set"')


def not_readable(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("damaged", [cut_short, not_readable])
async def test_a_damaged_result_does_not_keep_a_run_from_ending(
    stage: Stage, damaged: Callable[[Path], None]
) -> None:
    stage.verbs.waits["train full"] = asyncio.Event()
    stage.verbs.failing["train full"] = VerbFailed("was killed by SIGKILL")
    async with stage.conductor() as conductor:
        run = await conductor.start(a_new_run())
        await eventually(lambda: "train full" in stage.verbs.ran)
        damaged(stage.folder(run.run_id).prepared_file)
        stage.verbs.waits["train full"].set()
        run = await ended(conductor, run.run_id)
        assert (run.state, run.message) == ("failed", "was killed by SIGKILL")
        assert (await conductor.start(a_new_run())).is_running


@pytest.mark.parametrize("damaged", [cut_short, not_readable])
async def test_a_damaged_folder_does_not_keep_the_next_trainer_from_starting(
    stage: Stage, damaged: Callable[[Path], None]
) -> None:
    stage.verbs.waits["prepare"] = asyncio.Event()
    async with stage.conductor() as conductor:
        run = await conductor.start(a_new_run())
    started = stage.bus.published[0][1]
    assert isinstance(started, TrainingStarted)
    damaged(stage.folder(run.run_id).spec_file)
    after = Stage(stage.path)
    after.book.apply([started])
    async with after.conductor() as conductor:
        assert "start another run" in conductor.book.run(run.run_id, "default").message


async def test_an_end_that_cannot_be_told_ends_nothing_else(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    publish = stage.bus.publish

    async def refusing(topic: Topic[Any], event: Any, **more: Any) -> None:
        if topic is TRAINING_FINISHED:
            raise ZeroDivisionError
        await publish(topic, event, **more)

    monkeypatch.setattr(stage.bus, "publish", refusing)
    async with stage.conductor() as conductor:
        await conductor.start(a_new_run())
        await eventually(lambda: "the end of a run failed" in caplog.text)
        assert (await conductor.start(a_new_run(tenant="acme"))).is_running


async def failed(stage: Stage, conductor: Conductor) -> UUID:
    stage.verbs.failing["prepare"] = VerbFailed("no")
    run = await ended(conductor, (await conductor.start(a_new_run())).run_id)
    assert run.state == "failed"
    return run.run_id


async def test_folders_of_runs_that_failed_go_too(stage: Stage) -> None:
    async with stage.conductor() as conductor:
        run_ids = [await failed(stage, conductor) for _ in range(4)]
        await eventually(lambda: stage.folder_names() == {str(one) for one in run_ids[-2:]})


async def test_a_trainer_that_starts_frees_what_its_predecessor_left(stage: Stage) -> None:
    stage.verbs.waits["prepare"] = asyncio.Event()
    async with stage.conductor() as conductor:
        run_ids = [(await conductor.start(a_new_run(tenant=f"t{n}"))).run_id for n in range(4)]
    async with Stage(stage.path).conductor():
        assert stage.folder_names() == {str(one) for one in run_ids[-2:]}


async def test_a_run_waits_until_that_of_another_tenant_is_over(stage: Stage) -> None:
    stage.verbs.waits["train full"] = asyncio.Event()
    async with stage.conductor() as conductor:
        first = await conductor.start(a_new_run())
        await eventually(lambda: "train full" in stage.verbs.ran)
        second = await conductor.start(a_new_run(tenant="acme"))
        await eventually(lambda: conductor.book.run(second.run_id, "acme").stage == "waiting")
        assert "another run" in conductor.book.run(second.run_id, "acme").message
        assert stage.verbs.ran == ["prepare", "train full"]
        with pytest.raises(Conflict, match=r"\(waiting\)"):
            await conductor.start(a_new_run(tenant="acme"))
        stage.verbs.waits["train full"].set()
        assert (await ended(conductor, first.run_id)).state == "released"
        assert (await ended(conductor, second.run_id, "acme")).state == "released"
    assert stage.verbs.ran == 2 * ["prepare", "train full", "train low-rank", "export", "compare"]


async def test_a_run_that_waits_can_be_stopped(stage: Stage) -> None:
    stage.verbs.waits["prepare"] = asyncio.Event()
    async with stage.conductor() as conductor:
        await conductor.start(a_new_run())
        second = await conductor.start(a_new_run(tenant="acme"))
        await eventually(lambda: conductor.book.run(second.run_id, "acme").stage == "waiting")
        assert (await conductor.cancel(second.run_id, "acme", "bob")).state == "cancelled"
        assert stage.verbs.ran == ["prepare"]


async def test_the_end_tells_how_many_questions_went_with_their_documents(stage: Stage) -> None:
    stage.verbs.note = dropped_note(12)
    async with stage.conductor() as conductor:
        run = await ended(conductor, (await conductor.start(a_new_run())).run_id)
    assert run.message.endswith(
        "; 12 questions taught nothing, because what people liked for them was deleted or replaced"
    )
