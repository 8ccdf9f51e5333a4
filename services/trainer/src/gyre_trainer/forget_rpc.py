"""The gRPC edge of forgetting: translates messages to the core's words and back."""

from gyre.trainer.v1 import trainer_pb2
from gyre_common.errors import InvalidInput
from gyre_common.rpc import ServicerContext, request_context

from gyre_trainer.forgetting import Forgetting
from gyre_trainer.segments.erasure import Subject, SubjectKind

_KINDS = {
    "actor": SubjectKind.ACTOR,
    "conversation_id": SubjectKind.CONVERSATION,
    "document_id": SubjectKind.DOCUMENT,
}


class ForgetRpc:
    """Forget of gyre.trainer.v1.TrainerService."""

    def __init__(self, forgetting: Forgetting) -> None:
        self._forgetting = forgetting

    async def Forget(
        self, request: trainer_pb2.ForgetRequest, context: ServicerContext
    ) -> trainer_pb2.ForgetResponse:
        """Forgets somebody or something of the caller's tenant."""
        named = request.WhichOneof("subject")
        if named is None:
            raise InvalidInput("subject", "is missing", f"send one of {', '.join(_KINDS)}")
        subject = Subject(request_context().tenant, _KINDS[named], getattr(request, named))
        forgotten = await self._forgetting.forget(subject)
        return trainer_pb2.ForgetResponse(
            interactions=forgotten.interactions,
            cleared_interactions=forgotten.cleared,
            feedback=forgotten.feedback,
            passages=forgotten.passages,
            data_sets=forgotten.data_sets,
            runs=forgotten.runs,
        )
