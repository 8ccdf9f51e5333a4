"""Submits documents and follows each until it is searchable or turned away."""

import asyncio
import base64
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from gyre.ingestor.v1 import ingestor_pb2
from gyre.ingestor.v1.ingestor_pb2_grpc import IngestorServiceStub

from gyre_client.connection import MAX_MESSAGE_BYTES, Connection
from gyre_client.errors import GyreError, InvalidInput, NotFound, Unavailable

LARGEST_FILE = (MAX_MESSAGE_BYTES - 64 * 1024) // 4 * 3
"""What one call carries: base64 makes four bytes of three, and the rest of the message has room."""

_TOO_LARGE = (
    f"has {{:,}} bytes, and one call carries {LARGEST_FILE:,}: split it, or let the ingestor fetch "
    "it by content_uri (GYRE_ALLOWED_CONTENT_ROOTS)"
)
_AT_ONCE = 16
_FIRST_PAUSE, _LONGEST_PAUSE = 0.05, 1.0
_TRIES = 5
_RECONNECT_SECONDS = 1.0

_OUTCOMES = {
    ingestor_pb2.DOCUMENT_STATE_INDEXED: "indexed",
    ingestor_pb2.DOCUMENT_STATE_REJECTED: "rejected",
    ingestor_pb2.DOCUMENT_STATE_DELETED: "deleted",
}


@dataclass(frozen=True)
class Draft:
    """A document that is about to be submitted; `read` gives its bytes."""

    document_id: str
    read: Callable[[], bytes]
    media_type: str = ""
    source_uri: str = ""
    acl: tuple[str, ...] = ()


@dataclass(frozen=True)
class Fate:
    """What became of one document: indexed, rejected or deleted.

    `seconds` runs from its submission to being searchable.
    """

    document_id: str
    outcome: str
    code: str = ""
    detail: str = ""
    seconds: float = 0.0


@dataclass
class Progress:
    """How far a submission is; `finished` grows until it holds every document."""

    submitted: int = 0
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


@dataclass(frozen=True)
class _Submission:
    draft: Draft
    submission_id: str
    at: float = field(default_factory=time.monotonic)


