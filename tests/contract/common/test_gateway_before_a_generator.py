"""The gateway before the real generator: what one sends is what the other takes, or refuses."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from gyre_client import Addresses, AsyncClient
from gyre_common.rpc import serve
from gyre_gateway.http import create_http, http_server
from gyre_gateway.settings import GatewaySettings
from gyre_generator.backends import Backend
from gyre_generator.backends.openai.client import ChatClient
from gyre_generator.backends.openai.usage import ServedModel
from gyre_generator.backends.prompted_model import PromptedModel
from gyre_generator.prompts import Prompts
from gyre_generator.service import Answerer

from tests.fakes.bus import MemoryBus
from tests.fakes.model_server import DONE, EVENTS, delta_event, model_server, once
from tests.unit.generator.conftest import (
    FakeRetriever,
    a_passage,
    built_in_releases,
    rpc_of,
    steps_of,
)

QUESTION = {"role": "user", "content": "How hot should the water for green tea be?"}
MEGABYTE = "tea " * 262_144


@asynccontextmanager
async def edge(backend: Backend | None = None) -> AsyncIterator[httpx2.AsyncClient]:
    releases, retriever = built_in_releases(), FakeRetriever([a_passage()])
    steps = steps_of(retriever.search, releases, backend)
    async with (
        Answerer(steps, MemoryBus(service="generator"), releases) as answerer,
        serve([rpc_of(answerer, steps, releases)]) as server,
        AsyncClient(Addresses(generator=f"127.0.0.1:{server.port}")) as gyre,
        http_server(create_http(GatewaySettings(), gyre), "127.0.0.1", 0) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as http,
    ):
        yield http


async def ask(http: httpx2.AsyncClient, *messages: dict[str, str], **body: object) -> Any:
    body = {"model": "gyre", "messages": messages, **body}
    return await http.post("/v1/chat/completions", json=body)


@pytest.mark.parametrize("reason", ["length", "stop"])
async def test_how_a_model_ended_is_how_the_reply_ends(reason: str) -> None:
    behave = once(EVENTS, delta_event("About 80 degrees [1].", finish=reason), DONE)
    async with (
        model_server(behave) as server,
        ChatClient(ServedModel(url=server.url, model="tiny")) as client,
        edge(PromptedModel(client, Prompts())) as http,
    ):
        reply = await ask(http, QUESTION, max_tokens=4)
    (choice,) = reply.json()["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("About 80 degrees.", reason)
    assert server.requests[0]["max_tokens"] == 4


@pytest.mark.parametrize(
    ("messages", "says"),
    [
        ([{"role": "user", "content": MEGABYTE}], "messages has 1,048,576 characters: ask in at"),
        (
            [{"role": "system", "content": MEGABYTE}, QUESTION],
            "messages has 1,048,575 characters: send at most 8,192",
        ),
    ],
)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_message_of_a_megabyte_is_refused_with_the_bound(
    messages: list[dict[str, str]], says: str, stream: bool
) -> None:
    async with edge() as http:
        reply = await ask(http, *messages, stream=stream)
    assert (reply.status_code, reply.json()["error"]["param"]) == (400, "messages")
    assert reply.json()["error"]["message"].startswith(says)


async def test_the_longest_conversation_that_the_gateway_sends_is_taken() -> None:
    turns = [
        {"role": "user", "content": "x" * 8_192},
        {"role": "assistant", "content": "y" * 8_192},
    ]
    async with edge() as http:
        for history in (turns, [{"role": "user", "content": "x"}] * 20):
            reply = await ask(http, *history, QUESTION)
            assert (reply.status_code, reply.json()["gyre"]["ignored"]) == (200, [])
