"""Messages of OpenAI's shapes, read as a question to Gyre."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Unpack

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


Tokens = Annotated[int, Field(ge=1, lt=2**31)]
Role = Literal["system", "developer", "user", "assistant", "tool", "function"]
Content = str | list[TextPart] | None


class Message(BaseModel):
    """What somebody said."""

    model_config = ConfigDict(extra="allow")

    role: Role
    content: Content = None


class QuestionFilters(BaseModel):
    """Which documents may be read; every pair of `metadata` must match."""

    model_config = ConfigDict(extra="forbid")

    document_ids: list[str] = []
    metadata: dict[str, str] = {}
    media_types: list[str] = []
    languages: list[str] = []

    def to_message(self) -> FiltersMessage:
        """As the services take it."""
        return FiltersMessage(**self.model_dump())


class QuestionRequest(BaseModel):
    """What requests of every shape have in common. Here and in those that build on it: what is
    honoured, what can only have its default, and what is taken and has no effect.
    """

    model_config = ConfigDict(extra="forbid")

    model: Annotated[str, Field(min_length=1, max_length=256)]
    stream: bool | None = False
    temperature: Annotated[float, Field(ge=0, le=2)] | None = None
    user: str | None = None

    conversation_id: str = ""
    filters: QuestionFilters = QuestionFilters()

    # Only what these say by default can be done here.
    tools: list[Any] | None = None
    tool_choice: Any = None
    top_logprobs: int | None = 0

    # Taken, without effect.
    metadata: dict[str, str] | None = None
    moderation: dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
    prompt_cache_retention: str | None = None
    safety_identifier: str | None = None
    service_tier: str | None = None
    store: bool | None = None
    top_p: float | None = None


@dataclass(frozen=True)
class Question:
    """What the generator is asked; `ignored` names what it does not hear of, and `fields` where in
    the request that is which it may refuse.
    """

    text: str
    options: AskOptions
    ignored: tuple[str, ...]
    fields: Mapping[str, str]


def read_question(
    request: QuestionRequest,
    messages: Sequence[Message],
    *,
    field: str,
    caller: Caller,
    ignorable: Sequence[str],
    **options: Unpack[AskOptions],
) -> Question:
    """The last message is the question; `options` say what the request has of its own.

    `field` is what it calls its messages; `ignorable` are fields without effect that would change
    the answer: those that it sends are named as ignored.

    Raises InvalidInput, which names the field.
    """
    turns = [(message.role, _text(f"{field}[{n}]", message)) for n, message in enumerate(messages)]
    conversation = [(role, text) for role, text in turns if role in ("user", "assistant")]
    last = f"{field}[{len(turns) - 1}]"
    if turns[-1][0] != "user":
        raise InvalidInput(f"{last}.role", f"is {turns[-1][0]}", "end with a message of the user")
    if not turns[-1][1].strip():
        raise InvalidInput(f"{last}.content", "is empty", "ask something")
    ignored = [name for name in ignorable if getattr(request, name) is not None]
    history = _latest([(role, text) for role, text in conversation[:-1] if text.strip()])
    if left_out := len(conversation) - 1 - len(history):
        ignored.append(f"{field} (the oldest {left_out})")
    of_system = (text for role, text in turns if role in ("system", "developer"))
    instructions = [text for text in (options.get("instructions", ""), *of_system) if text.strip()]
    options["conversation_id"] = request.conversation_id or _conversation_id(turns, caller)
    options["filters"] = request.filters.to_message()
    options["temperature"] = request.temperature
    options["history"] = [Turn(role=role, content=text) for role, text in history]
    options["instructions"] = "\n\n".join(instructions)
    options["version"] = "" if request.model == LIVE else request.model
    fields = dict.fromkeys(("question", "history", "instructions"), field)
    return Question(conversation[-1][1], options, tuple(ignored), {**fields, "version": "model"})


def refuse_tools(request: BaseModel, tools: Sequence[str], choices: Sequence[str]) -> None:
    """Raises InvalidInput where one of these fields holds tools, or chooses one."""
    for field in tools:
        if getattr(request, field):
            raise InvalidInput(field, "cannot be called", "leave it out; use /mcp the other way")
    for field in choices:
        if getattr(request, field) not in (None, "none", "auto"):
            raise InvalidInput(field, "names a tool, and none can be called", "leave it out")


def _text(field: str, message: Message) -> str:
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


def _conversation_id(turns: Sequence[tuple[str, str]], caller: Caller) -> str:
    """The same for every turn of a conversation, so that its versions stay: what it began with."""
    first = next(n for n, (role, _) in enumerate(turns) if role == "user")
    opening = repr((caller.tenant, caller.actor, turns[: first + 1]))
    return f"chat-{hashlib.sha256(opening.encode('utf-8', 'replace')).hexdigest()[:32]}"
