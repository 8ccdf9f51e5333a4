"""What the embedder writes and the retriever searches: one passage, and how an index holds it."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from pydantic import Field

from gyre_common.events.event import DocumentId, EventPart, Tenant, Timestamp
from gyre_common.languages import ANALYZERS

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


WORD_FIELDS = ("text", "title", "heading_path")
"""The fields whose words are searched."""

BY_ANALYZER = "by_analyzer"
"""Holds them once more, below the name of the analyzer of the document's language."""

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
    language: str = ""
    metadata: dict[str, str] = Field(default_factory=dict)
    acl: tuple[str, ...] = ()

    def as_fields(self) -> dict[str, Any]:
        """The fields of the index; `acl` and `metadata` become terms that one filter can match.

        Words of a language with an analyzer of its own stand there a second time, for that one.
        """
        fields = self.model_dump(mode="json")
        analyzer = ANALYZERS.get(self.language)
        again = {analyzer: {name: fields[name] for name in WORD_FIELDS}} if analyzer else {}
        return {
            **fields,
            BY_ANALYZER: again,
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
    `_source`; read it back with `_source: {"exclude_vectors": false}`. The English analyzer reads
    the words of every document, so that all share one statistics of terms; that of a document's
    own language reads them once more (docs/adr/0044).
    """
    keyword = {"type": "keyword"}
    only_read = {"type": "keyword", "index": False, "doc_values": False}
    only_number = {"type": "integer", "index": False, "doc_values": False}
    return {
        "dynamic": "strict",
        "properties": {
            **_words(ENGLISH),
            BY_ANALYZER: {
                "properties": {
                    analyzer: {"properties": _words(analyzer)}
                    for analyzer in sorted(set(ANALYZERS.values()))
                }
            },
            "tenant": keyword,
            "document_id": keyword,
            "chunk_id": keyword,
            "revision": {"type": "long"},
            "submitted_at": only_read,
            "ordinal": {"type": "integer"},
            "position": only_read,
            "start": only_number,
            "end": only_number,
            "source_uri": only_read,
            "media_type": keyword,
            "language": keyword,
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


def _words(analyzer: str) -> Mapping[str, Any]:
    return {name: {"type": "text", "analyzer": analyzer} for name in WORD_FIELDS}
