"""A model server is trusted with nothing: whatever it does, there is an answer or a reason."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from gyre_common.errors import FailedPrecondition, Unavailable
from gyre_common.events.releases import Artifact, Roles
from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft
from gyre_generator.backends.openai.client import MAX_ANSWER, ChatClient
from gyre_generator.backends.openai.usage import ServedModel
from gyre_generator.backends.prompted_model import PromptedModel
from gyre_generator.prompts import Prompt, Prompts

from tests.builders import an_artifact
from tests.fakes.model_server import (
    DONE,
    EVENTS,
    USAGE,
    Write,
    delta_event,
    event,
    model_server,
    once,
    status,
)

ASK = Ask("How hot?")


async def read(
    url: str,
    source: Any,
    ask: Ask = ASK,
    released: Mapping[str, Artifact] = MappingProxyType({}),
    **changes: Any,
) -> tuple[str, AnswerDraft, Prompt]:
    settings = {"timeout_seconds": 5.0, "stall_seconds": 2.0, "retries": 2, **changes}
    model = ServedModel(url=url, model="tiny", **settings)
    text, prompt = "", None
    async with ChatClient(model) as client:
        backend = PromptedModel(client, Prompts())
        async for piece in backend.write(ask, (source,), released):
            match piece:
                case Prompt():
                    prompt = piece
                case str():
                    text += piece
                case AnswerDraft():
                    assert prompt
                    return text, piece, prompt
    raise AssertionError("no draft")


async def test_an_answer_streams_and_its_markers_become_claims(passage: Any) -> None:
    deltas = [
        delta_event("About 80"),
        delta_event(" degrees ["),
        delta_event("1]."),
        delta_event("", finish="stop"),
    ]
    behave = once(EVENTS, *deltas, USAGE, DONE)
    async with model_server(behave) as server:
        text, draft, prompt = await read(server.url, passage(), prompt_usd=1.0)

    assert text == draft.answer == "About 80 degrees."
    [claim] = draft.claims
    assert (claim.start, claim.end, claim.number) == (0, len(text), 1)
    assert (draft.tokens.prompt, draft.tokens.completion, draft.tokens.estimated) == (50, 7, False)
    assert draft.cost_usd == pytest.approx(50e-6)
    assert prompt.version == "answer-1"
    assert "80 degrees Celsius" in prompt.text
    [request] = server.requests
    assert request["stream"] is True
    assert "80 degrees Celsius" in request["messages"][1]["content"]


async def test_the_callers_instructions_stand_below_gyres_own_and_in_the_record(
    passage: Any,
) -> None:
    ask = replace(ASK, instructions="Answer in French.")
    async with model_server(once(EVENTS, delta_event("Chaud [1].", finish="stop"))) as server:
        _, _, prompt = await read(server.url, passage(), ask)

    system = server.requests[0]["messages"][0]["content"]
    assert system.startswith("You answer questions from numbered passages")
    assert system.endswith(":\nAnswer in French.")
    assert system in prompt.text


@pytest.mark.parametrize(
    ("ask", "max_tokens", "temperature"),
    [
        (ASK, 100, 0.5),
        (replace(ASK, max_tokens=7, temperature=0.0), 7, 0.0),
        (replace(ASK, max_tokens=5_000, temperature=2.0), 100, 2.0),
    ],
)
async def test_length_and_temperature_are_the_callers_within_what_the_model_serves(
    passage: Any, ask: Ask, max_tokens: int, temperature: float
) -> None:
    version = an_artifact("warm-1", settings={"temperature": "0.5"})
    behave = once(EVENTS, delta_event("Hot [1].", finish="stop"))
    async with model_server(behave) as server:
        await read(server.url, passage(), ask, {Roles.GENERATOR: version}, max_tokens=100)

    [request] = server.requests
    assert (request["max_tokens"], request["temperature"]) == (max_tokens, temperature)


async def test_tokens_are_estimated_where_the_server_does_not_count(passage: Any) -> None:
    async with model_server(once(EVENTS, delta_event("Hot [1].", finish="stop"), DONE)) as server:
        _, draft, _ = await read(server.url, passage())

    assert draft.tokens.estimated
    assert draft.tokens.prompt > 100
    assert draft.tokens.completion > 0


@pytest.mark.parametrize("pieces", [["NOT_IN_THE_PASSAGES"], [" NOT_IN", "_THE_PASS", "AGES."]])
async def test_the_words_for_no_answer_are_never_shown(passage: Any, pieces: list[str]) -> None:
    data = [delta_event(piece) for piece in pieces]
    async with model_server(once(EVENTS, *data, delta_event(None, finish="stop"), DONE)) as server:
        text, draft, _ = await read(server.url, passage())

    assert (text, draft.abstained) == ("", True)


async def test_an_answer_that_begins_like_no_answer_is_shown_whole(passage: Any) -> None:
    async with model_server(
        once(EVENTS, delta_event("NOT_"), delta_event("hot.", finish="stop"))
    ) as server:
        text, draft, _ = await read(server.url, passage())

    assert text == draft.answer == "NOT_hot."


async def test_an_answer_cut_short_is_marked(passage: Any) -> None:
    async with model_server(once(EVENTS, delta_event("About 8", finish="length"), DONE)) as server:
        _, draft, _ = await read(server.url, passage())

    [verdict] = draft.guardrails
    assert (verdict.name, verdict.passed) == ("complete", False)
    assert draft.reached_max_tokens


async def test_an_answer_that_ended_otherwise_did_not_reach_its_length(passage: Any) -> None:
    for reason in ("stop", "content_filter"):
        behave = once(EVENTS, delta_event("Hot [1].", finish=reason), DONE)
        async with model_server(behave) as server:
            _, draft, _ = await read(server.url, passage())
        assert not draft.reached_max_tokens


@pytest.mark.parametrize("code", [429, 500, 503])
async def test_a_busy_server_is_asked_again(passage: Any, code: int) -> None:
    async def behave(write: Write, nth: int) -> None:
        if nth == 1:
            await write(status(code))
        else:
            await write(EVENTS + delta_event("Hot [1].", finish="stop") + DONE)

    async with model_server(behave) as server:
        text, _, _ = await read(server.url, passage())

    assert text == "Hot."
    assert len(server.requests) == 2


HTML = b"<html><body>Welcome to nginx!</body></html>"
NONSENSE = {
    "html": status(200, HTML, kind="text/html"),
    "not json": EVENTS + b"data: {nonsense\n\n",
    "no choices": EVENTS + event({"id": "1"}) + DONE,
    "choices of the wrong kind": EVENTS + event({"id": "1", "choices": "many"}) + DONE,
    "no delta": EVENTS + event({"id": "1", "choices": [{"index": 0}]}) + DONE,
    "a list": EVENTS + event([1, 2]) + DONE,
    "a number": EVENTS + event(7) + DONE,
    "only the end": EVENTS + DONE,
    "nothing": EVENTS,
    "empty text": EVENTS + delta_event("", finish="stop") + DONE,
    "white space": EVENTS + delta_event(" \n ", finish="stop") + DONE,
    "no end": EVENTS + delta_event("About"),
    "an error in the stream": EVENTS + delta_event("About") + event({"error": {"message": "oom"}}),
    "bytes that are no text": EVENTS + b"data: \xff\xfe\x00\n\n",
    "negative usage": EVENTS
    + event({"choices": [], "usage": {"prompt_tokens": -1, "completion_tokens": 0}}),
    "plain json": status(200, b'{"answer": "hot"}'),
    "a cut response": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\ndata: {",
    "no http": b"SSH-2.0-OpenSSH_9\r\n",
    "hung up": b"",
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE.keys())
async def test_nonsense_is_unavailable_with_the_place_and_the_fix(
    passage: Any, answer: bytes
) -> None:
    async with model_server(once(answer)) as server:
        with pytest.raises(Unavailable, match=r"127\.0\.0\.1.*GYRE_LLM_URL"):
            await read(server.url, passage(), retries=0)


async def test_an_endless_answer_is_cut_off(passage: Any) -> None:
    async def behave(write: Write, nth: int) -> None:
        await write(EVENTS)
        while True:
            await write(delta_event("la " * 300))

    async with model_server(behave) as server:
        with pytest.raises(Unavailable, match=f"more than {MAX_ANSWER:,}"):
            await read(server.url, passage())


@pytest.mark.parametrize(
    "answer_part", [b"", EVENTS + delta_event("About")], ids=["at once", "half way"]
)
async def test_a_server_that_falls_silent_is_too_slow(passage: Any, answer_part: bytes) -> None:
    silent = asyncio.Event()

    async def behave(write: Write, nth: int) -> None:
        await write(answer_part)
        await silent.wait()

    async with model_server(behave) as server:
        with pytest.raises(Unavailable, match="too slow"):
            await read(server.url, passage(), stall_seconds=0.1, retries=0)
        silent.set()


async def test_a_server_that_trickles_runs_out_of_time(passage: Any) -> None:
    async def behave(write: Write, nth: int) -> None:
        await write(EVENTS)
        while True:
            await write(delta_event("."))
            await asyncio.sleep(0.01)

    async with model_server(behave) as server:
        with pytest.raises(Unavailable, match="too slow"):
            await read(server.url, passage(), timeout_seconds=0.2)


async def test_a_server_that_is_not_there_is_unavailable(passage: Any) -> None:
    with pytest.raises(Unavailable, match="start it, or check GYRE_LLM_URL"):
        await read("http://user:secret@127.0.0.1:1/v1", passage(), retries=0)


@pytest.mark.parametrize(
    ("code", "fix"),
    [(401, "GYRE_LLM_KEY"), (403, "GYRE_LLM_KEY"), (404, "GYRE_LLM_MODEL"), (400, "HTTP 400")],
)
async def test_a_refusal_names_the_setting(passage: Any, code: int, fix: str) -> None:
    async with model_server(once(status(code))) as server:
        with pytest.raises(FailedPrecondition, match=fix):
            await read(server.url, passage(), key="secret")
