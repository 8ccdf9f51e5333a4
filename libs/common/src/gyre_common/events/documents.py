"""What happens to a document on its way from a producer to the index."""

from enum import StrEnum
from uuid import UUID

from pydantic import Field

from gyre_common.events.event import (
    AccessGroup,
    Digest,
    DocumentId,
    Event,
    EventPart,
    Text,
    Timestamp,
    Version,
)
from gyre_common.events.sources import SourceName
from gyre_common.events.topic import DAY_MS, Topic


class DocumentEvent(Event):
    """A fact about a document."""

    document_id: DocumentId


def by_document(event: DocumentEvent) -> str:
    """One document, one partition."""
    return f"{event.tenant}/{event.document_id}"


class DocumentSubmitted(DocumentEvent):
    """A producer asks for a document to be stored, replaced or deleted.

    Exactly one of `text`, `content_base64` and `content_uri` carries the content, unless `deleted`.
    A submission that breaks that rule parses all the same: it is rejected with a reason the
    producer can read, instead of parked as a broken record. So is one with an unknown field whose
    name is close to a known one that is missing.

    `part_of` is the document that this one came within, an archive or a mail: all that it holds in
    turn came with it too. `language` is a tag of BCP 47; without one it is told from the text.
    `writer_groups` are the groups of who submitted it by RPC: they write no document that they may
    not read. A producer who writes the record itself is trusted and sends none.
    """

    title: Text | None = Field(default=None, max_length=1024)
    text: Text | None = None
    content_base64: str | None = None
    content_uri: str | None = Field(default=None, max_length=4096)
    media_type: str | None = Field(default=None, max_length=256)
    language: str | None = Field(default=None, max_length=256)
    source_uri: Text | None = Field(default=None, max_length=4096)
    metadata: dict[str, Text] = Field(default_factory=dict)
    acl: tuple[AccessGroup, ...] = ()
    source: SourceName | None = None
    deleted: bool = False
    submitted_at: Timestamp | None = None
    part_of: DocumentId | None = None
    writer_groups: tuple[AccessGroup, ...] | None = None


class DocumentHeader(DocumentEvent):
    """What every stage after acceptance knows of the document.

    `submission_id` is the id of the submission that this state of the document came from, `source`
    the name of the source that brought it, if one did. `language` is the producer's word, without
    script and region, until the document is read; then, where there was none, what its text is in,
    `und` where that cannot be told.
    """

    submission_id: UUID
    submitted_at: Timestamp
    title: Text = ""
    media_type: str = "text/plain"
    language: str = ""
    source_uri: Text | None = None
    metadata: dict[str, Text] = Field(default_factory=dict)
    acl: tuple[AccessGroup, ...] = ()
    source: SourceName | None = None
    deleted: bool = False


class DocumentAccepted(DocumentHeader):
    """A checked submission, re-keyed, its content stored. Compacted.

    The record's own offset is the document's revision: one document has one partition, so its
    revisions rise with every change (docs/adr/0003).
    """

    content_ref: str | None = None
    content_digest: Digest | None = None
    size_bytes: int = 0
    accepted_at: Timestamp


class Chunk(EventPart):
    """A passage: `start` and `end` are character offsets into the document's cleaned text.

    `position` is where it stands in the original, for people (`page 4`, `sheet Prices`); empty
    where that has no such parts.
    """

    chunk_id: UUID
    ordinal: int = Field(ge=0)
    text: Text
    heading_path: tuple[Text, ...] = ()
    position: Text = ""
    start: int = Field(ge=0)
    end: int = Field(ge=0)


class ForShadow(EventPart):
    """For whose index a document was read again."""

    version: Version
    generation: int = Field(ge=0)


class FindingKind(StrEnum):
    """What is wrong with the words of a document: they instruct the model, or they abuse people."""

    INSTRUCTIONS = "instructions"
    TOXICITY = "toxicity"


class Finding(EventPart):
    """A place in a document that somebody should look at.

    `rule` says in words what was seen, `sentence` holds it (at most 300 characters), and `position`
    is where it stands, for people (`page 4`, `line 12`, `title`).
    """

    kind: FindingKind
    rule: str
    sentence: Text
    position: Text = ""


class QuarantineVerdict(StrEnum):
    """What somebody decided of a document's content: it may be searched, or rightly stays
    out.
    """

    RELEASED = "released"
    CONFIRMED = "confirmed"


class Screening(EventPart):
    """What a document was screened to hold, and what follows. `held`: it is not to be searched.

    `verdict` stands where somebody decided of this content: `actor` did, because of `reason`.
    """

    findings: tuple[Finding, ...] = Field(min_length=1)
    held: bool
    verdict: QuarantineVerdict | None = None
    actor: str = ""
    reason: Text = ""


