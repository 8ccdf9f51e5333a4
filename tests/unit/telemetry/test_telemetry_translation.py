"""Events become rows, and the same event the same rows."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from gyre_common.bus.dead_letters import (
    Verdict,
    cause_of,
    decision_of,
    headers_with,
    read_cause,
)
from gyre_common.errors import Poison
from gyre_common.events.interactions import ExampleDocument, GuardrailResult, Score, Turn
from gyre_common.events.releases import Canary
from gyre_telemetry import translation
from gyre_telemetry.service import TableRow
from gyre_telemetry.translation import Origin, origin_of

from tests.builders import (
    EXAMPLES,
    MORNING,
    a_document_accepted,
    a_document_rejected,
    a_release,
    a_retrieved_chunk,
    a_training_end,
    a_training_start,
    a_verdict,
    an_interaction,
)
from tests.fakes.bus import StoredRecord

ORIGIN = Origin(
    event_id=UUID("0195566a-0000-7000-8000-00000000000e"),
    time=MORNING,
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    offset=41,
)
EVERY_KIND = [(translate, EXAMPLES[topic.name]) for topic, translate in translation.TRANSLATIONS]


@pytest.mark.parametrize(("translate", "event"), EVERY_KIND)
def test_every_row_says_whose_it_is_and_what_event_made_it(
    translate: Callable[..., Any], event: Any
) -> None:
    rows: list[TableRow] = list(translate(event, ORIGIN))
    assert rows
    for row in rows:
        assert row.values["tenant"] == event.tenant
        assert row.values["event_id"] == ORIGIN.event_id
        assert row.values["trace_id"] == ORIGIN.trace_id


@pytest.mark.parametrize(("translate", "event"), EVERY_KIND)
def test_an_event_that_comes_twice_makes_the_same_rows(
    translate: Callable[..., Any], event: Any
) -> None:
    again = type(event).model_validate_json(event.to_json())
    assert list(translate(event, ORIGIN)) == list(translate(again, ORIGIN))


def test_an_accepted_document_has_its_offset_as_revision() -> None:
    [row] = translation.document_accepted(a_document_accepted(), ORIGIN)
    assert (row.values["stage"], row.values["revision"]) == ("accepted", 41)


def test_a_rejected_document_says_why() -> None:
    [row] = translation.document_rejected(a_document_rejected(), ORIGIN)
    assert (row.values["stage"], row.values["rejected_stage"]) == ("rejected", "accept")
    assert (row.values["reason"], row.values["revision"]) == ("empty", None)


def test_who_may_read_an_interaction_may_read_what_the_examples_of_its_prompt_rest_on() -> None:
    event = an_interaction(
        retrieved=(a_retrieved_chunk(acl=("staff",)), a_retrieved_chunk(rank=2, acl=())),
        example_documents=(
            ExampleDocument(document_id="plans.md", acl=("boss",)),
            ExampleDocument(document_id="tea.md"),
        ),
    )
    row, *_ = translation.interaction_completed(event, ORIGIN)
    assert row.values["document_acls"] == [("boss",), ("staff",)]


def test_an_interaction_is_one_row_and_one_for_each_passage() -> None:
    event = an_interaction(
        retrieved=(a_retrieved_chunk(), a_retrieved_chunk(rank=2, used=False)),
        history=(Turn(role="user", content="hello"),),
        guardrails=(GuardrailResult(name="grounded", passed=True),),
    )
    first, *chunks = translation.interaction_completed(event, ORIGIN)
    assert first.values["history"] == event.history
    assert first.values["prompt_tokens"] == event.tokens.prompt
    assert [chunk.table for chunk in chunks] == ["retrieved_chunks"] * 2


def test_a_verdict_is_a_row_a_metric_and_may_have_no_value() -> None:
    scores = (Score(metric="groundedness", value=None), Score(metric="tone", value=0.5))
    rows = list(translation.interaction_judged(a_verdict(scores=scores), ORIGIN))
    assert [row.values["value"] for row in rows] == [None, 0.5]


def test_a_release_without_a_canary_has_no_share() -> None:
    [plain] = translation.release_changed(a_release(), ORIGIN)
    [trial] = translation.release_changed(
        a_release(canary=Canary(version="hybrid-2", share=0.1)), ORIGIN
    )
    assert (plain.values["canary"], plain.values["canary_share"]) == ("", 0.0)
    assert (trial.values["canary"], trial.values["canary_share"]) == ("hybrid-2", 0.1)


def test_a_release_says_what_the_gate_said_of_each_version() -> None:
    versions: tuple[tuple[str, dict[str, str]], ...]
    versions = (("a", {}), ("b", {"gate": "passed"}), ("c", {"gate": "failed", "run": "r"}))
    artifacts = [
        {**a_release().artifacts[0].model_dump(), "version": version, "evidence": evidence}
        for version, evidence in versions
    ]
    [row] = translation.release_changed(a_release(live="b", artifacts=artifacts), ORIGIN)
    assert row.values["verdicts"] == {"b": "passed", "c": "failed"}


def test_a_run_is_one_row_that_its_end_replaces_without_losing_who_asked_for_it() -> None:
    [start] = translation.training_started(a_training_start(), ORIGIN)
    [end] = translation.training_finished(a_training_end(), ORIGIN)
    assert (start.values["state"], end.values["state"]) == ("running", "passed")
    assert end.values["gain"] == 3.1
    assert time_of(start) < time_of(end)
    for column in ("run_id", "actor", "reason"):
        assert end.values[column] == start.values[column]
    assert (end.values["votes"], end.values["version"]) == (1042, "votes-1")


def test_a_run_that_began_again_is_newer_than_what_interrupted_it() -> None:
    later = replace(ORIGIN, time=MORNING + timedelta(hours=1))
    [interrupted] = translation.training_finished(a_training_end(outcome="interrupted"), ORIGIN)
    [again] = translation.training_started(a_training_start(resumed=True), later)
    assert time_of(interrupted) < time_of(again)


def time_of(row: TableRow) -> datetime:
    time = row.values["time"]
    assert isinstance(time, datetime)
    return time


SPOILED = StoredRecord(
    topic="feedback.received.v1",
    partition=3,
    offset=77,
    timestamp=int(MORNING.timestamp() * 1000),
    key=b"acme/0195566a-0000-7000-8000-000000000003",
    value=b"{not json",
    headers=(("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),),
)


def dead(raw: StoredRecord, *, dlq_offset: int = 5) -> StoredRecord:
    cause = cause_of(raw, Poison("not JSON"), attempts=1, group="trainer")
    return replace(
        raw,
        topic=f"{raw.topic}.dlq",
        offset=dlq_offset,
        headers=tuple(headers_with(raw.headers, cause)),
    )


def letter(raw: StoredRecord, *columns: str) -> tuple[object, ...]:
    [row] = translation.dead_letter(raw, origin_of(raw))
    assert "not json" not in str(row)
    return tuple(row.values[column] for column in columns)


def test_a_dead_letter_is_known_by_where_it_was_and_keeps_its_content_to_itself() -> None:
    raw = dead(SPOILED)
    assert letter(raw, "topic", "partition", "offset") == ("feedback.received.v1", 3, 77)
    assert letter(raw, "tenant", "consumer_group", "kind") == ("acme", "trainer", "poison")
    assert letter(raw, "trace_id") == ("4bf92f3577b34da6a3ce929d0e0e4736",)
    assert letter(raw, "dlq_offset", "value_bytes") == (5, len(b"{not json"))


def test_what_is_decided_of_a_dead_letter_takes_its_rows_place() -> None:
    raw = dead(SPOILED)
    cause = read_cause(raw.headers)
    assert cause is not None
    about = {"actor": "ann", "reason": "mended by ann@example.com"}
    key, value, headers = decision_of(raw, cause, Verdict.DROPPED, **about)
    decision = replace(raw, offset=9, key=key, value=value, headers=tuple(headers))
    same = ("tenant", "topic", "partition", "offset", "consumer_group", "kind", "message", "key")
    placed = (*same, "dlq_offset", "trace_id", "value_bytes")
    assert letter(decision, *placed) == letter(raw, *placed)
    assert letter(raw, "verdict", "actor") == ("", "")
    assert letter(decision, "verdict", "actor", "reason") == ("dropped", *about.values())
    (decided_at,), (parked_at,) = letter(decision, "time"), letter(raw, "time")
    assert isinstance(decided_at, datetime)
    assert isinstance(parked_at, datetime)
    assert decided_at >= parked_at


def test_a_record_on_a_dead_letter_topic_that_nobody_parked_is_still_a_row() -> None:
    raw = replace(SPOILED, topic="feedback.received.v1.dlq", key=b"\xff\x00", headers=())
    assert letter(raw, "kind", "topic", "offset") == ("unknown", "feedback.received.v1", 77)
    assert letter(raw, "tenant", "key") == ("", "\\xff\x00")


def test_a_header_that_is_not_text_does_not_spoil_a_row() -> None:
    raw = replace(SPOILED, headers=(("traceparent", b"\xff\xfe"), ("ce_id", b"\xff")))
    assert letter(dead(raw), "trace_id") == ("",)
