"""A server that answers as vLLM does."""

import asyncio
from pathlib import Path

from aiohttp import web

from tests.fakes.model_server import DONE, delta_event


class LikeVllm:
    """vLLM's calls (vllm/entrypoints/openai): one base, adapters that come and go. A stream has
    `words`, the name of its model the first; what is streaming when an adapter goes ends with it.
    """

    def __init__(self, *, words: int = 5) -> None:
        self.adapters: dict[str, str] = {}
        self.words = words
        self.streams = 0

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/v1/models", self._models)
        app.router.add_post("/v1/load_lora_adapter", self._load)
        app.router.add_post("/v1/unload_lora_adapter", self._unload)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/tokenize", self._tokenize)
        return app

    async def _models(self, _: web.Request) -> web.Response:
        names = ["base", *self.adapters]
        cards = [{"id": n, "object": "model", "created": 0, "owned_by": "vllm"} for n in names]
        return web.json_response({"object": "list", "data": cards})

    async def _load(self, request: web.Request) -> web.Response:
        body = await request.json()
        name, path = body["lora_name"], body["lora_path"]
        if name in self.adapters:
            return _error(400, f"The lora adapter '{name}' has already been loaded.")
        if not Path(path).is_dir():
            return _error(404, f"Loading lora {name} failed: No adapter found for {path}")
        self.adapters[name] = path
        return web.Response(text=f"Success: LoRA adapter '{name}' added successfully.")

    async def _unload(self, request: web.Request) -> web.Response:
        name = (await request.json())["lora_name"]
        if self.adapters.pop(name, None) is None:
            return _error(404, f"The lora adapter '{name}' cannot be found.")
        return web.Response(text=f"Success: LoRA adapter '{name}' removed successfully.")

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        name = body["model"]
        if name not in ("base", *self.adapters):
            return _unknown(name)
        if not body.get("stream"):
            message = {"role": "assistant", "content": "Yes"}
            choice = {"index": 0, "message": message, "finish_reason": "length"}
            head = {"id": "1", "object": "chat.completion", "created": 0, "model": name}
            return web.json_response({**head, "choices": [choice]})
        reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await reply.prepare(request)
        self.streams += 1
        for word in (name, *[" word"] * (self.words - 1)):
            await asyncio.sleep(0)
            if name not in ("base", *self.adapters):
                return reply  # without an end, as a server that fails
            await reply.write(delta_event(word))
        await reply.write(delta_event(None, finish="stop") + DONE)
        return reply

    async def _tokenize(self, request: web.Request) -> web.Response:
        body = await request.json()
        if body["model"] not in ("base", *self.adapters):
            return _unknown(body["model"])
        count = sum(len(message["content"]) // 4 for message in body["messages"])
        return web.json_response({"count": count, "max_model_len": 4_096, "tokens": []})


def _unknown(name: str) -> web.Response:
    return _error(404, f"The model `{name}` does not exist.", kind="NotFoundError")


def _error(status: int, message: str, *, kind: str = "BadRequestError") -> web.Response:
    error = {"message": message, "type": kind, "param": None, "code": status}
    return web.json_response({"error": error}, status=status)
