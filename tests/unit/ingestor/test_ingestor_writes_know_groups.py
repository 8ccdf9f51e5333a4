"""Nobody replaces or deletes what they may not read, and nobody learns that it is there."""

import io
import zipfile
from collections.abc import AsyncIterator
from typing import Any

import pytest
from elastic_transport import ObjectApiResponse
from gyre.ingestor.v1 import ingestor_pb2 as pb
from gyre.ingestor.v1.ingestor_pb2_grpc import IngestorServiceStub
from gyre_common.context import RequestContext, use_context
from gyre_common.document_index import (
    DOCUMENTS_INDEX,
    DocumentHappening,
    DocumentRecord,
    DocumentState,
)
from gyre_common.errors import InvalidInput, NotFound, Unavailable
from gyre_common.events.documents import (
    DOCUMENT_ACCEPTED,
    DOCUMENT_REJECTED,
    DOCUMENT_SUBMITTED,
    DocumentRejected,
    RejectionCode,
)
from gyre_common.rpc import call, channel, serve
from gyre_ingestor.elasticsearch_order import ElasticsearchOrder
from gyre_ingestor.front_door import FrontDoor
from gyre_ingestor.rpc import IngestorRpc
from gyre_ingestor.submission_order import LastSubmission
from gyre_ingestor.write_gate import RECENT_SECONDS, WriteGate

from tests.builders import MORNING, SUBMISSION_ID, a_document_submitted
from tests.fakes.submission_order import MemoryOrder

from .conftest import World
from .test_ingestor_front_door import IndexHere

STAFF = RequestContext(tenant="default", acl=("staff",))
OUTSIDER = RequestContext(tenant="default", acl=("guests",))
TEA = "tea.md"


def gated(world: World, *records: DocumentRecord, order: MemoryOrder | None = None) -> FrontDoor:
    documents: Any = IndexHere(*records)
    gate = WriteGate(order or world.order)
    return FrontDoor(world.contents, world.uploads, world.bus, documents, gate)


@pytest.fixture
async def door(world: World) -> FrontDoor:
    """Of a system with one document, for staff."""
    await world.bus.deliver(DOCUMENT_SUBMITTED, a_document_submitted(acl=("staff",)))
    return gated(world)


async def pieces() -> AsyncIterator[bytes]:
    yield b"Cold."


def accepted_titles(world: World) -> list[tuple[str, bool]]:
    return [(event.title, event.deleted) for event in world.events(DOCUMENT_ACCEPTED)]


def rejections(world: World) -> list[DocumentRejected]:
    return world.events(DOCUMENT_REJECTED)


async def test_what_somebody_may_not_read_is_not_there_to_be_deleted(
    world: World, door: FrontDoor
) -> None:
    problems = []
    for name in (TEA, "nowhere.md"):
        with pytest.raises(NotFound) as refused:
            await door.submit(OUTSIDER, {"document_id": name, "deleted": True})
        problems.append(str(refused.value))
    with pytest.raises(NotFound) as unreadable:
        await door.get(OUTSIDER, TEA)
    assert {*problems} == {str(unreadable.value)}
    assert world.events(DOCUMENT_SUBMITTED) == []
    await door.submit(STAFF, {"document_id": TEA, "deleted": True})
    await world.bus.settled()
    assert [event.deleted for event in world.events(DOCUMENT_ACCEPTED)] == [False, True]


async def test_a_name_that_is_taken_by_what_somebody_may_not_read_is_reserved(
    world: World, door: FrontDoor
) -> None:
    fields = {"document_id": TEA, "text": "Cold."}
    for write in (
        door.submit(OUTSIDER, fields),
        door.upload(OUTSIDER, {"document_id": TEA}, pieces()),
    ):
        with pytest.raises(InvalidInput) as refused:
            await write
        assert refused.value.field == "document.document_id"
        assert refused.value.code == "name_reserved"
        assert str(refused.value).endswith("is reserved: choose another one")
    assert world.events(DOCUMENT_SUBMITTED) == []
    await door.submit(STAFF, {**fields, "title": "Tea, cold"})
    await world.bus.settled()
    assert accepted_titles(world)[-1] == ("Tea, cold", False)


