"""A record that is no submission is parked, and its sender can read why it was rejected."""

import json
from typing import Any

import pytest
from gyre_common.bus.record import event_id
from gyre_common.bus.replaying import replay_headers
from gyre_common.events.documents import (
    DOCUMENT_ACCEPTED,
    DOCUMENT_REJECTED,
    DOCUMENT_SUBMITTED,
    RejectionCode,
    RejectionStage,
)
from gyre_common.events.event import new_id
from gyre_ingestor.invalid_records import UNREADABLE_GROUPS

from tests.eventually import eventually
from tests.fakes.bus import StoredRecord

from .conftest import World


def a_submission(**fields: Any) -> bytes:
    return json.dumps({"tenant": "acme", "document_id": "tea.md", **fields}).encode()


async def deliver(world: World, value: bytes | None, *headers: tuple[str, bytes]) -> StoredRecord:
    (record,) = await world.bus.deliver_raw(DOCUMENT_SUBMITTED, (b"any", value, headers))
    return record


async def test_what_breaks_the_schema_is_parked_and_rejected_by_field_and_reason(
    world: World,
) -> None:
    sent_id = new_id()
    value = a_submission(text="hot", title=["a title"], acl="kitchen")
    await deliver(world, value, ("ce_id", str(sent_id).encode()))
    (parked,) = world.bus.parked
    (rejected,) = world.events(DOCUMENT_REJECTED)
    assert (rejected.tenant, rejected.document_id) == ("acme", "tea.md")
    assert (rejected.submission_id, rejected.stage) == (sent_id, RejectionStage.ACCEPT)
    assert rejected.code is RejectionCode.INVALID_RECORD
    assert "title: Input should be a valid string" in rejected.detail
    assert "acl: Input should be" in rejected.detail
    assert parked.cause.message == rejected.detail
    assert parked.raw.value == value
    assert rejected.acl == (UNREADABLE_GROUPS,)


@pytest.mark.parametrize(("acl", "shown_to"), [(["hr"], ("hr",)), ([], ()), (None, ())])
async def test_a_rejection_is_for_those_who_might_have_read_the_document(
    world: World, acl: object, shown_to: tuple[str, ...]
) -> None:
    await deliver(world, a_submission(title=["x"], acl=acl))
    (rejected,) = world.events(DOCUMENT_REJECTED)
    assert rejected.acl == shown_to


async def test_a_misspelt_field_is_named_with_what_was_meant(world: World) -> None:
    await deliver(world, a_submission(txt=1, titel=["x"], metadata=3))
    (rejected,) = world.events(DOCUMENT_REJECTED)
    assert "unknown field `titel`: did you mean `title`?" in rejected.detail
    assert "unknown field `txt`: did you mean `text`?" in rejected.detail


async def test_one_that_parses_all_the_same_is_rejected_and_not_parked(world: World) -> None:
    """A misspelt access list would let everybody read it."""
    await deliver(world, a_submission(text="our salaries", acls=["hr"], owner="ann"))
    assert world.bus.parked == []
    assert world.events(DOCUMENT_ACCEPTED) == []
    (rejected,) = world.events(DOCUMENT_REJECTED)
    assert rejected.code is RejectionCode.UNKNOWN_FIELD
    assert rejected.detail == "acls is an unknown field: did you mean `acl`?"


@pytest.mark.parametrize(
    "fields", [{"text": "our salaries"}, {"title": ["x"]}, {"deleted": True}, {"txt": "y"}]
)
async def test_where_the_groups_are_misspelt_the_reason_is_for_nobody(
    world: World, fields: dict[str, Any]
) -> None:
    await deliver(world, a_submission(acls=["hr"], **fields))
    (rejected,) = world.events(DOCUMENT_REJECTED)
    assert rejected.acl == (UNREADABLE_GROUPS,)


@pytest.mark.parametrize("fields", [{"text": "hot"}, {"title": ["x"]}])
async def test_where_the_tenant_is_misspelt_the_record_is_parked_alone(
    world: World, fields: dict[str, Any]
) -> None:
    await deliver(world, json.dumps({"tenent": "acme", "document_id": "d", **fields}).encode())
    (parked,) = world.bus.parked
    assert "unknown field `tenent`: did you mean `tenant`?" in parked.cause.message
    assert world.events(DOCUMENT_REJECTED) == []
    assert world.events(DOCUMENT_ACCEPTED) == []


