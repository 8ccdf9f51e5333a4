"""The same calls load and try models at the local engine and at a server that answers as vLLM."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from gyre_common.errors import FailedPrecondition, Retryable
from gyre_common.held import NoRoom
from gyre_generator.backends.openai.usage import ServedModel
from gyre_generator.model_server import OpenAIModelServer
from gyre_generator.settings import GeneratorSettings
from gyre_local.language_model.errors import packages_missing
from gyre_local.language_model.models import LanguageModels
from gyre_local.language_model.server import ChatEndpoint
from pydantic import SecretStr

from tests.fakes.vllm import LikeVllm
from tests.language_models import a_gguf, an_adapter
from tests.unit.local.language_model_fakes import FakeEngine


async def connect(app: web.Application, *, model: str = "") -> tuple[TestServer, OpenAIModelServer]:
    server = TestServer(app)
    await server.start_server()
    url = str(server.make_url("/v1"))
    return server, OpenAIModelServer(ServedModel(url=url, model=model, key=SecretStr("the-key")))


@pytest.fixture
async def vllm() -> AsyncIterator[OpenAIModelServer]:
    server, client = await connect(LikeVllm().app())
    yield client
    await client.close()
    await server.close()


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
async def local(engine: FakeEngine) -> AsyncIterator[OpenAIModelServer]:
    models = LanguageModels(engine, most_bytes=2_500_000)
    server, client = await connect(ChatEndpoint(models, "the-key").app())
    yield client
    await client.close()
    await server.close()
    models.close()


@pytest.fixture
def servers(vllm: OpenAIModelServer, local: OpenAIModelServer) -> list[OpenAIModelServer]:
    return [vllm, local]


async def test_an_adapter_is_loaded_tried_and_unloaded_at_both(
    servers: list[OpenAIModelServer], tmp_path: Path
) -> None:
    base, adapter = a_gguf(tmp_path / "base"), an_adapter(tmp_path / "adapter")
    for server in servers:
        for _ in range(2):  # the same again changes nothing
            await server.load("base", base)
            await server.load_adapter("tuned", adapter, base)
        await server.complete_something("tuned")
        for _ in range(2):
            await server.unload("tuned", adapter=True)
        with pytest.raises(FailedPrecondition, match="tuned"):
            await server.complete_something("tuned")


async def test_what_a_server_refuses_is_told_in_its_words(
    vllm: OpenAIModelServer, local: OpenAIModelServer, engine: FakeEngine, tmp_path: Path
) -> None:
    with pytest.raises(FailedPrecondition, match="start it with `--served-model-name other`"):
        await vllm.load("other", a_gguf(tmp_path / "other"))
    with pytest.raises(FailedPrecondition, match="No adapter found"):
        await vllm.load_adapter("tuned", tmp_path / "nowhere", tmp_path / "other")
    with pytest.raises(FailedPrecondition, match="not a folder with files"):
        await local.load("other", tmp_path / "nowhere")
    for name in ("a", "b"):
        await local.load(name, a_gguf(tmp_path / name))
    with pytest.raises(NoRoom, match="GYRE_LLM_MEMORY_MB"):
        await local.load("c", a_gguf(tmp_path / "c"))
    await local.unload("a", adapter=False)
    engine.problem = packages_missing()
    with pytest.raises(Retryable, match="run `make setup-llm`"):
        await local.load("c", tmp_path / "c")


async def test_a_vllm_that_loads_no_adapters_names_its_flags(tmp_path: Path) -> None:
    server, client = await connect(web.Application())
    with pytest.raises(FailedPrecondition, match="VLLM_ALLOW_RUNTIME_LORA_UPDATING=True"):
        await client.load_adapter("tuned", an_adapter(tmp_path / "tuned"), tmp_path)
    await client.close()
    await server.close()


async def test_a_model_that_takes_long_is_said_to_be_loading(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("gyre_generator.model_server._LOAD_SECONDS", 0.05)
    leaving = asyncio.Event()

    async def load(_: web.Request) -> web.Response:
        await leaving.wait()
        return web.Response()

    app = web.Application()
    app.router.add_post("/v1/load_model", load)
    server, client = await connect(app)
    with pytest.raises(Retryable, match="has not loaded big in"):
        await client.load("big", tmp_path)
    leaving.set()
    await client.close()
    await server.close()


async def test_a_wrong_key_and_a_server_that_is_away_name_the_setting(
    local: OpenAIModelServer, unused_tcp_port: int, tmp_path: Path
) -> None:
    served = ServedModel(url=f"http://127.0.0.1:{unused_tcp_port}/v1", model="")
    away = OpenAIModelServer(served)
    with pytest.raises(Retryable, match="check GYRE_LLM_URL"):
        await away.load("a", tmp_path)
    await away.close()


async def test_a_hosted_server_that_is_away_names_its_own_setting(unused_tcp_port: int) -> None:
    settings = GeneratorSettings(
        llm_url="http://127.0.0.1:1/v1",
        llm_key=SecretStr("local"),
        llm_max_tokens=99,
        hosted_llm_url=f"http://127.0.0.1:{unused_tcp_port}/v1",
        hosted_llm_key=SecretStr("hosted"),
    )
    served = ServedModel.model_validate(settings.of_hosted_server())
    assert (served.key.get_secret_value(), served.max_tokens) == ("hosted", 99)
    away = OpenAIModelServer(served)
    with pytest.raises(Retryable, match=r"check GYRE_HOSTED_LLM_URL"):
        await away.complete_something("gpt")
    await away.close()


def test_a_hosted_server_needs_one_beside_it() -> None:
    with pytest.raises(ValueError, match="set that as well, or that alone"):
        GeneratorSettings(hosted_llm_url="http://127.0.0.1:1/v1")


@pytest.mark.parametrize("refused", ["max_tokens", "temperature"])
async def test_a_parameter_that_the_server_does_not_take_is_adapted_as_in_an_answer(
    refused: str,
) -> None:
    bodies: list[dict[str, Any]] = []

    async def complete(request: web.Request) -> web.Response:
        bodies.append(await request.json())
        if refused in bodies[-1]:
            error = {"message": f"Unsupported parameter: '{refused}'", "param": refused}
            return web.json_response({"error": error}, status=400)
        choice = {"index": 0, "message": {"role": "assistant", "content": "Yes"}}
        return web.json_response({"id": "1", "choices": [{**choice, "finish_reason": "length"}]})

    app = web.Application()
    app.router.add_post("/v1/chat/completions", complete)
    server, client = await connect(app, model="gpt-5")
    await client.complete_something("")
    await client.close()
    await server.close()
    assert [refused in body for body in bodies] == [True, False]
    assert bodies[-1]["model"] == "gpt-5"


async def test_nonsense_is_no_completion() -> None:
    async def nonsense(_: web.Request) -> web.Response:
        return web.Response(text=json.dumps({"hello": "you"}), content_type="application/json")

    app: Any = web.Application()
    app.router.add_post("/v1/chat/completions", nonsense)
    server, client = await connect(app)
    with pytest.raises(Retryable, match="not a chat completion"):
        await client.complete_something("a")
    await client.close()
    await server.close()
