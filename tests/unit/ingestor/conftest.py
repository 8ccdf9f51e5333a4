"""An ingestor over fakes: the bus in memory, the store in a temporary folder."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar, TypeVarTuple

import pytest
from gyre_common.dated_store import DatedStore
from gyre_common.events import Event, Topic
from gyre_common.events.event import now
from gyre_common.events.releases import Roles
from gyre_common.outside_content import OutsideContent
from gyre_common.releases import ReleaseView
from gyre_common.store import Shelf, Store
from gyre_ingestor.content import ContentSource
from gyre_ingestor.content_places import ContentPlaces
from gyre_ingestor.front_door import FrontDoor
from gyre_ingestor.handlers import build_handlers
from gyre_ingestor.index_rebuild import IndexRebuild
from gyre_ingestor.parts import Parts
from gyre_ingestor.quarantine import QuarantineBook
from gyre_ingestor.reading import ProcessReader, run_guarded
from gyre_ingestor.service import Ingestor
from gyre_ingestor.sources import KINDS
from gyre_ingestor.sources.book import SourceBook
from gyre_ingestor.sources.opening import SourceOpener
from gyre_ingestor.sources.source import Surroundings
from gyre_ingestor.sources.state import SourceStates
from gyre_ingestor.sources.syncing import SourceSyncer
from gyre_ingestor.sources.view import SourceView

from tests.builders import a_release, an_artifact
from tests.fakes.bus import MemoryBus
from tests.fakes.document_log import MemoryDocumentLog
from tests.fakes.submission_order import MemoryOrder

from .source_fakes import NoIndex, Place

MAX_BYTES = 100_000
E_ = TypeVar("E_", bound=Event)
R_ = TypeVar("R_")
Ts = TypeVarTuple("Ts")


class ReaderHere(ProcessReader):
    """Works in this process, for documents that are known to be harmless."""

    def __init__(self) -> None:
        super().__init__(processes=1, time_limit=1, memory_bytes=1)

    async def _run(self, limit: float, work: Callable[[*Ts], R_], *args: *Ts) -> R_:
        return run_guarded(work, *args)


class MovedClock:
    """Now, and as far ahead as a test says."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return now() + self.ahead


@dataclass
class World:
    """What surrounds the ingestor under test."""

    bus: MemoryBus
    store: Store
    uploads: DatedStore
    clock: MovedClock
    places: ContentPlaces
    contents: ContentSource
    releases: ReleaseView
    allowed: Path
    view: SourceView
    states: SourceStates
    opener: SourceOpener
    syncer: SourceSyncer
    place: Place
    parts: Parts
    log: MemoryDocumentLog
    quarantine: QuarantineBook
    order: MemoryOrder
    rebuild: IndexRebuild = field(init=False)
    ingestor: Ingestor = field(init=False)

    def events(self, topic: Topic[E_]) -> list[E_]:
        return [event for name, event in self.bus.published if name.name == topic.name]  # type: ignore[misc]

    def release(self, **settings: str) -> None:
        """Make another ingestion version live for every tenant."""
        generation = sum(state.generation for state in self.releases.states) + 1
        artifact = an_artifact("structure-1", settings=settings)
        self.releases.apply(
            a_release(
                Roles.INGESTION,
                live="structure-1",
                generation=generation,
                artifacts=(artifact,),
            )
        )

    @property
    def book(self) -> SourceBook:
        """What callers ask of sources."""
        return SourceBook(self.view, self.states, self.opener, self.bus)

    def tombstones(self, topic: str) -> list[bytes | None]:
        records = self.bus.sent
        return [record.key for record in records if record.topic == topic and not record.value]


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    allowed = tmp_path / "allowed"
    allowed.mkdir()
    uploads_url = f"file://{tmp_path}/store/uploads"
    outside = OutsideContent([f"file://{allowed}", uploads_url], max_bytes=MAX_BYTES * 10)
    async with MemoryBus(service="ingestor") as bus:
        place, view, clock = Place(), SourceView(), MovedClock()
        states = SourceStates(f"file://{tmp_path}/store")
        around = Surroundings(
            roots=[allowed],
            secrets=tmp_path / "secrets",
            cache=tmp_path / "cache",
            private_addresses=True,
            max_bytes=MAX_BYTES * 10,
        )
        opener = SourceOpener({**KINDS, "place": place.kind}, around)
        uploads = DatedStore(uploads_url)
        contents = ContentSource(outside, ReaderHere(), max_bytes=MAX_BYTES * 10)
        door = FrontDoor(contents, uploads, bus, NoIndex())
        world = World(
            bus=bus,
            store=Store(f"file://{tmp_path}/store"),
            clock=clock,
            places=ContentPlaces(f"file://{tmp_path}/store", clock),
            uploads=uploads,
            contents=contents,
            releases=ReleaseView(),
            allowed=allowed,
            log=MemoryDocumentLog(bus),
            quarantine=QuarantineBook(bus),
            order=MemoryOrder(),
            parts=Parts(ReaderHere(), uploads, Shelf(f"file://{tmp_path}/store", "parts"), bus),
            view=view,
            states=states,
            opener=opener,
            syncer=SourceSyncer(view=view, states=states, opener=opener, door=door, publisher=bus),
            place=place,
        )
        world.release()
        ingestor = Ingestor(
            contents=ContentSource(outside, ReaderHere(), max_bytes=MAX_BYTES),
            parts=world.parts,
            order=world.order,
            places=world.places,
            outlines=Shelf(f"file://{tmp_path}/store", "outlines"),
            reader=ReaderHere(),
            releases=world.releases,
            publisher=bus,
            clock_skew=timedelta(minutes=5),
            log=world.log,
            quarantine=world.quarantine,
        )
        world.ingestor = ingestor
        world.rebuild = IndexRebuild(world.log, ingestor, world.releases, bus)
        build_handlers(bus, ingestor, world.rebuild, world.syncer)
        yield world
