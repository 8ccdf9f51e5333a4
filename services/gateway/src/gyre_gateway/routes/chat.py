"""POST /v1/chat/completions: questions and answers as every OpenAI client speaks them."""

import time
from collections.abc import AsyncIterator
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
from gyre_gateway.chat_request import ChatRequest, question_of
from gyre_gateway.errors import error_body
from gyre_gateway.identity import Gyre
from gyre_gateway.question import Question
from gyre_gateway.replies import MOMENT, IdempotencyKey, Json, as_json, replying
from gyre_gateway.routes.models import named_model
from gyre_gateway.routing import Route
from gyre_gateway.streaming import event, event_stream

router = APIRouter(tags=["OpenAI"], route_class=Route)


_MESSAGE: Json = {
    "role": "assistant",
    "content": EXAMPLE.answer,
    "refusal": None,
    "annotations": [{"type": "url_citation", "url_citation": each} for each in citations(EXAMPLE)],
}
_EXAMPLE: Json = {
    "id": f"chatcmpl-{EXAMPLE.interaction_id}",
    "object": "chat.completion",
    "created": MOMENT.seconds,
    "model": "gyre",
    "choices": [{"index": 0, "message": _MESSAGE, "logprobs": None, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 212, "completion_tokens": 11, "total_tokens": 223},
    "gyre": EXAMPLE_BESIDE,
}


@router.post(
    "/v1/chat/completions", summary="Ask", response_model=None, responses=replying(_EXAMPLE)
)
async def complete(
    body: ChatRequest, request: Request, gyre: Gyre, idempotency_key: IdempotencyKey = ""
) -> Response:
    """The answer, with its sources in the extra field `gyre`; `stream` sends it as it comes."""
    gyre = speaking_as(gyre, body.user)
    question = question_of(body, gyre.caller, idempotency_key)
    async with named_model(gyre, body.model):
        if not body.stream:
            answer = await ask(request, gyre, question)
            return JSONResponse(_reply(body, question, answer), headers=naming(answer))
        started, pieces = await begin(request, gyre, question)
    return event_stream(request, _events(body, question, started, pieces), headers=naming(started))


def _reply(body: ChatRequest, question: Question, answer: generator_pb2.AnswerResponse) -> Json:
    message = {
        "role": "assistant",
        "content": answer.answer,
        "refusal": None,
        "annotations": _annotations(answer),
    }
    reason = _finish_reason(answer)
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return {
        **_envelope("chat.completion", body, answer.interaction_id),
        "choices": [choice],
        "usage": _usage(answer),
        "gyre": beside(answer, question),
    }


async def _events(
    body: ChatRequest,
    question: Question,
    started: generator_pb2.Started,
    pieces: Pieces,
) -> AsyncIterator[ServerSentEvent]:
    """Chunks, and `[DONE]`; an error on the way is an event with it, and the end."""
    usage = bool(body.stream_options and body.stream_options.include_usage)
    envelope = _envelope("chat.completion.chunk", body, started.interaction_id)

    def chunk(delta: Json, finish_reason: str | None = None, **extra: object) -> ServerSentEvent:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return event({**envelope, "choices": [choice], **extra})

    yield chunk({"role": "assistant", "content": ""}, gyre=as_json(started))
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                if piece.HasField("delta"):
                    yield chunk({"content": piece.delta.text})
                elif piece.HasField("finished"):
                    cited = {"annotations": _annotations(piece.finished)}
                    reason = _finish_reason(piece.finished)
                    yield chunk(cited, reason, gyre=beside(piece.finished, question))
                    if usage:
                        yield event({**envelope, "choices": [], "usage": _usage(piece.finished)})
    except GyreError as error:
        yield event(error_body(error)[1])
        return
    yield ServerSentEvent("[DONE]", sep="\n")


def _envelope(kind: str, body: ChatRequest, interaction_id: str) -> Json:
    return {
        "id": f"chatcmpl-{interaction_id}",
        "object": kind,
        "created": int(time.time()),
        "model": body.model,
    }


def _finish_reason(answer: generator_pb2.AnswerResponse) -> str:
    if answer.content_filtered:
        return "content_filter"
    return "length" if answer.reached_max_tokens or answer.repeated_itself else "stop"


def _usage(answer: generator_pb2.AnswerResponse) -> Json:
    prompt, completion = answer.prompt_tokens, answer.completion_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _annotations(answer: generator_pb2.AnswerResponse) -> list[Json]:
    return [{"type": "url_citation", "url_citation": each} for each in citations(answer)]
