"""What people say of answers."""

import uuid
from collections.abc import Iterator

from gyre.feedback.v1 import feedback_pb2
from gyre.feedback.v1.feedback_pb2_grpc import FeedbackServiceStub

from gyre_client.errors import InvalidInput
from gyre_client.parts import LoopT, Part, method

RATINGS = ("1", "2", "3", "4", "5")
THUMBS = ("up", "down")


class Feedback(Part[LoopT]):
    """Recorded once Kafka has it."""

    stub, service = FeedbackServiceStub, "feedback"

    @method
    async def vote(
        self: "Feedback[None]",
        interaction_id: str,
        value: str = "",
        *,
        comment: str = "",
        correction: str = "",
        golden: bool = False,
        chunk_id: str = "",
        idempotency_key: str = "",
    ) -> dict[str, str]:
        """`up`, `down` or a rating from 1 to 5 of the answer, or of the passage `chunk_id`.

        A comment goes with the vote, and alone when there is none. A `golden` correction judges
        what is to be released, and is never learned from. Returns the id of each word that
        was recorded, by its kind; a retry with the same key is the same words. Raises InvalidInput.
        """
        ids = {}
        for word in _words(value, comment, correction, golden, chunk_id):
            kind = feedback_pb2.Kind.Name(word.kind).removeprefix("KIND_").lower()
            word.interaction_id = interaction_id
            word.idempotency_key = idempotency_key and f"{idempotency_key}/{kind}"
            ids[kind] = await self.record(word)
        return ids

    @method
    async def record(self, word: feedback_pb2.SubmitFeedbackRequest) -> str:
        """One word on one target; returns its id. Caller and key are filled in where missing."""
        request = feedback_pb2.SubmitFeedbackRequest()
        request.CopyFrom(word)
        request.actor = word.actor or self._actor
        request.idempotency_key = word.idempotency_key or str(uuid.uuid4())
        reply: feedback_pb2.SubmitFeedbackResponse = await self._call("SubmitFeedback", request)
        return reply.feedback_id


def _words(
    value: str, comment: str, correction: str, golden: bool, chunk_id: str
) -> Iterator[feedback_pb2.SubmitFeedbackRequest]:
    word = feedback_pb2.SubmitFeedbackRequest
    if chunk_id and value not in THUMBS:
        raise InvalidInput("value", f"is {value or 'missing'}", "say up or down of a passage")
    if value and value not in (*THUMBS, *RATINGS):
        raise InvalidInput("value", f"is {value}", "say up, down or a rating from 1 to 5")
    if not value and not comment and not correction:
        raise InvalidInput(
            "value", "is missing", "say up, down or 1 to 5, or give a comment or a correction"
        )
    if golden and not correction:
        raise InvalidInput("golden", "is without a correction", "give the answer that is wanted")
    if value:
        kind = feedback_pb2.KIND_RATING if value in RATINGS else feedback_pb2.KIND_THUMB
        kind = feedback_pb2.KIND_CHUNK if chunk_id else kind
        yield word(kind=kind, value=value, target=chunk_id, comment=comment)
    elif comment:
        yield word(kind=feedback_pb2.KIND_COMMENT, comment=comment)
    if correction:
        yield word(kind=feedback_pb2.KIND_CORRECTION, value=correction, golden=golden)
