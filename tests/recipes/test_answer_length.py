"""A second recipe, outside ranking, goes from facts to a release and back by its folder alone."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gyre_common.errors import InvalidInput
from gyre_common.releases.builtin import GENERATOR_VERSION, digest_of_settings
from gyre_common.signature import Signature
from gyre_releases.scope import ReleaseScope

from tests.eventually import eventually
from tests.recipes.answer_length import ANSWER_LENGTH, WORDS
from tests.recipes.loop import ANN, NOON, Loop

pytestmark = pytest.mark.timeout(300)

ROLE = ANSWER_LENGTH.role


def answers(words: int, many: int = 40) -> list[str]:
    return [" ".join(["word"] * (words + at % 5 - 2)) for at in range(many)]


@pytest.fixture
async def loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Loop]:
    monkeypatch.setenv("GYRE_STORE_URL", f"file://{tmp_path}/store")
    monkeypatch.setenv("GYRE_HOME", str(tmp_path))
    async with Loop(tmp_path, ANSWER_LENGTH).running() as loop:
        yield loop


async def test_corrections_become_a_setting_that_is_released_and_rolled_back(loop: Loop) -> None:
    await loop.correct(answers(words=12))
    run = await loop.ended(await loop.start())
    assert (run.state, run.message.split(":")[0]) == ("released", "12 words instead of 100")
    live = loop.live(ROLE)
    assert live.settings == {"backend": "extractive", WORDS: "12"}
    assert live.evidence["gate"] == "passed"
    mine = ReleaseScope("acme", "acme")
    await loop.controller.rollback(ROLE, expected_generation=0, by=ANN, scope=mine)
    assert loop.live(ROLE).version == GENERATOR_VERSION


async def test_what_is_no_better_is_refused_and_live_stays(loop: Loop) -> None:
    await loop.correct(answers(words=100))
    run = await loop.ended(await loop.start(steps=60))
    assert (run.state, run.message) == ("refused", "refused: no gain: +0.0 words")
    assert loop.live(ROLE).version == GENERATOR_VERSION


async def test_too_few_facts_are_told_in_one_line(loop: Loop) -> None:
    await loop.correct(answers(words=12, many=3))
    run = await loop.ended(await loop.start())
    assert run.state == "failed"
    assert run.message == "3 corrections are too few to learn a length from: collect 8"


async def test_a_setting_of_another_recipe_is_refused_by_name(loop: Loop) -> None:
    with pytest.raises(InvalidInput, match="setting epochs"):
        await loop.start(epochs=3)


async def test_a_loss_that_is_no_number_ends_the_run(loop: Loop) -> None:
    await loop.correct(answers(words=12))
    run = await loop.ended(await loop.start(rate=1e200))
    assert run.state == "failed"
    assert run.message.endswith("lower the rate")
    assert "the loss is" in run.message


@pytest.mark.parametrize("verb", ["prepare", "train", "export", "compare"])
async def test_a_verb_that_is_killed_fails_the_run_which_goes_on_where_it_was(
    loop: Loop, verb: str
) -> None:
    await loop.correct(answers(words=12))
    run = await loop.start(pause_in=verb)
    here = loop.folder(run).path / f"in-{verb}"
    pid = int(await eventually(lambda: here.exists() and here.read_text(), timeout=60))
    os.kill(pid, signal.SIGKILL)
    run = await loop.ended(run)
    assert run.state == "failed"
    assert run.message.endswith("and the run can be resumed")
    (loop.folder(run).path / "go").touch()
    run = await loop.ended(await loop.conductor.resume(run.run_id, "acme", ANN))
    assert (run.state, loop.live(ROLE).settings[WORDS]) == ("released", "12")
    result = json.loads((loop.folder(run).variant("only") / "result.json").read_text())
    assert result["began_at"] == (10 if verb == "train" else 0)


async def test_a_candidate_is_not_released_over_what_went_live_meanwhile(loop: Loop) -> None:
    await loop.correct(answers(words=12))
    run = await loop.start(pause_in="compare")
    here = loop.folder(run).path / "in-compare"
    await eventually(here.exists, timeout=60)
    settings = {"backend": "extractive", WORDS: "30"}
    artifact = loop.live(ROLE).model_copy(
        update={
            "version": "by-hand",
            "settings": settings,
            "digest": digest_of_settings(settings),
            "evidence": {},
            "registered_at": NOON,
        }
    )
    await loop.controller.register(ROLE, artifact, ANN)
    by = Signature(actor="bob", reason="now")
    await loop.controller.promote(ROLE, "by-hand", expected_generation=0, by=by, override=True)
    (loop.folder(run).path / "go").touch()
    run = await loop.ended(run)
    assert run.state == "passed"
    assert "it was not released" in run.message
    assert loop.live(ROLE).version == "by-hand"


async def test_what_is_cancelled_leaves_no_process_behind(loop: Loop) -> None:
    await loop.correct(answers(words=12))
    run = await loop.start(pause_in="train")
    here = loop.folder(run).path / "in-train"
    pid = int(await eventually(lambda: here.exists() and here.read_text(), timeout=60))
    run = await loop.conductor.cancel(run.run_id, "acme", "bob")
    assert run.state == "cancelled"
    await asyncio.sleep(0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
