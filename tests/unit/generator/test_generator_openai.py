"""A model server is trusted with nothing: whatever it does, there is an answer or a reason."""

import asyncio
import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from gyre_common.errors import EMPTY_ANSWER, FailedPrecondition, Unavailable
from gyre_common.events.releases import Artifact, Roles
from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft, Ending
from gyre_generator.backends.openai.client import MAX_ANSWER, ChatClient
from gyre_generator.backends.openai.repetition import ends_repeating
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


STOP = delta_event(None, finish="stop")


def chat_client(url: str, **changes: Any) -> ChatClient:
    settings = {"timeout_seconds": 5.0, "stall_seconds": 2.0, "retries": 2, **changes}
    return ChatClient(ServedModel(url=url, model="tiny", **settings))


THINKING: Mapping[str, Artifact] = {
    Roles.GENERATOR: an_artifact(
        "thinking", settings={"backend": "openai", "model": "tiny", "thinks": "true"}
    )
}


async def read(
    url: str,
    source: Any,
    ask: Ask = ASK,
    released: Mapping[str, Artifact] = MappingProxyType({}),
    **changes: Any,
) -> tuple[str, AnswerDraft, Prompt]:
    async with chat_client(url, **changes) as client:
        return await write_with(client, source, ask, released)


async def write_with(
    client: ChatClient,
    source: Any,
    ask: Ask,
    released: Mapping[str, Artifact] = MappingProxyType({}),
) -> tuple[str, AnswerDraft, Prompt]:
    text, prompt = "", None
    async for piece in PromptedModel(client, Prompts()).write(ask, (source,), released):
        match piece:
            case Prompt():
                prompt = piece
            case str():
                text += piece
            case AnswerDraft():
                assert prompt
                return text, piece, prompt
    raise AssertionError("no draft")


def verdict_of(draft: AnswerDraft, name: str) -> tuple[bool, str]:
    [verdict] = [each for each in draft.guardrails if each.name == name]
    return verdict.passed, verdict.detail


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
    assert prompt.version == "answer-2"
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
    assert request["stop"] == ["\nQuestion:"]  # no model goes on with questions of its own


async def test_tokens_are_estimated_where_the_server_does_not_count(passage: Any) -> None:
    async with model_server(once(EVENTS, delta_event("Hot [1].", finish="stop"), DONE)) as server:
        _, draft, _ = await read(server.url, passage())

    assert draft.tokens.estimated
    assert draft.tokens.prompt > 100
    assert draft.tokens.completion > 0


@pytest.mark.parametrize(
    "pieces",
    [
        ["NOT_IN_THE_PASSAGES"],
        [" NOT_IN", "_THE_PASS", "AGES."],
        ["**NOT_IN_THE", "_PASSAGES**"],
        ["`NOT_IN_THE_PASSAGES` [1]"],
        ["Not_in_the_passages", ". The passages", " are about tea."],
    ],
)
async def test_the_words_for_no_answer_are_never_shown(passage: Any, pieces: list[str]) -> None:
    data = [delta_event(piece) for piece in pieces]
    async with model_server(once(EVENTS, *data, delta_event(None, finish="stop"), DONE)) as server:
        text, draft, _ = await read(server.url, passage())

    assert (text, draft.abstained) == ("", True)


@pytest.mark.parametrize("pieces", [["NOT_", "hot."], ["NOT_IN_THE_PASSAGES", "_YET is hot."]])
async def test_an_answer_that_begins_like_no_answer_is_shown_whole(
    passage: Any, pieces: list[str]
) -> None:
    data = [delta_event(piece) for piece in pieces]
    async with model_server(once(EVENTS, *data, delta_event(None, finish="stop"), DONE)) as server:
        text, draft, _ = await read(server.url, passage())

    assert text == draft.answer == "".join(pieces)


async def test_an_answer_cut_short_is_marked(passage: Any) -> None:
    async with model_server(once(EVENTS, delta_event("About 8", finish="length"), DONE)) as server:
        _, draft, _ = await read(server.url, passage())

    assert verdict_of(draft, "complete") == (False, "ended by length")
    assert draft.ending is Ending.MAX_TOKENS


