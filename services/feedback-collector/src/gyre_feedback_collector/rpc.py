"""The gRPC edge: translates messages to the core's words and back."""

from gyre.feedback.v1 import feedback_pb2 as pb
from gyre.feedback.v1 import feedback_pb2_grpc
from gyre_common.events.feedback import FeedbackKind
from gyre_common.rpc import ServicerContext, request_context

from gyre_feedback_collector.checks import Submission
from gyre_feedback_collector.service import FeedbackCollector

_KINDS = {pb.Kind.Value(f"KIND_{kind.name}"): kind for kind in FeedbackKind}


class FeedbackRpc(feedback_pb2_grpc.FeedbackServiceServicer):
    """Serves gyre.feedback.v1.FeedbackService."""

    def __init__(self, collector: FeedbackCollector) -> None:
        self._collector = collector

    async def SubmitFeedback(
        self, request: pb.SubmitFeedbackRequest, context: ServicerContext
    ) -> pb.SubmitFeedbackResponse:
        """Records one actor's word on one target of one interaction."""
        submission = Submission(
            tenant=request_context().tenant,
            interaction_id=request.interaction_id,
            kind=_KINDS.get(request.kind),
            value=request.value,
            target=request.target,
            comment=request.comment,
            actor=request.actor,
            idempotency_key=request.idempotency_key,
            golden=request.golden,
        )
        feedback_id = await self._collector.submit(submission)
        return pb.SubmitFeedbackResponse(feedback_id=str(feedback_id))
