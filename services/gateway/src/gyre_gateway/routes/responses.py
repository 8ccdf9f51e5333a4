"""POST /v1/responses: the same answers in the shape of OpenAI's Responses API."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from gyre.generator.v1 import generator_pb2
from gyre_client import GyreError
from sse_starlette import ServerSentEvent

from gyre_gateway.answering import (
    EXAMPLE,
    EXAMPLE_BESIDE,
    Pieces,
    ask,
    begin,
    beside,
    citations,
    naming,
    speaking_as,
)
from gyre_gateway.identity import Gyre
from gyre_gateway.question import Question
from gyre_gateway.replies import MOMENT, IdempotencyKey, Json, as_json, replying
from gyre_gateway.response_request import ResponseRequest, question_of
from gyre_gateway.routes.models import named_model
from gyre_gateway.routing import Route
from gyre_gateway.streaming import event, event_stream

router = APIRouter(tags=["OpenAI"], route_class=Route)


_PART: Json = {
    "type": "output_text",
    "text": EXAMPLE.answer,
    "annotations": [{"type": "url_citation", **each} for each in citations(EXAMPLE)],
    "logprobs": [],
}
_EXAMPLE: Json = {
    "id": f"resp_{EXAMPLE.interaction_id}",
    "object": "response",
    "created_at": MOMENT.seconds,
    "status": "completed",
    "model": "gyre",
    "output": [
        {
            "type": "message",
            "id": f"msg_{EXAMPLE.interaction_id}",
            "status": "completed",
            "role": "assistant",
            "content": [_PART],
        }
    ],
    "usage": {"input_tokens": 212, "output_tokens": 11, "total_tokens": 223},
    "gyre": EXAMPLE_BESIDE,
}


@router.post(
    "/v1/responses",
    summary="Ask, as a response",
    response_model=None,
    responses=replying(_EXAMPLE),
)
async def respond(
    body: ResponseRequest, request: Request, gyre: Gyre, idempotency_key: IdempotencyKey = ""
) -> Response:
    """As chat completions; what a sentence rests on is an annotation too. Nothing is kept: a
    conversation goes on by sending what was said so far.
    """
    gyre = speaking_as(gyre, body.user)
    question = question_of(body, gyre.caller, idempotency_key)
    async with named_model(gyre, body.model):
        if not body.stream:
            answer = await ask(request, gyre, question)
            return JSONResponse(_ended(body, question, answer), headers=naming(answer))
        started, pieces = await begin(request, gyre, question)
    events = _numbered(_events(body, question, started, pieces))
    return event_stream(request, events, headers=naming(started))


def _ended(body: ResponseRequest, question: Question, answer: generator_pb2.AnswerResponse) -> Json:
    status, details = "completed", None
    if answer.content_filtered:
        status, details = "incomplete", {"reason": "content_filter"}
    elif answer.reached_max_tokens or answer.repeated_itself:
        status, details = "incomplete", {"reason": "max_output_tokens"}
    message = _message(answer.interaction_id, status, [_part(answer)])
    return {
        **_response(body, answer.interaction_id, status, [message]),
        "incomplete_details": details,
        "usage": _usage(answer),
        "gyre": beside(answer, question),
    }


async def _numbered(events: AsyncIterator[Json]) -> AsyncIterator[ServerSentEvent]:
    number = 0
    async for data in events:
        yield event({**data, "sequence_number": number}, name=data["type"])
        number += 1


async def _events(
    body: ResponseRequest,
    question: Question,
    started: generator_pb2.Started,
    pieces: Pieces,
) -> AsyncIterator[Json]:
    """What OpenAI sends of one message; where it breaks off, `response.failed` ends it."""
    interaction_id = started.interaction_id
    response = {**_response(body, interaction_id, "in_progress", []), "gyre": as_json(started)}
    for name in ("created", "in_progress"):
        yield {"type": f"response.{name}", "response": response}
    item = {"output_index": 0, "item": _message(interaction_id, "in_progress", [])}
    yield {"type": "response.output_item.added", **item}
    place = {"item_id": f"msg_{interaction_id}", "output_index": 0, "content_index": 0}
    part = _part(generator_pb2.AnswerResponse())
    yield {"type": "response.content_part.added", **place, "part": part}
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                if piece.HasField("delta"):
                    delta = {"delta": piece.delta.text, "logprobs": []}
                    yield {"type": "response.output_text.delta", **place, **delta}
                elif piece.HasField("finished"):
                    for end in _end(_ended(body, question, piece.finished), place):
                        yield end
    except GyreError as error:
        problem = {"code": "server_error", "message": str(error)}
        failed = {"status": "failed", "error": problem}
        yield {"type": "response.failed", "response": {**response, **failed}}


def _end(response: Json, place: Json) -> Iterator[Json]:
    (item,) = response["output"]
    (part,) = item["content"]
    text = {"text": part["text"], "logprobs": []}
    for number, annotation in enumerate(part["annotations"]):
        cited = {"annotation_index": number, "annotation": annotation}
        yield {"type": "response.output_text.annotation.added", **place, **cited}
    yield {"type": "response.output_text.done", **place, **text}
    yield {"type": "response.content_part.done", **place, "part": part}
    yield {"type": "response.output_item.done", "output_index": 0, "item": item}
    yield {"type": f"response.{response['status']}", "response": response}


def _response(body: ResponseRequest, interaction_id: str, status: str, output: list[Json]) -> Json:
    return {
        "id": f"resp_{interaction_id}",
        "object": "response",
        "created_at": int(time.time()),
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": body.instructions,
        "max_output_tokens": body.max_output_tokens,
        "metadata": body.metadata or {},
        "model": body.model,
        "output": output,
        "parallel_tool_calls": False,
        "previous_response_id": None,
        "reasoning": {"effort": None, "summary": None},
        "store": False,
        "temperature": body.temperature,
        "text": {"format": {"type": "text"}},
        "tool_choice": "none",
        "tools": [],
        "top_p": None,
        "truncation": "auto",
        "usage": None,
        "user": body.user,
    }


def _message(interaction_id: str, status: str, content: list[Json]) -> Json:
    return {
        "type": "message",
        "id": f"msg_{interaction_id}",
        "status": status,
        "role": "assistant",
        "content": content,
    }


def _part(answer: generator_pb2.AnswerResponse) -> Json:
    return {
        "type": "output_text",
        "text": answer.answer,
        "annotations": [{"type": "url_citation", **each} for each in citations(answer)],
        "logprobs": [],
    }


def _usage(answer: generator_pb2.AnswerResponse) -> Json:
    return {
        "input_tokens": answer.prompt_tokens,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": answer.completion_tokens,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": answer.prompt_tokens + answer.completion_tokens,
    }
