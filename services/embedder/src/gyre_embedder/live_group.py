"""How far the live index is, by its consumer group."""

from gyre_common.bus.topics import committed_offsets
from gyre_common.events.documents import DOCUMENT_CHUNKED

from gyre_embedder.shadow import Change

GROUP = "embedder"


class KafkaLiveGroup:
    """Implements `LiveGroup`."""

    def __init__(self, servers: str) -> None:
        self._servers = servers

    async def has_handled(self, change: Change) -> bool:
        """See `LiveGroup`."""
        offsets = await committed_offsets(self._servers, f"{GROUP}.{DOCUMENT_CHUNKED.name}")
        return offsets.get(change.partition, 0) > change.offset
