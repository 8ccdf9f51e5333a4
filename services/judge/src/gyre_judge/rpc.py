"""The gRPC edge: translates messages to the core's words and back."""

from collections.abc import Sequence

from gyre.judge.v1 import judge_pb2 as pb
from gyre.judge.v1 import judge_pb2_grpc
from gyre_common.events.interactions import Score
from gyre_common.rpc import ServicerContext

from gyre_judge.service import Judge


class JudgeRpc(judge_pb2_grpc.JudgeServiceServicer):
    """Serves gyre.judge.v1.JudgeService."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge

    async def Judge(self, request: pb.JudgeRequest, context: ServicerContext) -> pb.JudgeResponse:
        """Scores one answer."""
        scores, version = await self._judge.judge(
            request.question, request.answer, request.passages
        )
        return pb.JudgeResponse(scores=_scores(scores), version=version)

    async def Compare(
        self, request: pb.CompareRequest, context: ServicerContext
    ) -> pb.CompareResponse:
        """Tells which of two answers is better."""
        comparison = await self._judge.compare(
            request.question, request.first, request.second, request.passages
        )
        return pb.CompareResponse(
            preference=f"PREFERENCE_{comparison.preference.name}",
            first=_scores(comparison.first),
            second=_scores(comparison.second),
            rationale=comparison.rationale,
            version=comparison.version,
        )


def _scores(scores: Sequence[Score]) -> list[pb.Score]:
    return [pb.Score(**score.model_dump()) for score in scores]
