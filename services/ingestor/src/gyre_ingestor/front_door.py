"""What callers may ask of documents: submit, delete, look up, list."""

import asyncio
import base64
import binascii
from collections.abc import AsyncIterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from uuid import NAMESPACE_URL, UUID, uuid5

from gyre_common.context import RequestContext
from gyre_common.dated_store import DatedStore
from gyre_common.document_index import DocumentRecord, DocumentState
from gyre_common.errors import InvalidInput, NotFound
from gyre_common.events.documents import DOCUMENT_SUBMITTED, DocumentSubmitted
from gyre_common.events.event import derived_id, new_id, now
from gyre_common.events.publisher import Publisher
from gyre_common.events.topic import LARGEST_EVENT
from gyre_common.idempotency import fingerprint_of
from gyre_common.languages import primary_language
from gyre_common.lines import check_line
from pydantic import ValidationError

from gyre_ingestor.content import CONTENT_FIELDS, ContentSource
from gyre_ingestor.duplicates import Duplicate
from gyre_ingestor.elasticsearch_documents import ElasticsearchDocuments
from gyre_ingestor.refused import DocumentRefused
from gyre_ingestor.write_gate import NO_DOCUMENT, WriteGate

DEFAULT_PAGE, LARGEST_PAGE = 100, 1000
_LONGEST_IDEMPOTENCY_KEY = 256
_LONGEST_SEARCH = 200
_LONGEST_NAME = 4096
"""A name of 512 characters has at most 2,048 bytes, and a token a third more."""
_MOST_NAMED = 100


class FrontDoor:
    """Serves requests about documents; everything it changes, it changes by an event.

    Without a `gate` who submits is the system itself, and may write every document.
    """

    def __init__(
        self,
        contents: ContentSource,
        uploads: DatedStore,
        publisher: Publisher,
        documents: ElasticsearchDocuments,
        gate: WriteGate | None = None,
    ) -> None:
        self._contents = contents
        self._uploads = uploads
        self._publisher = publisher
        self._documents = documents
        self._gate = gate

    async def submit(
        self, caller: RequestContext, fields: Mapping[str, object], idempotency_key: str = ""
    ) -> UUID:
        """Check a submission and put it on its topic; returns its id once Kafka has it.

        Raises:
            InvalidInput: a field cannot work, the name is another document's, or the idempotency
                key came with another request.
            NotFound: it is a deletion, and there is no document that the caller may know of.
            Retryable: Kafka or the store did not confirm in time.
        """
        return await self._submit(caller, fields, idempotency_key, {**fields, "submitted_at": ""})

    async def _submit(
        self,
        caller: RequestContext,
        fields: Mapping[str, object],
        idempotency_key: str,
        request: Mapping[str, object],
    ) -> UUID:
        """`request` is what a retry has in common with the first try."""
        submission = self._checked(caller, fields)
        _check_key(idempotency_key)
        if self._gate is not None:
            with _refused_at_once():
                await self._gate.check(caller, submission)
        if not submission.deleted:
            submission = await self._with_checked_content(submission)
        fingerprint = await asyncio.to_thread(fingerprint_of, request) if idempotency_key else ""
        if self._gate is not None:
            self._gate.check_key(idempotency_key, submission, fingerprint)
        submission_id = _submission_id(submission, idempotency_key, fingerprint)
        await self._publisher.publish(DOCUMENT_SUBMITTED, submission, event_id=submission_id)
        if self._gate is not None:
            self._gate.remember(submission)
        return submission_id

    def _checked(self, caller: RequestContext, fields: Mapping[str, object]) -> DocumentSubmitted:
        writer = None if self._gate is None else caller.acl
        return _submission(caller.tenant, {**fields, "writer_groups": writer})

    async def upload(
        self,
        caller: RequestContext,
        fields: Mapping[str, object],
        pieces: AsyncIterable[bytes],
        idempotency_key: str = "",
        size_bytes: int = 0,
    ) -> UUID:
        """As `submit`, of content that comes in pieces and is never held whole. A `size_bytes` says
        how much will come: what is too large is refused before it does.
        """
        sent = [name for name in CONTENT_FIELDS if fields.get(name)]
        if sent:
            fix = "leave it out: the content is what follows"
            raise InvalidInput(f"document.{sent[0]}", "stands beside an upload", fix)
        submission = self._checked(caller, fields)
        _check_key(idempotency_key)
        with _refused_at_once():
            if self._gate is not None:
                await self._gate.check(caller, submission)
            self._contents.check_labels(submission)
            self._contents.check_size(size_bytes)
            content = await self._uploads.put_stream(self._contents.bounded(pieces, size_bytes))
        by_reference = {**fields, "content_uri": content.uri}
        # Tomorrow the same content has another place.
        request = {**fields, "content_digest": content.digest, "submitted_at": ""}
        return await self._submit(caller, by_reference, idempotency_key, request)

    async def get(self, caller: RequestContext, document_id: str) -> DocumentRecord:
        """Where a document stands. Raises NotFound: there is none that the caller may know of."""
        record = await self._documents.get(caller.tenant, document_id)
        if record is None or not caller.may_read(record.acl):
            raise NotFound(NO_DOCUMENT)
        return _as_seen_by(caller, record)

    async def duplicates(
        self, caller: RequestContext, records: Sequence[DocumentRecord]
    ) -> Sequence[Sequence[Duplicate]]:
        """Of each of these documents those that say the same and that the caller may read."""
        return await self._documents.duplicates(records, caller.acl)

    async def page(
        self,
        caller: RequestContext,
        *,
        page_size: int,
        page_token: str,
        search: str = "",
        state: DocumentState | None = None,
        document_ids: Sequence[str] = (),
        language: str = "",
        only_screened: bool = False,
    ) -> tuple[Sequence[DocumentRecord], str]:
        """One page of documents, and the token of the next (empty after the last).

        Raises InvalidInput: the size, the token, the search, the names or the language cannot work.
        """
        check_line("search", search, most=_LONGEST_SEARCH)
        if not 0 <= page_size <= LARGEST_PAGE:
            raise InvalidInput("page_size", f"is {page_size}", f"ask for 1 to {LARGEST_PAGE}")
        if max(map(len, (page_token, *document_ids)), default=0) > _LONGEST_NAME:
            field = "page_token" if len(page_token) > _LONGEST_NAME else "document_ids"
            fix = f"send {_LONGEST_NAME:,} characters at most: no document has a longer name"
            raise InvalidInput(field, "is longer than any", fix)
        if len(document_ids) > _MOST_NAMED:
            problem = f"has {len(document_ids):,} names"
            raise InvalidInput("document_ids", problem, f"send {_MOST_NAMED} at a time")
        try:
            after = base64.b64decode(page_token, altchars=b"-_", validate=True).decode()
        except (binascii.Error, ValueError) as error:
            raise InvalidInput(
                "page_token", "is not one of ours", "send next_page_token of the page before"
            ) from error
        limit = page_size or DEFAULT_PAGE
        records = await self._documents.page(
            caller.tenant,
            caller.acl,
            search=search,
            state=state,
            document_ids=document_ids,
            language=_language(language),
            only_screened=only_screened,
            after=after,
            limit=limit,
        )
        seen = [_as_seen_by(caller, record) for record in records]
        return seen, token_after(records[-1].document_id) if len(records) == limit else ""

    async def _with_checked_content(self, submission: DocumentSubmitted) -> DocumentSubmitted:
        """Refuse now what would be rejected later; let a large body travel by reference.

        What `content_uri` points to is left to the stream: reading it may take long.
        """
        with _refused_at_once():
            if submission.content_uri:
                self._contents.check(submission)
                return submission
            content, media_type = await self._contents.fetch(submission)
        if len(submission.to_json()) <= LARGEST_EVENT:
            return submission
        upload = await self._uploads.put(content)
        by_reference = {"content_uri": upload.uri, "media_type": str(media_type)}
        return submission.model_copy(update={"text": None, "content_base64": None, **by_reference})


