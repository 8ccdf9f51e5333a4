"""A chat completion: from a request to OpenAI's objects, whole or in chunks."""

import json
import time
import uuid
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from gyre_local.language_model.engine import Sampling, Written
from gyre_local.language_model.errors import too_long
from gyre_local.language_model.models import HeldModel, LanguageModels
from gyre_local.language_model.requests import ChatRequest
from gyre_local.language_model.stopping import StopStrings


@dataclass
class Completion:
    """One answer under way; iterate `pieces`, then read the rest."""

    request: ChatRequest
    held: HeldModel
    prompt: list[int]
    sampling: Sampling
    tokens: int = 0
    finish_reason: str = "length"
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    async def pieces(self, models: LanguageModels) -> AsyncGenerator[str, None]:
        """Text up to the first stop string; empty where there is none yet."""
        stops = StopStrings(self.request.stop)
        async with aclosing(models.write(self.held, self.prompt, self.sampling)) as parts:
            async for part in parts:
                if isinstance(part, Written):
                    self.tokens = part.tokens
                    self.finish_reason = "stop" if part.ended else "length"
                elif (text := stops.feed(part)) or not part:
                    yield text
                if stops.is_stopped:
                    self.finish_reason = "stop"
                    break
        if rest := stops.rest():
            yield rest

    def usage(self, text: str, count: int) -> Mapping[str, int]:
        """Tokens of the prompt and of what was written."""
        written = self.tokens or (count if text else 0)
        return {
            "prompt_tokens": len(self.prompt),
            "completion_tokens": written,
            "total_tokens": len(self.prompt) + written,
        }

    def whole(self, text: str, usage: Mapping[str, int]) -> dict[str, Any]:
        """https://platform.openai.com/docs/api-reference/chat/object"""
        message = {"role": "assistant", "content": text}
        choice = {"index": 0, "message": message, "finish_reason": self.finish_reason}
        return {**self._head("chat.completion"), "choices": [choice], "usage": usage}

    def chunk(self, delta: Mapping[str, str], finish_reason: str | None = None) -> bytes:
        """https://platform.openai.com/docs/api-reference/chat/streaming"""
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return event({**self._head("chat.completion.chunk"), "choices": [choice]})

    def usage_chunk(self, usage: Mapping[str, int]) -> bytes:
        """The last one, where it was asked for."""
        return event({**self._head("chat.completion.chunk"), "choices": [], "usage": usage})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.held.name}


def begin(models: LanguageModels, request: ChatRequest) -> Completion:
    """Blocks for the tokenizer. Raises ApiError: 404 unknown model, 400 over the window."""
    held = models.model(request.model)
    prompt = held.model.chat_tokens(request.messages)
    window, wanted = held.model.window, request.most_tokens or 0
    if len(prompt) + max(wanted, 1) > window:
        raise too_long(len(prompt), max(wanted, 1), window)
    sampling = Sampling(
        max_tokens=wanted or window - len(prompt),
        temperature=request.temperature,
        top_p=request.top_p,
        seed=request.seed,
    )
    return Completion(request, held, prompt, sampling)


def event(value: Mapping[str, Any]) -> bytes:
    """One server-sent event."""
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()
