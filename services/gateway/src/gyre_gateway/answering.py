"""Asks the generator, whichever of OpenAI's shapes the question came in."""

from collections.abc import AsyncGenerator, Mapping

from fastapi import Request
from gyre.generator.v1 import generator_pb2
from gyre_client import AsyncClient

from gyre_gateway.disconnect import unless_gone
from gyre_gateway.errors import renamed
from gyre_gateway.question import Question
from gyre_gateway.replies import Json, as_json

INTERACTION = "gyre-interaction-id"
"""The header for clients that show no fields but those they know."""

Pieces = AsyncGenerator[generator_pb2.StreamAnswerResponse, None]

_OUTCOMES = {
    generator_pb2.OUTCOME_ANSWERED: "answered",
    generator_pb2.OUTCOME_ABSTAINED: "abstained",
    generator_pb2.OUTCOME_ERROR: "error",
    generator_pb2.OUTCOME_CANCELLED: "cancelled",
}


def speaking_as(gyre: AsyncClient, user: str | None) -> AsyncClient:
    """For the `user` that a request names, where nothing else says who calls."""
    return gyre.with_caller(actor=user) if user and not gyre.caller.actor else gyre


async def ask(
    request: Request, gyre: AsyncClient, question: Question
) -> generator_pb2.AnswerResponse:
    """The whole answer. Raises GyreError; ClientGone."""
    work = gyre.answers.ask(question.text, timeout=_seconds(request), **question.options)
    with renamed(question.fields):
        return await unless_gone(request, work)


async def begin(
    request: Request, gyre: AsyncClient, question: Question
) -> tuple[generator_pb2.Started, Pieces]:
    """How the answer begins, and the pieces that follow.

    Raises as `ask`: before the reply begins, so that a refusal is one by its status.
    """
    pieces = gyre.answers.stream(question.text, timeout=_seconds(request), **question.options)
    with renamed(question.fields):
        first = await unless_gone(request, anext(pieces))
    return first.started, pieces


def beside(answer: generator_pb2.AnswerResponse, question: Question) -> Json:
    """What OpenAI's shapes have no place for."""
    extra = as_json(answer)
    for named_elsewhere in ("answer", "prompt_tokens", "completion_tokens"):
        del extra[named_elsewhere]
    ignored = [*question.ignored, *extra.get("ignored", [])]
    return {**extra, "outcome": outcome(answer), "ignored": ignored}


def outcome(answer: generator_pb2.AnswerResponse) -> str:
    """By the name that interactions have for it."""
    return _OUTCOMES.get(answer.outcome, "")


def citations(answer: generator_pb2.AnswerResponse) -> list[Json]:
    """As OpenAI writes those of pages: some clients show them as sources."""
    return [
        {
            "start_index": each.start,
            "end_index": each.end,
            "title": each.title,
            "url": each.source_uri or each.document_id,
        }
        for each in answer.citations
    ]


def naming(answer: generator_pb2.AnswerResponse | generator_pb2.Started) -> Mapping[str, str]:
    """The headers that name an interaction."""
    return {INTERACTION: answer.interaction_id}


def _seconds(request: Request) -> float:
    seconds: float = request.app.state.settings.answer_seconds
    return seconds


EXAMPLE = generator_pb2.AnswerResponse(
    interaction_id="0199a1b2-0000-7000-8000-000000000001",
    conversation_id="chat-1f3a",
    answer="Water for green tea should be about 80 degrees.",
    outcome=generator_pb2.OUTCOME_ANSWERED,
    versions={"generator": "extractive-1", "query-encoder": "minilm-1"},
    latency_ms={"retrieve": 21.4, "generate": 12.9, "total": 41.5},
    prompt_tokens=212,
    completion_tokens=11,
    citations=[
        generator_pb2.Citation(
            chunk_id="0199a1b2-0000-5000-8000-00000000000c",
            document_id="kitchen/tea.md",
            title="Tea",
            end=47,
            chunk_end=47,
            quote="Water for green tea should be about 80 degrees.",
        )
    ],
    passages=[
        generator_pb2.Passage(
            chunk_id="0199a1b2-0000-5000-8000-00000000000c",
            document_id="kitchen/tea.md",
            title="Tea",
            text="Water for green tea should be about 80 degrees.",
            rank=1,
        )
    ],
)
"""For /docs."""

EXAMPLE_BESIDE = beside(EXAMPLE, Question("", {}, (), {}))
