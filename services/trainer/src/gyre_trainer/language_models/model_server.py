"""The server of language models, as `compare` uses it: holds what is asked, by its own calls."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Self

import openai
from gyre_common.errors import FailedPrecondition, Unavailable
from pydantic import SecretStr

_RETRIES = 8
_CONNECT_SECONDS = 5.0
_TOO_LONG = "context_length_exceeded"


class ModelServer:
    """OpenAI-shaped, with vLLM's run-time calls for adapters; `async with` to close. Every method
    raises Unavailable when it is away, FailedPrecondition when it refuses, in its own words.
    """

    def __init__(self, url: str, key: SecretStr, *, seconds: float) -> None:
        self._url = url
        self._client = openai.AsyncOpenAI(
            base_url=url,
            api_key=key.get_secret_value(),
            timeout=openai.Timeout(seconds, connect=_CONNECT_SECONDS),
            max_retries=_RETRIES,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.close()

    @asynccontextmanager
    async def holding(self, name: str, folder: Path, *, base: Path | None) -> AsyncIterator[None]:
        """A model is served under its name inside, or the adapter in `folder` of the model in
        `base`; what was held before stays.
        """
        if await self.holds(name):
            yield
            return
        if base is None:
            load, unload, key = "/load_model", "/unload_model", "name"
            body = {key: name, "path": str(folder)}
        else:
            load, unload, key = "/load_lora_adapter", "/unload_lora_adapter", "lora_name"
            # vLLM takes the base that it was started with.
            body = {key: name, "lora_path": str(folder), "base_model_path": str(base)}
        await self._post(load, body)
        try:
            yield
        finally:
            await self._post(unload, {key: name})

    async def holds(self, name: str) -> bool:
        """Whether it serves a model of that name."""
        async with self._errors():
            return name in [model.id async for model in self._client.models.list()]

    async def answer(self, model: str, system: str, user: str, *, max_tokens: int) -> str | None:
        """The most likely answer; None where the prompt is longer than the model can read."""
        try:
            async with self._errors():
                reply = await self._client.chat.completions.create(
                    model=model,
                    messages=[
                        {"role": "system", "content": system},
                        {"role": "user", "content": user},
                    ],
                    temperature=0,
                    max_tokens=max_tokens,
                )
                return reply.choices[0].message.content or ""
        except _TooLong:
            return None

    async def _post(self, path: str, body: dict[str, str]) -> None:
        async with self._errors():
            await self._client.post(path, cast_to=str, body=body)

    @asynccontextmanager
    async def _errors(self) -> AsyncIterator[None]:
        try:
            yield
        except openai.BadRequestError as error:
            if error.code == _TOO_LONG:
                raise _TooLong from error
            raise FailedPrecondition(self._says(error)) from error
        except (openai.APIConnectionError, openai.InternalServerError, openai.RateLimitError) as e:
            raise Unavailable(f"the model server at {self._url} does not answer: {e}") from e
        except openai.APIStatusError as error:
            raise FailedPrecondition(self._says(error)) from error
        except (openai.OpenAIError, ValueError, IndexError, AttributeError) as error:
            raise FailedPrecondition(
                f"the model server at {self._url} answers nonsense: {type(error).__name__}"
            ) from error

    def _says(self, error: openai.APIStatusError) -> str:
        return f"the model server at {self._url} refused ({error.status_code}): {error.message}"


class _TooLong(Exception):
    """The prompt does not fit into the model's window."""