async def test_a_document_of_a_moment_ago_can_be_deleted_by_who_may_read_it(world: World) -> None:
    door = gated(world, order=MemoryOrder())  # which nobody has told of it yet
    await door.submit(STAFF, {"document_id": "new.md", "text": "Hot.", "acl": ("staff",)})
    with pytest.raises(NotFound):
        await door.submit(OUTSIDER, {"document_id": "new.md", "deleted": True})
    await door.submit(STAFF, {"document_id": "new.md", "deleted": True})
    assert [event.deleted for event in world.events(DOCUMENT_SUBMITTED)] == [False, True]


async def test_a_name_that_came_to_nothing_is_free_again_a_minute_later(world: World) -> None:
    now = [0.0]
    gate = WriteGate(MemoryOrder(), clock=lambda: now[0])  # which nobody has told of it, nor will
    gate.remember(a_document_submitted(acl=("guests",)))
    again = a_document_submitted(acl=("staff",))
    with pytest.raises(InvalidInput, match="is reserved"):
        await gate.check(STAFF, again)
    now[0] = RECENT_SECONDS
    await gate.check(STAFF, again)


class HeadRecords:
    """An Elasticsearch that has one head record."""

    def __init__(self, head: dict[str, Any]) -> None:
        self._head = head

    def options(self, **_: Any) -> "HeadRecords":
        return self

    async def get(self, *, index: str, id: str, **_: Any) -> ObjectApiResponse[Any]:  # noqa: A002
        is_head = index == DOCUMENTS_INDEX
        body = {"found": is_head, "_source": self._head} if is_head else {"found": False}
        return ObjectApiResponse(body=body, meta=None)


@pytest.mark.parametrize(("revision", "acl"), [(-1, None), (0, ("guests",))])
async def test_what_was_only_ever_turned_away_has_no_claim_to_its_name(
    revision: int, acl: tuple[str, ...] | None
) -> None:
    heads: Any = HeadRecords({"acl": ["guests"], "revision": revision})
    assert await ElasticsearchOrder(heads).last("default", TEA) == LastSubmission(None, acl)


class AwayOrder(MemoryOrder):
    async def last(self, tenant: str, document_id: str) -> LastSubmission:
        raise Unavailable("the index is away")


@pytest.mark.parametrize("change", [{"text": "Cold."}, {"deleted": True}])
async def test_while_the_index_is_away_a_write_is_held_to_it_where_the_order_is_made(
    world: World, door: FrontDoor, change: dict[str, Any]
) -> None:
    blind = gated(world, order=AwayOrder())
    await blind.submit(OUTSIDER, {"document_id": TEA, **change})
    await world.bus.settled()
    assert len(world.events(DOCUMENT_ACCEPTED)) == 1
    [rejected] = rejections(world)
    assert rejected.code is RejectionCode.NAME_RESERVED
    assert rejected.detail == "document_id is reserved: choose another one"


async def test_a_producer_on_kafka_is_trusted(world: World, door: FrontDoor) -> None:
    await world.bus.deliver(DOCUMENT_SUBMITTED, a_document_submitted(text="Cold."))
    assert len(world.events(DOCUMENT_ACCEPTED)) == 2
    assert rejections(world) == []


async def test_an_archive_brings_nothing_over_what_its_sender_may_not_read(world: World) -> None:
    await world.bus.deliver(
        DOCUMENT_SUBMITTED, a_document_submitted(document_id="a.zip/secret.txt", acl=("staff",))
    )
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("secret.txt", "Cold.")
        files.writestr("open.txt", "Open.")
    uploaded = archive.getvalue()

    async def content() -> AsyncIterator[bytes]:
        yield uploaded

    await gated(world).upload(OUTSIDER, {"document_id": "a.zip"}, content())
    await world.bus.settled()
    names = [event.document_id for event in world.events(DOCUMENT_ACCEPTED)]
    assert sorted(names) == ["a.zip", "a.zip/open.txt", "a.zip/secret.txt"]
    assert [each.document_id for each in rejections(world)] == ["a.zip/secret.txt"]


