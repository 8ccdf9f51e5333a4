"""POST /v1/chat/completions: questions and answers as every OpenAI client speaks them."""

import json
import time
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from gyre.generator.v1 import generator_pb2
from gyre_client import GyreError
from gyre_client.answers import AskOptions
from sse_starlette import EventSourceResponse, ServerSentEvent

from gyre_gateway.chat_request import ChatRequest, Question, read_question
from gyre_gateway.disconnect import unless_gone
from gyre_gateway.errors import error_body, renamed
from gyre_gateway.identity import Gyre
from gyre_gateway.replies import IdempotencyKey, Json, as_json
from gyre_gateway.routes.models import named_model

router = APIRouter(tags=["OpenAI"])

_OUTCOMES = {
    generator_pb2.OUTCOME_ANSWERED: "answered",
    generator_pb2.OUTCOME_ABSTAINED: "abstained",
    generator_pb2.OUTCOME_ERROR: "error",
    generator_pb2.OUTCOME_CANCELLED: "cancelled",
}
_FIELDS = {
    "version": "model",
    "question": "messages",
    "history": "messages",
    "instructions": "messages",
}
INTERACTION = "gyre-interaction-id"
"""The header for clients that show no fields but those they know."""

_SLOW_READER_SECONDS = 60.0
"""A stream whose reader takes nothing for so long is ended: it holds a call open."""


@router.post("/v1/chat/completions", summary="Ask", response_model=None)
async def complete(
    body: ChatRequest, request: Request, gyre: Gyre, idempotency_key: IdempotencyKey = ""
) -> Response:
    """The answer, with its sources in the extra field `gyre`; `stream` sends it as it comes."""
    if body.user and not gyre.caller.actor:
        gyre = gyre.with_caller(actor=body.user)
    question = read_question(body, gyre.caller)
    options: AskOptions = {**question.options, "idempotency_key": idempotency_key}
    seconds = request.app.state.settings.answer_seconds
    async with named_model(gyre, body.model):
        with renamed(_FIELDS):
            if not body.stream:
                work = gyre.answers.ask(question.text, timeout=seconds, **options)
                answer = await unless_gone(request, work)
                reply = _reply(body, question, answer)
                return JSONResponse(reply, headers={INTERACTION: answer.interaction_id})
            pieces = gyre.answers.stream(question.text, timeout=seconds, **options)
            # Before the reply begins, so that a refusal is one by its status.
            first = await unless_gone(request, anext(pieces))
    settings = request.app.state.settings
    usage = bool(body.stream_options and body.stream_options.include_usage)
    return EventSourceResponse(
        _events(body, question, first, pieces, usage=usage),
        ping=settings.heartbeat_seconds,
        send_timeout=_SLOW_READER_SECONDS,
        sep="\n",
        headers={INTERACTION: first.started.interaction_id},
    )


def _reply(body: ChatRequest, question: Question, answer: generator_pb2.AnswerResponse) -> Json:
    message = {
        "role": "assistant",
        "content": answer.answer,
        "refusal": None,
        "annotations": _annotations(answer),
    }
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return {
        **_envelope("chat.completion", body, answer.interaction_id),
        "choices": [choice],
        "usage": _usage(answer),
        "gyre": _extra(answer, question),
    }


async def _events(
    body: ChatRequest,
    question: Question,
    first: generator_pb2.StreamAnswerResponse,
    pieces: AsyncGenerator[generator_pb2.StreamAnswerResponse, None],
    *,
    usage: bool,
) -> AsyncIterator[ServerSentEvent]:
    """Chunks, and `[DONE]`; an error on the way is an event with it, and the end."""
    started = first.started
    envelope = _envelope("chat.completion.chunk", body, started.interaction_id)

    def chunk(delta: Json, finish_reason: str | None = None, **extra: object) -> ServerSentEvent:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _event({**envelope, "choices": [choice], **extra})

    yield chunk({"role": "assistant", "content": ""}, gyre=as_json(started))
    try:
        async with aclosing(pieces):
            async for piece in pieces:
                if piece.HasField("delta"):
                    yield chunk({"content": piece.delta.text})
                elif piece.HasField("finished"):
                    cited = {"annotations": _annotations(piece.finished)}
                    yield chunk(cited, "stop", gyre=_extra(piece.finished, question))
                    if usage:
                        yield _event({**envelope, "choices": [], "usage": _usage(piece.finished)})
    except GyreError as error:
        yield _event(error_body(error)[1])
        return
    yield ServerSentEvent("[DONE]", sep="\n")


def _envelope(kind: str, body: ChatRequest, interaction_id: str) -> Json:
    return {
        "id": f"chatcmpl-{interaction_id}",
        "object": kind,
        "created": int(time.time()),
        "model": body.model,
    }


def _usage(answer: generator_pb2.AnswerResponse) -> Json:
    prompt, completion = answer.prompt_tokens, answer.completion_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }


def _annotations(answer: generator_pb2.AnswerResponse) -> list[Json]:
    """Citations as OpenAI writes those of pages: some clients show them as sources."""
    return [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": each.start,
                "end_index": each.end,
                "title": each.title,
                "url": each.source_uri or each.document_id,
            },
        }
        for each in answer.citations
    ]


def _extra(answer: generator_pb2.AnswerResponse, question: Question) -> Json:
    """What OpenAI's shape has no place for."""
    extra = as_json(answer)
    for named_elsewhere in ("answer", "prompt_tokens", "completion_tokens"):
        del extra[named_elsewhere]
    ignored = [*question.ignored, *extra.get("ignored", [])]
    return {**extra, "outcome": _OUTCOMES.get(answer.outcome, ""), "ignored": ignored}


def _event(data: Json) -> ServerSentEvent:
    return ServerSentEvent(json.dumps(data, ensure_ascii=False), sep="\n")
