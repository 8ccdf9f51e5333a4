"""The gRPC edge: translates messages to the core's words and back."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from gyre.generator.v1 import generator_pb2, generator_pb2_grpc
from gyre_common.events.interactions import (
    Citation,
    InteractionCompleted,
    RetrievedChunk,
    Turn,
)
from gyre_common.rpc import ServicerContext

from gyre_generator.ask import Ask, DocumentFilters
from gyre_generator.backends import Delta
from gyre_generator.service import Answerer, AnswerFinished, AnswerStarted, latency


class GeneratorRpc(generator_pb2_grpc.GeneratorServiceServicer):
    """Serves gyre.generator.v1.GeneratorService."""

    def __init__(self, answerer: Answerer) -> None:
        self._answerer = answerer

    async def Answer(
        self, request: generator_pb2.AnswerRequest, context: ServicerContext
    ) -> generator_pb2.AnswerResponse:
        """Replies once the interaction is safe in Kafka."""
        return _response(await self._answerer.answer(_ask(request)))

    async def StreamAnswer(
        self, request: generator_pb2.AnswerRequest, context: ServicerContext
    ) -> AsyncGenerator[generator_pb2.StreamAnswerResponse, None]:
        """Started, deltas, and finished once the interaction is safe in Kafka."""
        async with aclosing(self._answerer.stream(_ask(request))) as pieces:
            async for piece in pieces:
                yield _piece(piece)


def _ask(request: generator_pb2.AnswerRequest) -> Ask:
    return Ask(
        question=request.question,
        conversation_id=request.conversation_id,
        history=tuple(Turn(role=t.role, content=t.content) for t in request.history),
        idempotency_key=request.idempotency_key,
        filters=DocumentFilters(
            document_ids=tuple(request.filters.document_ids),
            metadata=dict(request.filters.metadata),
            media_types=tuple(request.filters.media_types),
        ),
        actor=request.actor,
    )


def _piece(piece: AnswerStarted | Delta | AnswerFinished) -> generator_pb2.StreamAnswerResponse:
    match piece:
        case AnswerStarted():
            started = generator_pb2.Started(
                interaction_id=piece.interaction_id, conversation_id=piece.conversation_id
            )
            return generator_pb2.StreamAnswerResponse(started=started)
        case Delta():
            return generator_pb2.StreamAnswerResponse(delta=generator_pb2.Delta(text=piece.text))
        case AnswerFinished():
            return generator_pb2.StreamAnswerResponse(finished=_response(piece))


def _response(finished: AnswerFinished) -> generator_pb2.AnswerResponse:
    event = finished.interaction
    return generator_pb2.AnswerResponse(
        interaction_id=str(event.interaction_id),
        answer=event.answer,
        citations=[_citation(c, event) for c in event.citations],
        outcome=f"OUTCOME_{event.outcome.name}",
        conversation_id=event.conversation_id,
        versions=event.versions,
        latency_ms=latency(finished),
        prompt_tokens=event.tokens.prompt,
        completion_tokens=event.tokens.completion,
        passages=[_passage(chunk) for chunk in event.retrieved],
    )


def _passage(chunk: RetrievedChunk) -> generator_pb2.Passage:
    same = {"document_id", "title", "heading_path", "text", "rank", "explored"}
    return generator_pb2.Passage(
        chunk_id=str(chunk.chunk_id),
        source_uri=chunk.source_uri or "",
        **chunk.model_dump(include=same),
    )


def _citation(citation: Citation, event: InteractionCompleted) -> generator_pb2.Citation:
    chunk = next(c for c in event.retrieved if c.chunk_id == citation.chunk_id)
    return generator_pb2.Citation(
        chunk_id=str(citation.chunk_id),
        quote=chunk.text[citation.chunk_start : citation.chunk_end],
        source_uri=chunk.source_uri or "",
        **citation.model_dump(exclude={"chunk_id"}),
    )
