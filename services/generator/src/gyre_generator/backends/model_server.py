"""Answers with a chat model on any server that speaks OpenAI's chat completions (vLLM, TGI, Ollama,
hosted). The server is trusted with nothing: time, size, shape.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import Self
from urllib.parse import urlsplit

import openai
from gyre_common.errors import FailedPrecondition, GyreError, Unavailable
from gyre_common.events.interactions import GuardrailResult, TokenUsage
from gyre_common.events.releases import Artifact, Roles
from gyre_common.releases.builtin import ANSWER_PROMPT_VERSION
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from gyre_generator.ask import Ask
from gyre_generator.backends import AnswerDraft, Artifacts, Piece
from gyre_generator.backends.markers import MarkerReader
from gyre_generator.passages import RetrievedPassage, estimated_tokens
from gyre_generator.prompts import NO_ANSWER, Prompt, Prompts

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


class ModelServer:
    """Implements `Backend`: renders the prompt, knows an abstention, turns [n] into claims.

    Connects on the first use; `async with` to close.
    """

    def __init__(self, model: ServedModel, prompts: Prompts) -> None:
        self._model = model
        self._prompts = prompts
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

    async def write(
        self, ask: Ask, passages: tuple[RetrievedPassage, ...], artifacts: Artifacts
    ) -> AsyncGenerator[Piece, None]:
        """See `Backend`."""
        prompt = self._prompt(ask, passages, artifacts.get(Roles.ANSWER_PROMPT))
        yield prompt
        generator = artifacts.get(Roles.GENERATOR)
        settings = generator.settings if generator else {}
        markers, meter = MarkerReader(), _Meter(prompt.text)
        opening, abstains = "", True
        async with aclosing(self._complete(prompt, settings, meter)) as pieces:
            async for piece in pieces:
                if abstains:  # as far as one can tell by the words so far
                    opening += piece
                    if NO_ANSWER.startswith(_bare(opening)):
                        continue
                    abstains, piece = False, opening.lstrip()
                if text := markers.feed(piece):
                    yield text
        tokens, model = meter.tokens, self._model
        prices = tokens.prompt * model.prompt_usd + tokens.completion * model.completion_usd
        cost_usd = prices / 1_000_000
        if abstains and _bare(opening) == NO_ANSWER:
            yield AnswerDraft("", abstained=True, tokens=tokens, cost_usd=cost_usd)
            return
        if rest := markers.feed(opening if abstains else "", final=True):
            yield rest
        if not markers.text.strip():
            raise self._unusable("an empty answer")
        end = meter.finish_reason
        verdict = GuardrailResult(name="complete", passed=end == "stop", detail=f"ended by {end}")
        draft = AnswerDraft(markers.text, markers.claims(), tokens=tokens, cost_usd=cost_usd)
        yield replace(draft, guardrails=(verdict,))

    def _prompt(
        self, ask: Ask, passages: tuple[RetrievedPassage, ...], released: Artifact | None
    ) -> Prompt:
        template, fallback = self._prompts.load_or_keep(
            released.version if released else ANSWER_PROMPT_VERSION,
            released.digest if released else None,
        )
        numbered = [
            {"number": n, "heading": p.heading, "text": p.text}
            for n, p in enumerate(passages, start=1)
        ]
        history = [turn.model_dump() for turn in ask.history]
        variables = {"question": ask.question, "passages": numbered, "history": history}
        return replace(template.render(variables), fallback=fallback)

    async def _complete(
        self, prompt: Prompt, settings: Mapping[str, str], meter: "_Meter"
    ) -> AsyncGenerator[str, None]:
        """A connection that fails, 429 and 5xx are tried again by the client, but nothing is once
        the answer has begun.
        """
        deadline = asyncio.get_running_loop().time() + self._model.timeout_seconds
        try:
            async with asyncio.timeout_at(deadline):
                stream = await self._open(prompt, settings)
            async with stream:
                chunks = aiter(stream)
                while True:
                    async with asyncio.timeout_at(deadline):
                        chunk = await anext(chunks, None)
                    if chunk is None:
                        break
                    text = meter.read(chunk)
                    if meter.characters > MAX_ANSWER:
                        raise self._unusable(f"more than {MAX_ANSWER:,} characters")
                    yield text
        except TimeoutError as error:
            raise self._too_slow() from error
        except openai.OpenAIError as error:
            raise self._translated(error) from error
        except ValueError as error:  # JSON, UTF-8 and pydantic all raise it
            raise self._unusable("something that is not a chat completion") from error
        if not meter.finish_reason:
            raise self._unusable("no answer that ends" if meter.characters else "no answer at all")

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
        match error:
            case openai.APITimeoutError():
                return self._too_slow()
            case openai.AuthenticationError() | openai.PermissionDeniedError():
                return FailedPrecondition(f"{self._server} refused the key: set GYRE_LLM_KEY")
            case openai.NotFoundError():
                return FailedPrecondition(
                    f"{self._server} does not know model {self._model.model!r} or the path: check "
                    "GYRE_LLM_MODEL and GYRE_LLM_URL (which ends in /v1)"
                )
            case openai.RateLimitError():
                return Unavailable(f"{self._server} is over its limit", retry_after_seconds=10.0)
            case openai.APIStatusError(status_code=status) if status < 500:
                problem = f"{self._server} refused the request (HTTP {status}): see its log"
                return FailedPrecondition(problem)
            case openai.APIStatusError(status_code=status):
                return self._retry_later(f"fails (HTTP {status}): see its log")
            case openai.APIConnectionError():
                fix = "start it, or check GYRE_LLM_URL"
                return self._retry_later(f"cannot be reached or hung up: {fix}")
            case _:
                return self._unusable("an error in the middle of its answer")

    def _too_slow(self) -> GyreError:
        silent, total = self._model.stall_seconds, self._model.timeout_seconds
        return self._retry_later(
            f"is too slow (silent for {silent:g} s, or not done in {total:g} s): raise "
            "GYRE_LLM_STALL_SECONDS or GYRE_LLM_TIMEOUT_SECONDS, or serve a smaller model"
        )

    def _unusable(self, what: str) -> GyreError:
        fix = "check that GYRE_LLM_URL is an OpenAI-shaped API (it ends in /v1)"
        return self._retry_later(f"sent {what}: {fix}")

    def _retry_later(self, problem: str) -> GyreError:
        return Unavailable(f"{self._server} {problem}", retry_after_seconds=5.0)


def _bare(text: str) -> str:
    return text.strip().rstrip(".")


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
