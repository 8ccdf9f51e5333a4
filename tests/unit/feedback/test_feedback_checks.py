"""What a vote may look like, kind by kind."""

from uuid import UUID

import pytest
from gyre_common.errors import InvalidInput
from gyre_common.events.feedback import FeedbackKind
from gyre_feedback_collector.checks import Submission, check

INTERACTION = "019b8d5e-7c00-7000-8000-000000000002"
CHUNK = "5f0c1a52-9d0b-5d6e-8a5e-000000000001"


def a_submission(**fields: object) -> Submission:
    """A thumb up, except for what the test says."""
    defaults = {"tenant": "default", "interaction_id": INTERACTION, "kind": FeedbackKind.THUMB}
    return Submission(**{**defaults, "value": "up", **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("thumb", {"value": "up"}),
        ("thumb", {"value": "down", "target": "answer", "comment": "wrong\nin two places"}),
        ("rating", {"value": "1"}),
        ("rating", {"value": "5"}),
        ("comment", {"value": "", "comment": "Ünïcode is fine 🍵"}),
        ("correction", {"value": "Brew it at 80 °C."}),
        ("chunk", {"value": "down", "target": CHUNK}),
        ("implicit", {"value": "copy"}),
        ("implicit", {"value": "click", "target": CHUNK}),
        ("thumb", {"actor": "a" * 256, "comment": "c" * 8192}),
        ("correction", {"value": "x" * 65536}),
    ],
)
def test_every_kind_of_the_contract_is_accepted(kind: str, fields: dict[str, str]) -> None:
    assert check(a_submission(kind=FeedbackKind(kind), **fields))[1] == kind


@pytest.mark.parametrize(
    ("field", "kind", "fields"),
    [
        ("kind", None, {}),
        ("golden", "thumb", {"golden": True}),
        ("interaction_id", "thumb", {"interaction_id": ""}),
        ("interaction_id", "thumb", {"interaction_id": "42"}),
        ("interaction_id", "thumb", {"interaction_id": INTERACTION + "0"}),
        ("value", "thumb", {"value": "sideways"}),
        ("value", "thumb", {"value": "Up"}),
        ("value", "rating", {"value": "0"}),
        ("value", "rating", {"value": "6"}),
        ("value", "rating", {"value": "4.5"}),
        ("value", "rating", {"value": "٣"}),
        ("value", "comment", {"value": "up", "comment": "fine"}),
        ("comment", "comment", {"value": "", "comment": " \n"}),
        ("comment", "thumb", {"comment": "é" * 4097}),
        ("value", "correction", {"value": "  "}),
        ("value", "correction", {"value": "x" * 65537}),
        ("value", "chunk", {"value": "5", "target": CHUNK}),
        ("target", "chunk", {"target": ""}),
        ("target", "chunk", {"target": "answer"}),
        ("target", "thumb", {"target": CHUNK}),
        ("target", "implicit", {"value": "copy", "target": "title"}),
        ("value", "implicit", {"value": "stare"}),
        ("actor", "thumb", {"actor": "a" * 257}),
        ("actor", "thumb", {"actor": "eve\nadmin"}),
        ("idempotency_key", "thumb", {"idempotency_key": "k" * 257}),
        ("idempotency_key", "thumb", {"idempotency_key": "a\x00b"}),
    ],
)
def test_a_broken_vote_is_refused_by_the_name_of_its_field(
    field: str, kind: str | None, fields: dict[str, str]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        check(a_submission(kind=FeedbackKind(kind) if kind else None, **fields))
    assert refused.value.field == field
    assert refused.value.fix


def test_ids_are_written_in_one_form_however_they_were_sent() -> None:
    submission = a_submission(
        kind=FeedbackKind.CHUNK, interaction_id=INTERACTION.upper(), target=CHUNK.replace("-", "")
    )
    assert check(submission) == (UUID(INTERACTION), FeedbackKind.CHUNK, CHUNK)
