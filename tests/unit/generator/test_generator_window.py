"""What is sent fits the model's window, by the model's own tokens where its server counts them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from gyre_common.errors import FailedPrecondition
from gyre_common.events.interactions import Turn
from gyre_generator.ask import Ask
from gyre_generator.backends.prompted_model import PromptedModel
from gyre_generator.passages import RetrievedPassage
from gyre_generator.prompts import Prompts
from gyre_generator.steps.pack import pack_passages

from tests.fakes.model_server import (
    DONE,
    EVENTS,
    FakeServer,
    delta_event,
    model_server,
    once,
    status,
)
from tests.unit.generator.conftest import a_passage
from tests.unit.generator.test_generator_openai import chat_client

ASK = Ask("How hot?")
HOT = once(EVENTS, delta_event("About 80 degrees [1].", finish="stop"), DONE)
PASSAGES = [
    a_passage(f"{n} " + "tea is hot " * 40, rank=n, document=f"{n}.md") for n in range(1, 11)
]


@asynccontextmanager
async def a_model(
    window: int, *, characters: int = 4, **changes: Any
) -> AsyncIterator[tuple[FakeServer, PromptedModel]]:
    """A token is so many characters; the chat template adds ten."""

    def tokenize(body: dict[str, Any]) -> dict[str, Any]:
        text = "".join(message["content"] for message in body["messages"])
        return {"count": 10 + len(text) // characters, "max_model_len": window, "tokens": []}

    async with model_server(HOT) as server, chat_client(server.url, **changes) as client:
        server.tokenize = tokenize
        yield server, PromptedModel(client, Prompts())


async def sent(
    server: FakeServer, model: PromptedModel, ask: Ask = ASK, *, budget: int = 3_000
) -> tuple[int, dict[str, Any]]:
    """How many passages are read, and the request."""

    def choose(tokens: int) -> tuple[RetrievedPassage, ...]:
        return pack_passages(PASSAGES, budget=tokens)

    packed = await model.fit(ask, {}, choose, budget)
    async for _ in model.write(ask, packed, {}):
        pass
    return len(packed), server.requests[-1]


def tokens_of(server: FakeServer, request: dict[str, Any]) -> int:
    assert server.tokenize
    return int(server.tokenize(request)["count"])


@pytest.mark.parametrize("characters", [1, 2, 4, 8])
async def test_a_prompt_and_its_answer_fit_the_window(characters: int) -> None:
    window = 6_000 // characters
    async with a_model(window, characters=characters) as (server, model):
        packed, request = await sent(server, model)

        assert tokens_of(server, request) + request["max_tokens"] <= window
    assert request["max_tokens"] >= min(1_024, window // 4)
    assert 1 <= packed < len(PASSAGES)


@pytest.mark.parametrize(("characters", "fewest", "most"), [(2, 2, 5), (4, 6, 8), (16, 10, 10)])
async def test_the_budget_is_counted_in_the_models_tokens(
    characters: int, fewest: int, most: int
) -> None:
    async with a_model(100_000, characters=characters) as (server, model):
        packed, request = await sent(server, model, budget=900)

    assert fewest <= packed <= most
    assert request["max_tokens"] == 1_024


async def test_without_a_tokenizer_passages_are_packed_by_the_estimate() -> None:
    async with a_model(500) as (server, model):
        server.tokenize = None
        packed, request = await sent(server, model, budget=900)

    assert packed == len(pack_passages(PASSAGES, budget=900))
    assert request["max_tokens"] == 1_024


@pytest.mark.parametrize(
    ("refusal", "again"),
    [
        ({"error": {"message": "not loaded", "code": "model_not_found"}}, True),
        ({"error": {"message": "does not exist", "type": "NotFoundError", "code": 404}}, True),
        ({"error": {"message": "Invalid URL", "type": "invalid_request_error"}}, False),
        ({"detail": "Not Found"}, False),
    ],
    ids=["local engine", "vLLM", "OpenAI", "a path that is not there"],
)
async def test_a_model_that_was_not_loaded_is_counted_once_it_is(
    refusal: dict[str, Any], again: bool
) -> None:
    async with a_model(600) as (server, model):
        tokenize, server.tokenize = server.tokenize, None
        server.refusal = json.dumps(refusal).encode()
        assert (await sent(server, model, budget=900))[1]["max_tokens"] == 1_024
        server.tokenize = tokenize
        _, request = await sent(server, model, budget=900)

    assert (request["max_tokens"] < 600) is again


@pytest.mark.parametrize(
    "ask",
    [
        Ask("How hot? " * 400),
        replace(ASK, history=(Turn(role="user", content="tea " * 900),)),
        replace(ASK, instructions="Be kind. " * 300),
    ],
)
async def test_what_leaves_no_room_is_never_sent(ask: Ask) -> None:
    async with a_model(600) as (server, model):
        with pytest.raises(FailedPrecondition, match="more than the 600 tokens"):
            await sent(server, model, ask)
        with pytest.raises(FailedPrecondition, match="more than the 600 tokens"):
            async for _ in model.write(ask, (PASSAGES[0],), {}):
                pass

    assert server.requests == []


async def test_a_server_that_finds_the_prompt_too_long_names_the_setting(passage: Any) -> None:
    body = b'{"error": {"message": "too long", "code": "context_length_exceeded"}}'
    async with model_server(once(status(400, body))) as server, chat_client(server.url) as client:
        with pytest.raises(FailedPrecondition, match="GYRE_CONTEXT_TOKENS"):
            async for _ in PromptedModel(client, Prompts()).write(ASK, (passage(),), {}):
                pass


@pytest.mark.parametrize("reply", [{}, {"count": -1, "max_model_len": 0}, [1], "many"])
async def test_a_tokenizer_that_answers_nonsense_is_left_alone(reply: Any) -> None:
    async with a_model(600) as (server, model):
        server.tokenize = lambda _: reply
        packed, _ = await sent(server, model, budget=900)

    assert packed == len(pack_passages(PASSAGES, budget=900))


async def test_a_budget_that_holds_no_passage_is_not_the_windows_fault() -> None:
    async with a_model(100_000, characters=1) as (_, model):
        packed = await model.fit(ASK, {}, lambda tokens: tuple(PASSAGES[: tokens // 140]), 300)

    assert packed == ()


async def test_the_record_tells_which_passages_had_room(make_answerer: Any, retriever: Any) -> None:
    retriever.passages = PASSAGES
    async with a_model(1_500) as (server, model):
        interaction = (await make_answerer(model).answer(ASK)).interaction

    used = [chunk.text for chunk in interaction.retrieved if chunk.used]
    assert 1 <= len(used) < len(PASSAGES)
    [request] = server.requests
    assert all(text.strip() in request["messages"][1]["content"] for text in used)