def token_after(document_id: str) -> str:
    """The token of a page that begins behind a document."""
    return base64.urlsafe_b64encode(document_id.encode()).decode()


@contextmanager
def _refused_at_once() -> Iterator[None]:
    """What would be rejected later is the call's fault now."""
    try:
        yield
    except DocumentRefused as refusal:
        raise InvalidInput(
            f"document.{refusal.field}", refusal.problem, refusal.fix, code=refusal.code
        ) from refusal


def _language(tag: str) -> str:
    try:
        return primary_language(tag) if tag else ""
    except ValueError as error:
        raise InvalidInput("language", str(error), "name one such as de, or und") from error


def _submission(tenant: str, fields: Mapping[str, object]) -> DocumentSubmitted:
    try:
        return DocumentSubmitted.model_validate({"submitted_at": now(), **fields, "tenant": tenant})
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in ("document", *first["loc"]))
        problem = first["msg"].removeprefix("Value error, ")
        raise InvalidInput(field, "is not valid", problem[:1].lower() + problem[1:]) from error


def _as_seen_by(caller: RequestContext, record: DocumentRecord) -> DocumentRecord:
    """Without what was turned away and would have been for others."""
    timeline = tuple(each for each in record.timeline if caller.may_read(each.acl))
    return record.model_copy(update={"timeline": timeline})


def _check_key(idempotency_key: str) -> None:
    check_line("idempotency_key", idempotency_key, most=_LONGEST_IDEMPOTENCY_KEY)


def _submission_id(submission: DocumentSubmitted, idempotency_key: str, fingerprint: str) -> UUID:
    if not idempotency_key:
        return new_id()
    document = uuid5(NAMESPACE_URL, f"gyre:{submission.tenant}/{submission.document_id}")
    return derived_id(document, f"submission/{idempotency_key}\n{fingerprint}")
