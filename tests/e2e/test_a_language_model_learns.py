"""Corrections of the reader's answers train the small model; it goes live, outlives its engine, is
swapped under load, and goes back.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from time import monotonic
from typing import Any

import pytest
from gyre_cli.demo.corpus import SHORT, generate
from gyre_cli.demo.correcting import ask_and_correct
from gyre_cli.demo.story import submit
from gyre_client import Addresses, AsyncClient, Caller
from gyre_common.model_folders import SHIPPED_MODELS
from gyre_common.releases.builtin import LANGUAGE_MODEL_FILE, LANGUAGE_MODEL_VERSION

from tests.eventually import eventually
from tests.system import System

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        not (SHIPPED_MODELS / LANGUAGE_MODEL_VERSION / LANGUAGE_MODEL_FILE).is_file(),
        reason="needs `make setup-llm`",
    ),
]

READER = "extractive-1"
TENANT = "learning"
SERVES_WITHIN = 60.0
HERE = ("--tenant", TENANT)
SETTINGS = {
    "epochs": "1",
    "context_tokens": "100",
    "longest": "384",
    "answer_tokens": "16",
    "answers_at": "0",
}


@pytest.fixture
async def gyre(system: System) -> AsyncIterator[AsyncClient]:
    addresses = Addresses.on("127.0.0.1", port_offset=system.ports.offset)
    async with AsyncClient(addresses, Caller(tenant=TENANT, actor="ann")) as client:
        yield client


def answered_by(system: System, question: str) -> str:
    answer = system.json("ask", question, *HERE)
    assert answer["answer"].strip()
    return str(answer["versions"]["generator"])


async def test_what_people_corrected_is_learned_served_and_taken_back(
    system: System, gyre: AsyncClient
) -> None:
    corpus = generate(SHORT)
    relevant_ids = {each for one in corpus.corrected for each in one.relevant}
    relevant_ids |= {each for one in corpus.untouched_answers for each in one.relevant}
    documents = [one for one in corpus.documents if one.document_id in relevant_ids]
    await submit(gyre, documents, lambda _: None)
    assert system.process("language-model").status == "at rest"
    tally = await ask_and_correct(gyre, corpus.corrected, lambda _: None, seed=1)
    assert tally.versions == {READER: SHORT.corrected}
    assert tally.corrected > SHORT.corrected / 2

    run = train(system)
    assert run["verdict"]["decision"] in ("passed", "refused", "too small to tell"), run["message"]
    assert run["base"] == LANGUAGE_MODEL_VERSION
    slices = {one["name"]: one for one in run["verdict"]["slices"]}
    assert slices["overall"]["examples"] >= 15

    version, question = run["version"], corpus.untouched_answers[1].text
    reason = ("--override", "--reason", "a test of the way, whatever the gate says of so little")
    promoted = system.json("promote", "generator", version, *reason, *HERE)
    try:
        assert promoted["live"] == version
        assert answered_by(system, question) == version
        engine = system.process("language-model").identity
        assert engine is not None
        os.kill(engine.pid, signal.SIGKILL)
        assert answered_by(system, question) == version  # started and loaded again, for this
        await swap_under_load(system, gyre, question, version, reason)
    finally:
        began = monotonic()
        system.gyre("rollback", "generator", *HERE)
    assert monotonic() - began < 10
    assert answered_by(system, question) == READER


async def swap_under_load(
    system: System, gyre: AsyncClient, question: str, version: str, reason: Sequence[str]
) -> None:
    """The model that was trained gives way to the shipped one and comes back, while two people ask
    without a break: no call may fail.
    """
    serving: list[str] = []

    async def keep_asking() -> None:
        while True:
            answer = await gyre.answers.ask(question, max_tokens=8)
            serving.append(answer.versions["generator"])

    async def serves(model: str, *command: str) -> None:
        await asyncio.to_thread(system.gyre, *command, *HERE)
        await eventually(lambda: serving[-3:] == [model] * 3, SERVES_WITHIN)

    async with asyncio.TaskGroup() as group:
        askers = [group.create_task(keep_asking()) for _ in range(2)]
        shipped = LANGUAGE_MODEL_VERSION
        await serves(shipped, "promote", "generator", shipped, *reason)
        await serves(version, "rollback", "generator")
        for each in askers:
            each.cancel()


def train(system: System) -> Any:
    """The run, held whatever its gate says."""
    settings = [f"--set={name}={value}" for name, value in SETTINGS.items()]
    command = ("train", "generator", "--profile", "demo", "--hold", *settings)
    done = system.gyre(*command, "--json", *HERE, seconds=500, check=False)
    assert done.returncode in (0, 1), done.stderr
    (run, *_) = system.json("runs", *HERE)
    return system.json("runs", run["run_id"], *HERE)
