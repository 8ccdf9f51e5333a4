"""The sources as `sources.changed.v1` has them."""

import asyncio
from datetime import datetime

from gyre_common.events.sources import SourceChanged, SyncReason, SyncRequested, by_source

from gyre_ingestor.sources.state import SourceKey


class SourceView:
    """The newest state of every source; `gyre_common.bus.followed` keeps it up to date."""

    def __init__(self) -> None:
        self._sources: dict[str, SourceChanged] = {}
        self._gone: dict[str, int] = {}
        self._waiting: set[asyncio.Event] = set()
        self.version = 0

    def apply(self, event: SourceChanged) -> None:
        """Take a change in, unless a later one is known."""
        key = by_source(event)
        current = self._sources.get(key)
        if current is None or event.generation >= current.generation:
            self._sources[key] = event
            self._announce()

    def retire(self, key: str) -> None:
        """Forget a source that was removed. One that was added since stands."""
        current = self._sources.get(key)
        if current is not None and current.removed:
            self._gone[key] = self._sources.pop(key).generation
            self._announce()

    @property
    def sources(self) -> tuple[SourceChanged, ...]:
        """All of them, by tenant and name."""
        return tuple(source for _, source in sorted(self._sources.items()))

    def get(self, key: SourceKey) -> SourceChanged | None:
        """One of them, if it is there."""
        return self._sources.get(f"{key.tenant}/{key.name}")

    def is_gone(self, key: SourceKey, generation: int) -> bool:
        """Whether that generation was there and its source has been removed since."""
        return generation <= self._gone.get(f"{key.tenant}/{key.name}", 0)

    def of(self, tenant: str) -> tuple[SourceChanged, ...]:
        """Those of a tenant, by name."""
        return tuple(source for source in self.sources if source.tenant == tenant)

    async def changed_since(self, version: int, *, within: float) -> None:
        """Return once the view has another `version`, or so many seconds have gone by."""
        event = asyncio.Event()
        self._waiting.add(event)
        try:
            if self.version == version:
                async with asyncio.timeout(within):
                    await event.wait()
        except TimeoutError:
            return
        finally:
            self._waiting.discard(event)

    def _announce(self) -> None:
        self.version += 1
        for event in self._waiting:
            event.set()


def sync_request(
    source: SourceChanged, reason: SyncReason, at: datetime, *, part: int = 0
) -> SyncRequested:
    """The request for a sync of the source as it is."""
    return SyncRequested(
        tenant=source.tenant,
        name=source.name,
        generation=source.generation,
        reason=reason,
        requested_at=at,
        part=part,
    )
