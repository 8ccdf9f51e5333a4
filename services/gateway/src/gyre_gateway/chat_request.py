"""A chat completion request of OpenAI's shape.

Reference: https://platform.openai.com/docs/api-reference/chat/create
"""

from typing import Annotated, Any

from gyre_client import Caller, InvalidInput
from pydantic import BaseModel, ConfigDict, Field

from gyre_gateway.question import (
    Filters,
    Message,
    Model,
    Question,
    Temperature,
    Tokens,
    read_question,
    refuse_tools,
)
from gyre_gateway.replies import Json

EXAMPLE: Json = {
    "model": "gyre",
    "messages": [{"role": "user", "content": "How hot should the water for green tea be?"}],
}


class StreamOptions(BaseModel):
    """How a stream ends."""

    model_config = ConfigDict(extra="allow")

    include_usage: bool = False


class ChatRequest(BaseModel):
    """What is honoured, what can only have its default, and what is named as ignored."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [EXAMPLE]})

    model: Model
    messages: Annotated[list[Message], Field(min_length=1, max_length=2_000)]
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    temperature: Temperature | None = None
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
    moderation: dict[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    prediction: dict[str, Any] | None = None
    presence_penalty: float | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: dict[str, Any] | None = None
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


def question_of(request: ChatRequest, caller: Caller, idempotency_key: str) -> Question:
    """Raises InvalidInput, which names the field."""
    _check_defaults(request)
    return read_question(
        request.messages,
        field="messages",
        model=request.model,
        caller=caller,
        ignored=[name for name in _IGNORED if getattr(request, name) is not None],
        conversation_id=request.conversation_id,
        filters=request.filters.to_message(),
        max_tokens=request.max_completion_tokens or request.max_tokens,
        temperature=request.temperature,
        idempotency_key=idempotency_key,
    )


def _check_defaults(request: ChatRequest) -> None:
    if request.n not in (None, 1):
        raise InvalidInput("n", f"is {request.n}", "ask for one answer at a time")
    refuse_tools(request, ("tools", "functions"), ("tool_choice", "function_call"))
    if request.response_format and request.response_format.get("type") != "text":
        raise InvalidInput("response_format", "is not text", 'leave it out or send {"type":"text"}')
    if request.logprobs or request.top_logprobs:
        raise InvalidInput("logprobs", "are not known", "leave it out")
    if request.audio or (request.modalities or ["text"]) != ["text"]:
        raise InvalidInput("modalities", "hold more than text", "ask for text alone")
