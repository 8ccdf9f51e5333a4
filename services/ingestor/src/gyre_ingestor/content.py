"""Gets at the bytes of a submission, wherever it carries them."""

import base64
import binascii
from collections.abc import AsyncIterable, AsyncIterator

from gyre_common.errors import InvalidInput, NotFound
from gyre_common.events.documents import DocumentSubmitted, RejectionCode
from gyre_common.languages import primary_language
from gyre_common.outside_content import ContentTooLargeError, OutsideContent, UriNotAllowedError

from gyre_ingestor.media_types import MediaType, declared_type, telling_part
from gyre_ingestor.reading import ProcessReader
from gyre_ingestor.refused import DocumentRefused

METADATA_CHARACTERS = 16 * 1024
CONTENT_FIELDS = ("text", "content_base64", "content_uri")
_SEND_ONE = f"send exactly one of {', '.join(CONTENT_FIELDS)}"
_BLANK = b" \t\r\n\x0b\x0c\xef\xbb\xbf"


class ContentSource:
    """Reads content of at most `max_bytes` from a record or from the allowed places outside."""

    def __init__(self, outside: OutsideContent, reader: ProcessReader, *, max_bytes: int) -> None:
        self._outside = outside
        self._reader = reader
        self._max_bytes = max_bytes

    def check(self, submission: DocumentSubmitted) -> None:
        """What can be told without the content. Raises DocumentRefused."""
        _content_field(submission)
        self.check_labels(submission)

    def check_labels(self, submission: DocumentSubmitted) -> None:
        """What it says of its content. Raises DocumentRefused."""
        _check_metadata(submission)
        declared_language(submission)
        declared_type(submission.media_type)

    async def fetch(self, submission: DocumentSubmitted) -> tuple[bytes, MediaType]:
        """Get the content, as its producer made it, and decide how to read it.

        Raises:
            DocumentRefused: there is not exactly one content, or it cannot be taken.
            Retryable: the place that it lies in is out of reach.
        """
        _check_metadata(submission)
        declared_language(submission)
        field = _content_field(submission)
        data = await self._bytes(submission, field)
        if len(data) > self._max_bytes:
            raise self._too_large(field)
        if not data.strip(_BLANK):
            raise _empty(field)
        names = (submission.document_id, submission.source_uri, submission.content_uri)
        telling = telling_part(data)
        return data, await self._reader.media_type(telling, submission.media_type, names)

    def check_size(self, size_bytes: int) -> None:
        """Of content that will come. Raises DocumentRefused."""
        if size_bytes > self._max_bytes:
            raise self._too_large("content")

    async def bounded(
        self, pieces: AsyncIterable[bytes], size_bytes: int = 0
    ) -> AsyncIterator[bytes]:
        """Content on its way in.

        Raises:
            DocumentRefused: it is more than may be, or nothing.
            InvalidInput: it is not as much as was announced (0 for nothing that was), as where the
                sender broke off: gRPC ends the stream then as if it were whole.
        """
        size = 0
        async for piece in pieces:
            size += len(piece)
            self.check_size(size)
            yield piece
        if not size:
            raise _empty("content")
        if size_bytes not in (0, size):
            fix = "send it once nobody writes to it any more"
            raise InvalidInput("size_bytes", f"is {size_bytes:,}, and {size:,} came", fix)

    async def _bytes(self, submission: DocumentSubmitted, field: str) -> bytes:
        if field == "text":
            return (submission.text or "").encode("utf-8", errors="replace")
        if field == "content_base64":
            return self._from_base64(submission.content_base64 or "")
        try:
            return await self._outside.read(submission.content_uri or "")
        except UriNotAllowedError as error:
            raise DocumentRefused(
                RejectionCode.URI_NOT_ALLOWED, error.field, error.problem, error.fix
            ) from error
        except ContentTooLargeError as error:
            raise self._too_large(field) from error
        except NotFound as error:
            fix = "submit the document again once the file is there"
            raise DocumentRefused(
                RejectionCode.CONTENT_NOT_FOUND, field, "points to nothing", fix
            ) from error

    def _from_base64(self, encoded: str) -> bytes:
        compact = "".join(encoded.split())
        if len(compact) // 4 * 3 > self._max_bytes + 2:
            raise self._too_large("content_base64")
        try:
            return base64.b64decode(compact, validate=True)
        except (binascii.Error, ValueError) as error:
            fix = "encode the bytes as in RFC 4648, section 4"
            raise DocumentRefused(
                RejectionCode.BAD_BASE64, "content_base64", "is not base64", fix
            ) from error

    def _too_large(self, field: str) -> DocumentRefused:
        problem = f"is larger than {self._max_bytes} bytes"
        fix = "split the document, or raise GYRE_MAX_DOCUMENT_BYTES"
        return DocumentRefused(RejectionCode.TOO_LARGE, field, problem, fix)


def _check_metadata(submission: DocumentSubmitted) -> None:
    """It stands in every record of the document, beside its chunks."""
    size = sum(len(name) + len(value) for name, value in submission.metadata.items())
    for field, characters in (("metadata", size), ("acl", sum(map(len, submission.acl)))):
        if characters > METADATA_CHARACTERS:
            problem = f"is larger than {METADATA_CHARACTERS} characters"
            fix = "keep there only what searches are filtered by"
            raise DocumentRefused(RejectionCode.TOO_LARGE, field, problem, fix)


def declared_language(submission: DocumentSubmitted) -> str:
    """The language that its producer names, without script and region; empty where it names none.

    Raises DocumentRefused: it is no language tag.
    """
    try:
        return primary_language(submission.language) if submission.language else ""
    except ValueError as error:
        fix = "send one such as de or pt-BR, or leave it out: it is told from the text"
        raise DocumentRefused(RejectionCode.BAD_LANGUAGE, "language", str(error), fix) from error


def _content_field(submission: DocumentSubmitted) -> str:
    sent = [field for field in CONTENT_FIELDS if getattr(submission, field) is not None]
    filled = [field for field in sent if getattr(submission, field)]
    if len(filled) > 1:
        problem = f"stands beside {filled[0]}"
        raise DocumentRefused(RejectionCode.SEVERAL_CONTENTS, filled[1], problem, _SEND_ONE)
    if filled:
        return filled[0]
    if sent:
        raise _empty(sent[0])
    fix = f"{_SEND_ONE}, or deleted: true"
    raise DocumentRefused(RejectionCode.NO_CONTENT, "content", "is missing", fix)


def _empty(field: str) -> DocumentRefused:
    return DocumentRefused(
        RejectionCode.EMPTY, field, "is empty", "send a document with text, or delete it"
    )
