"""Streams one chat completion. The server is trusted with nothing: time, size, shape."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Self

import openai
from openai._streaming import ServerSentEvent
from openai.types.chat import ChatCompletionChunk

from gyre_generator.backends.openai.errors import ServerErrors
from gyre_generator.backends.openai.parameters import post_adapted
from gyre_generator.backends.openai.repetition import RepetitionWatch
from gyre_generator.backends.openai.thoughts import ThoughtFilter
from gyre_generator.backends.openai.tokenizer import Counted, ServersTokenizer
from gyre_generator.backends.openai.usage import REPETITION, Meter, ServedModel
from gyre_generator.prompts import STOPS, Prompt

MAX_ANSWER = 32_768
_THINKS = "thinks"
"""Setting of a version: `true` where what the model writes begins inside a thought."""
_CONNECT_SECONDS = 5.0
_SEEDS = 1 << 63
"""Servers differ in whether a seed may be negative."""


class _Chunks(openai.AsyncStream[ChatCompletionChunk]):
    """A completion's chunks, and whether the server closed them as the protocol has it: a server
    that died leaves its stream just as quietly.
    """

    done = False

    async def _iter_events(self) -> AsyncIterator[ServerSentEvent]:
        async for each in super()._iter_events():
            self.done = self.done or each.data.startswith("[DONE]")
            yield each


class ChatClient:
    """Connects on the first use; `async with` to close. `errors` name its model and server.

    What a model's server has refused of a request is not sent to that model again.
    """

    def __init__(self, model: ServedModel) -> None:
        self.model = model
        self.errors = ServerErrors(model)
        self._client = openai.AsyncOpenAI(
            base_url=model.url,
            api_key=model.key.get_secret_value(),
            timeout=openai.Timeout(model.stall_seconds, connect=_CONNECT_SECONDS),
            max_retries=model.retries,
        )
        self._tokenizer = ServersTokenizer(self._client)
        self._refused: dict[str, frozenset[str]] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._client.close()

    async def count(self, prompt: Prompt, settings: Mapping[str, str]) -> Counted | None:
        """The tokens of a prompt and the window of its model, where the server tells."""
        return await self._tokenizer.count(self._model_of(settings), _messages(prompt))

    def longest_answer(self, max_tokens: int | None = None) -> int:
        """In tokens; `max_tokens` may lower what the model serves."""
        return min(max_tokens or self.model.max_tokens, self.model.max_tokens)

    async def complete(
        self,
        prompt: Prompt,
        settings: Mapping[str, str],
        meter: Meter,
        *,
        max_tokens: int | None = None,
        temperature: float | None = None,
        seed: int | None = None,
    ) -> AsyncGenerator[str, None]:
        """Text as it comes, without what the model thinks aloud before it; `meter` counts all.
        `max_tokens` may lower the model's bound, `temperature` takes the place of that in
        `settings`, and the same `seed` draws the same again. A text that repeats itself for ever is
        cut off.

        A connection that fails, 429 and 5xx are tried again by the client, but nothing is once the
        answer has begun; nor is a prompt sent that leaves no room in the model's window, where that
        is known. Raises Unavailable or FailedPrecondition, see `ServerErrors`.
        """
        thoughts = ThoughtFilter(begun=settings.get(_THINKS) == "true")
        repetition = RepetitionWatch()
        deadline = asyncio.get_running_loop().time() + self.model.timeout_seconds
        try:
            async with asyncio.timeout_at(deadline):
                stream = await self._open(prompt, settings, meter, max_tokens, temperature, seed)
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
                    if answer_text := thoughts.feed(text):
                        yield answer_text
                    if repetition.feed(text):
                        meter.finish_reason = REPETITION
                        return
        except TimeoutError as error:
            raise self.errors.too_slow() from error
        except openai.OpenAIError as error:
            raise self.errors.translated(error) from error
        except ValueError as error:  # JSON, UTF-8 and pydantic all raise it
            raise self.errors.unusable("something that is not a chat completion") from error
        if not meter.finish_reason and not (stream.done and meter.characters):
            raise self.errors.unusable(
                "no answer that ends" if meter.characters else "no answer at all"
            )
        if rest := thoughts.feed("", final=True):
            yield rest

    async def _open(
        self,
        prompt: Prompt,
        settings: Mapping[str, str],
        meter: Meter,
        max_tokens: int | None,
        temperature: float | None,
        seed: int | None,
    ) -> _Chunks:
        model, longest = self._model_of(settings), self.longest_answer(max_tokens)
        if counted := await self.count(prompt, settings):
            longest = min(longest, counted.window - counted.tokens)
            if longest < 1:
                raise self.errors.too_long(counted.window)
        whole = {
            "model": model,
            "messages": _messages(prompt),
            "temperature": (
                float(settings.get("temperature", "0")) if temperature is None else temperature
            ),
            "max_tokens": longest,
            "stop": list(STOPS),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if seed is not None:
            whole["seed"] = seed % _SEEDS
        known = self._refused.get(model, frozenset())
        stream, meter.refused = await post_adapted(self._post, whole, known)
        # The caller's temperature may be one that the server does not take, another is taken.
        own = {"temperature"} if temperature is not None else set()
        self._refused[model] = self._refused.get(model, frozenset()) | meter.refused - own
        return stream

    def _model_of(self, settings: Mapping[str, str]) -> str:
        return settings.get("model", self.model.model)

    async def _post(self, body: Mapping[str, object]) -> _Chunks:
        return await self._client.post(
            "/chat/completions",
            body=body,
            cast_to=ChatCompletionChunk,
            stream=True,
            stream_cls=_Chunks,
        )


def _messages(prompt: Prompt) -> list[dict[str, str]]:
    return [
        {"role": "system", "content": prompt.system},
        {"role": "user", "content": prompt.user},
    ]
