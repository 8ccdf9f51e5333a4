"""A model server is trusted with nothing: whatever it does, there is an answer or a reason."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from gyre_common.errors import FailedPrecondition, Unavailable
from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft
from gyre_generator.backends.openai.client import MAX_ANSWER, ChatClient
from gyre_generator.backends.openai.usage import ServedModel
from gyre_generator.backends.prompted_model import PromptedModel
from gyre_generator.prompts import Prompt, Prompts

Write = Callable[[bytes], Awaitable[None]]
Behaviour = Callable[[Write, int], Awaitable[None]]


class FakeServer:
    """A real HTTP server on a free port that answers every request as it is told."""

    def __init__(self, behave: Behaviour) -> None:
        self._behave = behave
        self.requests: list[dict[str, Any]] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def write(data: bytes) -> None:
            writer.write(data)
            await writer.drain()

        try:
            head = await reader.readuntil(b"\r\n\r\n")
            [length] = [
                int(line.split(b":")[1])
                for line in head.split(b"\r\n")
                if line.lower().startswith(b"content-length")
            ]
            self.requests.append(json.loads(await reader.readexactly(length)))
            await self._behave(write, len(self.requests))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def model_server(behave: Behaviour) -> AsyncIterator[FakeServer]:
    fake = FakeServer(behave)
    server = await asyncio.start_server(fake.handle, "127.0.0.1", 0)
    async with server:
        fake.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        yield fake
        server.close()


def status(code: int, body: bytes = b"{}", *, kind: str = "application/json") -> bytes:
    return (
        f"HTTP/1.1 {code} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    ).encode() + body


EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def event(data: object) -> bytes:
    return f"data: {json.dumps(data)}\n\n".encode()


def delta_event(text: str | None, *, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return event({"id": "1", "object": "chat.completion.chunk", "choices": [choice]})


USAGE = event({"id": "1", "choices": [], "usage": {"prompt_tokens": 50, "completion_tokens": 7}})


def once(*data: bytes) -> Behaviour:
    async def behave(write: Write, nth: int) -> None:
        for piece in data:
            await write(piece)

    return behave


async def read(url: str, source: Any, **changes: Any) -> tuple[str, AnswerDraft, Prompt]:
    settings = {"timeout_seconds": 5.0, "stall_seconds": 2.0, "retries": 2, **changes}
    model = ServedModel(url=url, model="tiny", **settings)
    text, prompt = "", None
    async with ChatClient(model) as client:
        backend = PromptedModel(client, Prompts())
        async for piece in backend.write(Ask("How hot?"), (source,), {}):
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
