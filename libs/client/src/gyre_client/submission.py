"""Submits documents and follows each until it is searchable or turned away."""

import asyncio
import base64
import time
import uuid
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from os import SEEK_END
from typing import BinaryIO, TypeVar

from google.protobuf.message import Message
from gyre.ingestor.v1 import ingestor_pb2
from gyre.ingestor.v1.ingestor_pb2_grpc import IngestorServiceStub

from gyre_client.connection import MAX_MESSAGE_BYTES, Connection
from gyre_client.errors import GyreError, InvalidInput, NotFound, Unavailable
from gyre_client.parts import Part

LARGEST_MESSAGE = (MAX_MESSAGE_BYTES - 64 * 1024) // 4 * 3
"""Bytes of content that one message carries: base64 makes four of three, and the rest of the
message has room. What is larger goes in pieces.
"""

_PIECE = 1024 * 1024
_MESSAGE_SECONDS, _UPLOAD_SECONDS = 60.0, 600.0
_AT_ONCE = 16
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0

PATIENCE_SECONDS = 180.0
"""The embedder finishes up to 32 documents at once, and a slow machine is long about them."""

_OUTCOMES = {
    ingestor_pb2.DOCUMENT_STATE_INDEXED: "indexed",
    ingestor_pb2.DOCUMENT_STATE_REJECTED: "rejected",
    ingestor_pb2.DOCUMENT_STATE_DELETED: "deleted",
    ingestor_pb2.DOCUMENT_STATE_QUARANTINED: "quarantined",
}

_WITH_PARTS = (ingestor_pb2.DOCUMENT_STATE_INDEXED, ingestor_pb2.DOCUMENT_STATE_QUARANTINED)
_End = tuple[ingestor_pb2.DocumentEvent, Sequence[ingestor_pb2.DocumentPart]]

T = TypeVar("T")


@dataclass(frozen=True)
class Draft:
    """A document that is about to be submitted. `open` gives its bytes as a file that can be read
    from any place, once for each try; None deletes it.
    """

    document_id: str
    open: Callable[[], BinaryIO] | None
    media_type: str = ""
    source_uri: str = ""
    acl: tuple[str, ...] = ()
    language: str = ""


@dataclass(frozen=True)
class Fate:
    """What became of one document: indexed, rejected, deleted or quarantined.

    `seconds` runs from its submission to being searchable.
    """

    document_id: str
    outcome: str
    code: str = ""
    detail: str = ""
    seconds: float = 0.0


@dataclass
class Progress:
    """How far a submission is; `finished` grows until it holds every document, also the `parts`,
    which came in archives and mails.
    """

    submitted: int = 0
    parts: int = 0
    finished: list[Fate] = field(default_factory=list)
    moved_at: float = field(default_factory=time.monotonic)

    def finish(self, fate: Fate) -> None:
        """One more document is done."""
        self.finished.append(fate)
        self.moved_at = time.monotonic()

    @property
    def rejected(self) -> list[Fate]:
        """Those that were turned away."""
        return [fate for fate in self.finished if fate.outcome == "rejected"]

    @property
    def quarantined(self) -> list[Fate]:
        """Those that somebody has to look at before they are searchable."""
        return [fate for fate in self.finished if fate.outcome == "quarantined"]


@dataclass
class _Upload:
    """The messages of an upload, from the first one whenever it is tried again.

    gRPC cancels the call where reading fails, and does not say why: `failure` does.
    """

    first: ingestor_pb2.UploadDocumentRequest
    open: Callable[[], BinaryIO]
    progress: Progress
    failure: OSError | None = None

    async def __aiter__(self) -> AsyncIterator[ingestor_pb2.UploadDocumentRequest]:
        yield self.first
        try:
            with await asyncio.to_thread(self.open) as file:
                while data := await asyncio.to_thread(file.read, _PIECE):
                    yield ingestor_pb2.UploadDocumentRequest(data=data)
                    self.progress.moved_at = time.monotonic()
        except OSError as error:
            self.failure = error
            raise


@dataclass(frozen=True)
class _Submission:
    document_id: str
    submission_id: str
    at: float = field(default_factory=time.monotonic)


