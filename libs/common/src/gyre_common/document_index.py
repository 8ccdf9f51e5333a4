"""The head record of a document: what the embedder writes and the ingestor's RPCs read."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import Field

from gyre_common.chunk_index import ENGLISH
from gyre_common.events.documents import FindingKind, Screening
from gyre_common.events.event import Digest, DocumentId, EventPart, Tenant, Timestamp, Version

DOCUMENTS_INDEX = "gyre-documents"
TIMELINE_LENGTH = 20


class DocumentState(StrEnum):
    """Where a document stands."""

    INDEXED = "indexed"
    REJECTED = "rejected"
    DELETED = "deleted"
    QUARANTINED = "quarantined"


class DocumentHappening(EventPart):
    """What a submission of a document came to, at `happened_at`, and when it got how far.

    A stage that it did not reach has no time, nor has one before times of stages were kept.
    `source` is the name of the source that brought it, if one did; `notes` say what was not read.
    One that was turned away is for those whom its own `acl` lets read it.
    """

    state: DocumentState
    submission_id: UUID
    acl: tuple[str, ...] = ()
    source: str | None = None
    revision: int | None = None
    submitted_at: Timestamp
    accepted_at: Timestamp | None = None
    chunked_at: Timestamp | None = None
    happened_at: Timestamp
    stage: str = ""
    code: str = ""
    detail: str = ""
    screening: Screening | None = None
    notes: tuple[str, ...] = ()


class DocumentRecord(EventPart):
    """The newest state of a document and its latest `TIMELINE_LENGTH` happenings, oldest first.

    `revision` is the highest one applied; a lower one that comes later changes nothing. It is -1
    for a document of which nothing was ever accepted. Of its `chunk_count` passages that revision
    had `encoded_count` encoded; the others were known from the revision before. `language` is empty
    for one that was indexed before languages were told. `sketch` and `bands` are of the words of
    that revision; a record of before they were kept has none. `screened` are the kinds of what it
    holds that somebody should look at, unless they released it.
    """

    tenant: Tenant
    document_id: DocumentId
    state: DocumentState
    title: str = ""
    media_type: str = ""
    language: str = ""
    source_uri: str | None = None
    source: str | None = None
    metadata: dict[str, str] = Field(default_factory=dict)
    acl: tuple[str, ...] = ()
    revision: int = -1
    content_digest: Digest | None = None
    chunk_count: int = 0
    encoded_count: int = 0
    index: str = ""
    encoder_version: Version | None = None
    sketch: str = ""
    bands: tuple[str, ...] = ()
    screened: tuple[FindingKind, ...] = ()
    timeline: tuple[DocumentHappening, ...] = ()

    @property
    def submitted_at(self) -> datetime | None:
        """When the newest revision was; None where that is no longer in the timeline."""
        of_revision = (each for each in self.timeline if each.revision == self.revision)
        return max((each.submitted_at for each in of_revision), default=None)


_NOT_INDEXED = {"type": "object", "enabled": False}
_LINE = {"type": "keyword", "ignore_above": 4096}
DOCUMENTS_MAPPING: Mapping[str, Any] = MappingProxyType(
    {
        "dynamic": "strict",
        "properties": {
            **{key: {"type": "keyword"} for key in DocumentRecord.model_fields},
            "title": {"type": "text", "analyzer": ENGLISH, "fields": {"keyword": _LINE}},
            "source_uri": _LINE,
            "metadata": _NOT_INDEXED,
            "revision": {"type": "long"},
            "chunk_count": {"type": "integer"},
            "encoded_count": {"type": "integer"},
            "sketch": {"type": "keyword", "index": False, "doc_values": False},
            "timeline": _NOT_INDEXED,
        },
    }
)
"""How Elasticsearch keeps the records."""


def record_key(tenant: str, document_id: str) -> str:
    """The record's id in the index: short, whatever the document's name is."""
    return str(uuid5(NAMESPACE_URL, f"gyre:{tenant}/{document_id}"))
