"""Reads documents in processes of their own: one that hangs or eats memory harms nobody else."""

import asyncio
import multiprocessing
import resource
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as FutureTimeout
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple, Self, TypeVar, TypeVarTuple
from uuid import UUID

from gyre_common.errors import Retryable
from gyre_common.events.documents import (
    Chunk,
    DocumentAccepted,
    Finding,
    FindingKind,
    RejectionCode,
)
from gyre_common.personal_data import Redaction
from gyre_common.redaction.choices import choices
from pebble import ProcessExpired, ProcessPool
from pydantic import TypeAdapter

from gyre_ingestor.chunking import ChunkRecipe, chunk
from gyre_ingestor.formats import FORMATS
from gyre_ingestor.formats.parsed_document import ParsedDocument
from gyre_ingestor.language import language_of
from gyre_ingestor.media_types import MediaType, media_type_of, parse_media_type
from gyre_ingestor.redacting import redacted_document
from gyre_ingestor.refused import DocumentRefused, unreadable
from gyre_ingestor.screening.choices import Quarantine, quarantine_choices
from gyre_ingestor.screening.screen import instructing_passages, screen
from gyre_ingestor.tokens import encoder_tokenizer
from gyre_ingestor.unpacking import UnpackedFile, unpack

_OUTLINES = TypeAdapter(ParsedDocument)
_TRIES = 2
_STOP_SECONDS = 5.0
_SECONDS_PER_MIB = 6.0
_REDACTING_SECONDS_PER_MIB = 20.0
_NAMING_SECONDS_PER_MIB = 300.0
_LONGEST_TITLE = 1024

Ts = TypeVarTuple("Ts")
R_ = TypeVar("R_")


class ReadResult(NamedTuple):
    """A document as it was read. `title` and `language` are the producer's, else the document's
    own. `outline` is what is left to read again where the original goes, as JSON; empty where it
    stays. `findings` are what somebody should look at, where its tenant has not chosen to index it
    all, `instructing` the passages with such words, where the others are to be searched all the
    same. `notes` say what of it was not read.
    """

    title: str
    language: str
    chunks: tuple[Chunk, ...]
    findings: tuple[Finding, ...] = ()
    outline: bytes = b""
    notes: tuple[str, ...] = ()
    instructing: frozenset[UUID] = frozenset()


class ProcessReader:
    """Looks at documents in bounded time, whatever they hold.

    A document gets `time_limit` seconds of one, and `_SECONDS_PER_MIB` more for its size, or some
    more where it is redacted: about four times what well-formed text takes. `processes` documents
    are read at once; one process more is kept for looking at what comes in, which callers wait for.
    """

    def __init__(self, *, processes: int, time_limit: float, memory_bytes: int) -> None:
        self._processes = processes
        self._read_slots = asyncio.Semaphore(processes)
        self._time_limit = time_limit
        self._memory_bytes = memory_bytes

    async def __aenter__(self) -> Self:
        self._pool = self._new_pool()
        return self

    async def __aexit__(self, *exc: object) -> None:
        await _stop_pool(self._pool)

    async def media_type(
        self, head: bytes, declared: str | None, names: tuple[str | None, ...]
    ) -> MediaType:
        """Do as the function `media_type_of`."""
        return await self._run(self._time_limit, media_type_of, head, declared, names)

    async def read(
        self, document: DocumentAccepted, content: bytes, recipe: ChunkRecipe
    ) -> ReadResult:
        """Do as the function `read`."""
        limit = self._limit(content, _redacting_seconds_per_mib(document.tenant))
        async with self._read_slots:
            return await self._run(limit, read, document, content, recipe)

    async def read_outline(
        self, document: DocumentAccepted, outline: bytes, recipe: ChunkRecipe
    ) -> ReadResult:
        """Do as the function `read_outline`."""
        limit = self._limit(outline, _redacting_seconds_per_mib(document.tenant))
        async with self._read_slots:
            return await self._run(limit, read_outline, document, outline, recipe)

    async def unpack(
        self, content: bytes, media_type: MediaType, tenant: str, document_id: str, folder: Path
    ) -> Sequence[UnpackedFile]:
        """Do as the function `unpack`."""
        limit, kind = self._limit(content), media_type.name
        async with self._read_slots:
            return await self._run(limit, unpack, content, kind, tenant, document_id, folder)

    async def healthy(self) -> bool:
        """Tell whether the processes take work; ones that broke are replaced."""
        return bool((await self._working_pool()).active)

    def _limit(self, content: bytes, more_per_mib: float = 0.0) -> float:
        return self._time_limit + (_SECONDS_PER_MIB + more_per_mib) * len(content) / 1024**2

    async def _run(self, limit: float, work: Callable[[*Ts], R_], *args: *Ts) -> R_:
        for attempt in range(1, _TRIES + 1):
            pool = await self._working_pool()
            future = pool.schedule(run_guarded, [work, *args], timeout=limit)
            try:
                return await asyncio.wrap_future(future)
            except FutureTimeout as error:
                raise unreadable(f"took more than {limit:.0f} s to read") from error
            except BrokenProcessPool as error:
                raise Retryable("the processes that read documents ended") from error
            except (ProcessExpired, MemoryError) as error:
                # Once may be the machine's fault; the same document twice is the document's.
                if attempt == _TRIES:
                    raise unreadable("broke the parser or its memory limit") from error
        raise AssertionError("unreachable")

    async def _working_pool(self) -> ProcessPool:
        """The pool, or a new one: a pool breaks for good when a process that does nothing ends."""
        if not self._pool.active:
            broken_pool, self._pool = self._pool, self._new_pool()
            await _stop_pool(broken_pool)
        return self._pool

    def _new_pool(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self._processes + 1,
            initializer=_prepare_process,
            initargs=(self._memory_bytes,),
            # Not forked: this process runs gRPC's threads, whose locks a fork would copy.
            context=multiprocessing.get_context("spawn"),
        )


