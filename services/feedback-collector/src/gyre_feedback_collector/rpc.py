"""The gRPC edge: translates messages to the core's words and back."""

from collections.abc import Mapping
from types import MappingProxyType

from gyre.feedback.v1 import feedback_pb2, feedback_pb2_grpc
from gyre_common.events.feedback import FeedbackKind
from gyre_common.rpc import ServicerContext, request_context

from gyre_feedback_collector.checks import Submission
from gyre_feedback_collector.service import FeedbackCollector

_KINDS: Mapping[int, FeedbackKind] = MappingProxyType(
    {
        feedback_pb2.KIND_THUMB: FeedbackKind.THUMB,
        feedback_pb2.KIND_RATING: FeedbackKind.RATING,
        feedback_pb2.KIND_COMMENT: FeedbackKind.COMMENT,
        feedback_pb2.KIND_CORRECTION: FeedbackKind.CORRECTION,
        feedback_pb2.KIND_CHUNK: FeedbackKind.CHUNK,
        feedback_pb2.KIND_IMPLICIT: FeedbackKind.IMPLICIT,
    }
)


class FeedbackRpc(feedback_pb2_grpc.FeedbackServiceServicer):
    """Serves gyre.feedback.v1.FeedbackService."""

    def __init__(self, collector: FeedbackCollector) -> None:
        self._collector = collector

    async def SubmitFeedback(
        self, request: feedback_pb2.SubmitFeedbackRequest, context: ServicerContext
    ) -> feedback_pb2.SubmitFeedbackResponse:
        """Records one actor's word on one target of one interaction."""
        feedback_id = await self._collector.submit(
            Submission(
                tenant=request_context().tenant,
                interaction_id=request.interaction_id,
                kind=_KINDS.get(request.kind),
                value=request.value,
                target=request.target,
                comment=request.comment,
                actor=request.actor,
                idempotency_key=request.idempotency_key,
            )
        )
        return feedback_pb2.SubmitFeedbackResponse(feedback_id=str(feedback_id))
