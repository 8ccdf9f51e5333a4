"""The topics of documents, read without a group: what was accepted, cut and indexed."""

from collections.abc import Mapping, Sequence, Set
from typing import NamedTuple, Protocol

from gyre_common.events.documents import DocumentAccepted
from gyre_common.events.indexes import IndexRebuildProgressed

Offsets = Mapping[int, int]
"""By partition."""


class AcceptedDocument(NamedTuple):
    """A record of `documents.accepted.v1`; no document where it is a tombstone."""

    offset: int
    document: DocumentAccepted | None


class DocumentLog(Protocol):
    """The topics of documents, read without a group.

    Raises, from every method: Retryable when Kafka does not answer.
    """

    async def accepted(self) -> Mapping[int, tuple[int, int]]:
        """The first offset of each partition of accepted documents, and that behind the last."""

    async def read(self, partition: int, first: int, until: int) -> Sequence[AcceptedDocument]:
        """Some of the records from `first` on, below `until`; none where none are left."""

    async def newest(self, partition: int) -> Mapping[bytes, int]:
        """The offset of the last record of each key of the accepted documents, tombstones too."""

    async def newest_of(self, key: str, since: int) -> AcceptedDocument | None:
        """The last record of an accepted document's key at offset `since` or later, if any."""

    async def chunked(self) -> Offsets:
        """The offset behind the last of each partition of the chunked documents."""

    async def indexed(self) -> Offsets:
        """The offset up to which the embedder has worked on them."""

    async def named_originals(self) -> Set[str] | None:
        """Where the originals lie that accepted documents name: the newest record of each, and all
        records that the ingestor has yet to work on. None where the topic never had a record.
        """

    async def named_passages(self) -> Set[str] | None:
        """The same of lists of passages, chunked documents and the embedder."""

    async def progress(self) -> Sequence[IndexRebuildProgressed]:
        """The latest of each partition, of every rebuild."""
