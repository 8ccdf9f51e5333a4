"""The heavy part: a document's bytes → its chunks. Pure, so that it can run in another process."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import ParamSpec, Protocol, TypeVar

from gyre_common.events.documents import Chunk, RejectionCode

from gyre_ingestor.chunking.chunks import chunk
from gyre_ingestor.chunking.recipe import ChunkRecipe
from gyre_ingestor.cleaning import clean
from gyre_ingestor.decoding import decode
from gyre_ingestor.media_types import HTML, MediaType, parse_media_type
from gyre_ingestor.parsers import parse
from gyre_ingestor.refusal import DocumentRefused

P_ = ParamSpec("P_")
R_ = TypeVar("R_")


@dataclass(frozen=True)
class ReadingTask:
    """A document to be read. `title` is the producer's; the document's own stands where empty."""

    tenant: str
    document_id: str
    title: str
    media_type: str
    content: bytes
    recipe: ChunkRecipe


@dataclass(frozen=True)
class ReadResult:
    """A document as it was read."""

    title: str
    chunks: tuple[Chunk, ...]


class Reader(Protocol):
    """Looks at documents in bounded time, whatever they hold."""

    async def media_type(
        self, head: bytes, declared: str | None, names: tuple[str | None, ...]
    ) -> MediaType:
        """Decide how to read a document, as `media_type_of` does.

        Raises:
            DocumentRefused: it cannot be read, or is not what it is declared to be.
        """

    async def read(self, task: ReadingTask) -> ReadResult:
        """Read a document.

        Raises:
            DocumentRefused: it cannot be read.
        """


def run_guarded(work: Callable[P_, R_], *args: P_.args, **kwargs: P_.kwargs) -> R_:
    """Do a parser's work; whatever it raises is the document's fault.

    The error itself stays here: one that cannot be unpickled would break the pool of processes. Its
    message stays here too, as it may quote the document.

    Raises:
        DocumentRefused: by the work, or in place of what it raised.
        MemoryError: the work needs more than there is.
    """
    try:
        return work(*args, **kwargs)
    except (DocumentRefused, MemoryError):
        raise
    except BaseException as error:  # noqa: BLE001 - a panic of a parser in Rust is no Exception
        where = traceback.extract_tb(error.__traceback__)[-1].name
        raise unreadable_document(f"broke its parser ({type(error).__name__} in {where})") from None


def unreadable_document(problem: str) -> DocumentRefused:
    """The refusal of a document that no parser gets through."""
    return DocumentRefused(
        RejectionCode.CORRUPT,
        "content",
        problem,
        "check that it is a well-formed document, or split it into smaller ones",
    )


def read(task: ReadingTask) -> ReadResult:
    """Decode, clean, parse and cut.

    Raises:
        DocumentRefused: the bytes are no text, or nothing is left to search for.
    """
    media_type = parse_media_type(task.media_type)
    text = clean(decode(task.content, media_type.charset, html=media_type.name == HTML))
    parsed = parse(text, media_type.name)
    title = task.title or parsed.title[:1024]
    chunks = chunk(
        parsed,
        tenant=task.tenant,
        document_id=task.document_id,
        title=title,
        recipe=task.recipe,
    )
    if not chunks:
        raise DocumentRefused(
            RejectionCode.EMPTY,
            "content",
            "holds no text that a reader would see",
            "send a document with text, or delete it",
        )
    return ReadResult(title, chunks)