@pytest.mark.parametrize(
    ("reason", "ending"),
    [
        ("stop", Ending.WHOLE),
        ("content_filter", Ending.CONTENT_FILTER),
        ("tool_calls", Ending.WHOLE),
    ],
)
async def test_how_an_answer_ended_is_told_apart(passage: Any, reason: str, ending: Ending) -> None:
    async with model_server(once(EVENTS, delta_event("Hot [1].", finish=reason), DONE)) as server:
        _, draft, _ = await read(server.url, passage())

    assert draft.ending is ending
    assert verdict_of(draft, "complete") == (reason == "stop", f"ended by {reason}")


async def test_a_whole_answer_without_a_reason_for_its_end_is_an_answer_and_says_so(
    passage: Any,
) -> None:
    async with model_server(once(EVENTS, delta_event("Hot [1]."), DONE)) as server:
        text, draft, _ = await read(server.url, passage())

    assert (text, draft.ending) == ("Hot.", Ending.WHOLE)
    assert verdict_of(draft, "complete") == (False, "ended without a finish_reason")


@pytest.mark.parametrize(
    "odd",
    [
        {"choices": [{"index": 0}]},
        {"choices": [{"index": 0, "delta": None}]},
        {"choices": [{"index": 0, "delta": {}}]},
        {"choices": None},
        {"choices": None, "usage": {}},
        {"usage": {"prompt_tokens": None, "completion_tokens": None}},
        {"choices": [], "usage": None},
    ],
)
async def test_chunks_that_say_nothing_are_passed_over(passage: Any, odd: object) -> None:
    behave = once(EVENTS, event(odd), delta_event("Hot [1]."), event(odd), STOP, event(odd), DONE)
    async with model_server(behave) as server:
        text, draft, _ = await read(server.url, passage())

    assert (text, draft.tokens.estimated) == ("Hot.", True)


@pytest.mark.parametrize(
    "pieces",
    [
        ["<think>Is it hot? [2]</think>\n\nHot [1]."],
        ["\n<th", "ink>Is it", " hot?</th", "ink>", "\n", "Hot [1]."],
        list("<think>a < b</think>Hot [1]."),
        ["<think></think>", "Hot [1]."],
    ],
)
async def test_what_a_model_thinks_aloud_is_no_part_of_its_answer(
    passage: Any, pieces: list[str]
) -> None:
    data = [delta_event(piece) for piece in pieces]
    async with model_server(once(EVENTS, *data, STOP, DONE)) as server:
        text, draft, _ = await read(server.url, passage())

    assert text == draft.answer == "Hot."


@pytest.mark.parametrize(
    "pieces", [["Is it hot? [2]</think>\n\nHot [1]."], ["Is it", "</thi", "nk>", " Hot [1]."]]
)
async def test_a_model_whose_prompt_opens_its_thought_is_a_setting_of_its_version(
    passage: Any, pieces: list[str]
) -> None:
    data = [delta_event(piece) for piece in pieces]
    async with model_server(once(EVENTS, *data, STOP, DONE)) as server:
        text, draft, _ = await read(server.url, passage(), released=THINKING)

    assert text == draft.answer == "Hot."


@pytest.mark.parametrize(
    ("text", "released"), [("<think>Let me see", {}), ("Let me see", THINKING)]
)
async def test_a_model_that_thinks_until_its_tokens_are_used_up_names_the_setting(
    passage: Any, text: str, released: Mapping[str, Artifact]
) -> None:
    behave = once(EVENTS, delta_event(text, finish="length"), DONE)
    async with model_server(behave) as server:
        with pytest.raises(FailedPrecondition, match="GYRE_LLM_MAX_TOKENS"):
            await read(server.url, passage(), released=released)


@pytest.mark.parametrize("text", ["<thin ice> melts.", "<", "a <think> b"])
async def test_what_only_looks_like_a_thought_is_shown(passage: Any, text: str) -> None:
    data = [delta_event(piece) for piece in text]
    async with model_server(once(EVENTS, *data, STOP, DONE)) as server:
        assert (await read(server.url, passage()))[0] == text


