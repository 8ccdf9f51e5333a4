"""What the embedder writes and the retriever searches: one passage, and how an index holds it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import Field

from gyre_common.events.event import DocumentId, EventPart, Tenant, Timestamp

PUBLIC = "\x1fpublic"
"""Stands in the index for "no access groups": every caller of the tenant may read the passage.

No access group can be called so, because groups hold no control characters.
"""

ENGLISH = "english"
VECTOR = "vector"
ENCODED_FOR, ENCODED_AHEAD = "encoded_for", "encoded_ahead"
"""The only fields beside its id of a chunk whose document is not encoded whole yet: the record key
of that document, and the vector's bytes (float32, little-endian). No search matches it.
"""
_LONGEST_TERM = 8191  # Lucene's limit is 32,766 bytes; a character takes four at most.


class IndexedChunk(EventPart):
    """A passage as the index keeps it, without its vector.

    `submitted_at` is when its document's revision was; one indexed before that was kept has none.
    """

    tenant: Tenant
    document_id: DocumentId
    chunk_id: UUID
    revision: int
    submitted_at: Timestamp | None = None
    ordinal: int
    title: str = ""
    heading_path: tuple[str, ...] = ()
    position: str = ""
    text: str
    start: int
    end: int
    source_uri: str | None = None
    media_type: str = ""
    metadata: dict[str, str] = Field(default_factory=dict)
    acl: tuple[str, ...] = ()

    def as_fields(self) -> dict[str, Any]:
        """The fields of the index; `acl` and `metadata` become terms that one filter can match."""
        return {
            **self.model_dump(mode="json"),
            "metadata": [metadata_term(key, value) for key, value in self.metadata.items()],
            "acl": list(readable_by(self.acl)),
        }


def readable_by(acl: Sequence[str]) -> tuple[str, ...]:
    """The terms under which a document with these groups is found."""
    return tuple(acl) or (PUBLIC,)


def groups_of(terms: Sequence[str]) -> tuple[str, ...]:
    """The groups that `readable_by` made these terms of."""
    return tuple(term for term in terms if term != PUBLIC)


def readers(groups: Sequence[str]) -> list[str]:
    """The terms that a caller with these groups may find."""
    return [PUBLIC, *groups]


def metadata_term(key: str, value: str) -> str:
    """One metadata pair as one term: `key=value`, unambiguous whatever the key holds."""
    escaped = key.replace("\\", "\\\\").replace("=", "\\=")
    return f"{escaped}={value}"[:_LONGEST_TERM]


def chunk_mapping(dimensions: int) -> Mapping[str, Any]:
    """The mapping of a chunk index whose encoder makes unit vectors of `dimensions` numbers.

    The vector is quantized to int8 in the graph that is searched and kept whole beside it, out of
    `_source`; read it back with `_source: {"exclude_vectors": false}`.
    """
    keyword = {"type": "keyword"}
    english = {"type": "text", "analyzer": ENGLISH}
    only_read = {"type": "keyword", "index": False, "doc_values": False}
    only_number = {"type": "integer", "index": False, "doc_values": False}
    return {
        "dynamic": "strict",
        "properties": {
            "tenant": keyword,
            "document_id": keyword,
            "chunk_id": keyword,
            "revision": {"type": "long"},
            "submitted_at": only_read,
            "ordinal": {"type": "integer"},
            "title": english,
            "heading_path": english,
            "position": only_read,
            "text": english,
            "start": only_number,
            "end": only_number,
            "source_uri": only_read,
            "media_type": keyword,
            "metadata": keyword,
            "acl": keyword,
            ENCODED_FOR: keyword,
            ENCODED_AHEAD: {"type": "binary"},
            VECTOR: {
                "type": "dense_vector",
                "dims": dimensions,
                "similarity": "dot_product",
                "index_options": {"type": "int8_hnsw"},
            },
        },
    }
