"""What a model costs: the model as it is served, and tokens counted along a stream."""

from gyre_common.events.interactions import TokenUsage
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from gyre_generator.passages import estimated_tokens

REPETITION = "repetition"
"""The reason of ours among those of the server for which an answer ends."""


class ServedModel(BaseModel):
    """A model and where it is served; prices in US dollars per million tokens. Address and key come
    from the variables that begin with `variables`.
    """

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
    variables: str = "GYRE_LLM"


class _Delta(BaseModel):
    content: str | None = None


class _Choice(BaseModel):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Usage(BaseModel):
    prompt_tokens: int | None = Field(default=None, ge=0)
    completion_tokens: int | None = Field(default=None, ge=0)


class _Chunk(BaseModel):
    """What is needed of a chat completion chunk. Servers leave out, or send null, what a chunk has
    nothing to say of; the last one may carry only the usage.
    """

    choices: list[_Choice] | None = None
    usage: _Usage | None = None


class Meter:
    """Counts along a stream. Tokens are estimated where the server does not count them.

    `finish_reason` is the server's word on how the answer ended, `repetition` where it was cut off
    for that; empty where the server closed the stream as it should and gave none. `refused` are
    the parameters that the server did not take.
    """

    def __init__(self, prompt: str) -> None:
        self.finish_reason = ""
        self.refused: frozenset[str] = frozenset()
        self.characters = 0
        self.tokens = TokenUsage(prompt=estimated_tokens(prompt))

    def cost_usd(self, model: ServedModel) -> float:
        """Of all tokens so far."""
        tokens = self.tokens
        prices = tokens.prompt * model.prompt_usd + tokens.completion * model.completion_usd
        return prices / 1_000_000

    def read(self, chunk: object) -> str:
        """The chunk's text; raises ValueError where it is no chunk of a chat completion."""
        # The client does not check what it gets: missing fields would surface anywhere.
        raw = chunk.model_dump(warnings=False) if isinstance(chunk, BaseModel) else chunk
        parsed = _Chunk.model_validate(raw)
        text = ""
        for choice in (parsed.choices or ())[:1]:
            text = (choice.delta.content if choice.delta else None) or ""
            self.finish_reason = choice.finish_reason or self.finish_reason
        self.characters += len(text)
        usage = parsed.usage or _Usage()
        if usage.prompt_tokens is not None and usage.completion_tokens is not None:
            self.tokens = TokenUsage(
                prompt=usage.prompt_tokens, completion=usage.completion_tokens, estimated=False
            )
        elif self.tokens.estimated:
            completion = self.tokens.completion + estimated_tokens(text)
            self.tokens = self.tokens.model_copy(update={"completion": completion})
        return text
