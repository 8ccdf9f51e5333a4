"""Two ingestors share the sources: each knows all of them, and one syncs one at a time."""

from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from gyre_common.bus import Bus, followed
from gyre_common.context import RequestContext
from gyre_common.events.sources import SOURCE_CHANGED, SYNC_REQUESTED, SyncRequested
from gyre_ingestor.sources.book import SourceBook, new_source
from gyre_ingestor.sources.opening import SourceOpener
from gyre_ingestor.sources.source import Surroundings
from gyre_ingestor.sources.state import SourceKey, SourceStates, SyncOutcome
from gyre_ingestor.sources.syncing import SourceSyncer
from gyre_ingestor.sources.view import SourceView

from tests.eventually import eventually
from tests.unit.ingestor.source_fakes import Place

pytestmark = pytest.mark.integration
PATIENCE = 60.0


@dataclass
class Door:
    """Counts what is submitted; a deletion has a cross before its name."""

    submitted: Counter[str] = field(default_factory=Counter)

    async def submit(
        self, caller: RequestContext, fields: dict[str, object], idempotency_key: str = ""
    ) -> UUID:
        self.submitted[f"{'†' if fields.get('deleted') else ''}{fields['document_id']}"] += 1
        return uuid4()

    async def upload(
        self,
        caller: RequestContext,
        fields: dict[str, object],
        pieces: AsyncIterable[bytes],
        idempotency_key: str = "",
    ) -> UUID:
        raise AssertionError("nothing here is large")


@dataclass
class AnIngestor:
    """As much of one as sources need."""

    book: SourceBook
    view: SourceView


@asynccontextmanager
async def an_ingestor(
    kafka_servers: str, store: Path, place: Place, door: Door
) -> AsyncIterator[AnIngestor]:
    view, states = SourceView(), SourceStates(f"file://{store}")
    opener = SourceOpener({"place": place.kind}, Surroundings([], store, store))
    bus = Bus(kafka_servers, service="ingestor")
    syncer = SourceSyncer(
        view=view, states=states, opener=opener, door=door, publisher=bus, part_seconds=0.0
    )

    @bus.on(SYNC_REQUESTED, group="ingestor")
    async def on_sync_requested(event: SyncRequested) -> None:
        await syncer.sync(event)

    bus.publishes(SOURCE_CHANGED, SYNC_REQUESTED)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(followed(kafka_servers, SOURCE_CHANGED, view))
        await stack.enter_async_context(bus)
        yield AnIngestor(SourceBook(view, states, opener, bus), view)


async def test_what_one_ingestor_is_told_both_know_and_one_of_them_does(
    kafka_servers: str, tmp_path: Path
) -> None:
    tenant, place, door = f"t-{uuid4().hex[:8]}", Place(), Door()
    place.texts = {f"{number}.md": f"Tea {number}." for number in range(20)}
    async with (
        an_ingestor(kafka_servers, tmp_path, place, door) as one,
        an_ingestor(kafka_servers, tmp_path, place, door) as other,
    ):
        described: dict[str, object] = {"name": "shelf", "kind": "place"}
        await one.book.put(new_source(tenant, described))
        await eventually(lambda: other.view.get(SourceKey(tenant, "shelf")), PATIENCE)

        async def runs() -> int:
            """How many syncs have ended, once none is under way."""
            (standing,) = await other.book.list(tenant)
            progress = standing.progress
            assert progress.run is None
            assert progress.last is not None
            assert progress.last.outcome is SyncOutcome.SUCCEEDED
            return progress.last.number

        assert await eventually(runs, PATIENCE) >= 1
        assert door.submitted == Counter({f"shelf/{name}": 1 for name in place.texts})

        before = await runs()
        await other.book.sync(tenant, "shelf")

        async def another_run() -> bool:
            return await runs() > before

        await eventually(another_run, PATIENCE)
        assert door.submitted.total() == 20

        await other.book.remove(tenant, "shelf", keeps_documents=False, actor="ann")
        await eventually(lambda: one.view.of(tenant) == other.view.of(tenant) == (), PATIENCE)
        assert door.submitted == Counter(
            {f"{cross}shelf/{name}": 1 for name in place.texts for cross in ("", "†")}
        )
