"""Takes one item of a source through the ingestor's own front door."""

import base64
import hashlib
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from gyre_common.context import RequestContext
from gyre_common.events.sources import SourceChanged
from gyre_common.store import digest_of

from gyre_ingestor.sources.source import Item

_IN_THE_RECORD = 256 * 1024
_LONGEST_TITLE = 1024
_LONGEST_ADDRESS = 4096

Fields = dict[str, object]


class Door(Protocol):
    """Where documents go in: the ingestor's own front door."""

    async def submit(
        self, caller: RequestContext, fields: Fields, idempotency_key: str = ""
    ) -> UUID:
        """See `FrontDoor`."""

    async def upload(
        self,
        caller: RequestContext,
        fields: Fields,
        pieces: AsyncIterable[bytes],
        idempotency_key: str = "",
    ) -> UUID:
        """See `FrontDoor`."""


@dataclass(frozen=True)
class Sent:
    """The digest of an item's bytes, and whether they were submitted."""

    digest: str
    is_new: bool


@dataclass(frozen=True)
class Sender:
    """Submits and deletes for one sync: once more within it is the same submission."""

    door: Door
    source: SourceChanged
    run_number: int

    async def send(self, item: Item, known_digest: str) -> Sent:
        """Submit what has other bytes than those: small ones in the record itself, others piece by
        piece through the store.

        Raises ItemUnreadable; InvalidInput: it is refused; Retryable: Kafka or the store is away.
        """
        async with aclosing(item.read()) as pieces:
            head = bytearray()
            async for piece in pieces:
                head += piece
                if len(head) > _IN_THE_RECORD:
                    break
            else:
                return await self._send_small(item, bytes(head), known_digest)
            hashed = _Hashed(bytes(head), pieces)
            if not known_digest:
                await self._upload(item, hashed)
                return Sent(hashed.digest, is_new=True)
            async for _ in hashed:
                pass
            if hashed.digest == known_digest:
                return Sent(known_digest, is_new=False)
        async with aclosing(item.read()) as pieces:  # once more, as it was not kept
            hashed = _Hashed(b"", pieces)
            await self._upload(item, hashed)
            return Sent(hashed.digest, is_new=True)

    async def delete(self, name: str) -> None:
        """Raises Retryable: Kafka is away."""
        fields: Fields = {**self._about(name), "deleted": True}
        await self.door.submit(
            self._caller, fields, f"{self.source.name}/{self.run_number}/deleted"
        )

    async def _send_small(self, item: Item, content: bytes, known_digest: str) -> Sent:
        digest = digest_of(content)
        if digest == known_digest:
            return Sent(digest, is_new=False)
        fields = {**self._fields(item), "content_base64": base64.b64encode(content).decode()}
        await self.door.submit(self._caller, fields, self._key(item))
        return Sent(digest, is_new=True)

    async def _upload(self, item: Item, pieces: AsyncIterable[bytes]) -> None:
        await self.door.upload(self._caller, self._fields(item), pieces, self._key(item))

    @property
    def _caller(self) -> RequestContext:
        return RequestContext(tenant=self.source.tenant)

    def _about(self, name: str) -> Fields:
        return {"document_id": f"{self.source.name}/{name}", "source": self.source.name}

    def _fields(self, item: Item) -> Fields:
        fields: Fields = {**self._about(item.name), "acl": self.source.acl}
        if item.title:
            fields["title"] = item.title[:_LONGEST_TITLE]
        if item.media_type:
            fields["media_type"] = item.media_type
        if item.source_uri and len(item.source_uri) <= _LONGEST_ADDRESS:
            fields["source_uri"] = item.source_uri
        return fields

    def _key(self, item: Item) -> str:
        fingerprint = digest_of(item.fingerprint.encode())
        return f"{self.source.name}/{self.run_number}/{fingerprint}"


class _Hashed:
    """The pieces, and the digest of those that were taken."""

    def __init__(self, head: bytes, rest: AsyncIterable[bytes]) -> None:
        self._head = head
        self._rest = rest
        self._hash = hashlib.sha256()

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._head:
            self._hash.update(self._head)
            yield self._head
        async for piece in self._rest:
            self._hash.update(piece)
            yield piece
