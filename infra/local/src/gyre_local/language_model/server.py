"""The HTTP edge on aiohttp: OpenAI's calls, and vLLM's for tokens and run-time adapters.

https://platform.openai.com/docs/api-reference/chat, https://docs.vllm.ai/en/stable/features/lora/
"""

import asyncio
import hmac
import logging
from contextlib import aclosing, suppress
from pathlib import Path
from socket import socket
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from gyre_local.language_model import requests
from gyre_local.language_model.completions import Completion, begin, event
from gyre_local.language_model.errors import ApiError
from gyre_local.language_model.models import HeldModel, LanguageModels
from gyre_local.web_pages import web_page_problem

log = logging.getLogger(__name__)

_LARGEST_BODY = 8 << 20
_GRACE_SECONDS = 5.0
_LOOK_EVERY = 1.0
_DONE = b"data: [DONE]\n\n"
_WAITING = b": waiting\n\n"
"""A comment, which readers of a stream of events pass over:
https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""
_OPEN = frozenset({"/health"})


class ChatEndpoint:
    """Answers whoever shows `key`."""

    def __init__(self, models: LanguageModels, key: str) -> None:
        self._models = models
        self._key = key.encode()

    def app(self) -> web.Application:
        """The routes."""
        app = web.Application(middlewares=[self._refuse], client_max_size=_LARGEST_BODY)
        app.router.add_get("/health", self._health)
        app.router.add_get("/v1/models", self._list)
        app.router.add_post("/v1/chat/completions", self._complete)
        app.router.add_post("/tokenize", self._tokenize)
        app.router.add_post("/v1/load_model", self._load)
        app.router.add_post("/v1/unload_model", self._unload)
        app.router.add_post("/v1/load_lora_adapter", self._load_adapter)
        app.router.add_post("/v1/unload_lora_adapter", self._unload_adapter)
        return app

    @web.middleware
    async def _refuse(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if problem := web_page_problem(request.headers):
                raise ApiError(403, f"Not served: {problem}.", code="web_page")
            if request.path not in _OPEN:
                self._check_key(request)
            return await handler(request)
        except ApiError as error:
            log.info("refused", extra={"status": error.status, "code": error.code})
            after = {"Retry-After": str(error.retry_after)} if error.retry_after else {}
            return web.json_response(error.body(), status=error.status, headers=after)
        except web.HTTPException as error:
            refusal = ApiError(error.status, f"{request.method} {request.path}: {error.reason}")
            return web.json_response(refusal.body(), status=error.status)

    def _check_key(self, request: web.Request) -> None:
        scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
        right = hmac.compare_digest(shown.strip().encode(errors="replace"), self._key)
        if scheme.lower() != "bearer" or not right:
            raise ApiError(
                401,
                "the key is missing or wrong: send the content of secrets/gyre_llm_key as a bearer",
                code="invalid_api_key",
            )

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response()

    async def _list(self, _: web.Request) -> web.Response:
        cards = [_card(held) for held in self._models.models]
        return web.json_response({"object": "list", "data": cards})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        body = requests.parse(requests.ChatRequest, await request.read())
        completion = await asyncio.to_thread(begin, self._models, body)
        if body.stream:
            return await self._stream(request, completion)
        async with aclosing(completion.pieces(self._models)) as pieces:
            text = "".join([piece async for piece in pieces])
        usage = completion.usage(text, await self._count(completion, text))
        return web.json_response(completion.whole(text, usage))

    async def _stream(self, request: web.Request, completion: Completion) -> web.StreamResponse:
        response, text = web.StreamResponse(headers={"Content-Type": "text/event-stream"}), ""
        async with aclosing(completion.pieces(self._models)) as pieces:
            piece = await anext(pieces, None)  # a queue that is full still has a status of its own
            await response.prepare(request)
            await response.write(completion.chunk({"role": "assistant", "content": ""}))
            try:
                while piece is not None:
                    text += piece
                    await response.write(
                        completion.chunk({"content": piece}) if piece else _WAITING
                    )
                    piece = await anext(pieces, None)
            except ApiError as error:
                await response.write(event(error.body()))
                await response.write_eof()
                return response
        await response.write(completion.chunk({}, completion.finish_reason))
        if completion.request.counts_in_stream:
            usage = completion.usage(text, await self._count(completion, text))
            await response.write(completion.usage_chunk(usage))
        await response.write(_DONE)
        await response.write_eof()
        return response

    async def _count(self, completion: Completion, text: str) -> int:
        """Tokens of an answer that a stop string cut."""
        if completion.tokens or not text:
            return completion.tokens
        return len(await asyncio.to_thread(completion.held.model.text_tokens, text))

    async def _tokenize(self, request: web.Request) -> web.Response:
        body = requests.parse(requests.TokenizeRequest, await request.read())
        model = self._models.model(body.model).model
        if body.messages is not None:
            tokens = await asyncio.to_thread(model.chat_tokens, body.messages)
        elif body.prompt is not None:
            tokens = await asyncio.to_thread(model.text_tokens, body.prompt)
        else:
            raise ApiError(400, "messages: send them, or a prompt", param="messages")
        counted = {"count": len(tokens), "max_model_len": model.window, "tokens": tokens}
        return web.json_response(counted)

    async def _load(self, request: web.Request) -> web.Response:
        body = requests.parse(requests.LoadModel, await request.read())
        await self._models.load(body.name, Path(body.path))
        return web.Response(text=f"Success: model '{body.name}' added successfully.")

    async def _unload(self, request: web.Request) -> web.Response:
        body = requests.parse(requests.UnloadModel, await request.read())
        await self._models.unload(body.name)
        return web.Response(text=f"Success: model '{body.name}' removed successfully.")

    async def _load_adapter(self, request: web.Request) -> web.Response:
        body = requests.parse(requests.LoadAdapter, await request.read())
        base = Path(body.base_model_path) if body.base_model_path else None
        await self._models.load_adapter(body.lora_name, Path(body.lora_path), base)
        return web.Response(text=f"Success: LoRA adapter '{body.lora_name}' added successfully.")

    async def _unload_adapter(self, request: web.Request) -> web.Response:
        body = requests.parse(requests.UnloadAdapter, await request.read())
        await self._models.unload(body.lora_name)
        return web.Response(text=f"Success: LoRA adapter '{body.lora_name}' removed successfully.")


def _card(held: HeldModel) -> dict[str, Any]:
    return {
        "id": held.name,
        "object": "model",
        "owned_by": "gyre",
        "root": str(held.path),
        "parent": held.adapter.base if held.adapter else None,
        "max_model_len": held.model.window,
    }


async def serve(
    models: LanguageModels, key: str, listening: socket, stopping: asyncio.Event, rest_after: float
) -> None:
    """Serve until told to stop, or until no model was held for `rest_after` seconds."""
    # Who leaves cancels what is being written for them.
    runner = web.AppRunner(
        ChatEndpoint(models, key).app(),
        handler_cancellation=True,
        access_log=None,
        shutdown_timeout=_GRACE_SECONDS,
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listening).start()
        while not stopping.is_set() and models.idle_seconds < rest_after:
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _LOOK_EVERY)
    finally:
        await runner.cleanup()
        await asyncio.to_thread(models.close)
