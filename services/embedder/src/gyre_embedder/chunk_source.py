"""Where a document's chunks are read from."""

from collections.abc import Sequence

from gyre_common.errors import InvalidInput, NotFound, Poison
from gyre_common.events.documents import Chunk, DocumentChunked
from gyre_common.store import DamagedContentError, Store
from pydantic import TypeAdapter, ValidationError

_CHUNKS = TypeAdapter(tuple[Chunk, ...])


class ChunkSource:
    """Reads chunks from the event, or from the store when there are too many for one."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def read(self, document: DocumentChunked) -> Sequence[Chunk]:
        """A deleted document has none.

        Raises:
            Retryable: the store is out of reach.
            Poison: the event points to something that is not this document's chunks.
        """
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