async def test_a_model_that_repeats_itself_for_ever_is_cut_off(passage: Any) -> None:
    async def behave(write: Write, nth: int) -> None:
        await write(EVENTS + delta_event("Tea is hot [1]. "))
        while True:
            await write(delta_event("It should be hot, and then it "))

    async with model_server(behave) as server:
        text, draft, _ = await read(server.url, passage())

    assert len(text) < 1_000
    assert draft.ending is Ending.REPETITION
    assert verdict_of(draft, "complete") == (False, "ended by repetition")


def test_repetition_is_the_same_again_and_again_at_the_end() -> None:
    table = "\n".join(f"| pod-{n} | {n * n} | Running | 10.0.0.{n} |" for n in range(60))
    loop = "It is hot, and " * 40

    assert not ends_repeating(table)
    assert not ends_repeating(loop + table)
    assert not ends_repeating("It is hot. " * 3)
    assert ends_repeating(table + loop)
    assert ends_repeating("x" * 400)


REFUSALS = {
    "by param": lambda name: {"error": {"message": "Unsupported.", "param": name}},
    "in words": lambda name: {"error": {"message": f"Unsupported parameter: '{name}'."}},
    "by place": lambda name: {"detail": [{"loc": ["body", name], "msg": "extra"}]},
    "as text": lambda name: {"object": "error", "message": f"{name}: not permitted"},
}


@pytest.mark.parametrize("reply", REFUSALS.values(), ids=REFUSALS.keys())
@pytest.mark.parametrize("name", ["max_tokens", "seed", "stop", "temperature", "stream_options"])
async def test_a_parameter_that_a_server_refuses_is_not_sent_to_it_again(
    passage: Any, name: str, reply: Any
) -> None:
    async def behave(write: Write, nth: int) -> None:
        if name in server.requests[-1]:
            await write(status(400, json.dumps(reply(name)).encode()))
        else:
            await write(EVENTS + delta_event("Hot [1].", finish="stop") + DONE)

    async with model_server(behave) as server, chat_client(server.url) as client:
        for _ in range(2):
            text, draft, _ = await write_with(client, passage(), replace(ASK, seed=7))
            assert text == "Hot."
            assert draft.ignored == (("seed",) if name == "seed" else ())

    assert [name in request for request in server.requests] == [True, False, False]
    if name == "max_tokens":
        assert server.requests[-1]["max_completion_tokens"] == 1_024
    has_verdict = any(verdict.name == "temperature" for verdict in draft.guardrails)
    assert has_verdict == (name == "temperature")


async def test_a_temperature_of_the_caller_that_is_refused_is_ignored_for_that_answer(
    passage: Any,
) -> None:
    async def behave(write: Write, nth: int) -> None:
        if server.requests[-1].get("temperature", 0) > 1:
            await write(status(400, b'{"error": {"param": "temperature"}}'))
        else:
            await write(EVENTS + delta_event("Hot [1].", finish="stop") + DONE)

    async with model_server(behave) as server, chat_client(server.url) as client:
        _, warm, _ = await write_with(client, passage(), replace(ASK, temperature=2.0))
        _, cold, _ = await write_with(client, passage(), ASK)

    assert (warm.ignored, cold.ignored) == (("temperature",), ())
    assert "temperature" in server.requests[-1]


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


@pytest.mark.parametrize("text", ["", " \n "])
async def test_a_model_that_ends_before_its_first_word_is_told(passage: Any, text: str) -> None:
    async with model_server(once(EVENTS, delta_event(text, finish="stop"), DONE)) as server:
        with pytest.raises(FailedPrecondition, match="wrote an empty answer") as refused:
            await read(server.url, passage(), retries=0)
    assert refused.value.code == EMPTY_ANSWER


async def test_an_endless_answer_is_cut_off(passage: Any) -> None:
    async def behave(write: Write, nth: int) -> None:
        await write(EVENTS)
        while True:
            await write(delta_event(secrets.token_hex(500)))

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
