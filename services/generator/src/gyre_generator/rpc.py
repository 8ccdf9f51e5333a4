"""The gRPC edge: translates messages to the core's words and back."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict, replace

from google.protobuf.json_format import MessageToDict, ParseDict
from gyre.generator.v1 import generator_pb2 as pb
from gyre.generator.v1 import generator_pb2_grpc
from gyre_common.errors import InvalidInput
from gyre_common.events.interactions import Citation, InteractionCompleted, Turn
from gyre_common.events.releases import Roles
from gyre_common.rpc import ServicerContext
from pydantic import ValidationError

from gyre_generator.ask import Ask
from gyre_generator.backends import Ending
from gyre_generator.backends.context_budget import FEWEST_CONTEXT_TOKENS
from gyre_generator.given_passages import GivenPassages
from gyre_generator.passages import RetrievedPassage
from gyre_generator.service import Answerer, AnswerFinished, AnswerStarted
from gyre_generator.version_trial import VersionTrial

MOST_PASSAGES = 100
MOST_CHARACTERS = 500_000
"""Of the passages that a caller gives, all together: what a hundred of the largest chunks have."""


class GeneratorRpc(generator_pb2_grpc.GeneratorServiceServicer):
    """Serves gyre.generator.v1.GeneratorService; `trials` are by role."""

    def __init__(
        self, answerer: Answerer, trials: Mapping[str, VersionTrial], given: GivenPassages
    ) -> None:
        self._answerer = answerer
        self._trials = trials
        self._given = given

    async def Answer(
        self, request: pb.AnswerRequest, context: ServicerContext
    ) -> pb.AnswerResponse:
        """Replies once the interaction is safe in Kafka."""
        return _response(await self._answerer.answer(_ask(request)))

    async def StreamAnswer(
        self, request: pb.AnswerRequest, context: ServicerContext
    ) -> AsyncGenerator[pb.StreamAnswerResponse, None]:
        """Started, deltas, and finished once the interaction is safe in Kafka."""
        async with aclosing(self._answerer.stream(_ask(request))) as pieces:
            async for piece in pieces:
                match piece:
                    case AnswerStarted():
                        started = pb.Started(**asdict(piece))
                        yield pb.StreamAnswerResponse(started=started)
                    case str():
                        yield pb.StreamAnswerResponse(delta=pb.Delta(text=piece))
                    case AnswerFinished():
                        yield pb.StreamAnswerResponse(finished=_response(piece))

    async def TryVersion(
        self, request: pb.TryVersionRequest, context: ServicerContext
    ) -> pb.TryVersionResponse:
        """Replies once the version has done its work."""
        role = request.role or Roles.GENERATOR.value
        if role not in self._trials:
            raise InvalidInput("role", f"is {role!r}", f"use {' or '.join(self._trials)}")
        await self._trials[role].try_version(request.version)
        return pb.TryVersionResponse()

    async def AnswerFrom(
        self, request: pb.AnswerFromRequest, context: ServicerContext
    ) -> pb.AnswerResponse:
        """Replies without an id, as nothing was recorded."""
        ask = replace(
            _bare_ask(request),
            max_tokens=request.max_tokens if request.HasField("max_tokens") else None,
            temperature=request.temperature if request.HasField("temperature") else None,
            seed=request.seed if request.HasField("seed") else None,
        )
        reply = _response(await self._given.answer(ask, _passages(request.passages)))
        reply.ClearField("interaction_id")
        reply.ClearField("conversation_id")
        return reply

    async def RenderPrompt(
        self, request: pb.RenderPromptRequest, context: ServicerContext
    ) -> pb.RenderPromptResponse:
        """The prompt, of which nothing is sent anywhere."""
        if request.context_tokens < FEWEST_CONTEXT_TOKENS:
            fix = f"send {FEWEST_CONTEXT_TOKENS} or more"
            raise InvalidInput("context_tokens", f"is {request.context_tokens}", fix)
        prompt, confidence = await self._given.prompt(
            _bare_ask(request), _passages(request.passages), context_tokens=request.context_tokens
        )
        return pb.RenderPromptResponse(
            system=prompt.system,
            user=prompt.user,
            prompt_version=prompt.version,
            confidence=confidence,
        )


def _bare_ask(request: pb.AnswerFromRequest | pb.RenderPromptRequest) -> Ask:
    return Ask(question=request.question, history=_turns(request.history))


def _turns(history: Iterable[pb.Turn]) -> tuple[Turn, ...]:
    return tuple(Turn(role=turn.role, content=turn.content) for turn in history)


def _passages(given: Sequence[pb.Passage]) -> list[RetrievedPassage]:
    if len(given) > MOST_PASSAGES:
        raise InvalidInput("passages", f"are {len(given)}", f"send at most {MOST_PASSAGES}")
    characters = sum(len(passage.text) for passage in given)
    if characters > MOST_CHARACTERS:
        fix = f"send at most {MOST_CHARACTERS:,}"
        raise InvalidInput("passages", f"have {characters:,} characters", fix)
    return [_passage(number, passage) for number, passage in enumerate(given)]


def _passage(number: int, passage: pb.Passage) -> RetrievedPassage:
    fields = MessageToDict(passage, preserving_proto_field_name=True)
    try:
        return RetrievedPassage.model_validate({"rank": number + 1, **fields})
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        problem, fix = f"cannot be that ({first['msg']})", "send it as `Answer` returned it"
        raise InvalidInput(f"passages.{number}.{field}", problem, fix) from error


def _ask(request: pb.AnswerRequest) -> Ask:
    return Ask(
        question=request.question,
        conversation_id=request.conversation_id,
        history=_turns(request.history),
        idempotency_key=request.idempotency_key,
        filters=request.filters,
        actor=request.actor,
        instructions=request.instructions.strip(),
        version=request.version,
        max_tokens=request.max_tokens if request.HasField("max_tokens") else None,
        temperature=request.temperature if request.HasField("temperature") else None,
        seed=request.seed if request.HasField("seed") else None,
    )


def _response(finished: AnswerFinished) -> pb.AnswerResponse:
    event = finished.interaction
    return pb.AnswerResponse(
        interaction_id=str(event.interaction_id),
        answer=event.answer,
        citations=[_citation(citation, event) for citation in event.citations],
        outcome=f"OUTCOME_{event.outcome.name}",
        conversation_id=event.conversation_id,
        versions=event.versions,
        latency_ms=event.latency_ms,
        prompt_tokens=event.tokens.prompt,
        completion_tokens=event.tokens.completion,
        passages=[
            ParseDict(chunk.model_dump(mode="json"), pb.Passage(), ignore_unknown_fields=True)
            for chunk in event.retrieved
        ],
        ignored=finished.ignored,
        unsupported_citations=event.unsupported_citations,
        reached_max_tokens=finished.ending is Ending.MAX_TOKENS,
        content_filtered=finished.ending is Ending.CONTENT_FILTER,
        repeated_itself=finished.ending is Ending.REPETITION,
    )


def _citation(citation: Citation, event: InteractionCompleted) -> pb.Citation:
    chunk = next(c for c in event.retrieved if c.chunk_id == citation.chunk_id)
    message = ParseDict(citation.model_dump(mode="json"), pb.Citation(), ignore_unknown_fields=True)
    message.quote = chunk.text[citation.chunk_start : citation.chunk_end]
    message.source_uri = chunk.source_uri or ""
    message.position = chunk.position
    return message
