"""Answers through any server that speaks OpenAI's chat completions: vLLM, TGI, Ollama, hosted."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

import openai
from gyre_common.errors import FailedPrecondition, Unavailable
from gyre_common.events.interactions import GuardrailResult, TokenUsage
from gyre_common.releases.builtin import ANSWER_PROMPT_VERSION
from openai.types.chat import ChatCompletionMessageParam
from pydantic import BaseModel, Field

from gyre_generator.backends.markers import MarkerReader
from gyre_generator.backends.port import Delta, Draft, Piece, Prompted, Task
from gyre_generator.prompts import Prompt, Prompts
from gyre_generator.prompts.library import NO_ANSWER
from gyre_generator.tokens import estimated_tokens

MAX_ANSWER = 32_768
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Model:
    """A model and where it is served; prices in US dollars per million tokens."""

    url: str
    name: str
    key: str = "none"
    max_tokens: int = 1024
    total_seconds: float = 60.0
    stall_seconds: float = 20.0
    retries: int = 2
    prompt_usd: float = 0.0
    completion_usd: float = 0.0

    @property
    def place(self) -> str:
        """The server without path and credentials, fit for messages."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def cost(self, tokens: TokenUsage) -> float:
        """US dollars."""
        return (tokens.prompt * self.prompt_usd + tokens.completion * self.completion_usd) / 1e6


class OpenAICompatible:
    """Streams from a chat-completions server. Connects on the first use; `async with` to close."""

    def __init__(self, model: Model, prompts: Prompts) -> None:
        self._model = model
        self._prompts = prompts
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

    async def write(self, task: Task) -> AsyncGenerator[Piece, None]:
        """See `Backend`. A connection that fails, 429 and 5xx are tried again by the client, but
        nothing is once the answer has begun.
        """
        prompt, fallback = self._prompt(task)
        yield Prompted(prompt.text, prompt.version, fallback)
        reader, opening, server = MarkerReader(), _Opening(), _Counted()
        deltas = self._deltas(task, prompt, server)
        try:
            async for said in deltas:
                if text := reader.feed(opening.feed(said)):
                    yield Delta(text)
        finally:
            await deltas.aclose()
        tokens = server.tokens or TokenUsage(
            prompt=estimated_tokens(prompt.text), completion=server.said
        )
        if opening.abstains():
            yield Draft("", abstained=True, tokens=tokens, cost_usd=self._model.cost(tokens))
            return
        if rest := reader.feed(opening.finish()) + reader.finish():
            yield Delta(rest)
        if not reader.text.strip():
            raise self._nonsense("an empty answer")
        complete = GuardrailResult(
            name="complete", passed=server.ended == "stop", detail=f"ended by {server.ended}"
        )
        yield Draft(
            reader.text,
            reader.claims(),
            tokens=tokens,
            cost_usd=self._model.cost(tokens),
            guardrails=(complete,),
        )

    def _prompt(self, task: Task) -> tuple[Prompt, str]:
        released = task.prompt
        template, fallback = self._prompts.load_or_keep(
            released.version if released else ANSWER_PROMPT_VERSION,
            released.digest if released else None,
        )
        passages = [
            {"number": n, "heading": p.heading, "text": p.text}
            for n, p in enumerate(task.passages, start=1)
        ]
        history = [{"role": t.role, "content": t.content} for t in task.history]
        variables = {"question": task.question, "passages": passages, "history": history}
        return template.render(variables), fallback

    async def _deltas(
        self, task: Task, prompt: Prompt, server: "_Counted"
    ) -> AsyncGenerator[str, None]:
        """The text of each chunk, until the server says that it ended."""
        until = asyncio.get_running_loop().time() + self._model.total_seconds
        length = 0
        try:
            async with asyncio.timeout_at(until):
                stream = await self._open(task, prompt)
            async with stream:
                chunks = aiter(stream)
                while (chunk := await self._next(chunks, until)) is not None:
                    text = server.read(chunk)
                    length += len(text)
                    if length > MAX_ANSWER:
                        raise self._nonsense(f"more than {MAX_ANSWER:,} characters")
                    yield text
        except TimeoutError as error:
            raise self._slow() from error
        except openai.OpenAIError as error:
            raise self._translated(error) from error
        except ValueError as error:  # JSON, UTF-8 and pydantic all raise it
            raise self._nonsense("something that is not a chat completion") from error
        if not server.ended:
            raise self._nonsense("no answer that ends" if length else "no answer at all")

    async def _open(
        self, task: Task, prompt: Prompt
    ) -> openai.AsyncStream[openai.types.chat.ChatCompletionChunk]:
        assert self._client is not None, "use `async with`"
        settings = task.generator.settings if task.generator else {}
        messages: Sequence[ChatCompletionMessageParam] = [
            {"role": "system", "content": prompt.system},
            {"role": "user", "content": prompt.user},
        ]
        return await self._client.chat.completions.create(
            model=settings.get("model", self._model.name),
            messages=messages,
            temperature=float(settings.get("temperature", "0")),
            max_tokens=self._model.max_tokens,
            stream=True,
            stream_options={"include_usage": True},
        )

    @staticmethod
    async def _next(chunks: AsyncIterator[object], until: float) -> "_Chunk | None":
        try:
            async with asyncio.timeout_at(until):
                chunk = await anext(chunks)
        except StopAsyncIteration:
            return None
        # The client does not check what it gets: missing fields would surface anywhere.
        raw = chunk.model_dump(warnings=False) if isinstance(chunk, BaseModel) else chunk
        return _Chunk.model_validate(raw)

    def _translated(self, error: openai.OpenAIError) -> Unavailable | FailedPrecondition:
        place = self._model.place
        match error:
            case openai.APITimeoutError():
                return self._slow()
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return FailedPrecondition(
                    f"the model server at {place} refused the key: set GYRE_LLM_KEY"
                )
            case openai.NotFoundError():
                return FailedPrecondition(
                    f"the model server at {place} does not know model {self._model.name!r} or the "
                    "path: check GYRE_LLM_MODEL and GYRE_LLM_URL (which ends in /v1)"
                )
            case openai.RateLimitError():
                return Unavailable(
                    f"the model server at {place} is over its limit", retry_after_seconds=10.0
                )
            case openai.APIStatusError() if error.status_code < 500:
                return FailedPrecondition(
                    f"the model server at {place} refused the request (HTTP {error.status_code}): "
                    "see its log"
                )
            case openai.APIStatusError():
                return Unavailable(
                    f"the model server at {place} fails (HTTP {error.status_code}): see its log",
                    retry_after_seconds=5.0,
                )
            case openai.APIConnectionError():
                return Unavailable(
                    f"the model server at {place} cannot be reached or hung up: start it, or check "
                    "GYRE_LLM_URL",
                    retry_after_seconds=5.0,
                )
            case _:
                return self._nonsense("an error in the middle of its answer")

    def _slow(self) -> Unavailable:
        model = self._model
        return Unavailable(
            f"the model server at {model.place} is too slow (silent for {model.stall_seconds:g} s, "
            f"or not done in {model.total_seconds:g} s): raise GYRE_LLM_STALL_SECONDS or "
            "GYRE_LLM_TIMEOUT_SECONDS, or serve a smaller model",
            retry_after_seconds=5.0,
        )

    def _nonsense(self, what: str) -> Unavailable:
        return Unavailable(
            f"the model server at {self._model.place} sent {what}: check that GYRE_LLM_URL is an "
            "OpenAI-shaped API (it ends in /v1)",
            retry_after_seconds=5.0,
        )


