"""What may be asked: OpenAI's chat completions, and vLLM's calls for tokens and adapters."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from gyre_local.language_model.errors import ApiError

_MOST_MESSAGES = 256
_MOST_CHARACTERS = 1 << 20
_MOST_STOPS = 16

R = TypeVar("R", bound=BaseModel)
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
ModelPath = Annotated[str, Field(min_length=1, max_length=4096)]


class _Request(BaseModel):
    # Clients send what other servers know; what is not known here changes nothing.
    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class ChatMessage(_Request):
    """One turn; of content in parts only texts are taken."""

    role: Literal["system", "user", "assistant"]
    content: Annotated[str, Field(max_length=_MOST_CHARACTERS)]

    @field_validator("content", mode="before")
    @classmethod
    def _joined(cls, content: Any) -> Any:
        if not isinstance(content, list):
            return content
        if any(not isinstance(part, dict) or part.get("type") != "text" for part in content):
            raise ValueError("holds parts that are not text, and this engine reads text only")
        return "".join(str(part.get("text", "")) for part in content)


Messages = Annotated[list[ChatMessage], Field(min_length=1, max_length=_MOST_MESSAGES)]


class StreamOptions(_Request):
    """Whether the last chunk tells how many tokens there were."""

    include_usage: bool = False


class ChatRequest(_Request):
    """POST /v1/chat/completions. Where no bound is named, the window is the bound."""

    model: str
    messages: Messages
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: int | None = Field(default=None, ge=1)
    max_completion_tokens: int | None = Field(default=None, ge=1)
    temperature: float = Field(default=1.0, ge=0, le=2)
    top_p: float = Field(default=1.0, gt=0, le=1)
    seed: int | None = Field(default=None, ge=0, lt=1 << 63)
    stop: tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] = Field(
        default=(), max_length=_MOST_STOPS
    )
    n: Literal[1] = 1

    @field_validator("temperature", "top_p", mode="before")
    @classmethod
    def _default(cls, value: Any) -> Any:
        return 1.0 if value is None else value

    @field_validator("stop", mode="before")
    @classmethod
    def _several(cls, stop: Any) -> Any:
        if stop is None:
            return ()
        return (stop,) if isinstance(stop, str) else stop

    @property
    def most_tokens(self) -> int | None:
        """The longest answer that is wanted."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def counts_in_stream(self) -> bool:
        """Whether a stream ends with its usage."""
        return self.stream_options is not None and self.stream_options.include_usage


class TokenizeRequest(_Request):
    """POST /tokenize: `messages`, through the chat template, or `prompt` as it is."""

    model: str
    messages: Messages | None = None
    prompt: Annotated[str, Field(max_length=_MOST_CHARACTERS)] | None = None


class LoadModel(_Request):
    """POST /v1/load_model, this engine's own: weights from a folder of this machine."""

    name: Name
    path: ModelPath


class UnloadModel(_Request):
    """POST /v1/unload_model."""

    name: str


class LoadAdapter(_Request):
    """POST /v1/load_lora_adapter. vLLM has one base; here `base_model_path` may name another folder
    than that of a model that is loaded under the name in the adapter's own configuration.
    """

    lora_name: Name
    lora_path: ModelPath
    base_model_path: ModelPath | None = None


class UnloadAdapter(_Request):
    """POST /v1/unload_lora_adapter."""

    lora_name: str


def parse(kind: type[R], body: bytes) -> R:
    """Raises ApiError, 400, which names the field."""
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = _field(first["loc"])
        problem = first["msg"].removeprefix("Value error, ")
        raise ApiError(
            400, f"{field or 'The body'}: {problem}", code="invalid_value", param=field or None
        ) from error


def _field(place: Sequence[int | str]) -> str:
    return ".".join(str(part) for part in place)
