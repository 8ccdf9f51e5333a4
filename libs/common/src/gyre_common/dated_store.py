"""Content by its digest in a folder a day, so that what is old can be told from what comes now."""

import asyncio
import logging
import re
from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from datetime import date, datetime, timedelta

from gyre_common.errors import GyreError
from gyre_common.events.event import now
from gyre_common.store import ContentRef, Shelf, Store

log = logging.getLogger(__name__)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_BETWEEN_LOOKS = 3600.0


class DatedStore:
    """Keeps content under `<url>/<day>`; content that is put again lies under both days. A `Store`
    of the folder above reads it.

    Raises, from every method but `holds`: as `Store`.
    """

    def __init__(self, url: str, clock: Callable[[], datetime] = now) -> None:
        self._url = url.rstrip("/")
        store, _, folder = self._url.rpartition("/")
        self._shelf = Shelf(store, folder)
        self._clock = clock

    async def put(self, data: bytes) -> ContentRef:
        """Return once the bytes are safe."""
        return await self._of_today().put(data)

    async def put_stream(self, pieces: AsyncIterable[bytes]) -> ContentRef:
        """As `put`, of content that is never held whole."""
        return await self._of_today().put_stream(pieces)

    def holds(self, uri: str) -> bool:
        """Whether content lies here, or did."""
        return uri.startswith(f"{self._url}/")

    async def put_before(self, day: date) -> Mapping[str, int]:
        """The URIs of what was put before that day, and how many bytes each has."""
        sizes = await self._shelf.sizes()
        return {
            f"{self._url}/{name}": size
            for name, size in sizes.items()
            if _DAY.fullmatch(put_on := name.partition("/")[0]) and put_on < day.isoformat()
        }

    async def delete(self, uri: str) -> None:
        """Remove content by its URI; what is not there is fine."""
        await self._shelf.delete(uri.removeprefix(f"{self._url}/"))

    async def expire(self, days: int) -> int:
        """Delete what was put so many days ago or before; returns how much that was."""
        oldest_day = (self._clock() - timedelta(days=days - 1)).date()
        over = await self.put_before(oldest_day)
        for uri in over:
            await self.delete(uri)
        return len(over)

    def _of_today(self) -> Store:
        return Store(f"{self._url}/{self._clock().date().isoformat()}")


async def expire_hourly(zones: Iterable[DatedStore], days: int) -> None:
    """Let what is so old go, an hour after the start, when a backlog has been read, and then again
    and again.
    """
    while True:
        await asyncio.sleep(_BETWEEN_LOOKS)
        for zone in zones:
            try:
                count = await zone.expire(days)
            except GyreError as error:
                log.warning("raw content stays longer", extra={"error": str(error)})
            else:
                log.info("raw content expired", extra={"count": count})
