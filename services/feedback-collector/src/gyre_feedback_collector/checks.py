"""What a vote must look like before it is written down: one function a kind."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

from gyre_common.errors import InvalidInput
from gyre_common.events.feedback import ANSWER_TARGET, FeedbackKind
from gyre_common.lines import check_line

MAX_ACTOR_CHARACTERS = 256
MAX_KEY_CHARACTERS = 256
MAX_COMMENT_BYTES = 8 * 1024
MAX_CORRECTION_BYTES = 64 * 1024

VOTES = ("up", "down")
RATINGS = ("1", "2", "3", "4", "5")
SIGNALS = ("click", "copy", "dwell", "reformulate", "abandon")


@dataclass(frozen=True, kw_only=True)
class Submission:
    """A vote as its sender wrote it; nothing in it is checked yet."""

    tenant: str
    interaction_id: str
    kind: FeedbackKind | None
    value: str = ""
    target: str = ""
    comment: str = ""
    actor: str = ""
    idempotency_key: str = ""


def check(submission: Submission) -> tuple[UUID, FeedbackKind, str]:
    """The interaction, the kind and the target, in their canonical form.

    Raises:
        InvalidInput: names the first field that breaks the contract, and what to send instead.
    """
    kind = submission.kind
    if kind is None:
        raise InvalidInput("kind", "is missing", f"choose one of {', '.join(FeedbackKind)}")
    interaction_id = _uuid(
        "interaction_id", submission.interaction_id, "send the interaction_id that an answer gave"
    )
    check_line("actor", submission.actor, most=MAX_ACTOR_CHARACTERS)
    check_line("idempotency_key", submission.idempotency_key, most=MAX_KEY_CHARACTERS)
    _text("comment", submission.comment, MAX_COMMENT_BYTES)
    _RULES[kind](submission)
    return interaction_id, kind, _target(kind, submission.target)


def _vote(submission: Submission) -> None:
    _one_of("value", submission.value, VOTES)


def _rating(submission: Submission) -> None:
    _one_of("value", submission.value, RATINGS)


def _comment(submission: Submission) -> None:
    if submission.value:
        raise InvalidInput("value", "means nothing for a comment", "put the text into comment")
    if not submission.comment.strip():
        raise InvalidInput("comment", "is empty", "write what you want to say")


def _correction(submission: Submission) -> None:
    if not submission.value.strip():
        raise InvalidInput("value", "is empty", "send the better answer as value")
    _text("value", submission.value, MAX_CORRECTION_BYTES)


def _signal(submission: Submission) -> None:
    _one_of("value", submission.value, SIGNALS)


_RULES: Mapping[FeedbackKind, Callable[[Submission], None]] = MappingProxyType(
    {
        FeedbackKind.THUMB: _vote,
        FeedbackKind.RATING: _rating,
        FeedbackKind.COMMENT: _comment,
        FeedbackKind.CORRECTION: _correction,
        FeedbackKind.CHUNK: _vote,
        FeedbackKind.IMPLICIT: _signal,
    }
)


def _target(kind: FeedbackKind, target: str) -> str:
    whole_answer = target in ("", ANSWER_TARGET)
    if kind is FeedbackKind.CHUNK or (kind is FeedbackKind.IMPLICIT and not whole_answer):
        return str(_uuid("target", target, "send the chunk_id of a passage the answer was shown"))
    if not whole_answer:
        raise InvalidInput(
            "target", "must be the answer for this kind", f"leave it empty or send {ANSWER_TARGET}"
        )
    return ANSWER_TARGET


def _uuid(field: str, value: str, fix: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise InvalidInput(field, "is not a UUID", fix) from None


def _one_of(field: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InvalidInput(field, "is not one of the values", f"send one of {', '.join(allowed)}")


def _text(field: str, value: str, limit: int) -> None:
    size = len(value.encode())
    if size > limit:
        raise InvalidInput(field, f"has {size} bytes", f"send at most {limit}")
