"""A model and its price, and what is read of a streamed completion: text, end, tokens."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from gyre_common.events.interactions import TokenUsage
from pydantic import BaseModel, Field

from gyre_generator.tokens import estimated_tokens


@dataclass(frozen=True, slots=True)
class ServedModel:
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


class Meter:
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
        if parsed.usage:
            self.tokens = TokenUsage(
                prompt=parsed.usage.prompt_tokens,
                completion=parsed.usage.completion_tokens,
                estimated=False,
            )
        elif self.tokens.estimated:
            completion = self.tokens.completion + estimated_tokens(text)
            self.tokens = self.tokens.model_copy(update={"completion": completion})
        return text
