"""Streams completions from any server that speaks OpenAI's chat completions (vLLM, TGI, Ollama,
hosted); it is trusted with nothing: time, size, shape.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Self
from urllib.parse import urlsplit

import openai
from gyre_common.errors import FailedPrecondition, GyreError, Unavailable
from gyre_common.events.interactions import TokenUsage
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from gyre_generator.backends.prompted_model import Completion
from gyre_generator.passages import estimated_tokens
from gyre_generator.prompts import Prompt

MAX_ANSWER = 32_768
_CONNECT_SECONDS = 5.0


class ServedModel(BaseModel):
    """A model and where it is served; prices in US dollars per million tokens."""

    model_config = ConfigDict(frozen=True)

    url: str
    model: str
    key: SecretStr = SecretStr("none")
    max_tokens: int = 1024
    timeout_seconds: float = 60.0
    stall_seconds: float = 20.0
    retries: int = 2
    prompt_usd: float = 0.0
    completion_usd: float = 0.0


class OpenAIChat:
    """Implements `ChatModel`. Connects on the first use; `async with` to close."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model
        self._server = f"the model server at {urlsplit(model.url).netloc.rpartition('@')[2]}"
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
        self, prompt: Prompt, settings: Mapping[str, str]
    ) -> AsyncGenerator[str | Completion, None]:
        """See `ChatModel`. A connection that fails, 429 and 5xx are tried again by the client, but
        nothing is once the answer has begun.
        """
        model, meter = self._model, _Meter(prompt.text)
        deadline = asyncio.get_running_loop().time() + model.timeout_seconds
        try:
            async with asyncio.timeout_at(deadline):
                stream = await self._open(prompt, settings)
            async with stream:
                chunks = aiter(stream)
                while (chunk := await _next(chunks, deadline)) is not None:
                    text = meter.read(chunk)
                    if meter.characters > MAX_ANSWER:
                        raise self.unusable(f"more than {MAX_ANSWER:,} characters")
                    yield text
        except TimeoutError as error:
            raise self._too_slow() from error
        except openai.OpenAIError as error:
            raise self._translated(error) from error
        except ValueError as error:  # JSON, UTF-8 and pydantic all raise it
            raise self.unusable("something that is not a chat completion") from error
        if not meter.finish_reason:
            raise self.unusable("no answer that ends" if meter.characters else "no answer at all")
        tokens = meter.tokens
        prices = tokens.prompt * model.prompt_usd + tokens.completion * model.completion_usd
        yield Completion(meter.finish_reason, tokens, prices / 1e6)

    async def _open(
        self, prompt: Prompt, settings: Mapping[str, str]
    ) -> openai.AsyncStream[ChatCompletionChunk]:
        return await self._client.chat.completions.create(
            model=settings.get("model", self._model.model),
            messages=[
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
            temperature=float(settings.get("temperature", "0")),
            max_tokens=self._model.max_tokens,
            stream=True,
            stream_options={"include_usage": True},
        )

    def _translated(self, error: openai.OpenAIError) -> GyreError:
        """What is wrong, and which setting to look at."""
        server = self._server
        match error:
            case openai.APITimeoutError():
                return self._too_slow()
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return FailedPrecondition(f"{server} refused the key: set GYRE_LLM_KEY")
            case openai.NotFoundError():
                return FailedPrecondition(
                    f"{server} does not know model {self._model.model!r} or the path: check "
                    "GYRE_LLM_MODEL and GYRE_LLM_URL (which ends in /v1)"
                )
            case openai.RateLimitError():
                return Unavailable(f"{server} is over its limit", retry_after_seconds=10.0)
            case openai.APIStatusError(status_code=status) if status < 500:
                return FailedPrecondition(
                    f"{server} refused the request (HTTP {status}): see its log"
                )
            case openai.APIStatusError(status_code=status):
                return self._retry_later(f"fails (HTTP {status}): see its log")
            case openai.APIConnectionError():
                return self._retry_later(
                    "cannot be reached or hung up: start it, or check GYRE_LLM_URL"
                )
            case _:
                return self.unusable("an error in the middle of its answer")

    def _too_slow(self) -> Unavailable:
        model = self._model
        return self._retry_later(
            f"is too slow (silent for {model.stall_seconds:g} s, or not done in "
            f"{model.timeout_seconds:g} s): raise GYRE_LLM_STALL_SECONDS or "
            "GYRE_LLM_TIMEOUT_SECONDS, or serve a smaller model"
        )

    def unusable(self, what: str) -> Unavailable:
        """See `ChatModel`."""
        return self._retry_later(
            f"sent {what}: check that GYRE_LLM_URL is an OpenAI-shaped API (it ends in /v1)"
        )

    def _retry_later(self, problem: str) -> Unavailable:
        return Unavailable(f"{self._server} {problem}", retry_after_seconds=5.0)


async def _next(chunks: AsyncIterator[object], deadline: float) -> object | None:
    async with asyncio.timeout_at(deadline):
        return await anext(chunks, None)


class _Delta(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    delta: _Delta
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)


class _Chunk(BaseModel):
    """What is needed of a chat completion chunk; the last one may carry only the usage."""

    choices: list[_Choice]
    usage: _Usage | None = None


class _Meter:
    """Counts along a stream. Tokens are estimated where the server does not count them."""

    def __init__(self, prompt: str) -> None:
        self.finish_reason = ""
        self.characters = 0
        self.tokens = TokenUsage(prompt=estimated_tokens(prompt))

    def read(self, chunk: object) -> str:
        """The chunk's text; raises ValueError where it is no chunk of a chat completion."""
        # The client does not check what it gets: missing fields would surface anywhere.
        raw = chunk.model_dump(warnings=False) if isinstance(chunk, BaseModel) else chunk
        parsed = _Chunk.model_validate(raw)
        text = ""
        for choice in parsed.choices[:1]:
            text = choice.delta.content or ""
            self.finish_reason = choice.finish_reason or self.finish_reason
        self.characters += len(text)
        if usage := parsed.usage:
            self.tokens = TokenUsage(
                prompt=usage.prompt_tokens, completion=usage.completion_tokens, estimated=False
            )
        elif self.tokens.estimated:
            completion = self.tokens.completion + estimated_tokens(text)
            self.tokens = self.tokens.model_copy(update={"completion": completion})
        return text
