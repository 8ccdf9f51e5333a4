"""A request for a response of OpenAI's shape.

Reference: https://platform.openai.com/docs/api-reference/responses/create
"""

from typing import Annotated, Any, Literal

from gyre_client import Caller, InvalidInput
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from gyre_gateway.question import (
    Content,
    Message,
    Question,
    QuestionRequest,
    Role,
    Tokens,
    read_question,
    refuse_tools,
)


class InputItem(BaseModel):
    """What somebody said. Others than messages are refused by name."""

    model_config = ConfigDict(extra="allow")

    # First, so that an item of another kind, which has no role, is refused by its kind.
    type: Literal["message"] = "message"
    role: Role
    content: Content = None


def _as_items(given: object) -> object:
    return [{"role": "user", "content": given}] if isinstance(given, str) else given


class ResponseRequest(QuestionRequest):
    """What a response has besides."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"model": "gyre", "input": "How hot should the water for green tea be?"}]
        }
    )

    input: Annotated[
        list[InputItem], BeforeValidator(_as_items), Field(min_length=1, max_length=2_000)
    ]
    instructions: str | None = None
    max_output_tokens: Tokens | None = None

    # Only what these say by default can be done here.
    background: bool | None = False
    conversation: Any = None
    previous_response_id: str | None = None
    prompt: dict[str, Any] | None = None
    text: dict[str, Any] | None = None

    # Taken, without effect.
    access_programs: Any = None
    context_management: Any = None
    image: Any = None
    include: list[str] | None = None
    max_tool_calls: int | None = None
    reasoning: dict[str, Any] | None = None
    stream_options: dict[str, Any] | None = None
    truncation: str | None = None


_IGNORED = ("reasoning", "top_p")
"""Named in the reply where they are sent; the others change nothing that a caller could see."""


def question_of(request: ResponseRequest, caller: Caller, idempotency_key: str) -> Question:
    """Raises InvalidInput, which names the field."""
    _check_defaults(request)
    return read_question(
        request,
        [Message(role=item.role, content=item.content) for item in request.input],
        field="input",
        caller=caller,
        ignorable=_IGNORED,
        instructions=request.instructions or "",
        max_tokens=request.max_output_tokens,
        idempotency_key=idempotency_key,
    )


def _check_defaults(request: ResponseRequest) -> None:
    refuse_tools(request, ("tools",), ("tool_choice",))
    for field in ("previous_response_id", "conversation"):
        if getattr(request, field):
            fix = "send what was said so far as input, and conversation_id"
            raise InvalidInput(field, "is not kept here", fix)
    for field in ("background", "prompt", "top_logprobs"):
        if getattr(request, field):
            raise InvalidInput(field, "is not known", "leave it out")
    kind = (request.text or {}).get("format") or {"type": "text"}
    if not isinstance(kind, dict) or kind.get("type") != "text":
        fix = 'leave it out or send {"type": "text"}'
        raise InvalidInput("text.format", "is not text", fix)
