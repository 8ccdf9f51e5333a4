"""A query encoder becomes live and goes back while questions are asked: nobody notices."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest
from gyre.generator.v1 import generator_pb2
from gyre.generator.v1.generator_pb2_grpc import GeneratorServiceStub
from gyre.retriever.v1 import retriever_pb2
from gyre.retriever.v1.retriever_pb2_grpc import RetrieverServiceStub
from gyre_common.events.releases import Roles
from gyre_common.releases.builtin import ENCODER_VERSION
from gyre_common.rpc import call, channel

from tests.eventually import eventually
from tests.models import changed_model, tiny_model
from tests.releasing import register_encoder
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]

ROLE = Roles.QUERY_ENCODER
SERVES_WITHIN = 30.0


class Askers:
    """They ask without a break; any error ends the test."""

    def __init__(self, stub: GeneratorServiceStub) -> None:
        self._stub = stub
        self._numbers = count()
        self.versions: list[str] = []

    async def ask(self) -> None:
        while True:
            question = f"What happens at step {next(self._numbers)}?"
            reply = await call(self._stub.Answer, generator_pb2.AnswerRequest(question=question))
            self.versions.append(reply.versions[ROLE])

    async def are_served_by(self, version: str) -> None:
        """Three answers in a row come from this version."""
        await eventually(lambda: self.versions[-3:] == [version] * 3, SERVES_WITHIN)


@asynccontextmanager
async def asking(system: System) -> AsyncIterator[Askers]:
    target = f"127.0.0.1:{system.ports.grpc('generator')}"
    async with channel(target) as to_generator, asyncio.TaskGroup() as group:
        askers = Askers(GeneratorServiceStub(to_generator))
        tasks = [group.create_task(askers.ask()) for _ in range(2)]
        yield askers
        for task in tasks:
            task.cancel()


async def release(system: System, *arguments: str, check: bool = True) -> str:
    done = await asyncio.to_thread(system.gyre, *arguments, check=check)
    return done.stderr


def forced(version: str) -> tuple[str, ...]:
    return ("promote", ROLE, version, "--override", "--reason", "a test of swapping")


async def test_no_call_fails_while_an_encoder_is_promoted_and_rolled_back(
    system: System, tmp_path: Path
) -> None:
    version = f"swapped-{uuid4().hex[:6]}"
    await register_encoder(system, version, changed_model(tmp_path / "model"))
    async with asking(system) as askers:
        await askers.are_served_by(ENCODER_VERSION)
        await release(system, *forced(version))
        await askers.are_served_by(version)
        await release(system, "rollback", ROLE)
        await askers.are_served_by(ENCODER_VERSION)


async def test_a_version_of_another_size_is_refused_and_live_stays(
    system: System, tmp_path: Path
) -> None:
    version = f"small-{uuid4().hex[:6]}"
    await register_encoder(system, version, tiny_model(tmp_path / "model"))
    output = await release(system, *forced(version), check=False)
    assert "makes vectors of 32 numbers" in output
    async with channel(f"127.0.0.1:{system.ports.grpc('retriever')}") as to_retriever:
        reply = await call(
            RetrieverServiceStub(to_retriever).Retrieve, retriever_pb2.RetrieveRequest(query="tea")
        )
    assert reply.versions[ROLE] == ENCODER_VERSION
    assert not reply.fallbacks