class DocumentChunked(DocumentHeader):
    """A document parsed and split. Compacted, so that the index can be rebuilt from it.

    One with a `screening` holds what somebody should look at; where that is held, it has no chunks,
    and nothing of it or of the revisions before is to be searched.

    Chunks that would pass the record limit travel by reference: `chunks_ref` then points to a
    JSON array of chunks in the store, and `chunks` is empty. A deletion has no `chunked_at`.

    With `rebuild` the document did not change: it was read again for that version of the document
    encoder, the shadow since that generation of the release; the live index has it already.

    `notes` say for people what of the original was not read, and what they can do.
    """

    revision: int = Field(ge=0)
    content_digest: Digest | None = None
    ingestion_version: Version
    chunks: tuple[Chunk, ...] = ()
    chunks_ref: str | None = None
    chunks_digest: Digest | None = None
    accepted_at: Timestamp | None = None
    chunked_at: Timestamp | None = None
    rebuild: ForShadow | None = None
    screening: Screening | None = None
    notes: tuple[Text, ...] = ()

    @property
    def held(self) -> bool:
        """Whether it is kept out of the index until somebody has looked at it."""
        return self.screening is not None and self.screening.held


class DocumentIndexed(DocumentEvent):
    """A document's chunks are searchable, or gone if it was deleted."""

    revision: int = Field(ge=0)
    submission_id: UUID
    deleted: bool = False
    index: str
    encoder_version: Version
    chunk_count: int = Field(ge=0)
    encoded_count: int = Field(ge=0)
    submitted_at: Timestamp
    searchable_at: Timestamp

    @property
    def freshness_seconds(self) -> float:
        """Submitted → searchable, in seconds."""
        delta: float = (self.searchable_at - self.submitted_at).total_seconds()
        return delta


class RejectionStage(StrEnum):
    """Where a document was turned away."""

    ACCEPT = "accept"
    PARSE = "parse"
    CHUNK = "chunk"


class RejectionCode(StrEnum):
    """Why a document was turned away."""

    NO_CONTENT = "no_content"
    SEVERAL_CONTENTS = "several_contents"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    BAD_BASE64 = "bad_base64"
    BAD_ENCODING = "bad_encoding"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    MEDIA_TYPE_MISMATCH = "media_type_mismatch"
    BAD_LANGUAGE = "bad_language"
    URI_NOT_ALLOWED = "uri_not_allowed"
    CONTENT_NOT_FOUND = "content_not_found"
    CORRUPT = "corrupt"
    INVALID_RECORD = "invalid_record"
    UNKNOWN_FIELD = "unknown_field"
    NAME_RESERVED = "name_reserved"


class DocumentRejected(DocumentEvent):
    """A document was turned away; `detail` names the field and the fix.

    `accepted_at` is there if it was accepted before. `acl` is that of what was submitted: it is
    for nobody else that there was something.
    """

    submission_id: UUID
    acl: tuple[AccessGroup, ...] = ()
    source: SourceName | None = None
    revision: int | None = Field(default=None, ge=0)
    stage: RejectionStage
    code: RejectionCode
    detail: Text
    submitted_at: Timestamp
    accepted_at: Timestamp | None = None
    rejected_at: Timestamp


class DocumentQuarantined(DocumentEvent):
    """A document holds what somebody should look at: it is `held`, or searchable and marked."""

    submission_id: UUID
    source: SourceName | None = None
    revision: int = Field(ge=0)
    content_digest: Digest
    held: bool
    findings: tuple[Finding, ...]
    submitted_at: Timestamp
    accepted_at: Timestamp
    quarantined_at: Timestamp


class QuarantineDecided(DocumentEvent):
    """Somebody decided of a quarantined document. Compacted: it holds for that content of that
    document, read as that media type, whenever it comes again; for what was seen in the title,
    which is no part of the content, under that title.
    """

    content_digest: Digest
    media_type: str
    title: Text = ""
    revision: int = Field(ge=0)
    verdict: QuarantineVerdict
    actor: str = ""
    reason: Text = ""
    decided_at: Timestamp


def by_content(event: QuarantineDecided | DocumentAccepted) -> str:
    """One decision for one content of a document."""
    return f"{by_document(event)}/{event.content_digest}"


DOCUMENT_SUBMITTED = Topic(
    "documents.submitted.v1",
    DocumentSubmitted,
    key=by_document,
    summary="Producers submit, replace and delete documents here. A restricted raw zone.",
    from_outside=True,
    broker_time=True,
    retention_ms=7 * DAY_MS,
)
DOCUMENT_ACCEPTED = Topic(
    "documents.accepted.v1",
    DocumentAccepted,
    key=by_document,
    summary="Checked submissions, in order per document, by reference to the stored original.",
    compacted=True,
)
DOCUMENT_CHUNKED = Topic(
    "documents.chunked.v1",
    DocumentChunked,
    key=by_document,
    summary="Documents parsed and split into passages.",
    compacted=True,
)
DOCUMENT_INDEXED = Topic(
    "documents.indexed.v1",
    DocumentIndexed,
    key=by_document,
    summary="Documents that became searchable, or disappeared from search.",
)
DOCUMENT_REJECTED = Topic(
    "documents.rejected.v1",
    DocumentRejected,
    key=by_document,
    summary="Documents that were turned away, with a reason code.",
)
DOCUMENT_QUARANTINED = Topic(
    "documents.quarantined.v1",
    DocumentQuarantined,
    key=by_document,
    summary="Documents that instruct the model or abuse people, with the sentences that do.",
)
QUARANTINE_DECIDED = Topic(
    "quarantines.decided.v1",
    QuarantineDecided,
    key=by_content,
    summary="What people decided of quarantined documents.",
    compacted=True,
)
