"""Corrections become examples in the answer prompt: released by a gate, and rolled back."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from gyre_common.context import request_context
from gyre_common.errors import FailedPrecondition
from gyre_common.events.releases import Artifact, Roles
from gyre_common.releases.builtin import ANSWER_PROMPT_VERSION, digest_of_settings
from gyre_common.signature import Signature
from gyre_releases.scope import ReleaseScope
from gyre_trainer.recipes.prompt_few_shot import FEW_SHOT

from tests.fakes.generator import fake_generator
from tests.recipes.loop import ANN, NOON, Loop
from tests.unit.trainer.answer_facts import digest, many_answers, text_of

pytestmark = pytest.mark.timeout(300)

QUESTIONS = 90
MINE = ReleaseScope("acme", "acme")
BY = Signature(actor="ann", reason="a model for examples")
NUMBER = re.compile(r"matter(\d+)")


@pytest.fixture
async def loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Loop]:
    monkeypatch.setenv("GYRE_STORE_URL", f"file://{tmp_path}/store")
    monkeypatch.setenv("GYRE_HOME", str(tmp_path))

    def answer(question: str) -> str:
        has_examples = request_context().versions[Roles.ANSWER_PROMPT] != ANSWER_PROMPT_VERSION
        return f"It is {'right' if has_examples else 'wrong'}{NUMBER.findall(question)[0]}."

    async with fake_generator({"hosted-1": answer}) as generator:
        monkeypatch.setenv("GYRE_GENERATOR_ADDRESS", generator.address)
        async with Loop(tmp_path, FEW_SHOT).running() as loop:
            passages = {digest(number): text_of(number) for number in range(QUESTIONS)}
            await loop.collect(many_answers(QUESTIONS), passages)
            yield loop


async def promote_generator(loop: Loop, version: str, **settings: str) -> None:
    artifact = Artifact(
        version=version,
        digest=digest_of_settings(settings),
        settings=settings,
        registered_at=NOON,
    )
    await loop.controller.register(Roles.GENERATOR, artifact, ANN)
    await loop.controller.promote(
        Roles.GENERATOR, version, expected_generation=0, by=BY, override=True
    )


async def test_corrections_become_a_prompt_that_is_released_rolled_back_and_refused(
    loop: Loop,
) -> None:
    await promote_generator(loop, "hosted-1", backend="openai")
    run = await loop.ended(await loop.start(profile="demo"))
    assert run.state == "released", run.message
    live = loop.live(FEW_SHOT.role)
    assert live.version.startswith("answer-examples-1-")
    assert live.settings["template"] == "answer-examples-1"
    assert live.evidence["gate"] == "passed"
    await loop.controller.rollback(FEW_SHOT.role, expected_generation=0, by=ANN, scope=MINE)
    assert loop.live(FEW_SHOT.role).version == ANSWER_PROMPT_VERSION

    await promote_generator(loop, "small-1", backend="openai", prompt="answer-short-1")
    with pytest.raises(FailedPrecondition, match="was made for prompt/answer answer-short-1"):
        await loop.controller.promote(
            FEW_SHOT.role, live.version, expected_generation=0, by=ANN, scope=MINE
        )
