"""Keeps the index in step with the documents."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from time import monotonic
from uuid import UUID

from gyre_common.errors import InvalidInput, NotFound, Poison, Retryable
from gyre_common.events.documents import Chunk, DocumentChunked, DocumentIndexed, DocumentRejected
from gyre_common.events.event import DEFAULT_TENANT, EVERY_TENANT, now
from gyre_common.events.releases import Roles
from gyre_common.releases import ReleaseView
from gyre_common.releases.fitting import vectors_of
from gyre_common.store import DamagedContentError, Store
from gyre_common.telemetry import METRICS
from pydantic import TypeAdapter, ValidationError

from gyre_embedder.chunk_index import ChunkIndex, DocumentKey, Head
from gyre_embedder.chunk_writer import ChunkWriter, Target, Work, Written
from gyre_embedder.document_sketch import sketch_of
from gyre_embedder.encoders import Encoders, Side
from gyre_embedder.head_record import indexed_event, screening_of, with_rejection, with_revision

log = logging.getLogger(__name__)

_ATTEMPTS = 5
_LONGEST_TURN = 5.0  # seconds of encoding; what is left then waits for its next turn
_MOST_CHUNKS = 10_000  # in memory at once, or those of one document

_CHUNKS = TypeAdapter(tuple[Chunk, ...])


class Indexer:
    """Applies documents in order of their revisions. Applying one again changes nothing.

    Chunks are written first, then made searchable, then the head record is written, so a crash at
    any moment only means that the work is done once more. A document that takes long to encode
    takes several turns.
    """

    def __init__(
        self,
        index: ChunkIndex,
        encoders: Encoders,
        releases: ReleaseView,
        store: Store,
    ) -> None:
        self._index = index
        self._writer = ChunkWriter(index, encoders)
        self._encoders = encoders
        self._releases = releases
        self._store = store

    async def prepare(self) -> None:
        """Make the default tenant's index ready before the first document comes.

        Raises:
            FailedPrecondition: it exists with another mapping, or the live encoder is not here.
            Retryable: the engine is not there now.
        """
        target = self._target(DEFAULT_TENANT)
        async with self._encoders.use(Side.DOCUMENT, target.encoder_version) as encoder:
            dimensions = encoder.dimensions
        await self._index.prepare(target.index, dimensions)

    async def index(
        self, documents: Sequence[DocumentChunked]
    ) -> list[list[DocumentIndexed] | None]:
        """Make documents searchable, or gone; returns what to tell of each, in the same order.

        There is nothing to tell of a revision that a higher one had overtaken, nor of one that was
        read again for the shadow's index alone. None stands for a document that takes longer than
        a turn may: given again, it goes on where it was, whichever process it is given to.

        Raises:
            Retryable: an engine or the live encoder is not there now.
            Poison: the index refuses a document.
        """
        events_by_document: list[list[DocumentIndexed] | None] = [[] for _ in documents]
        until = monotonic() + _LONGEST_TURN
        for target, positions in self._batches(documents):
            batch = [documents[each] for each in positions]
            changed = [each for each in batch if each.rebuild is None]
            events_by_key, unfinished = await self._apply(target, changed, until)
            if target.shadow is not None:
                rest = [each for each in batch if _key(each) not in unfinished]
                for_shadow = self._for_shadow(target.shadow, rest)
                unfinished |= await self._fill(target.shadow, target, for_shadow, until)
            for position in positions:
                document = documents[position]
                if _key(document) in unfinished:
                    events_by_document[position] = None
                elif document.rebuild is None:
                    events_by_document[position] = events_by_key.get(_key(document), [])
        return events_by_document

    async def note_rejection(self, rejection: DocumentRejected) -> None:
        """Put a rejection on the document's timeline.

        Raises Retryable: the index is not there now, or others keep writing the same record.
        """
        key = _key(rejection)
        for _ in range(_ATTEMPTS):
            before = (await self._index.heads([key])).get(key)
            record = with_rejection(before.record if before else None, rejection)
            if not await self._index.put_heads([Head(record, before.seal if before else None)]):
                return
        raise Retryable(f"the head record of {key.document_id} is being written by others")

    def _batches(self, documents: Sequence[DocumentChunked]) -> Iterable[tuple[Target, list[int]]]:
        """Positions of documents for one index each, such that no document comes twice in a batch,
        and its revisions come in order.
        """
        times: Counter[DocumentKey] = Counter()
        batches: dict[tuple[Target, int], list[int]] = {}
        for position, document in enumerate(documents):
            self._check_release(document)
            key = _key(document)
            batches.setdefault((self._target(document.tenant), times[key]), []).append(position)
            times[key] += 1
        return [(target, positions) for (target, _), positions in batches.items()]

    async def _apply(
        self, target: Target, documents: Sequence[DocumentChunked], until: float
    ) -> tuple[dict[DocumentKey, list[DocumentIndexed]], frozenset[DocumentKey]]:
        """Apply one revision of each document; returns what to tell of those that are done, and
        which are not.
        """
        events_by_key: dict[DocumentKey, list[DocumentIndexed]] = {}
        unfinished: frozenset[DocumentKey] = frozenset()
        if not documents:
            return events_by_key, unfinished
        for _ in range(_ATTEMPTS):
            heads = await self._index.heads([_key(document) for document in documents])
            new = []
            for document in documents:
                events = _known_events(document, heads.get(_key(document)), target)
                if events is None:
                    new.append(document)
                else:
                    events_by_key[_key(document)] = events
            works, rest = await self._works(new, heads)
            written = await self._writer.write(target, works, until)
            unfinished |= rest | written.unfinished
            documents = await self._write_heads(target, written, events_by_key)
            if not documents:
                return events_by_key, unfinished
        raise Retryable(f"head records are being written by others: {len(documents)} left")

    async def _works(
        self, documents: Iterable[DocumentChunked], heads: Mapping[DocumentKey, Head]
    ) -> tuple[list[Work], frozenset[DocumentKey]]:
        """As many of the documents as memory should hold, and which these are not."""
        works, rest, count = [], set(), 0
        for document in documents:
            key = _key(document)
            if count > _MOST_CHUNKS:
                rest.add(key)
                continue
            works.append(Work(document, await self._chunks(document), heads.get(key)))
            count += len(works[-1].chunks)
        return works, frozenset(rest)

    def _for_shadow(
        self, shadow: Target, documents: Iterable[DocumentChunked]
    ) -> list[DocumentChunked]:
        """All that changed, and what was read again for this shadow and no other one."""
        return [
            each
            for each in documents
            if each.rebuild is None or each.rebuild.version == shadow.encoder_version
        ]

    def _check_release(self, document: DocumentChunked) -> None:
        """Raises Retryable: the release that made a shadow is not known here yet."""
        state = self._releases.state(EVERY_TENANT, Roles.DOCUMENT_ENCODER)
        if document.rebuild is not None and state.generation < document.rebuild.generation:
            raise Retryable(
                f"release {document.rebuild.generation} of document-encoder is not here yet"
            )

    async def _fill(
        self, shadow: Target, live: Target, documents: Sequence[DocumentChunked], until: float
    ) -> frozenset[DocumentKey]:
        """Apply one revision of each document to the shadow's index, unless a higher one is known;
        returns which need another turn. Head records are the live index's.
        """
        heads = await self._index.heads([_key(document) for document in documents])
        new = []
        for document in documents:
            head = heads.get(_key(document))
            if head is None or head.record.revision <= document.revision:
                new.append(document)
        works, rest = await self._works(new, heads)
        written = await self._writer.write(shadow, works, until, also_in=live)
        retold = await asyncio.to_thread(lambda: list(map(_retold, written.works)))
        await self._index.put_heads([head for head in retold if head is not None])
        return rest | written.unfinished

    async def _chunks(self, document: DocumentChunked) -> Sequence[Chunk]:
        """From the event, or from the store when there are too many for one."""
        if document.deleted:
            return ()
        if document.chunks_ref is None:
            return document.chunks
        try:
            data = await self._store.get(document.chunks_ref, document.chunks_digest or "")
            return _CHUNKS.validate_json(data)
        except (InvalidInput, NotFound, DamagedContentError) as error:
            raise Poison(f"the chunks cannot be read: {error}") from error
        except ValidationError as error:
            raise Poison("what chunks_ref points to is not a list of chunks") from error

    async def _write_heads(
        self,
        target: Target,
        written: Written,
        events_by_key: dict[DocumentKey, list[DocumentIndexed]],
    ) -> list[DocumentChunked]:
        """Tell the head records what is in the index; returns documents whose own changed
        meanwhile.
        """
        heads = await asyncio.to_thread(
            lambda: [self._head(target, work, written.encoded) for work in written.works]
        )
        conflicts = await self._index.put_heads(heads)
        for work, head in zip(written.works, heads, strict=True):
            event = indexed_event(head.record, work.document, index=target.index)
            if work.key not in conflicts and event is not None:
                events_by_key[work.key] = [event]
                METRICS.document_freshness_seconds.observe(event.freshness_seconds)
        return [work.document for work in written.works if work.key in conflicts]

    def _head(self, target: Target, work: Work, encoded: frozenset[UUID]) -> Head:
        record = with_revision(
            work.before.record if work.before else None,
            work.document,
            index=target.index,
            encoder_version=target.encoder_version,
            chunk_count=len(work.chunks),
            encoded_count=sum(chunk.chunk_id in encoded for chunk in work.chunks),
            sketch=sketch_of(work.chunks),
            searchable_at=now(),
        )
        return Head(record, work.before.seal if work.before else None)

    def _target(self, tenant: str) -> Target:
        state = self._releases.state(tenant, Roles.DOCUMENT_ENCODER)
        live = self._releases.live(tenant, Roles.DOCUMENT_ENCODER)
        shadow = state.artifact(state.shadow) if state.shadow else None
        if live.index is None:
            raise Retryable(f"document-encoder {live.version} names no index")
        filled = None
        if shadow is not None and shadow.index not in (None, live.index):
            filled = Target(str(shadow.index), shadow.version, vectors_of(shadow))
        return Target(live.index, live.version, vectors_of(live), filled)


def _retold(work: Work) -> Head | None:
    """The head record of a document that was read again, where it is told of otherwise now, as when
    its tenant has chosen to redact since; None where nothing changes.
    """
    document, before = work.document, work.before
    if document.rebuild is None or before is None or before.record.revision != document.revision:
        return None
    about = {
        name: getattr(document, name) for name in ("title", "language", "source_uri", "metadata")
    }
    record = before.record.model_copy(update={**about, **sketch_of(work.chunks)._asdict()})
    return None if record == before.record else Head(record, before.seal)


def _known_events(
    document: DocumentChunked, before: Head | None, target: Target
) -> list[DocumentIndexed] | None:
    """What to tell of a document that needs no work; None when it does."""
    if before is None or before.record.revision < document.revision:
        return None
    if before.record.revision > document.revision:
        log.info("revision overtaken", extra={"revision": document.revision})
        return []
    if screening_of(before.record) != document.screening:
        return None  # held, released or marked since
    if document.held:
        return []
    event = indexed_event(before.record, document, index=target.index)
    return None if event is None else [event]


def _key(document: DocumentChunked | DocumentRejected) -> DocumentKey:
    return DocumentKey(document.tenant, document.document_id)