class Submitter:
    """Sends with bounded concurrency; waits by asking for the oldest documents first.

    Documents become searchable roughly in the order they were sent, so a few waiters on the oldest
    find nearly all of the others done at their first question. Whichever takes longer than
    `turn_seconds` goes behind the others: partitions do not advance side by side.
    """

    def __init__(
        self, connection: Connection, progress: Progress, *, turn_seconds: float = 5.0
    ) -> None:
        self._connection = connection
        self._progress = progress
        self._turn_seconds = turn_seconds

    async def submit(
        self, drafts: Sequence[Draft], *, wait: bool, patience_seconds: float = 60.0
    ) -> None:
        """Returns when each document is sent or, with `wait`, searchable or turned away.

        Raises:
            GyreError: the ingestor cannot be reached, does not accept the caller, or nothing has
                moved for `patience_seconds`.
        """
        work = asyncio.create_task(self._submit(drafts, wait=wait))
        stall = asyncio.create_task(self._raise_on_stall(len(drafts), patience_seconds))
        try:
            done, _ = await asyncio.wait([work, stall], return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except ExceptionGroup as group:
            raise _first(group) from group
        finally:
            work.cancel()
            stall.cancel()
            await asyncio.gather(work, stall, return_exceptions=True)

    async def _submit(self, drafts: Sequence[Draft], *, wait: bool) -> None:
        submissions: asyncio.Queue[_Submission] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            waiters = [group.create_task(self._follow(submissions)) for _ in range(_AT_ONCE)]
            await _each(drafts, lambda draft: self._send(draft, submissions if wait else None))
            await submissions.join()
            for waiter in waiters:
                waiter.cancel()

    async def _send(self, draft: Draft, submissions: asyncio.Queue[_Submission] | None) -> None:
        try:
            data = await asyncio.to_thread(draft.read)
        except OSError as error:
            self._refuse(draft, "unreadable", error.strerror or str(error))
            return
        if not data:  # a message cannot tell an empty content from none at all
            self._refuse(draft, "empty", "is empty: write something into it, or leave it out")
            return
        if len(data) > LARGEST_FILE:
            self._refuse(draft, "too_large", _TOO_LARGE.format(len(data)))
            return
        request = ingestor_pb2.SubmitDocumentRequest(
            document=ingestor_pb2.Document(
                document_id=draft.document_id,
                content_base64=base64.b64encode(data).decode(),
                media_type=draft.media_type,
                source_uri=draft.source_uri,
                acl=draft.acl,
            ),
            idempotency_key=str(uuid.uuid4()),
        )
        try:
            submission_id = await self._until_accepted(request)
        except InvalidInput as error:
            self._refuse(draft, error.code or "invalid", str(error))
            return
        self._progress.submitted += 1
        if submissions is not None:
            submissions.put_nowait(_Submission(draft, submission_id))

    async def _until_accepted(self, request: ingestor_pb2.SubmitDocumentRequest) -> str:
        """A folder takes a while, so an ingestor that starts anew meanwhile does not end it."""
        for attempt in range(1, _TRIES + 1):
            try:
                reply: ingestor_pb2.SubmitDocumentResponse = await self._connection.call(
                    IngestorServiceStub, "ingestor", "SubmitDocument", request, repeatable=False
                )
            except Unavailable as error:
                if attempt == _TRIES:
                    raise
                await asyncio.sleep(error.retry_after_seconds or _RECONNECT_SECONDS)
            else:
                return reply.submission_id
        raise AssertionError("the last try returns or raises")

    async def _follow(self, submissions: asyncio.Queue[_Submission]) -> None:
        while True:
            one = await submissions.get()
            event = await self._within_its_turn(one)
            if event is None:
                submissions.put_nowait(one)
            else:
                seconds = _seconds(event) or time.monotonic() - one.at
                outcome = _OUTCOMES[event.state]
                self._progress.finish(
                    Fate(one.draft.document_id, outcome, event.code, event.detail, seconds)
                )
            submissions.task_done()

    async def _within_its_turn(self, one: _Submission) -> ingestor_pb2.DocumentEvent | None:
        """How it ended, None when it has not (yet)."""
        turn_ends = time.monotonic() + self._turn_seconds
        pause = _FIRST_PAUSE
        while (event := await self._event(one)) is None and time.monotonic() < turn_ends:
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE)
        return event

    async def _event(self, one: _Submission) -> ingestor_pb2.DocumentEvent | None:
        request = ingestor_pb2.GetDocumentRequest(document_id=one.draft.document_id)
        try:
            reply: ingestor_pb2.GetDocumentResponse = await self._connection.call(
                IngestorServiceStub,
                "ingestor",
                "GetDocument",
                request,
                timeout=10.0,
                repeatable=False,
            )
        except (NotFound, Unavailable):
            return None
        events = reply.document.timeline
        return next((each for each in events if each.submission_id == one.submission_id), None)

    def _refuse(self, draft: Draft, code: str, detail: str) -> None:
        self._progress.finish(Fate(draft.document_id, "rejected", code, detail))

    async def _raise_on_stall(self, total: int, patience_seconds: float) -> None:
        while True:
            await asyncio.sleep(min(1.0, patience_seconds))
            if time.monotonic() - self._progress.moved_at > patience_seconds:
                raise GyreError(
                    f"{total - len(self._progress.finished)} of {total} documents are accepted but "
                    f"not searchable, and nothing has moved for {patience_seconds:.0f} s: see "
                    "`gyre status` and `gyre logs`; nothing is lost, they are indexed when it "
                    "recovers"
                )


async def _each(drafts: Sequence[Draft], send: Callable[[Draft], Awaitable[None]]) -> None:
    remaining = iter(drafts)

    async def take_turns() -> None:
        for draft in remaining:
            await send(draft)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(take_turns())


def _first(group: ExceptionGroup[Exception]) -> Exception:
    own_errors, _ = group.split(GyreError)
    error: Exception | ExceptionGroup[Exception] = own_errors or group
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error


def _seconds(event: ingestor_pb2.DocumentEvent) -> float:
    span = event.happened_at.ToDatetime() - event.submitted_at.ToDatetime()
    return max(0.0, span.total_seconds())