class Submitter(Part[None]):
    """Sends with bounded concurrency; waits by asking for the oldest documents first.

    Documents become searchable roughly in the order they were sent, so a few waiters on the oldest
    find nearly all of the others done at their first question. Whichever takes longer than
    `turn_seconds` goes behind the others: partitions do not advance side by side.
    """

    stub, service = IngestorServiceStub, "ingestor"

    def __init__(
        self, connection: Connection, progress: Progress, *, turn_seconds: float = 5.0
    ) -> None:
        super().__init__(connection, None)
        self._progress = progress
        self._turn_seconds = turn_seconds
        self._accepted: asyncio.Queue[_Submission] = asyncio.Queue()

    async def submit(
        self, drafts: Sequence[Draft], *, wait: bool, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        """As `Documents.submit_all` has it."""
        waiters = _AT_ONCE if wait else 0
        try:
            async with asyncio.TaskGroup() as group:
                stall = self._raise_on_stall(len(drafts), patience_seconds)
                tasks = [group.create_task(stall)]
                tasks += [group.create_task(self._follow()) for _ in range(waiters)]
                await in_turns(drafts, self._send, _AT_ONCE)
                if wait:
                    await self._accepted.join()
                for task in tasks:
                    task.cancel()
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures

    async def _send(self, draft: Draft) -> None:
        key = str(uuid.uuid4())
        if draft.open is None:
            deletion = ingestor_pb2.DeleteDocumentRequest(
                document_id=draft.document_id, idempotency_key=key
            )
            await self._submit(draft, "DeleteDocument", deletion, _MESSAGE_SECONDS)
            return
        try:
            size, data = await asyncio.to_thread(_size_and_data, draft.open)
        except OSError as error:
            self._refuse_unreadable(draft, error)
            return
        if not size:  # a message cannot tell an empty content from none at all
            self._refuse(draft, "empty", "is empty: write something into it, or leave it out")
            return
        document = ingestor_pb2.Document(
            document_id=draft.document_id,
            media_type=draft.media_type,
            source_uri=draft.source_uri,
            acl=draft.acl,
            language=draft.language,
        )
        if size > LARGEST_MESSAGE:
            first = ingestor_pb2.UploadDocumentRequest(
                document=document, idempotency_key=key, size_bytes=size
            )
            await self._upload(draft, _Upload(first, draft.open, self._progress))
            return
        document.content_base64 = base64.b64encode(data).decode()
        message = ingestor_pb2.SubmitDocumentRequest(document=document, idempotency_key=key)
        await self._submit(draft, "SubmitDocument", message, _MESSAGE_SECONDS)

    async def _upload(self, draft: Draft, upload: _Upload) -> None:
        try:
            await self._submit(draft, "UploadDocument", upload, _UPLOAD_SECONDS)
        except asyncio.CancelledError:
            if upload.failure is None:
                raise
            self._refuse_unreadable(draft, upload.failure)

    async def _submit(
        self,
        draft: Draft,
        rpc: str,
        request: Message | AsyncIterable[Message],
        timeout: float,  # noqa: ASYNC109 (gRPC keeps it, here and on the other side)
    ) -> None:
        try:
            # A folder takes a while, so an ingestor that starts anew meanwhile does not end it.
            reply: ingestor_pb2.SubmitDocumentResponse = await self._call(
                rpc, request, timeout=timeout, reconnect_seconds=1.0
            )
        except InvalidInput as error:
            self._refuse(draft, error.code or "invalid", str(error))
            return
        except NotFound as error:  # of a deletion
            self._refuse(draft, "not_found", str(error))
            return
        self._progress.submitted += 1
        self._accepted.put_nowait(_Submission(draft.document_id, reply.submission_id))

    def _refuse_unreadable(self, draft: Draft, error: OSError) -> None:
        self._refuse(draft, "unreadable", error.strerror or str(error))

    def _refuse(self, draft: Draft, code: str, detail: str) -> None:
        self._progress.finish(Fate(draft.document_id, "rejected", code, detail))

    async def _follow(self) -> None:
        while True:
            one = await self._accepted.get()
            ended = await self._within_its_turn(one)
            if ended is None:
                self._accepted.put_nowait(one)
            else:
                event, parts = ended
                self._progress.parts += len(parts)
                for part in parts:
                    self._accepted.put_nowait(_Submission(part.document_id, part.submission_id))
                seconds = _seconds(event) or time.monotonic() - one.at
                outcome = _OUTCOMES[event.state]
                self._progress.finish(
                    Fate(one.document_id, outcome, event.code, event.detail, seconds)
                )
            self._accepted.task_done()

    async def _within_its_turn(self, one: _Submission) -> _End | None:
        """How it ended and what it held; None when it has not (yet)."""
        turn_ends = time.monotonic() + self._turn_seconds
        pause = _FIRST_PAUSE
        while (end := await self._end(one)) is None and time.monotonic() < turn_ends:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        return end

    async def _end(self, one: _Submission) -> _End | None:
        request = ingestor_pb2.GetDocumentRequest(
            document_id=one.document_id, submission_id=one.submission_id
        )
        try:
            reply: ingestor_pb2.GetDocumentResponse = await self._call(
                "GetDocument", request, timeout=10.0, repeatable=False
            )
        except (NotFound, Unavailable):
            return None
        events = reply.document.timeline
        event = next((each for each in events if each.submission_id == one.submission_id), None)
        if event is None:
            return None
        # One that was rejected left the parts of the version before as they are.
        return event, reply.parts if event.state in _WITH_PARTS else ()

    async def _raise_on_stall(self, total: int, patience_seconds: float) -> None:
        while True:
            await asyncio.sleep(min(1.0, patience_seconds))
            if time.monotonic() - self._progress.moved_at > patience_seconds:
                raise GyreError(
                    f"{total + self._progress.parts - len(self._progress.finished)} of "
                    f"{total + self._progress.parts} documents are accepted but "
                    f"not searchable, and nothing has moved for {patience_seconds:.0f} s: see "
                    "`gyre status` and `gyre logs`; nothing is lost, they are indexed when it "
                    "recovers"
                )


async def in_turns(things: Iterable[T], work: Callable[[T], Awaitable[None]], at_once: int) -> None:
    """Does the same to many things, a few at once; raises what `work` raised first."""
    remaining = iter(things)

    async def take_turns() -> None:
        for thing in remaining:
            await work(thing)

    workers = [asyncio.create_task(take_turns()) for _ in range(at_once)]
    try:
        await asyncio.gather(*workers)
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _size_and_data(open_file: Callable[[], BinaryIO]) -> tuple[int, bytes]:
    """What one message does not carry is not read yet. Raises OSError."""
    with open_file() as file:
        size = file.seek(0, SEEK_END)
        if size > LARGEST_MESSAGE:
            return size, b""
        file.seek(0)
        data = file.read()
        return len(data), data


def _seconds(event: ingestor_pb2.DocumentEvent) -> float:
    span = event.happened_at.ToDatetime() - event.submitted_at.ToDatetime()
    return max(0.0, span.total_seconds())
