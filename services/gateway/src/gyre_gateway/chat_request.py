"""A chat completion request of OpenAI's shape.

Reference: https://platform.openai.com/docs/api-reference/chat/create
"""

from typing import Annotated, Any

from gyre_client import Caller, InvalidInput
from pydantic import BaseModel, ConfigDict, Field

from gyre_gateway.question import (
    Message,
    Question,
    QuestionRequest,
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


class ChatRequest(QuestionRequest):
    """What a chat completion has besides."""

    model_config = ConfigDict(json_schema_extra={"examples": [EXAMPLE]})

    messages: Annotated[list[Message], Field(min_length=1, max_length=2_000)]
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None

    # Only what these say by default can be done here.
    n: int | None = 1
    functions: list[Any] | None = None
    function_call: Any = None
    response_format: dict[str, Any] | None = None
    logprobs: bool | None = False
    modalities: list[str] | None = None
    audio: dict[str, Any] | None = None

    # Taken, without effect.
    frequency_penalty: float | None = None
    logit_bias: dict[str, float] | None = None
    prediction: dict[str, Any] | None = None
    presence_penalty: float | None = None
    reasoning_effort: str | None = None
    stop: str | list[str] | None = None
    verbosity: str | None = None
    web_search_options: dict[str, Any] | None = None


_IGNORED = (
    *("frequency_penalty", "logit_bias", "presence_penalty", "prediction", "reasoning_effort"),
    *("stop", "top_p", "verbosity", "web_search_options"),
)
"""Named in the reply where they are sent; the others change nothing that a caller could see."""


def question_of(request: ChatRequest, caller: Caller, idempotency_key: str) -> Question:
    """Raises InvalidInput, which names the field."""
    _check_defaults(request)
    return read_question(
        request,
        request.messages,
        field="messages",
        caller=caller,
        ignorable=_IGNORED,
        max_tokens=request.max_completion_tokens or request.max_tokens,
        seed=request.seed,
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
