"""A server of language models, as vLLM and the local engine are, whose models are functions."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

Model = Callable[[str], str]
"""From the user's message to the answer."""


class LanguageModelServer:
    """Holds models by name; what is loaded answers as `made` says. `calls` load and unload."""

    def __init__(self, held: Mapping[str, Model], made: Mapping[str, Model]) -> None:
        self.models = dict(held)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.asked: list[str] = []
        self.url = ""
        self._made = made

    async def list(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": name} for name in self.models]})

    async def load(self, request: web.Request) -> web.Response:
        body = await self._called(request)
        name = body.get("lora_name") or body["name"]
        if name not in self._made:
            refusal = {"error": {"message": f"{name} is broken", "code": "model_refused"}}
            return web.json_response(refusal, status=400)
        self.models[name] = self._made[name]
        return web.Response(text="Success")

    async def unload(self, request: web.Request) -> web.Response:
        body = await self._called(request)
        del self.models[body.get("lora_name") or body["name"]]
        return web.Response(text="Success")

    async def complete(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body["model"])
        model = self.models.get(body["model"])
        if model is None:
            error = {"error": {"message": f"the model {body['model']} does not exist"}}
            return web.json_response(error, status=404)
        answer = model(body["messages"][-1]["content"])
        if answer == TOO_LONG:
            error = {"error": {"message": "too long", "code": "context_length_exceeded"}}
            return web.json_response(error, status=400)
        message = {"role": "assistant", "content": answer}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response(
            {"id": "1", "object": "chat.completion", "created": 0, "choices": [choice]}
        )

    async def _called(self, request: web.Request) -> dict[str, Any]:
        body: dict[str, Any] = await request.json()
        self.calls.append((request.path.rpartition("/")[2], body))
        return body


TOO_LONG = "\x00"
"""What a model answers that is asked for more than it can read."""


@asynccontextmanager
async def language_models(
    held: Mapping[str, Model], made: Mapping[str, Model]
) -> AsyncIterator[LanguageModelServer]:
    server = LanguageModelServer(held, made)
    app = web.Application()
    app.router.add_get("/v1/models", server.list)
    for kind in ("model", "lora_adapter"):
        app.router.add_post(f"/v1/load_{kind}", server.load)
        app.router.add_post(f"/v1/unload_{kind}", server.unload)
    app.router.add_post("/v1/chat/completions", server.complete)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
        yield server
    finally:
        await runner.cleanup()
