"""The endpoint over a model without weights: OpenAI's answers, bounds, refusals, who may call."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from gyre_local.language_model.engine import Sampling
from gyre_local.language_model.errors import ApiError, packages_missing
from gyre_local.language_model.models import LanguageModels
from gyre_local.language_model.openvino_engine import OpenVinoModel
from gyre_local.language_model.requests import ChatMessage
from gyre_local.language_model.server import ChatEndpoint

from tests.eventually import eventually
from tests.language_models import a_gguf, an_adapter
from tests.unit.local.language_model_fakes import FakeEngine, FakeModel

KEY = {"Authorization": "Bearer the-key"}
CHAT_BODY = {"model": "base", "messages": [{"role": "user", "content": "Why is it blue?"}]}


class Room:
    """An endpoint, its engine, and a caller."""

    def __init__(self, engine: FakeEngine, models: LanguageModels, client: Any) -> None:
        self.engine = engine
        self.models = models
        self.client = client

    async def post(self, route: str, **body: Any) -> tuple[int, Any]:
        reply = await self.client.post(route, json=body, headers=KEY)
        text = await reply.text()
        return reply.status, json.loads(text) if text[:1] == "{" else text

    async def ask(self, **changes: Any) -> tuple[int, Any]:
        return await self.post("/v1/chat/completions", **{**CHAT_BODY, **changes})

    async def load(self, folder: Path, name: str = "base") -> FakeModel:
        status, text = await self.post("/v1/load_model", name=name, path=str(a_gguf(folder)))
        assert status == 200, text
        return self.engine.opened[-1]


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    engine = FakeEngine()
    models = LanguageModels(engine, most_bytes=3_000_000, most_waiting=2)
    app = ChatEndpoint(models, "the-key").app()
    async with TestClient(TestServer(app), timeout=aiohttp.ClientTimeout(30)) as client:
        yield Room(engine, models, client)
    models.close()


def error_of(body: Any) -> tuple[str, str]:
    return body["error"]["code"], body["error"]["message"]


async def test_an_answer_has_openais_shape(room: Room, tmp_path: Path) -> None:
    model = await room.load(tmp_path)
    status, body = await room.ask(temperature=0, seed=7, max_tokens=9)
    assert (status, body["object"], body["model"]) == (200, "chat.completion", "base")
    [choice] = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "The sky is blue."}
    assert choice["finish_reason"] == "stop"
    assert body["usage"] == {"prompt_tokens": 4, "completion_tokens": 4, "total_tokens": 8}
    [sampling] = model.sampled
    assert (sampling.max_tokens, sampling.temperature, sampling.seed) == (9, 0.0, 7)


async def test_a_bound_or_a_stop_string_ends_the_answer(room: Room, tmp_path: Path) -> None:
    await room.load(tmp_path)
    _, body = await room.ask(max_completion_tokens=2)
    assert body["choices"][0]["message"]["content"] == "The sky"
    assert body["choices"][0]["finish_reason"] == "length"
    _, body = await room.ask(stop=[" is"])
    assert body["choices"][0]["message"]["content"] == "The sky"
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["completion_tokens"] == 2


async def test_a_stream_comes_in_chunks_and_ends_with_its_usage(room: Room, tmp_path: Path) -> None:
    await room.load(tmp_path)
    stream_body = {**CHAT_BODY, "stream": True, "stream_options": {"include_usage": True}}
    reply = await room.client.post("/v1/chat/completions", json=stream_body, headers=KEY)
    lines = [line for line in (await reply.text()).split("\n\n") if line]
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks[:-1]]
    assert "".join(delta.get("content", "") for delta in deltas) == "The sky is blue."
    assert chunks[-2]["choices"][0]["finish_reason"] == "stop"
    assert chunks[-1]["usage"]["completion_tokens"] == 4


async def test_tokens_are_counted_as_vllm_does(room: Room, tmp_path: Path) -> None:
    await room.load(tmp_path)
    status, body = await room.post("/tokenize", model="base", messages=CHAT_BODY["messages"])
    assert (status, body["count"], body["max_model_len"]) == (200, 4, 64)
    _, body = await room.post("/tokenize", model="base", prompt="two words")
    assert body["count"] == 2
    assert (await room.post("/tokenize", model="base"))[0] == 400


@pytest.mark.parametrize("changes", [{"max_tokens": 61}, {"messages": [
    {"role": "user", "content": "word " * 64}]}])  # fmt: skip
async def test_more_than_the_window_is_refused_as_openai_does(
    room: Room, tmp_path: Path, changes: dict[str, Any]
) -> None:
    await room.load(tmp_path)
    status, body = await room.ask(**changes)
    assert status == 400
    assert error_of(body)[0] == "context_length_exceeded"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "root", "content": "x"}]}, "messages.0.role"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages.0.conten"),
        ({"temperature": 3}, "temperature"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"n": 2}, "n"),
    ],
)
async def test_what_cannot_be_is_refused_by_field(
    room: Room, changes: dict[str, Any], field: str
) -> None:
    status, body = await room.ask(**changes)
    assert status == 400
    assert body["error"]["param"].startswith(field)


async def test_content_in_parts_is_one_text(room: Room, tmp_path: Path) -> None:
    await room.load(tmp_path)
    parts = [{"type": "text", "text": "Why is"}, {"type": "text", "text": " it so?"}]
    _, body = await room.ask(messages=[{"role": "user", "content": parts}])
    assert body["usage"]["prompt_tokens"] == 4


async def test_a_model_that_is_not_loaded_is_404_with_those_that_are(
    room: Room, tmp_path: Path
) -> None:
    await room.load(tmp_path)
    status, body = await room.ask(model="other")
    assert (status, error_of(body)[0]) == (404, "model_not_found")
    assert "base" in error_of(body)[1]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": "Basic the-key"}, 401),
        ({**KEY, "Origin": "http://evil.example"}, 403),
        ({**KEY, "Host": "evil.example"}, 403),
        ({**KEY, "Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
async def test_only_a_program_of_this_machine_with_the_key_is_served(
    room: Room, headers: dict[str, str], status: int
) -> None:
    reply = await room.client.get("/v1/models", headers=headers)
    assert reply.status == status
    assert "error" in await reply.json()


async def test_an_unknown_path_is_a_refusal_in_json(room: Room) -> None:
    assert (await room.post("/v1/embeddings"))[0] == 404


async def test_too_many_waiting_are_told_to_come_back(room: Room, tmp_path: Path) -> None:
    model = await room.load(tmp_path)
    model.go_on.clear()
    waiting = [asyncio.create_task(room.ask()) for _ in range(3)]
    await eventually(lambda: room.models._under_way == 3)
    reply = await room.client.post("/v1/chat/completions", json=CHAT_BODY, headers=KEY)
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    model.go_on.set()
    assert [status for status, _ in await asyncio.gather(*waiting)] == [200, 200, 200]


async def test_a_stream_that_waits_says_so(room: Room, tmp_path: Path) -> None:
    """Else its caller takes it for dead, hangs up and asks again, at the end of the queue."""
    room.models._quiet_seconds = 0.01
    model = await room.load(tmp_path)
    model.go_on.clear()
    first = asyncio.create_task(room.ask())
    await asyncio.to_thread(model.begun.acquire)
    body = {**CHAT_BODY, "stream": True}
    reply = await room.client.post("/v1/chat/completions", json=body, headers=KEY)
    lines = [(await reply.content.readline()).decode() for _ in range(4)]
    assert lines[0].startswith("data: ")
    assert lines[2] == ": waiting\n"
    model.go_on.set()
    events = [line for line in (await reply.text()).splitlines() if line.startswith("data: {")]
    chunks = [json.loads(line.removeprefix("data: ")) for line in events]
    text = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
    assert text == "The sky is blue."
    assert (await first)[0] == 200


async def test_a_model_does_not_wait_for_the_answer_of_another(room: Room, tmp_path: Path) -> None:
    """A version that is tried would wait for all that are asked of the live one."""
    live = await room.load(tmp_path / "live", "live")
    live.go_on.clear()
    asking = asyncio.create_task(room.ask(model="live"))
    await asyncio.to_thread(live.begun.acquire)
    await room.load(tmp_path / "candidate", "candidate")
    assert (await room.ask(model="candidate"))[0] == 200
    live.go_on.set()
    assert (await asking)[0] == 200


async def test_a_model_that_was_unloaded_before_its_turn_is_unknown(
    room: Room, tmp_path: Path
) -> None:
    await room.load(tmp_path)
    held = room.models.model("base")
    await room.models.unload("base")
    with pytest.raises(ApiError, match="base"):
        await anext(room.models.write(held, [1], Sampling(max_tokens=1)))


async def test_who_leaves_ends_what_is_written_for_them(tmp_path: Path) -> None:
    engine = FakeEngine()
    models = LanguageModels(engine, most_bytes=3_000_000)
    server = TestServer(ChatEndpoint(models, "the-key").app())
    await server.start_server()
    async with aiohttp.ClientSession() as session:
        await models.load("base", a_gguf(tmp_path))
        model = engine.opened[-1]
        model.words = ["word "] * 60
        model.go_on.clear()
        url = server.make_url("/v1/chat/completions")
        asking = asyncio.create_task(session.post(url, json=CHAT_BODY, headers=KEY))
        await asyncio.to_thread(model.begun.acquire)
        asking.cancel()
        await eventually(lambda: models._under_way == 0)
        model.go_on.set()
        assert await asyncio.to_thread(model.left.wait, 10)
    await server.close()
    models.close()
    assert len(model.written) < 60


async def test_loading_is_idempotent_and_a_name_means_one_folder(
    room: Room, tmp_path: Path
) -> None:
    await room.load(tmp_path / "one")
    await room.load(tmp_path / "one")
    assert len(room.engine.opened) == 1
    other = str(a_gguf(tmp_path / "two"))
    status, body = await room.post("/v1/load_model", name="base", path=other)
    assert (status, error_of(body)[0]) == (400, "already_loaded")


async def test_an_adapter_stands_on_its_base_or_on_the_folder_that_is_named(
    room: Room, tmp_path: Path
) -> None:
    adapter = str(an_adapter(tmp_path / "adapter"))
    adapter_body = {"lora_name": "tuned", "lora_path": adapter}
    status, body = await room.post("/v1/load_lora_adapter", **adapter_body)
    assert (status, error_of(body)[0]) == (400, "unknown_base")
    await room.load(tmp_path / "base")
    assert (await room.post("/v1/load_lora_adapter", **adapter_body))[0] == 200
    assert room.engine.opened[-1].adapter is not None
    reply = await room.client.get("/v1/models", headers=KEY)
    cards = {card["id"]: card["parent"] for card in (await reply.json())["data"]}
    assert cards == {"base": None, "tuned": "base"}
    assert (await room.ask(model="tuned"))[0] == 200
    assert (await room.post("/v1/unload_lora_adapter", lora_name="tuned"))[0] == 200
    assert room.engine.opened[-1].closed
    assert (await room.post("/v1/unload_lora_adapter", lora_name="tuned"))[0] == 404
    named = {**adapter_body, "base_model_path": str(tmp_path / "base")}
    assert (await room.post("/v1/unload_model", name="base"))[0] == 200
    assert (await room.post("/v1/load_lora_adapter", **named))[0] == 200


async def test_what_finds_no_room_is_refused_before_it_is_loaded(
    room: Room, tmp_path: Path
) -> None:
    for name in ("a", "b", "c"):
        await room.load(tmp_path, name)
    status, body = await room.post("/v1/load_model", name="d", path=str(tmp_path))
    assert (status, error_of(body)[0]) == (507, "out_of_memory")
    assert "GYRE_LLM_MEMORY_MB" in error_of(body)[1]
    assert len(room.engine.opened) == 3


async def test_who_leaves_while_a_model_is_unloaded_costs_no_room(
    room: Room, tmp_path: Path
) -> None:
    models = room.models
    model = await room.load(tmp_path)
    model.go_on.clear()
    asking = asyncio.create_task(room.ask())
    await asyncio.to_thread(model.begun.acquire)
    unloading = asyncio.create_task(models.unload("base"))
    await eventually(lambda: models._leaving_bytes == 1_000_000)
    unloading.cancel()
    model.go_on.set()
    assert (await asking)[0] == 200
    await eventually(lambda: models._leaving_bytes == 0)
    assert model.closed


async def test_who_leaves_while_a_model_is_loaded_leaves_it_to_the_next(
    room: Room, tmp_path: Path
) -> None:
    room.engine.go_on.clear()
    loading = asyncio.create_task(room.models.load("base", a_gguf(tmp_path)))
    await asyncio.to_thread(room.engine.begun.acquire)
    loading.cancel()
    with suppress(asyncio.CancelledError):
        await loading
    assert room.models.idle_seconds == 0
    room.engine.go_on.set()
    await room.models.load("base", tmp_path)
    assert len(room.engine.opened) == 1
    assert (await room.ask())[0] == 200


def test_a_model_that_was_unloaded_says_so_to_who_still_has_it() -> None:
    tokenizer = SimpleNamespace(get_bos_token=str, get_eos_token=str, get_pad_token=str)
    pipeline = SimpleNamespace(get_tokenizer=lambda: tokenizer)
    model = OpenVinoModel(None, SimpleNamespace(Tensor=None), pipeline, 64)
    model.close()
    message = ChatMessage(role="user", content="Why?")
    for work in (partial(model.chat_tokens, [message]), partial(model.text_tokens, "Why?")):
        with pytest.raises(ApiError) as refused:
            work()
        assert (refused.value.status, refused.value.code) == (404, "model_not_found")


async def test_a_broken_folder_is_400_with_what_is_wrong(room: Room, tmp_path: Path) -> None:
    status, body = await room.post("/v1/load_model", name="x", path=str(tmp_path))
    assert (status, error_of(body)[0]) == (400, "model_refused")


async def test_missing_packages_name_the_target_that_brings_them(
    room: Room, tmp_path: Path
) -> None:
    room.engine.problem = packages_missing()
    status, body = await room.post("/v1/load_model", name="x", path=str(a_gguf(tmp_path)))
    assert (status, error_of(body)[0]) == (503, "engine-packages-missing")
    assert "make setup-llm" in error_of(body)[1]


async def test_an_engine_without_models_is_idle_and_one_with_a_model_is_not(
    tmp_path: Path,
) -> None:
    now = 0.0
    models = LanguageModels(FakeEngine(), most_bytes=3_000_000, clock=lambda: now)
    now = 61.0
    assert models.idle_seconds == 61.0
    await models.load("base", a_gguf(tmp_path))
    now = 200.0
    assert models.idle_seconds == 0.0
    await models.unload("base")
    now = 260.0
    assert models.idle_seconds == 60.0
    models.close()
