"""A chat completion request of OpenAI's shape, read as a question to Gyre.

Reference: https://platform.openai.com/docs/api-reference/chat/create
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from gyre.generator.v1.generator_pb2 import Turn
from gyre.retriever.v1.retriever_pb2 import Filters as FiltersMessage
from gyre_client import Caller, InvalidInput
from gyre_client.answers import AskOptions
from pydantic import BaseModel, ConfigDict, Field

LIVE = "gyre"
"""The model that is live, in place of a version's name."""

MOST_TURNS, MOST_HISTORY = 20, 16_384
"""What the generator takes of the conversation so far: turns, and characters."""


class TextPart(BaseModel):
    """A part of a message. Others than text are refused by name."""

    model_config = ConfigDict(extra="allow")

    type: str
    text: str = ""


class ChatMessage(BaseModel):
    """What somebody said."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool", "function"]
    content: str | list[TextPart] | None = None


class StreamOptions(BaseModel):
    """How a stream ends."""

    model_config = ConfigDict(extra="allow")

    include_usage: bool = False


class Filters(BaseModel):
    """Which documents may be read; every pair of `metadata` must match."""

    model_config = ConfigDict(extra="forbid")

    document_ids: list[str] = []
    metadata: dict[str, str] = {}
    media_types: list[str] = []

    def to_message(self) -> FiltersMessage:
        """As the services take it."""
        return FiltersMessage(**self.model_dump())


class ChatRequest(BaseModel):
    """What is honoured, what can only have its default, and what is named as ignored."""

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(min_length=1, max_length=256)]
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=2_000)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1)] = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    user: str | None = None

    conversation_id: str = ""
    filters: Filters = Filters()

    # Only what these say by default can be done here.
    n: int | None = 1
    tools: list[Any] | None = None
    tool_choice: Any = None
    functions: list[Any] | None = None
    function_call: Any = None
    response_format: dict[str, Any] | None = None
    logprobs: bool | None = False
    top_logprobs: int | None = 0
    modalities: list[str] | None = None
    audio: dict[str, Any] | None = None

    # Taken, and named in the reply as ignored.
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    metadata: dict[str, str] | None = None
    parallel_tool_calls: bool | None = None
    prediction: dict[str, Any] | None = None
    presence_penalty: float | None = None
    prompt_cache_key: str | None = None
    prompt_cache_retention: str | None = None
    reasoning_effort: str | None = None
    safety_identifier: str | None = None
    seed: int | None = None
    service_tier: str | None = None
    stop: str | list[str] | None = None
    store: bool | None = None
    top_p: float | None = None
    verbosity: str | None = None
    web_search_options: dict[str, Any] | None = None


_IGNORED = (
    *("frequency_penalty", "logit_bias", "presence_penalty", "prediction", "reasoning_effort"),
    *("seed", "stop", "top_p", "verbosity", "web_search_options"),
)
"""Those that would change the answer; the others change nothing that a caller could see."""


@dataclass(frozen=True)
class Question:
    """What the generator is asked; `ignored` names what it does not hear of."""

    text: str
    options: AskOptions
    ignored: tuple[str, ...]


def read_question(request: ChatRequest, caller: Caller) -> Question:
    """Raises InvalidInput, which names the field."""
    _check_defaults(request)
    turns = [(message.role, _text(n, message)) for n, message in enumerate(request.messages)]
    said = [(role, text) for role, text in turns if role in ("user", "assistant")]
    last = len(turns) - 1
    if turns[-1][0] != "user":
        raise InvalidInput(
            f"messages[{last}].role", f"is {turns[-1][0]}", "end with a message of the user"
        )
    if not turns[-1][1].strip():
        raise InvalidInput(f"messages[{last}].content", "is empty", "ask something")
    history = _latest([(role, text) for role, text in said[:-1] if text.strip()])
    left_out = len(said) - 1 - len(history)
    ignored = [name for name in _IGNORED if getattr(request, name) is not None]
    if left_out:
        ignored.append(f"messages (the oldest {left_out})")
    instructions = [text for role, text in turns if role in ("system", "developer")]
    options = AskOptions(
        history=[Turn(role=role, content=text) for role, text in history],
        instructions="\n\n".join(text for text in instructions if text.strip()),
        conversation_id=request.conversation_id or _conversation_id(turns, request, caller),
        filters=request.filters.to_message(),
        version="" if request.model == LIVE else request.model,
        max_tokens=request.max_completion_tokens or request.max_tokens,
        temperature=request.temperature,
    )
    return Question(said[-1][1], options, tuple(ignored))


def _check_defaults(request: ChatRequest) -> None:
    if request.n not in (None, 1):
        raise InvalidInput("n", f"is {request.n}", "ask for one answer at a time")
    for field in ("tools", "functions"):
        if getattr(request, field):
            raise InvalidInput(field, "cannot be called", "leave it out; use /mcp the other way")
    for field in ("tool_choice", "function_call"):
        if getattr(request, field) not in (None, "none", "auto"):
            raise InvalidInput(field, "names a tool, and none can be called", "leave it out")
    if request.response_format and request.response_format.get("type") != "text":
        raise InvalidInput("response_format", "is not text", 'leave it out or send {"type":"text"}')
    if request.logprobs or request.top_logprobs:
        raise InvalidInput("logprobs", "are not known", "leave it out")
    if request.audio or (request.modalities or ["text"]) != ["text"]:
        raise InvalidInput("modalities", "hold more than text", "ask for text alone")


def _text(number: int, message: ChatMessage) -> str:
    field = f"messages[{number}]"
    if message.role in ("tool", "function"):
        raise InvalidInput(
            f"{field}.role", f"is {message.role}", "send system, developer, user or assistant"
        )
    if isinstance(message.content, str):
        return message.content
    if message.content is None:
        if message.role == "assistant":
            return ""
        raise InvalidInput(f"{field}.content", "is missing", "send text")
    for at, part in enumerate(message.content):
        if part.type not in ("text", "input_text", "output_text"):
            raise InvalidInput(
                f"{field}.content[{at}].type", f"is {part.type[:40]}", "send text alone"
            )
    return "\n".join(part.text for part in message.content)


def _latest(turns: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """As many of the last ones as the generator takes."""
    latest: list[tuple[str, str]] = []
    room = MOST_HISTORY
    for role, text in reversed(turns[-MOST_TURNS:]):
        room -= len(text)
        if room < 0:
            break
        latest.insert(0, (role, text))
    return latest


def _conversation_id(turns: Sequence[tuple[str, str]], request: ChatRequest, caller: Caller) -> str:
    """The same for every turn of a conversation, so that its versions stay: what it began with."""
    first = next(n for n, (role, _) in enumerate(turns) if role == "user")
    opening = repr((caller.tenant, caller.actor or request.user or "", turns[: first + 1]))
    return f"chat-{hashlib.sha256(opening.encode('utf-8', 'replace')).hexdigest()[:32]}"