@pytest.mark.parametrize("extra", [{"owner": "ann"}, {"texts": "no"}, {"text ": 1, "tëxt": 2}])
async def test_other_unknown_fields_are_left_to_later_versions(
    world: World, extra: dict[str, Any]
) -> None:
    await deliver(world, a_submission(text="hot", **extra))
    assert len(world.events(DOCUMENT_ACCEPTED)) == 1
    assert world.events(DOCUMENT_REJECTED) == []


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{not json",
        b"\xff",
        b"[]",
        b'"tea.md"',
        b'{"document_id": 7, "text": "hot"}',
        b'{"document_id": "", "text": "hot"}',
        b'{"text": "hot"}',
        a_submission(document_id="a\nb", text="hot"),
        a_submission(document_id="x" * 513, text="hot"),
        a_submission(tenant="Acme!", text="hot"),
        a_submission(tenant="*", text="hot"),
        b"[" * 100_000,
    ],
    ids=lambda value: str(value)[:30],
)
async def test_who_cannot_be_read_by_the_rules_of_good_ones_is_parked_alone(
    world: World, value: bytes | None
) -> None:
    await deliver(world, value)
    assert len(world.bus.parked) == 1
    assert world.events(DOCUMENT_REJECTED) == []


async def test_a_reason_repeats_nothing_of_the_record(world: World) -> None:
    secret = "ann@example.com"
    metadata = {secret: {secret: 1}, f"{secret} and more": 5}
    await deliver(world, a_submission(title=7, metadata=metadata, **{f"title {secret}": secret}))
    (rejected,) = world.events(DOCUMENT_REJECTED)
    assert "metadata.…: Input should be a valid string" in rejected.detail
    assert "ann" not in rejected.detail
    assert "ann" not in world.bus.parked[0].cause.message


async def test_too_large_a_record_is_rejected_too(world: World) -> None:
    await deliver(world, a_submission(text="x" * 1_100_000))
    (rejected,) = world.events(DOCUMENT_REJECTED)
    assert "it may have 1048576" in rejected.detail
    assert len(world.bus.parked) == 1


async def test_the_same_record_again_makes_no_second_fact(world: World) -> None:
    sent_id = str(new_id()).encode()
    for _ in range(2):
        await deliver(world, a_submission(title=7), ("ce_id", sent_id))
    first, second = (
        dict(record.headers)["ce_id"]
        for record in world.bus.sent
        if record.topic == DOCUMENT_REJECTED.name
    )
    assert first == second


async def test_a_rejection_that_cannot_be_said_now_waits_and_nothing_is_parked_before(
    world: World,
) -> None:
    world.bus.down = True
    world.bus.put_raw(DOCUMENT_SUBMITTED, (b"any", a_submission(title=7), ()))
    schedulers = [one.scheduler for one in world.bus._all()]
    await eventually(lambda: any(p.failures for one in schedulers for p in one.partitions))
    assert world.bus.parked == []
    world.bus.down = False
    await world.bus.settled()
    assert len(world.events(DOCUMENT_REJECTED)) == len(world.bus.parked) == 1


async def test_a_submission_that_is_replayed_does_not_overtake_a_later_one(world: World) -> None:
    older = await deliver(world, a_submission(text="old"))
    await deliver(world, a_submission(text="new"))
    replay = (older.key, older.value, replay_headers(older))
    await world.bus.deliver_raw(DOCUMENT_SUBMITTED, replay)
    assert len(world.events(DOCUMENT_ACCEPTED)) == 2
    assert world.bus.parked == []


async def test_one_that_is_replayed_where_nothing_came_later_is_accepted(world: World) -> None:
    first = await deliver(world, a_submission(title=7))
    mended = a_submission(title="7", text="hot")  # as if this version could read it
    await world.bus.deliver_raw(DOCUMENT_SUBMITTED, (first.key, mended, replay_headers(first)))
    (accepted,) = world.events(DOCUMENT_ACCEPTED)
    assert accepted.submission_id == event_id(first)
