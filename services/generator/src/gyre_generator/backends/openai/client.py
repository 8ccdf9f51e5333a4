"""Streams completions from a server that is trusted with nothing: time, size, shape."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Self

import openai
from gyre_common.errors import GyreError
from openai.types.chat import ChatCompletionChunk

from gyre_generator.backends.openai.errors import error_of, too_slow, unusable
from gyre_generator.backends.openai.usage import Meter, ServedModel
from gyre_generator.backends.prompted_model import Completion
from gyre_generator.prompts import Prompt

MAX_ANSWER = 32_768
_CONNECT_SECONDS = 5.0


class OpenAIChat:
    """Implements `ChatModel`. Connects on the first use; `async with` to close."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model
        self._resources = AsyncExitStack()
        self._client: openai.AsyncOpenAI | None = None

    async def __aenter__(self) -> Self:
        model = self._model
        client = openai.AsyncOpenAI(
            base_url=model.url,
            api_key=model.key,
            timeout=openai.Timeout(model.stall_seconds, connect=_CONNECT_SECONDS),
            max_retries=model.retries,
        )
        self._client = await self._resources.enter_async_context(client)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._resources.aclose()

    def unusable(self, what: str) -> GyreError:
        """See `ChatModel`."""
        return unusable(what, self._model)

    async def complete(
        self, prompt: Prompt, settings: Mapping[str, str]
    ) -> AsyncGenerator[str | Completion, None]:
        """See `ChatModel`. A connection that fails, 429 and 5xx are tried again by the client, but
        nothing is once the answer has begun.
        """
        model, meter = self._model, Meter(prompt.text)
        deadline = asyncio.get_running_loop().time() + model.total_seconds
        try:
            async with asyncio.timeout_at(deadline):
                stream = await self._open(prompt, settings)
            async with stream:
                chunks = aiter(stream)
                while (chunk := await _next(chunks, deadline)) is not None:
                    text = meter.read(chunk)
                    if meter.characters > MAX_ANSWER:
                        raise unusable(f"more than {MAX_ANSWER:,} characters", model)
                    yield text
        except TimeoutError as error:
            raise too_slow(model) from error
        except openai.OpenAIError as error:
            raise error_of(error, model) from error
        except ValueError as error:  # JSON, UTF-8 and pydantic all raise it
            raise unusable("something that is not a chat completion", model) from error
        if not meter.finish_reason:
            what = "no answer that ends" if meter.characters else "no answer at all"
            raise unusable(what, model)
        yield Completion(meter.finish_reason, meter.tokens, model.cost(meter.tokens))

    async def _open(
        self, prompt: Prompt, settings: Mapping[str, str]
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        assert self._client is not None, "use `async with`"
        return await self._client.chat.completions.create(
            model=settings.get("model", self._model.name),
            messages=[
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            temperature=float(settings.get("temperature", "0")),
            max_tokens=self._model.max_tokens,
            stream=True,
            stream_options={"include_usage": True},
        )


async def _next(chunks: AsyncIterator[object], deadline: float) -> object | None:
    async with asyncio.timeout_at(deadline):
        return await anext(chunks, None)
