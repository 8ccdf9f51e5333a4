"""Which documents have the same content as another one, or nearly the same text."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from gyre_common.document_index import DocumentRecord
from gyre_common.near_duplicates import estimated_similarity, name_of
from gyre_common.retrieval_settings import NEAR_DUPLICATES

UNDER_ANY_NAME = 0.8
"""The similarity from which documents are near duplicates that are called differently: pages made
from one template are very much alike, too.
"""

MOST_DUPLICATES = 20

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Duplicate(NamedTuple):
    """A document that says the same as another one; `similarity` is the estimated one, to 1."""

    record: DocumentRecord
    same_content: bool
    similarity: float
    newer: bool


def duplicates_among(record: DocumentRecord, others: Iterable[DocumentRecord]) -> list[Duplicate]:
    """Those that say the same as the record, the most alike first, `MOST_DUPLICATES` at most."""
    duplicates = []
    for other in others:
        same_content = other.content_digest == record.content_digest is not None
        similarity = 1.0 if same_content else estimated_similarity(record.sketch, other.sketch)
        same_name = _name_of(other) == _name_of(record)
        if similarity >= (NEAR_DUPLICATES if same_name else UNDER_ANY_NAME):
            newer = (other.submitted_at or _LONG_AGO) > (record.submitted_at or _LONG_AGO)
            duplicates.append(Duplicate(other, same_content, similarity, newer))
    duplicates.sort(
        key=lambda each: (not each.same_content, -each.similarity, each.record.document_id)
    )
    return duplicates[:MOST_DUPLICATES]


def _name_of(record: DocumentRecord) -> str:
    return name_of(record.title, record.document_id)
