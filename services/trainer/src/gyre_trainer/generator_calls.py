"""What the trainer asks of the generator: prompts, and answers from passages of before."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import grpc.aio
from gyre.generator.v1 import generator_pb2 as pb
from gyre.generator.v1 import generator_pb2_grpc
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import CONTEXT_TOO_LONG, EMPTY_ANSWER, LOADING, FailedPrecondition
from gyre_common.events.releases import Roles
from gyre_common.retrying import retry
from gyre_common.rpc import call, channel

from gyre_trainer.data_sets.answers import declines
from gyre_trainer.data_sets.question_context import QuestionContext, Render, VersionAnswer
from gyre_trainer.runs.failures import AWAY, NOT_YET
from gyre_trainer.settings import TrainerSettings

_RENDER_SECONDS = 20.0
_ANSWER_SECONDS = 600.0
_LOAD_SECONDS = 120.0
_PATIENCE = 120.0
"""Seconds that a generator, or a model that is being loaded, is waited for."""
_KNOWN_WITHIN = 15.0
"""Seconds from its registration until a version is known everywhere."""


class Generator:
    """The generator's RPCs. Every method raises Retryable while it is away."""

    def __init__(self, connection: grpc.aio.Channel) -> None:
        self._stub = generator_pb2_grpc.GeneratorServiceStub(connection)

    def render(self, prompt: str, context_tokens: int) -> Render:
        """Makes prompts of that version, with so many tokens of passages at most. It raises
        FailedPrecondition where the generator lacks the version.
        """

        async def rendered(context: QuestionContext) -> tuple[str, str]:
            reply = await self._rendered(context, prompt, context_tokens)
            return reply.system, reply.user

        return rendered

    async def confidence(self, context: QuestionContext, prompt: str, context_tokens: int) -> float:
        """How sure the extractive reader is, 0 to 1, that the passages in such a prompt answer; the
        setting `answers_at` of a version is held against it. Raises as what `render` returns.
        """
        return (await self._rendered(context, prompt, context_tokens)).confidence

    async def _rendered(
        self, context: QuestionContext, prompt: str, context_tokens: int
    ) -> pb.RenderPromptResponse:
        request = pb.RenderPromptRequest(
            question=context.question,
            history=_turns(context),
            passages=_passages(context),
            context_tokens=context_tokens,
        )
        with _calling(context.tenant, {Roles.ANSWER_PROMPT: prompt}, context.acl):
            return await retry(
                lambda: call(self._stub.RenderPrompt, request, timeout=_RENDER_SECONDS),
                *AWAY,
                first=0.2,
                longest=3.0,
                seconds=_PATIENCE,
            )

    async def try_version(self, tenant: str, version: str) -> None:
        """Return once it has written something: its model is loaded by then. Raises
        FailedPrecondition where it is refused, with the reason.
        """
        request = pb.TryVersionRequest(version=version)
        with _calling(tenant, {}):
            await retry(
                lambda: call(self._stub.TryVersion, request, timeout=_LOAD_SECONDS),
                *NOT_YET,
                first=0.2,
                longest=3.0,
                seconds=_patience,
            )

    async def answer(
        self,
        context: QuestionContext,
        versions: Mapping[str, str],
        *,
        max_tokens: int,
        seed: int = 0,
        temperature: float | None = None,
    ) -> VersionAnswer | None:
        """Of these versions, at their own temperature where none is given, as who asked would get
        it, and the same when it is asked again with that seed; None where the question is too long
        for them.
        Raises FailedPrecondition where they cannot answer.
        """
        request = pb.AnswerFromRequest(
            question=context.question,
            history=_turns(context),
            passages=_passages(context),
            max_tokens=max_tokens,
            seed=seed,
            temperature=temperature,
        )
        with _calling(context.tenant, versions, context.acl):
            try:
                reply = await retry(
                    lambda: call(self._stub.AnswerFrom, request, timeout=_ANSWER_SECONDS),
                    *NOT_YET,
                    first=0.2,
                    longest=3.0,
                    seconds=_patience,
                )
            except FailedPrecondition as error:
                if error.code == CONTEXT_TOO_LONG:
                    return None
                if error.code == EMPTY_ANSWER:
                    return VersionAnswer("")
                raise
        return VersionAnswer(
            text=reply.answer,
            cited=tuple((each.start, each.end) for each in reply.citations),
            sources=tuple(each.chunk_id for each in reply.citations),
            prompt_tokens=reply.prompt_tokens,
            completion_tokens=reply.completion_tokens,
            seconds=round(reply.latency_ms["total"] / 1000, 3),
            whole=_is_whole(reply),
        )


@asynccontextmanager
async def open_generator(settings: TrainerSettings) -> AsyncIterator[Generator]:
    """A connection of its own, for a verb."""
    async with channel(settings.generator_address, key=settings.key) as connection:
        yield Generator(connection)


def _is_whole(reply: pb.AnswerResponse) -> bool:
    """An answer that a check held back ends as an abstention, with what left before."""
    was_held = reply.outcome == pb.OUTCOME_ABSTAINED and not declines(reply.answer)
    was_cut = reply.reached_max_tokens or reply.content_filtered or reply.repeated_itself
    return not was_held and not was_cut


def _patience(failure: BaseException) -> float:
    if not isinstance(failure, FailedPrecondition) or failure.code == LOADING:
        return _PATIENCE
    return 0.0 if failure.code in (CONTEXT_TOO_LONG, EMPTY_ANSWER) else _KNOWN_WITHIN


def _calling(  # type: ignore[no-untyped-def]
    tenant: str, versions: Mapping[str, str], acl: tuple[str, ...] = ()
):
    return use_context(RequestContext(tenant=tenant, acl=acl, versions=dict(versions)))


def _turns(context: QuestionContext) -> list[pb.Turn]:
    return [pb.Turn(role=turn.role, content=turn.content) for turn in context.history]


def _passages(context: QuestionContext) -> list[pb.Passage]:
    return [
        pb.Passage(
            chunk_id=each.chunk_id,
            document_id=each.document_id,
            title=each.heading,
            text=each.text,
            rank=rank,
        )
        for rank, each in enumerate(context.read, start=1)
    ]
