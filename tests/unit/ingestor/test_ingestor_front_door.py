"""What callers may ask, and what they are told when they ask wrongly."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any

import grpc
import pytest
from gyre.ingestor.v1 import ingestor_pb2
from gyre.ingestor.v1.ingestor_pb2_grpc import IngestorServiceStub
from gyre_common.context import RequestContext, use_context
from gyre_common.document_index import (
    TIMELINE_LENGTH,
    DocumentHappening,
    DocumentRecord,
    DocumentState,
)
from gyre_common.errors import InvalidInput, NotFound, Unavailable
from gyre_common.events.documents import (
    DOCUMENT_CHUNKED,
    DOCUMENT_SUBMITTED,
    Finding,
    FindingKind,
    Screening,
)
from gyre_common.rpc import call, channel, serve
from gyre_common.rpc.server import MAX_MESSAGE_BYTES
from gyre_ingestor.duplicates import MOST_DUPLICATES, Duplicate, duplicates_among
from gyre_ingestor.front_door import LARGEST_PAGE, FrontDoor
from gyre_ingestor.rpc import IngestorRpc

from tests.builders import MORNING, SUBMISSION_ID

from .conftest import World

DIGEST = "sha256:" + "1" * 64
WIDE = "\U0001d11e"  # four bytes
CALLER = RequestContext(tenant="acme", acl=("kitchen",))


class IndexHere:
    """As `ElasticsearchDocuments`, with its records in a list."""

    def __init__(self, *records: DocumentRecord) -> None:
        self._records = sorted(records, key=lambda record: record.document_id)

    async def get(self, tenant: str, document_id: str) -> DocumentRecord | None:
        known = {(r.tenant, r.document_id): r for r in self._records}
        return known.get((tenant, document_id))

    async def page(
        self,
        tenant: str,
        groups: Sequence[str],
        *,
        search: str,
        state: DocumentState | None,
        document_ids: Sequence[str],
        language: str,
        only_screened: bool,
        after: str,
        limit: int,
    ) -> Sequence[DocumentRecord]:
        caller = RequestContext(tenant=tenant, acl=tuple(groups))
        readable = (r for r in self._records if r.tenant == tenant and caller.may_read(r.acl))
        listed = [r for r in readable if r.state is state or (not state and r.state != "deleted")]
        named = [r for r in listed if not document_ids or r.document_id in document_ids]
        named = [r for r in named if language in ("", r.language)]
        named = [r for r in named if r.screened or not only_screened]
        return [r for r in named if search in r.document_id and r.document_id > after][:limit]

    async def duplicates(
        self, records: Sequence[DocumentRecord], groups: Sequence[str]
    ) -> Sequence[Sequence[Duplicate]]:
        caller = RequestContext(tenant=records[0].tenant, acl=tuple(groups))
        readable = [r for r in self._records if caller.may_read(r.acl)]
        return [duplicates_among(one, (r for r in readable if r != one)) for one in records]


def a_record(document_id: str, *acl: str, tenant: str = "acme") -> DocumentRecord:
    return DocumentRecord(
        tenant=tenant, document_id=document_id, state=DocumentState.INDEXED, acl=acl
    )


def door(world: World, *records: DocumentRecord) -> FrontDoor:
    documents: Any = IndexHere(*records)
    return FrontDoor(world.contents, world.uploads, world.bus, documents)


async def test_a_submission_is_an_event_of_the_callers_tenant(world: World) -> None:
    submission_id = await door(world).submit(CALLER, {"document_id": "d", "text": "Hot."})
    (event,) = world.events(DOCUMENT_SUBMITTED)
    assert (event.tenant, event.document_id, event.text) == ("acme", "d", "Hot.")
    assert event.submitted_at is not None
    headers = dict(world.bus.sent[0].headers)
    assert headers["ce_id"] == str(submission_id).encode()


async def test_a_retry_with_the_same_key_is_the_same_submission(world: World) -> None:
    fields = {"document_id": "d", "text": "Hot."}
    ids = [await door(world).submit(CALLER, fields, idempotency_key=k) for k in ("a", "a", "b", "")]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 3
    assert await door(world).submit(RequestContext("other"), fields, idempotency_key="a") != ids[0]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"document_id": "", "text": "x"}, "document.document_id"),
        ({"document_id": "a\nb", "text": "x"}, "document.document_id"),
        ({"document_id": "d"}, "document.content"),
        ({"document_id": "d", "text": "x", "content_uri": "file:///x"}, "document.content_uri"),
        ({"document_id": "d", "content_base64": "%"}, "document.content_base64"),
        ({"document_id": "d", "text": "x", "media_type": "image/png"}, "document.media_type"),
        ({"document_id": "d", "text": "x", "language": "German"}, "document.language"),
        (
            {"document_id": "d", "content_uri": "file:///x", "media_type": "image/png"},
            "document.media_type",
        ),
        ({"document_id": "d", "text": "x", "acl": ("",)}, "document.acl.0"),
        ({"document_id": "d", "text": "x", "title": "t" * 2000}, "document.title"),
    ],
)
async def test_a_submission_that_cannot_work_is_refused_at_once(
    world: World, fields: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await door(world).submit(CALLER, fields)
    assert refused.value.field == field
    assert world.bus.published == []


async def test_a_large_body_travels_by_reference_and_arrives(world: World) -> None:
    text = "".join(f"line {n}\n" for n in range(70_000))
    await door(world).submit(CALLER, {"document_id": "d", "text": text})
    (event,) = world.events(DOCUMENT_SUBMITTED)
    assert event.text is None
    assert event.content_uri
    assert "/uploads/" in event.content_uri
    data, _ = await world.contents.fetch(event)
    assert data == text.encode()


async def some(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


async def test_an_upload_travels_by_reference_and_arrives(world: World) -> None:
    fields = {"document_id": "d.txt", "acl": ["kitchen"]}
    ids = [await door(world).upload(CALLER, fields, some(b"Ho", b"t."), "key") for _ in range(2)]
    assert ids[0] == ids[1]
    event = world.events(DOCUMENT_SUBMITTED)[0]
    assert (event.tenant, event.acl) == ("acme", ("kitchen",))
    assert (await world.contents.fetch(event))[0] == b"Hot."


@pytest.mark.parametrize(
    ("fields", "pieces", "field"),
    [
        ({"document_id": ""}, [b"x"], "document.document_id"),
        ({"document_id": "d", "text": "x"}, [b"x"], "document.text"),
        ({"document_id": "d", "media_type": "image/png"}, [b"x"], "document.media_type"),
        ({"document_id": "d"}, [], "document.content"),
        ({"document_id": "d"}, [b"x" * 1_000_000] * 2, "document.content"),
    ],
)
async def test_an_upload_that_cannot_work_is_refused(
    world: World, fields: dict[str, Any], pieces: list[bytes], field: str
) -> None:
    with pytest.raises(InvalidInput) as refused:
        await door(world).upload(CALLER, fields, some(*pieces))
    assert refused.value.field == field
    assert world.bus.published == []


async def test_an_upload_that_will_be_too_large_is_refused_before_it_comes(world: World) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        raise AssertionError("nothing is to be read")
        yield b""

    with pytest.raises(InvalidInput, match="is larger than 1000000 bytes") as refused:
        await door(world).upload(CALLER, {"document_id": "d"}, pieces(), size_bytes=1 << 30)
    assert (refused.value.field, refused.value.code) == ("document.content", "too_large")


async def test_an_upload_that_ends_early_is_not_taken(world: World) -> None:
    with pytest.raises(InvalidInput, match="size_bytes is 4, and 2 came"):
        await door(world).upload(CALLER, {"document_id": "d"}, some(b"Ho"), size_bytes=4)
    assert world.bus.published == []


async def test_an_upload_goes_over_grpc(world: World) -> None:
    async def messages() -> AsyncIterator[ingestor_pb2.UploadDocumentRequest]:
        yield ingestor_pb2.UploadDocumentRequest(
            document=ingestor_pb2.Document(document_id="d.txt"), data=b"Ho"
        )
        yield ingestor_pb2.UploadDocumentRequest(data=b"t.")

    async def nothing() -> AsyncIterator[ingestor_pb2.UploadDocumentRequest]:
        return
        yield

    async with serve(
        [IngestorRpc(door(world), world.parts, world.rebuild, world.quarantine)]
    ) as server:
        await server.set_serving(True)
        async with channel(f"127.0.0.1:{server.port}") as connection:
            stub = IngestorServiceStub(connection)
            assert (await stub.UploadDocument(messages())).submission_id
            with pytest.raises(grpc.aio.AioRpcError, match="document is missing"):
                await stub.UploadDocument(nothing())
            formats = await stub.ListFormats(ingestor_pb2.ListFormatsRequest())
    assert {".pdf", ".docx"} <= {ending for each in formats.formats for ending in each.endings}
    (event,) = world.events(DOCUMENT_SUBMITTED)
    assert (await world.contents.fetch(event))[0] == b"Hot."


async def test_a_deletion_is_submitted(world: World) -> None:
    await door(world).submit(CALLER, {"document_id": "d", "deleted": True})
    await world.bus.settled()
    assert [event.deleted for event in world.events(DOCUMENT_CHUNKED)] == [True]


async def test_kafka_down_is_unavailable(world: World) -> None:
    world.bus.down = True
    with pytest.raises(Unavailable):
        await door(world).submit(CALLER, {"document_id": "d", "text": "x"})


async def test_a_document_is_shown_to_those_who_may_read_it(world: World) -> None:
    mine = door(world, a_record("open"), a_record("shared", "kitchen"), a_record("shut", "cellar"))
    assert (await mine.get(CALLER, "shared")).document_id == "shared"
    for hidden in ("shut", "nowhere"):
        with pytest.raises(NotFound):
            await mine.get(CALLER, hidden)
    with pytest.raises(NotFound):
        await mine.get(RequestContext("other"), "open")


async def test_pages_follow_each_other_to_the_end(world: World) -> None:
    mine = door(world, *(a_record(f"d{n}é") for n in range(5)), a_record("x", "cellar"))
    listed_ids, token = [], ""
    while True:
        records, token = await mine.page(CALLER, page_size=2, page_token=token)
        listed_ids += [record.document_id for record in records]
        if not token:
            break
    assert listed_ids == [f"d{n}é" for n in range(5)]


async def test_a_list_says_what_it_holds_and_in_which_state(world: World) -> None:
    gone = a_record("gone").model_copy(update={"state": DocumentState.DELETED})
    german = a_record("tea").model_copy(update={"language": "de"})
    rpc = IngestorRpc(
        door(world, a_record("kept"), german, gone), world.parts, world.rebuild, world.quarantine
    )
    async with serve([rpc]) as server, channel(f"127.0.0.1:{server.port}") as opened:
        stub = IngestorServiceStub(opened)
        for about, ids in (
            ({}, ["kept", "tea"]),
            ({"search": "te"}, ["tea"]),
            ({"document_ids": ["tea", "gone", "never"]}, ["tea"]),
            ({"state": ingestor_pb2.DOCUMENT_STATE_DELETED}, ["gone"]),
            ({"language": "de-AT"}, ["tea"]),
        ):
            request = ingestor_pb2.ListDocumentsRequest(**about)
            with use_context(CALLER):
                reply = await call(stub.ListDocuments, request)
            assert [one.document_id for one in reply.documents] == ids
        with pytest.raises(InvalidInput, match="language is no language tag"):
            await call(stub.ListDocuments, ingestor_pb2.ListDocumentsRequest(language="German"))
        with pytest.raises(InvalidInput, match="state is 9: name one of DocumentState"):
            await call(stub.ListDocuments, ingestor_pb2.ListDocumentsRequest(state=9))  # type: ignore[arg-type]


async def test_a_document_tells_the_times_of_its_stages_as_far_as_they_are_known(
    world: World,
) -> None:
    old = DocumentHappening(
        state=DocumentState.INDEXED,
        submission_id=SUBMISSION_ID,
        submitted_at=MORNING,
        happened_at=MORNING,
    )
    turned_away = {
        "state": DocumentState.REJECTED,
        "accepted_at": MORNING + timedelta(seconds=2),
        "stage": "parse",
    }
    record = a_record("d").model_copy(
        update={"timeline": (old, old.model_copy(update=turned_away))}
    )
    rpc = IngestorRpc(door(world, record), world.parts, world.rebuild, world.quarantine)
    async with serve([rpc]) as server, channel(f"127.0.0.1:{server.port}") as opened:
        request = ingestor_pb2.GetDocumentRequest(document_id="d")
        with use_context(CALLER):
            reply = await call(IngestorServiceStub(opened).GetDocument, request)
    first, second = reply.document.timeline
    assert (first.HasField("accepted_at"), first.HasField("chunked_at"), first.stage) == (
        False,
        False,
        "",
    )
    assert (second.accepted_at.ToSeconds() - second.submitted_at.ToSeconds(), second.stage) == (
        2,
        "parse",
    )


async def test_a_document_names_those_with_the_same_content_and_a_list_where_it_is_asked_to(
    world: World,
) -> None:
    copies = [
        a_record(name, *acl).model_copy(update={"content_digest": DIGEST, "title": name.upper()})
        for name, acl in {"a": (), "b": ("kitchen",), "c": ("boss",)}.items()
    ]
    rpc = IngestorRpc(door(world, *copies), world.parts, world.rebuild, world.quarantine)
    async with serve([rpc]) as server, channel(f"127.0.0.1:{server.port}") as opened:
        stub = IngestorServiceStub(opened)
        with use_context(CALLER):
            get = await call(stub.GetDocument, ingestor_pb2.GetDocumentRequest(document_id="a"))
            plain = await call(stub.ListDocuments, ingestor_pb2.ListDocumentsRequest())
            request = ingestor_pb2.ListDocumentsRequest(duplicates=True)
            full = await call(stub.ListDocuments, request)
    same = ingestor_pb2.DuplicateDocument(
        document_id="b", title="B", same_content=True, similarity=1
    )
    assert list(get.document.duplicates) == [same]
    assert [len(one.duplicates) for one in plain.documents] == [0, 0]
    assert [one.duplicates[0].document_id for one in full.documents] == ["b", "a"]


def happening(state: DocumentState, revision: int, *, seen: str = "") -> DocumentHappening:
    finding = Finding(kind=FindingKind.INSTRUCTIONS, rule="asks", sentence=seen)
    return DocumentHappening(
        state=state,
        submission_id=SUBMISSION_ID,
        revision=revision,
        submitted_at=MORNING,
        happened_at=MORNING,
        detail=seen,
        screening=Screening(findings=(finding,) * 5, held=True) if seen else None,
    )


async def test_a_list_says_the_newest_of_a_document_and_the_most_alike_and_all_of_one_that_is_named(
    world: World,
) -> None:
    held, rejected = DocumentState.QUARANTINED, DocumentState.REJECTED
    timeline = (
        happening(held, 1, seen="old"),
        happening(DocumentState.INDEXED, 2),
        happening(held, 3, seen="new"),
        happening(rejected, 4),
        happening(rejected, 5),
    )
    fields = {"state": held, "revision": 3, "timeline": timeline, "content_digest": DIGEST}
    copies = [a_record(name).model_copy(update=fields) for name in "abc"]
    rpc = IngestorRpc(door(world, *copies), world.parts, world.rebuild, world.quarantine)
    async with serve([rpc]) as server, channel(f"127.0.0.1:{server.port}") as opened:
        stub = IngestorServiceStub(opened)
        with use_context(CALLER):
            request = ingestor_pb2.ListDocumentsRequest(duplicates=True)
            listed = await call(stub.ListDocuments, request)
            request = ingestor_pb2.ListDocumentsRequest(document_ids=["a"])
            (named,) = (await call(stub.ListDocuments, request)).documents
    assert [len(one.duplicates) for one in listed.documents] == [1, 1, 1]
    assert [each.revision for each in listed.documents[0].timeline] == [3, 5]
    assert [each.revision for each in named.timeline] == [1, 2, 3, 4, 5]


async def test_no_page_is_larger_than_a_reply_may_be(world: World) -> None:
    longest = {
        "title": WIDE * 1024,
        "source_uri": WIDE * 4096,
        "acl": ("kitchen", *(WIDE * 250 + str(group) for group in range(10))),
        "metadata": {"note": WIDE * 2_000},
        "content_digest": DIGEST,
        "timeline": tuple(
            happening(DocumentState.INDEXED, -1, seen=WIDE * 300) for _ in range(TIMELINE_LENGTH)
        ),
    }
    names = [f"{WIDE * 508}{number:04}" for number in range(LARGEST_PAGE)]
    records = [a_record(name).model_copy(update=longest) for name in names]
    alike = [Duplicate(records[0], same_content=True, similarity=1, newer=True)] * MOST_DUPLICATES

    class AllAlike(IndexHere):
        async def duplicates(
            self, records: Sequence[DocumentRecord], groups: Sequence[str]
        ) -> Sequence[Sequence[Duplicate]]:
            return [alike] * len(records)

    documents: Any = AllAlike(*records)
    mine = FrontDoor(world.contents, world.uploads, world.bus, documents)
    rpc = IngestorRpc(mine, world.parts, world.rebuild, world.quarantine)
    listed: list[str] = []
    request = ingestor_pb2.ListDocumentsRequest(page_size=LARGEST_PAGE, duplicates=True)
    async with serve([rpc]) as server, channel(f"127.0.0.1:{server.port}") as opened:
        stub = IngestorServiceStub(opened)
        while not listed or request.page_token:
            with use_context(CALLER):
                page = await call(stub.ListDocuments, request)
            assert page.ByteSize() < MAX_MESSAGE_BYTES
            listed += [one.document_id for one in page.documents]
            request.page_token = page.next_page_token
    assert listed == names


@pytest.mark.parametrize("search", ["s" * 201, "a\0"])
async def test_a_search_that_cannot_be_is_refused(world: World, search: str) -> None:
    with pytest.raises(InvalidInput, match="search has"):
        await door(world).page(CALLER, page_size=1, page_token="", search=search)


async def test_a_list_of_too_many_names_is_refused(world: World) -> None:
    names = [str(number) for number in range(101)]
    with pytest.raises(InvalidInput, match="document_ids has 101 names: send 100 at a time"):
        await door(world).page(CALLER, page_size=1, page_token="", document_ids=names)


@pytest.mark.parametrize(
    ("size", "token"), [(-1, ""), (1001, ""), (1, "%%%"), (1, "/////"), (1, "YWFh" * 2_000)]
)
async def test_a_page_that_cannot_be_is_refused(world: World, size: int, token: str) -> None:
    with pytest.raises(InvalidInput):
        await door(world).page(CALLER, page_size=size, page_token=token)
