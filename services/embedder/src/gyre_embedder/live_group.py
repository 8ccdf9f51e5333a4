"""How far the live index is, by its consumer group."""

from collections.abc import Mapping

from gyre_common.bus.topics import committed_offsets
from gyre_common.events.documents import DOCUMENT_CHUNKED

GROUP = "embedder"


class KafkaLiveGroup:
    """Implements `LiveGroup`."""

    def __init__(self, servers: str) -> None:
        self._servers = servers

    async def offsets(self) -> Mapping[int, int]:
        """See `LiveGroup`."""
        return await committed_offsets(self._servers, f"{GROUP}.{DOCUMENT_CHUNKED.name}")
