"""Streams one chat completion. The server is trusted with nothing: time, size, shape."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import Self

import openai
from openai.types.chat import ChatCompletionChunk

from gyre_generator.backends.openai.errors import ServerErrors
from gyre_generator.backends.openai.usage import Meter, ServedModel
from gyre_generator.prompts import Prompt

MAX_ANSWER = 32_768
_CONNECT_SECONDS = 5.0


class ChatClient:
    """Connects on the first use; `async with` to close. `errors` name its model and server."""

    def __init__(self, model: ServedModel) -> None:
        self.model = model
        self.errors = ServerErrors(model)
        self._client = openai.AsyncOpenAI(
            base_url=model.url,
            api_key=model.key.get_secret_value(),
            timeout=openai.Timeout(model.stall_seconds, connect=_CONNECT_SECONDS),
            max_retries=model.retries,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.close()

    async def complete(
        self,
        prompt: Prompt,
        settings: Mapping[str, str],
        meter: Meter,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
    ) -> AsyncGenerator[str, None]:
        """Text as it comes; `meter` counts it. `max_tokens` may lower the model's bound,
        `temperature` takes the place of that in `settings`.

        A connection that fails, 429 and 5xx are tried again by the client, but nothing is once the
        answer has begun. Raises Unavailable or FailedPrecondition, see `ServerErrors`.
        """
        deadline = asyncio.get_running_loop().time() + self.model.timeout_seconds
        try:
            async with asyncio.timeout_at(deadline):
                stream = await self._open(prompt, settings, max_tokens, temperature)
            async with stream:
                chunks = aiter(stream)
                while True:
                    async with asyncio.timeout_at(deadline):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        break
                    text = meter.read(chunk)
                    if meter.characters > MAX_ANSWER:
                        raise self.errors.unusable(f"more than {MAX_ANSWER:,} characters")
                    yield text
        except TimeoutError as error:
            raise self.errors.too_slow() from error
        except openai.OpenAIError as error:
            raise self.errors.translated(error) from error
        except ValueError as error:  # JSON, UTF-8 and pydantic all raise it
            raise self.errors.unusable("something that is not a chat completion") from error
        if not meter.finish_reason:
            raise self.errors.unusable(
                "no answer that ends" if meter.characters else "no answer at all"
            )

    async def _open(
        self,
        prompt: Prompt,
        settings: Mapping[str, str],
        max_tokens: int | None,
        temperature: float | None,
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        return await self._client.chat.completions.create(
            model=settings.get("model", self.model.model),
            messages=[
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            temperature=(
                float(settings.get("temperature", "0")) if temperature is None else temperature
            ),
            max_tokens=min(max_tokens or self.model.max_tokens, self.model.max_tokens),
            stream=True,
            stream_options={"include_usage": True},
        )