async def test_what_was_turned_away_says_for_whom_it_would_have_been(world: World) -> None:
    bad = a_document_submitted(document_id="bad.md", text=None, acl=("board",))
    await world.bus.deliver(DOCUMENT_SUBMITTED, bad)
    [rejected] = rejections(world)
    assert (rejected.code, rejected.acl) == (RejectionCode.NO_CONTENT, ("board",))


async def test_what_was_turned_away_is_shown_to_those_for_whom_it_would_have_been(
    world: World,
) -> None:
    for_all, for_staff = (
        DocumentHappening(
            state=DocumentState.REJECTED,
            submission_id=SUBMISSION_ID,
            submitted_at=MORNING,
            happened_at=MORNING,
            acl=acl,
        )
        for acl in ((), ("staff",))
    )
    record = DocumentRecord(
        tenant="default",
        document_id="d",
        state=DocumentState.INDEXED,
        timeline=(for_all, for_staff),
    )
    door = gated(world, record)
    for caller, timeline in ((OUTSIDER, (for_all,)), (STAFF, (for_all, for_staff))):
        assert (await door.get(caller, "d")).timeline == timeline
        [listed], _ = await door.page(caller, page_size=10, page_token="")
        assert listed.timeline == timeline


async def test_a_key_that_came_with_another_document_is_refused(world: World) -> None:
    door, fields = gated(world), {"document_id": "d", "text": "Hot."}
    first = await door.submit(STAFF, fields, "once")
    assert await door.submit(STAFF, fields, "once") == first
    assert await door.submit(STAFF, {**fields, "document_id": "other"}, "once") != first
    other = {**fields, "text": "Cold."}
    for again in (other, {**fields, "acl": ("staff",)}, {"document_id": "d", "deleted": True}):
        with pytest.raises(InvalidInput, match="idempotency_key was sent before"):
            await door.submit(STAFF, again, "once")
    # Another process has not seen the first: it is no retry of that all the same.
    assert await gated(world).submit(STAFF, other, "once") != first


async def test_the_same_upload_with_the_same_key_is_the_same_submission(world: World) -> None:
    door = gated(world)
    ids = [await door.upload(STAFF, {"document_id": "d"}, pieces(), "once") for _ in range(2)]
    assert ids[0] == ids[1]


async def test_callers_of_the_service_are_held_to_their_groups(
    world: World, door: FrontDoor
) -> None:
    rpc = IngestorRpc(door, world.parts, world.rebuild, world.quarantine)
    tea = pb.Document(document_id=TEA, text="Cold.", media_type="text/plain", acl=["guests"])
    deletion = pb.DeleteDocumentRequest(document_id=TEA, idempotency_key="d")
    async with serve([rpc]) as server, channel(f"127.0.0.1:{server.port}") as opened:
        stub = IngestorServiceStub(opened)
        submission = pb.SubmitDocumentRequest(document=tea, idempotency_key="s")
        with use_context(OUTSIDER):
            with pytest.raises(InvalidInput, match="is reserved"):
                await call(stub.SubmitDocument, submission)
            with pytest.raises(NotFound):
                await call(stub.DeleteDocument, deletion)
            submission.document.document_id = "guests.md"
            first = await call(stub.SubmitDocument, submission)
            assert (await call(stub.SubmitDocument, submission)) == first
        with use_context(STAFF):
            await call(stub.DeleteDocument, deletion)
    await world.bus.settled()
    accepted = {(each.document_id, each.deleted) for each in world.events(DOCUMENT_ACCEPTED)}
    assert accepted == {(TEA, False), ("guests.md", False), (TEA, True)}
