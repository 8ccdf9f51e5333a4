"""POST /v1/feedback: what people say of answers and of the passages behind them."""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from gyre_gateway.errors import renamed
from gyre_gateway.identity import Gyre
from gyre_gateway.replies import IdempotencyKey, Json, replying
from gyre_gateway.routing import Route

router = APIRouter(tags=["feedback"], route_class=Route)

_EXAMPLE: Json = {
    "interaction_id": "0199a1b2-0000-7000-8000-000000000001",
    "value": "down",
    "comment": "That is for black tea.",
    "correction": "Green tea takes 80 degrees.",
}


class FeedbackBody(BaseModel):
    """A vote (`up`, `down`, or `1` to `5`), a comment, a better answer, or several of them.

    With `chunk_id` the vote is on that passage.
    """

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    interaction_id: str
    value: str = ""
    chunk_id: str = ""
    comment: str = ""
    correction: str = ""


@router.post(
    "/v1/feedback",
    summary="Vote, comment, correct",
    responses=replying({"feedback_ids": {"thumb": "0199a1b2-0000-7000-8000-000000000002"}}),
)
async def vote(body: FeedbackBody, gyre: Gyre, idempotency_key: IdempotencyKey = "") -> Json:
    """The latest word of one actor on one target counts; the ids of the words, by their kind."""
    words = body.model_dump(exclude={"interaction_id"})
    with renamed({"target": "chunk_id"}):
        ids = await gyre.feedback.vote(
            body.interaction_id, idempotency_key=idempotency_key, **words
        )
    return {"feedback_ids": ids}
