"""What people say of an answer."""

from enum import StrEnum
from uuid import UUID

from gyre_common.events.event import Text, Timestamp
from gyre_common.events.interactions import InteractionEvent, by_interaction
from gyre_common.events.topic import Topic


class FeedbackKind(StrEnum):
    """What a feedback's `value` means.

    | kind | value | target |
    |---|---|---|
    | thumb | `up` or `down` | the answer |
    | rating | `1` to `5` | the answer |
    | comment | – (the comment is the feedback) | the answer |
    | correction | the better answer | the answer |
    | chunk | `up` or `down` | the chunk's id |
    | implicit | `click`, `copy`, `dwell`, `reformulate` or `abandon` | the answer or a chunk's id |
    """

    THUMB = "thumb"
    RATING = "rating"
    COMMENT = "comment"
    CORRECTION = "correction"
    CHUNK = "chunk"
    IMPLICIT = "implicit"


ANSWER_TARGET = "answer"


class FeedbackReceived(InteractionEvent):
    """One actor's word on one target of one interaction; the latest word wins.

    It may arrive before its interaction. A `golden` correction judges what is to be released, and
    is never learned from.
    """

    feedback_id: UUID
    kind: FeedbackKind
    value: Text = ""
    target: str = ANSWER_TARGET
    comment: Text = ""
    actor: str = ""
    golden: bool = False
    received_at: Timestamp


FEEDBACK_RECEIVED = Topic(
    "feedback.received.v1",
    FeedbackReceived,
    key=by_interaction,
    summary="Thumbs, ratings, comments, corrections, chunk votes and implicit signals.",
    from_outside=True,
)
