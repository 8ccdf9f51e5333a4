"""What a vote must look like before it is written down, kind by kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from uuid import UUID

from gyre_common.errors import InvalidInput
from gyre_common.events.feedback import ANSWER_TARGET, FeedbackKind
from gyre_common.lines import check_line

MAX_NAME_CHARACTERS = 256
MAX_COMMENT_BYTES = 8 * 1024
MAX_CORRECTION_BYTES = 64 * 1024

_VOTES = ("up", "down")
_VALUES: Mapping[FeedbackKind, tuple[str, ...]] = MappingProxyType(
    {
        FeedbackKind.THUMB: _VOTES,
        FeedbackKind.CHUNK: _VOTES,
        FeedbackKind.RATING: ("1", "2", "3", "4", "5"),
        FeedbackKind.IMPLICIT: ("click", "copy", "dwell", "reformulate", "abandon"),
    }
)
"""All values of those kinds that have a few."""


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
    golden: bool = False


def check(submission: Submission) -> tuple[UUID, FeedbackKind, str]:
    """The interaction, the kind and the target, in their canonical form.

    Raises:
        InvalidInput: names the first field that breaks the contract, and what to send instead.
    """
    kind = submission.kind
    if kind is None:
        raise InvalidInput("kind", "is missing", f"choose one of {', '.join(FeedbackKind)}")
    fix = "send the interaction_id that an answer gave"
    interaction_id = _uuid("interaction_id", submission.interaction_id, fix)
    check_line("actor", submission.actor, most=MAX_NAME_CHARACTERS)
    check_line("idempotency_key", submission.idempotency_key, most=MAX_NAME_CHARACTERS)
    _check_size("comment", submission.comment, MAX_COMMENT_BYTES)
    _check_value(kind, submission.value)
    if submission.golden and kind is not FeedbackKind.CORRECTION:
        raise InvalidInput("golden", "means nothing for this kind", "send it with a correction")
    if kind is FeedbackKind.COMMENT and not submission.comment.strip():
        raise InvalidInput("comment", "is empty", "write what you want to say")
    return interaction_id, kind, _target(kind, submission.target)


def _check_value(kind: FeedbackKind, value: str) -> None:
    if kind is FeedbackKind.COMMENT:
        if value:
            raise InvalidInput("value", "means nothing for a comment", "put the text into comment")
    elif kind is FeedbackKind.CORRECTION:
        if not value.strip():
            raise InvalidInput("value", "is empty", "send the better answer as value")
        _check_size("value", value, MAX_CORRECTION_BYTES)
    elif value not in _VALUES[kind]:
        fix = f"send one of {', '.join(_VALUES[kind])}"
        raise InvalidInput("value", "is not one of the values", fix)


def _target(kind: FeedbackKind, target: str) -> str:
    whole_answer = target in ("", ANSWER_TARGET)
    if kind is FeedbackKind.CHUNK or (kind is FeedbackKind.IMPLICIT and not whole_answer):
        return str(_uuid("target", target, "send the chunk_id of a passage the answer was shown"))
    if not whole_answer:
        fix = f"leave it empty or send {ANSWER_TARGET}"
        raise InvalidInput("target", "must be the answer for this kind", fix)
    return ANSWER_TARGET


def _uuid(field: str, value: str, fix: str) -> UUID:
    try:
        return UUID(value)
    except ValueError:
        raise InvalidInput(field, "is not a UUID", fix) from None


def _check_size(field: str, value: str, limit: int) -> None:
    size = len(value.encode())
    if size > limit:
        raise InvalidInput(field, f"has {size} bytes", f"send at most {limit}")
