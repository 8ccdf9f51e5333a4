"""What the trainer asks of the judge: the scores that a version of it gives an answer."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import grpc.aio
from gyre.judge.v1 import judge_pb2 as pb
from gyre.judge.v1 import judge_pb2_grpc
from gyre_common.context import RequestContext, use_context
from gyre_common.errors import CONTEXT_TOO_LONG, LOADING, FailedPrecondition
from gyre_common.events.releases import Roles
from gyre_common.retrying import retry
from gyre_common.rpc import call, channel

from gyre_trainer.data_sets.answers import declines
from gyre_trainer.data_sets.question_context import QuestionContext
from gyre_trainer.runs.failures import NOT_YET
from gyre_trainer.settings import TrainerSettings

_JUDGE_SECONDS = 120.0
_PATIENCE = 120.0
"""Seconds that a judge, or a model that is being loaded, is waited for."""
_KNOWN_WITHIN = 15.0
"""Seconds from its registration until a version is known everywhere."""

Scores = Mapping[str, float | None]
"""By metric; None where it does not apply."""


class JudgeClient:
    """The judge's RPCs. Every method raises Retryable while it is away."""

    def __init__(self, connection: grpc.aio.Channel) -> None:
        self._stub = judge_pb2_grpc.JudgeServiceStub(connection)

    async def scores(self, context: QuestionContext, answer: str, version: str) -> Scores | None:
        """Of an answer from what was read; None where it is too long for the version. Raises
        FailedPrecondition where the version cannot judge.
        """
        request = pb.JudgeRequest(
            question=context.question,
            answer="" if declines(answer) else answer,
            passages=[each.text for each in context.read],
        )
        with use_context(RequestContext(tenant=context.tenant, versions={Roles.JUDGE: version})):
            try:
                reply = await retry(
                    lambda: call(self._stub.Judge, request, timeout=_JUDGE_SECONDS),
                    *NOT_YET,
                    first=0.2,
                    longest=3.0,
                    seconds=_patience,
                )
            except FailedPrecondition as error:
                if error.code == CONTEXT_TOO_LONG:
                    return None
                raise
        return {
            score.metric: score.value if score.HasField("value") else None for score in reply.scores
        }


@asynccontextmanager
async def open_judge(settings: TrainerSettings) -> AsyncIterator[JudgeClient]:
    """A connection of its own, for a verb."""
    async with channel(settings.judge_address, key=settings.key) as connection:
        yield JudgeClient(connection)


def _patience(failure: BaseException) -> float:
    if not isinstance(failure, FailedPrecondition) or failure.code == LOADING:
        return _PATIENCE
    return 0.0 if failure.code == CONTEXT_TOO_LONG else _KNOWN_WITHIN
