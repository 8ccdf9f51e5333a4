"""Where in the store the content of documents lies, and its deletion when nobody names it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Set
from dataclasses import dataclass
from datetime import datetime, timedelta

from gyre_common.dated_store import DatedStore
from gyre_common.errors import GyreError, NotFound
from gyre_common.events.event import new_id, now
from gyre_common.personal_data import Redaction
from gyre_common.redaction.choices import choices
from gyre_common.store import ContentRef, Shelf, Store
from gyre_common.telemetry import METRICS

from gyre_ingestor.document_log import DocumentLog

log = logging.getLogger(__name__)

GRACE = timedelta(days=2)
CLAIMS = "sweeps"
_BETWEEN_LOOKS = 3600.0

_Named = Callable[[], Awaitable[Set[str] | None]]


class ContentPlaces:
    """Originals of documents, and lists of passages too long for an event. They lie in a folder a
    day, so that what is submitted again while a sweep runs is out of its reach; earlier ones in the
    store itself, beside what others put there.

    Originals of tenants who do not keep personal data are `raw`: they go by themselves.
    """

    def __init__(self, url: str, clock: Callable[[], datetime] = now) -> None:
        self._store = Store(url)
        self.raw = DatedStore(f"{url}/raw", clock)
        self.originals = DatedStore(f"{url}/originals", clock)
        self.passages = DatedStore(f"{url}/passages", clock)

    async def put_original(self, content: bytes, tenant: str) -> ContentRef:
        """Return once it is safe. Raises Retryable: the store is out of reach."""
        is_raw = choices().of(tenant) is not Redaction.KEEP
        return await (self.raw if is_raw else self.originals).put(content)

    async def get(self, uri: str, digest: str) -> bytes:
        """As `Store.get`."""
        return await self._store.get(uri, digest)


@dataclass(frozen=True)
class Swept:
    """How much content was deleted."""

    count: int = 0
    size_bytes: int = 0

    def __add__(self, other: "Swept") -> "Swept":
        return Swept(self.count + other.count, self.size_bytes + other.size_bytes)


class ContentSweep:
    """Deletes originals and lists of passages that no document names, days after they were put.

    What is put is named within minutes or put again, under the day of then. So content of days ago
    that no record names now will be named by none. A sweep that ends half-way has deleted less.
    """

    def __init__(
        self,
        places: ContentPlaces,
        claims: Shelf,
        log: DocumentLog,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self._places = places
        self._claims = claims
        self._log = log
        self._clock = clock

    async def run(self) -> None:
        """Sweep once a day, in one of the processes that do this. Goes on until cancelled."""
        while True:
            await asyncio.sleep(_BETWEEN_LOOKS)
            try:
                await self.sweep_today()
            except GyreError as error:
                log.warning("content stays longer", extra={"cause": str(error)})

    async def sweep_today(self) -> Swept | None:
        """Sweep, unless some process does or did today: then None.

        Raises Retryable: Kafka or the store is out of reach; any process may try again.
        """
        today = self._clock().date().isoformat()
        if not await self._claim(today):
            return None
        try:
            return await self.sweep()
        except GyreError:
            await self._claims.delete(today)
            raise

    async def sweep(self) -> Swept:
        """Raises Retryable: Kafka or the store is out of reach."""
        originals = await self._delete(self._places.originals, self._log.named_originals)
        passages = await self._delete(self._places.passages, self._log.named_passages)
        swept = originals + passages
        fields = {"count": swept.count, "size_bytes": swept.size_bytes}
        log.info("content deleted that no document names", extra=fields)
        return swept

    async def _claim(self, today: str) -> bool:
        own = new_id().bytes
        await self._claims.put(today, own)
        try:
            is_own = await self._claims.get(today) == own
        except NotFound:  # who had it gave it up just now
            return False
        for name in await self._claims.names():
            if is_own and name < today:
                await self._claims.delete(name)
        return is_own

    async def _delete(self, store: DatedStore, named: _Named) -> Swept:
        """What is looked for first is what there is: what comes later is none of it."""
        sizes = await store.put_before((self._clock() - GRACE).date())
        if not sizes:
            return Swept()
        names = await named()
        if names is None:
            log.warning("content stays: its topic is empty", extra={"count": len(sizes)})
            return Swept()
        swept = Swept()
        for uri, size in sizes.items():
            if uri not in names:
                await store.delete(uri)
                swept += Swept(1, size)
                METRICS.content_deleted.inc()
                METRICS.content_deleted_bytes.inc(size)
        return swept
