"""Submitting: retried under one key, followed to the end, refusals told with their codes."""

import asyncio
import base64
import time
import tracemalloc
from collections import defaultdict
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import grpc
import pytest
from gyre.ingestor.v1 import ingestor_pb2 as pb
from gyre.ingestor.v1 import ingestor_pb2_grpc as pb_grpc
from gyre_client import Addresses
from gyre_client import GyreError as ClientError
from gyre_client import Unavailable as ClientUnavailable
from gyre_client.connection import Connection
from gyre_client.submission import LARGEST_MESSAGE, Draft, Progress, Submitter
from gyre_common.errors import InvalidInput, NotFound, Unavailable
from gyre_common.rpc import serve

MIB = 1024 * 1024


class FakeIngestor(pb_grpc.IngestorServiceServicer):
    """Indexes a document at the third question about it; what it does not like it says."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.submissions: dict[str, str] = {}
        self.uploads: dict[str, bytes] = {}
        self.polls: dict[str, int] = defaultdict(int)
        self.unavailable = 0
        self.restarting = 0
        self.never = False
        self.max_bytes = 0
        self.keeps: int | None = None
        """Bytes of each message of an upload that are kept; None for all."""
        self.last: set[str] = set()
        """Documents that are searchable only when all others are known to be."""

    async def SubmitDocument(self, request: Any, context: Any) -> pb.SubmitDocumentResponse:
        self.keys.append(request.idempotency_key)
        if self.restarting:
            self.restarting -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "as a server that is not there yet")
        if self.unavailable:
            self.unavailable -= 1
            raise Unavailable("Kafka does not answer", retry_after_seconds=0.01)
        if not base64.b64decode(request.document.content_base64).strip():
            raise InvalidInput("document.text", "is empty", "send some", code="empty")
        submission_id = str(uuid4())
        self.submissions[request.document.document_id] = submission_id
        return pb.SubmitDocumentResponse(submission_id=submission_id)

    async def UploadDocument(self, requests: Any, context: Any) -> pb.SubmitDocumentResponse:
        first = await anext(requests)
        if self.max_bytes and first.size_bytes > self.max_bytes:
            raise InvalidInput("document.content", "is too large", "split it", code="too_large")
        size, data = 0, b""
        async for each in requests:
            size += len(each.data)
            data += each.data[: self.keeps]
        if size != first.size_bytes:  # as a call that was cancelled looks from here
            raise InvalidInput("size_bytes", "is not what came", "send it again")
        if self.unavailable:
            self.unavailable -= 1
            raise Unavailable("Kafka does not answer", retry_after_seconds=0.01)
        self.uploads[first.document.document_id] = data
        submission_id = self.submissions[first.document.document_id] = str(uuid4())
        return pb.SubmitDocumentResponse(submission_id=submission_id)

    async def GetDocument(self, request: Any, context: Any) -> pb.GetDocumentResponse:
        self.polls[request.document_id] += 1
        if self.never or self.polls[request.document_id] == 1:
            raise NotFound("no such document")
        old = pb.DocumentEvent(state=pb.DOCUMENT_STATE_INDEXED, submission_id="an older one")
        events = [old]
        name, others = request.document_id, self.submissions.keys() - self.last
        is_due = name not in self.last or all(self.polls[other] > 2 for other in others)
        if is_due and self.polls[name] > 2:
            state, code = pb.DOCUMENT_STATE_INDEXED, ""
            if "corrupt" in request.document_id:
                state, code = pb.DOCUMENT_STATE_REJECTED, "corrupt"
            submission_id = self.submissions[request.document_id]
            events.append(pb.DocumentEvent(state=state, submission_id=submission_id, code=code))
        reply = pb.GetDocumentResponse(document=pb.DocumentStatus(timeline=events))
        if name.endswith(".zip") and request.submission_id == self.submissions[name]:
            for part in ("tea.md", "corrupt.pdf"):
                self.submissions.setdefault(f"{name}/{part}", str(uuid4()))
                reply.parts.add(
                    document_id=f"{name}/{part}", submission_id=self.submissions[f"{name}/{part}"]
                )
        return reply


@pytest.fixture
def ingestor() -> FakeIngestor:
    return FakeIngestor()


@pytest.fixture
def progress() -> Progress:
    return Progress()


@pytest.fixture
async def submitter(ingestor: FakeIngestor, progress: Progress) -> AsyncIterator[Submitter]:
    async with serve([ingestor]) as server:
        connection = Connection(Addresses(ingestor=f"127.0.0.1:{server.port}"))
        yield Submitter(connection, progress, turn_seconds=0.1)
        await connection.close()


def a_draft(name: str, data: bytes = b"words") -> Draft:
    return Draft(name, lambda: BytesIO(data))


async def test_documents_that_take_long_do_not_hide_that_the_others_are_done(
    submitter: Submitter, ingestor: FakeIngestor, progress: Progress
) -> None:
    names = [f"d{n}" for n in range(40)]
    ingestor.last = set(names[:20])  # more than are asked about at once
    async with asyncio.timeout(30):
        await submitter.submit([a_draft(name) for name in names], wait=True)
    assert {fate.document_id for fate in progress.finished} == set(names)


async def test_each_document_is_followed_until_its_own_submission_is_searchable(
    submitter: Submitter, ingestor: FakeIngestor, progress: Progress
) -> None:
    await submitter.submit([a_draft(f"d{n}") for n in range(40)], wait=True)
    assert progress.submitted == 40
    assert {fate.document_id for fate in progress.finished} == {f"d{n}" for n in range(40)}
    assert set(ingestor.polls.values()) == {3}


async def test_what_came_within_a_document_is_followed_as_itself(
    submitter: Submitter, progress: Progress
) -> None:
    await submitter.submit([a_draft("all.zip"), a_draft("d1")], wait=True)
    fates = {fate.document_id: fate.outcome for fate in progress.finished}
    assert fates == {
        "all.zip": "indexed",
        "all.zip/tea.md": "indexed",
        "all.zip/corrupt.pdf": "rejected",
        "d1": "indexed",
    }
    assert (progress.submitted, progress.parts) == (2, 2)


async def test_refusals_at_the_door_and_later_are_told_with_their_codes(
    submitter: Submitter, progress: Progress
) -> None:
    drafts = [a_draft("good"), a_draft("blank", b" "), a_draft("corrupt"), a_draft("nothing", b"")]
    await submitter.submit(drafts, wait=True)
    fates = {fate.document_id: (fate.outcome, fate.code) for fate in progress.finished}
    assert fates == {
        "good": ("indexed", ""),
        "blank": ("rejected", "empty"),
        "corrupt": ("rejected", "corrupt"),
        "nothing": ("rejected", "empty"),
    }


async def test_a_file_larger_than_a_message_carries_goes_in_pieces_and_is_tried_again_whole(
    submitter: Submitter, ingestor: FakeIngestor, progress: Progress
) -> None:
    more = bytes(range(256)) * (LARGEST_MESSAGE // 256 + 1)
    ingestor.unavailable = 1
    drafts = [a_draft("full", b"x" * LARGEST_MESSAGE), a_draft("more", more)]
    await submitter.submit(drafts, wait=True)
    assert [fate.outcome for fate in progress.finished] == ["indexed", "indexed"]
    assert ingestor.uploads == {"more": more}


def a_sparse_file(folder: Path, size: int) -> Draft:
    path = folder / "sparse.bin"
    with path.open("wb") as file:
        file.truncate(size)
    return Draft("sparse.bin", lambda: path.open("rb"))


async def test_a_large_file_is_never_held_whole(
    submitter: Submitter, ingestor: FakeIngestor, progress: Progress, tmp_path: Path
) -> None:
    """The server of this test is in the same process: what it has received and not read counts."""
    ingestor.keeps = 1
    draft = a_sparse_file(tmp_path, 128 * MIB)
    tracemalloc.start()
    await submitter.submit([draft], wait=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (progress.submitted, ingestor.uploads) == (1, {"sparse.bin": bytes(128)})
    assert peak < 16 * MIB


async def test_a_file_that_is_too_large_is_refused_by_its_size_before_it_is_read(
    submitter: Submitter, ingestor: FakeIngestor, progress: Progress, tmp_path: Path
) -> None:
    ingestor.max_bytes = 20 * MIB
    draft, places = a_sparse_file(tmp_path, 1024 * MIB), []

    class Watched(BytesIO):
        """As large as the file; says how far it was read."""

        def seek(self, place: int, whence: int = 0) -> int:
            return 1024 * MIB if whence else super().seek(place)

        def read(self, size: int | None = -1) -> bytes:
            places.append(size or 0)
            return bytes(size or 0)

    await submitter.submit([draft, Draft("watched.bin", Watched)], wait=True)
    fates = {fate.document_id: fate.code for fate in progress.finished}
    assert fates == {"sparse.bin": "too_large", "watched.bin": "too_large"}
    assert sum(places) < 1024 * MIB, "read on after the refusal"


async def test_a_file_that_cannot_be_read_to_its_end_is_told(
    submitter: Submitter, ingestor: FakeIngestor, progress: Progress
) -> None:
    class Breaking(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > LARGEST_MESSAGE:
                raise OSError(5, "Input/output error")
            return super().read(size)

    drafts = [Draft("broken", lambda: Breaking(bytes(LARGEST_MESSAGE * 2))), a_draft("d")]
    await submitter.submit(drafts, wait=True)
    details = {fate.document_id: fate.detail for fate in progress.finished}
    assert details == {"broken": "Input/output error", "d": ""}
    assert not ingestor.uploads


async def test_a_submission_is_tried_again_under_the_same_key(
    submitter: Submitter, ingestor: FakeIngestor
) -> None:
    ingestor.unavailable = 2
    await submitter.submit([a_draft("d")], wait=True)
    assert len(ingestor.keys) == 3
    assert len(set(ingestor.keys)) == 1


async def test_an_ingestor_that_starts_anew_is_waited_for(
    submitter: Submitter, ingestor: FakeIngestor, progress: Progress
) -> None:
    ingestor.restarting = 1
    await submitter.submit([a_draft("d")], wait=True)
    assert len(ingestor.keys) == 2
    assert len(set(ingestor.keys)) == 1
    assert [fate.outcome for fate in progress.finished] == ["indexed"]


async def test_an_ingestor_that_stays_away_ends_the_submission(
    submitter: Submitter, ingestor: FakeIngestor
) -> None:
    ingestor.unavailable = 100
    with pytest.raises(ClientUnavailable, match="Kafka does not answer"):
        await submitter.submit([a_draft("d")], wait=True)


async def test_without_waiting_nothing_is_asked(
    submitter: Submitter, ingestor: FakeIngestor, progress: Progress
) -> None:
    await submitter.submit([a_draft("d")], wait=False)
    assert (progress.submitted, dict(ingestor.polls)) == (1, {})


async def test_a_file_that_vanished_meanwhile_is_told_and_the_others_go_on(
    submitter: Submitter, progress: Progress
) -> None:
    def gone() -> BinaryIO:
        raise FileNotFoundError(2, "No such file or directory")

    await submitter.submit([Draft("gone", gone), a_draft("d")], wait=True)
    outcomes = {fate.document_id: fate.code for fate in progress.finished}
    assert outcomes == {"gone": "unreadable", "d": ""}


async def test_waiting_gives_up_when_nothing_moves_any_more(
    submitter: Submitter, ingestor: FakeIngestor, progress: Progress
) -> None:
    ingestor.never = True
    with pytest.raises(ClientError, match=r"1 of 1 documents are accepted but not searchable"):
        await submitter.submit([a_draft("d")], wait=True, patience_seconds=0.2)


async def test_two_minutes_without_news_are_no_stall(
    submitter: Submitter, ingestor: FakeIngestor, progress: Progress
) -> None:
    ingestor.never = True
    progress.moved_at = time.monotonic() - 120
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(1.5):  # the first look is after a second
            await submitter.submit([a_draft("d")], wait=True)
