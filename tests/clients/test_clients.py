"""OpenAI's clients as they are, before the gateway."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from gyre.generator.v1.generator_pb2 import AnswerRequest

from tests.clients.conversation import CLIENTS, Client, Steps, converse
from tests.unit.client.fake_system import IDS, FakeSystem
from tests.unit.gateway.edge import KEY, an_edge


@dataclass(frozen=True)
class Talk:
    """What the client printed, and what the generator was asked, by its question."""

    steps: Steps
    requests: dict[str, AnswerRequest]


@pytest.fixture(scope="module", params=CLIENTS, ids=lambda client: client.name)
def client(request: pytest.FixtureRequest) -> Client:
    client: Client = request.param
    return client


@pytest.fixture(scope="module")
def talk(client: Client) -> Talk:
    """A program takes seconds to start, so it runs once for all tests."""
    return asyncio.run(_talk(client))


async def _talk(client: Client) -> Talk:
    system = FakeSystem()
    async with an_edge(system, keys=KEY) as edge:
        # The answer to `slow` is whole only after the program showed its first words.
        on_first_words = system.released.set
        steps = await converse(client, "How hot?", edge.url, KEY, on_first_words=on_first_words)
    answer_requests = [request for request in system.requests if isinstance(request, AnswerRequest)]
    return Talk(steps, {request.question: request for request in answer_requests})


def test_it_gets_an_answer_to_what_it_asked(client: Client, talk: Talk) -> None:
    assert talk.steps["answer"]["text"] == "80 degrees."
    request = talk.requests["How hot?"]
    assert (request.actor, request.version) == ("ann", "")
    assert (request.max_tokens, request.temperature) == (50, 0.5)
    assert list(request.filters.document_ids) == (["coffee.md"] if client.sends_filters else [])


def test_it_reads_a_stream_before_the_answer_is_whole(talk: Talk) -> None:
    assert talk.steps["first words"]["text"] == "80"
    assert talk.steps["stream"]["text"] == "80 degrees."


def test_it_hands_on_a_conversation(talk: Talk) -> None:
    assert talk.steps["turns"]["text"] == "80 degrees."
    request = talk.requests["And black?"]
    turns = [(turn.role, turn.content) for turn in request.history]
    assert turns == [("user", "Green tea?"), ("assistant", "80 degrees.")]
    assert request.instructions == "Be brief."


@pytest.mark.parametrize("step", ["answer", "stream"])
def test_interaction_and_sources_are_within_its_reach(
    client: Client, talk: Talk, step: str
) -> None:
    seen = talk.steps[step]
    assert seen["interaction_id"] == IDS[0]
    assert seen.get("quotes", []) == (["80 degrees is best"] if client.shows_citations else [])
    if client.shows_sources:
        assert seen["sources"] == ["https://tea.example/tea"]


@pytest.mark.parametrize(
    ("step", "says"),
    [
        ("unknown model", "gpt-9 is not there: use gyre"),
        ("tools", "tools cannot be called: leave it out"),
        ("wrong key", "the key is not one of this server's"),
    ],
)
def test_it_raises_what_is_refused_as_its_own_error(
    client: Client, talk: Talk, step: str, says: str
) -> None:
    seen = talk.steps[step]
    assert (seen["error"], seen["status"]) == client.errors[step]
    assert says in seen["message"]


def test_it_notices_a_stream_that_breaks_off(client: Client, talk: Talk) -> None:
    seen = talk.steps["broken stream"]
    assert seen["error"] == client.broken_off
    assert "the answer broke off" in seen["message"]


def test_it_embeds_texts(talk: Talk) -> None:
    assert talk.steps["vectors"]["vectors"] == [pytest.approx([0.6, -0.8])] * 2


async def test_curl_shows_words_as_they_come() -> None:
    system = FakeSystem()
    question = {"model": "gyre", "stream": True, "messages": [{"role": "user", "content": "slow"}]}
    async with an_edge(system, keys=KEY) as edge, asyncio.timeout(60):
        curl = await asyncio.create_subprocess_exec(
            *("curl", "--no-buffer", "--silent", "--show-error", "--fail-with-body"),
            *("--header", f"Authorization: Bearer {KEY}", "--json", json.dumps(question)),
            f"{edge.url}/v1/chat/completions",
            stdout=asyncio.subprocess.PIPE,
        )
        assert curl.stdout
        lines = [line.decode() async for line in _until(curl.stdout, "degrees")]
        assert not system.released.is_set()
        system.released.set()
        lines += [line.decode() async for line in curl.stdout]
        assert await curl.wait() == 0
    assert [line for line in lines if line.strip()][-1] == "data: [DONE]\n"


async def _until(output: asyncio.StreamReader, word: str) -> AsyncIterator[bytes]:
    async for line in output:
        yield line
        if word.encode() in line:
            return
