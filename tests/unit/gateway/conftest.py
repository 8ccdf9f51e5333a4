"""The gateway before a system of fakes, and OpenAI's client at it."""

from collections.abc import AsyncIterator

import openai
import pytest

from tests.unit.client.fake_system import FakeSystem
from tests.unit.gateway.edge import Edge, an_edge


@pytest.fixture
def system() -> FakeSystem:
    return FakeSystem()


@pytest.fixture
async def edge(system: FakeSystem) -> AsyncIterator[Edge]:
    async with an_edge(system) as edge:
        yield edge


@pytest.fixture
async def client(edge: Edge) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{edge.url}/v1", api_key="any", max_retries=0
    ) as client:
        yield client
