"""Content as it came from outside, by its digest, in a folder a day that goes after some days."""

import asyncio
import logging
import re
from collections.abc import AsyncIterable, Callable, Iterable
from datetime import datetime, timedelta

from gyre_common.errors import GyreError
from gyre_common.events.event import now
from gyre_common.store import ContentRef, Shelf, Store

log = logging.getLogger(__name__)

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_BETWEEN_LOOKS = 3600.0


class RawZone:
    """Keeps content under `<url>/<day>`; content that is put again is there for longer.

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

    async def get(self, uri: str, digest: str) -> bytes:
        """Read content back. Raises NotFound: its days are over."""
        day = uri.removeprefix(f"{self._url}/").partition("/")[0]
        return await Store(f"{self._url}/{day}").get(uri, digest)

    def holds(self, uri: str) -> bool:
        """Whether content lies here, or did."""
        return uri.startswith(f"{self._url}/")

    async def expire(self, days: int) -> int:
        """Delete what was put so many days ago or before; returns how much that was."""
        last = (self._clock() - timedelta(days=days)).date().isoformat()
        names = await self._shelf.names()
        by_day = ((name, name.partition("/")[0]) for name in names)
        over = [name for name, day in by_day if _DAY.fullmatch(day) and day <= last]
        for name in over:
            await self._shelf.delete(name)
        return len(over)

    def _of_today(self) -> Store:
        return Store(f"{self._url}/{self._clock().date().isoformat()}")


async def expire_hourly(zones: Iterable[RawZone], days: int) -> None:
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
