"""Counts tokens as the model does, where its server has vLLM's `/tokenize`."""

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urljoin

import openai
from pydantic import BaseModel, Field

Messages = Sequence[dict[str, str]]

_ASK_AGAIN_SECONDS = 60.0
_ASK_AGAIN_SOON = 5.0
_MOST_REMEMBERED = 256
_MOST_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Counted:
    """Tokens of a whole prompt, with what the chat template adds, and the model's window."""

    tokens: int
    window: int


class _Reply(BaseModel):
    count: int = Field(ge=0)
    max_model_len: int = Field(gt=0)


class ServersTokenizer:
    """Of one server (docs.vllm.ai, "OpenAI-Compatible Server", Tokenizer API)."""

    def __init__(self, client: openai.AsyncOpenAI) -> None:
        self._client = client.with_options(max_retries=0)
        self._url = urljoin(str(client.base_url), "../tokenize")
        self._counted: OrderedDict[tuple[str, str], Counted] = OrderedDict()
        self._silent_until: dict[str, float] = {}

    async def count(self, model: str, messages: Messages) -> Counted | None:
        """None where the server does not count this model's tokens: it is not asked again for a
        minute; none either where it is too slow, or has not the model now.
        """
        key = (model, hashlib.sha256(repr(messages).encode("utf-8", "replace")).hexdigest())
        if known := self._counted.get(key):
            return known
        if time.monotonic() < self._silent_until.get(model, 0.0):
            return None
        body = {"model": model, "messages": messages, "add_generation_prompt": True}
        try:
            async with asyncio.timeout(_MOST_SECONDS):
                reply = await self._client.post(self._url, body=body, cast_to=object)
            parsed = _Reply.model_validate(reply)
        except (openai.OpenAIError, TimeoutError, ValueError) as error:
            self._silent_until[model] = time.monotonic() + _pause_after(error)
            return None
        counted = Counted(parsed.count, parsed.max_model_len)
        self._counted[key] = counted
        if len(self._counted) > _MOST_REMEMBERED:
            self._counted.popitem(last=False)
        return counted


def _pause_after(error: Exception) -> float:
    """Seconds. A model that is not there may be loaded now: the local engine says so by its code,
    vLLM by its type; a server without the path has neither.
    """
    match error:
        case (
            openai.NotFoundError(code="model_not_found")
            | openai.NotFoundError(type="NotFoundError")
        ):
            return 0.0
        case TimeoutError() | openai.APIConnectionError():
            return _ASK_AGAIN_SOON
        case _:
            return _ASK_AGAIN_SECONDS