def _redacting_seconds_per_mib(tenant: str) -> float:
    if choices().of(tenant) is Redaction.KEEP:
        return 0.0
    return _NAMING_SECONDS_PER_MIB if choices().pipeline else _REDACTING_SECONDS_PER_MIB


async def _stop_pool(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    await asyncio.to_thread(pool.join, _STOP_SECONDS)


def _prepare_process(memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
    encoder_tokenizer()


def run_guarded(work: Callable[[*Ts], R_], *args: *Ts) -> R_:
    """Do a parser's work; whatever it raises is the document's fault.

    The error itself stays here: one that cannot be unpickled would break the pool of processes. Its
    message stays here too, as it may quote the document.

    Raises:
        DocumentRefused: by the work, or in place of what it raised.
        Retryable, MemoryError: the work needs more than there is.
    """
    try:
        return work(*args)
    except (DocumentRefused, Retryable, MemoryError):
        raise
    except BaseException as error:  # noqa: BLE001 - a panic of a parser in Rust is no Exception
        where = traceback.extract_tb(error.__traceback__)[-1].name
        raise unreadable(f"broke its parser ({type(error).__name__} in {where})") from None


def read(document: DocumentAccepted, content: bytes, recipe: ChunkRecipe) -> ReadResult:
    """Decode, parse, redact, cut and screen. Pure, so that it can run in another process.

    Raises DocumentRefused: the bytes are no text, or nothing is left to search for.
    """
    media_type = parse_media_type(document.media_type)
    document_format = FORMATS[media_type.name]
    parsed = document_format.parse(content, media_type.charset)
    result = _cut(document, parsed, recipe)
    if not result.chunks and document_format.has_text:
        problem = "holds no text that a reader would see"
        fix = "send a document with text, or delete it"
        raise DocumentRefused(RejectionCode.EMPTY, "content", problem, fix)
    return result


def read_outline(document: DocumentAccepted, outline: bytes, recipe: ChunkRecipe) -> ReadResult:
    """Cut what an earlier `read` left of a document. Pure, too."""
    return _cut(document, _OUTLINES.validate_json(outline), recipe)


def _cut(document: DocumentAccepted, parsed: ParsedDocument, recipe: ChunkRecipe) -> ReadResult:
    parsed = redacted_document(parsed, document.tenant)
    title = document.title or parsed.title[:_LONGEST_TITLE]
    chunks = chunk(parsed, document.tenant, document.document_id, title, recipe)
    stays = choices().of(document.tenant) is Redaction.KEEP
    language = document.language or language_of(parsed)
    findings = _findings(document.tenant, parsed, title)
    instructing = _instructing(document.tenant, parsed, title, chunks) if findings else frozenset()
    outline = b"" if stays else _OUTLINES.dump_json(parsed)
    return ReadResult(title, language, chunks, findings, outline, parsed.notes, instructing)


def _instructing(
    tenant: str, parsed: ParsedDocument, title: str, chunks: Sequence[Chunk]
) -> frozenset[UUID]:
    choices = quarantine_choices()
    if (
        choices.of(tenant) is not Quarantine.MARK
        or FindingKind.INSTRUCTIONS not in choices.quarantine_kinds
    ):
        return frozenset()
    return instructing_passages(parsed, title, chunks)


def _findings(tenant: str, parsed: ParsedDocument, title: str) -> tuple[Finding, ...]:
    choices = quarantine_choices()
    if choices.of(tenant) is Quarantine.OFF:
        return ()
    return screen(parsed, title, tenant, choices.quarantine_kinds)
