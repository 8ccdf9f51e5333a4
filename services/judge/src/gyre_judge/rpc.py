"""The gRPC edge: translates messages to the core's words and back."""

import asyncio
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from gyre.judge.v1 import judge_pb2, judge_pb2_grpc
from gyre_common.events.interactions import Score
from gyre_common.rpc import ServicerContext, request_context

from gyre_judge.service import Judge, Preference

_PREFERENCES: Mapping[Preference, judge_pb2.Preference] = MappingProxyType(
    {
        Preference.FIRST: judge_pb2.PREFERENCE_FIRST,
        Preference.SECOND: judge_pb2.PREFERENCE_SECOND,
        Preference.TIE: judge_pb2.PREFERENCE_TIE,
    }
)


class JudgeRpc(judge_pb2_grpc.JudgeServiceServicer):
    """Serves gyre.judge.v1.JudgeService."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    async def Judge(
        self, request: judge_pb2.JudgeRequest, context: ServicerContext
    ) -> judge_pb2.JudgeResponse:
        """Scores one answer."""
        judgement = await asyncio.to_thread(
            self._judge.judge,
            request_context().tenant,
            request.question,
            request.answer,
            request.passages,
        )
        return judge_pb2.JudgeResponse(scores=_scores(judgement.scores), version=judgement.version)

    async def Compare(
        self, request: judge_pb2.CompareRequest, context: ServicerContext
    ) -> judge_pb2.CompareResponse:
        """Tells which of two answers is better."""
        comparison = await asyncio.to_thread(
            self._judge.compare,
            request_context().tenant,
            request.question,
            request.first,
            request.second,
            request.passages,
        )
        return judge_pb2.CompareResponse(
            preference=_PREFERENCES[comparison.preference],
            first=_scores(comparison.first),
            second=_scores(comparison.second),
            rationale=comparison.rationale,
            version=comparison.version,
        )


def _scores(scores: Sequence[Score]) -> list[judge_pb2.Score]:
    return [judge_pb2.Score(metric=s.metric, value=s.value, rationale=s.rationale) for s in scores]