class _Said(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    delta: _Said
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int = Field(ge=0)
    completion_tokens: int = Field(ge=0)


class _Chunk(BaseModel):
    """What is needed of a chat completion chunk; the last one may carry only the usage."""

    choices: list[_Choice]
    usage: _Usage | None = None


class _Counted:
    """What a stream told besides its text."""

    def __init__(self) -> None:
        self.ended = ""
        self.said = 0
        self.tokens: TokenUsage | None = None

    def read(self, chunk: _Chunk) -> str:
        """The chunk's text."""
        if chunk.usage:
            self.tokens = TokenUsage(
                prompt=chunk.usage.prompt_tokens,
                completion=chunk.usage.completion_tokens,
                estimated=False,
            )
        text = ""
        for choice in chunk.choices[:1]:
            text = choice.delta.content or ""
            self.ended = choice.finish_reason or self.ended
        self.said += estimated_tokens(text)
        return text


class _Opening:
    """Holds the first words back until it is clear that they are not the words for no answer."""

    def __init__(self) -> None:
        self._held = ""
        self._open = True

    def feed(self, text: str) -> str:
        if not self._open:
            return text
        self._held += text
        begun = self._held.strip().rstrip(".")
        if NO_ANSWER.startswith(begun):
            return ""
        self._open = False
        held, self._held = self._held.lstrip(), ""
        return held

    def abstains(self) -> bool:
        return self._open and self._held.strip().rstrip(".") == NO_ANSWER

    def finish(self) -> str:
        return self._held if self._open else ""
