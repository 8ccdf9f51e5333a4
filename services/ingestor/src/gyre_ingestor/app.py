"""Wires the ingestor to Kafka, gRPC, the store, its reading processes and the document index."""

from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import unquote, urlsplit

from gyre_common.app import App, Enter, run
from gyre_common.bus import Bus, followed
from gyre_common.dated_store import DatedStore, expire_hourly
from gyre_common.elasticsearch import open_elasticsearch
from gyre_common.events.documents import QUARANTINE_DECIDED
from gyre_common.events.releases import Roles
from gyre_common.events.sources import SOURCE_CHANGED
from gyre_common.outside_content import OutsideContent
from gyre_common.releases.following import open_releases
from gyre_common.store import Shelf

from gyre_ingestor.content import ContentSource
from gyre_ingestor.content_places import CLAIMS, ContentPlaces, ContentSweep
from gyre_ingestor.elasticsearch_documents import ElasticsearchDocuments
from gyre_ingestor.elasticsearch_order import ElasticsearchOrder
from gyre_ingestor.front_door import FrontDoor
from gyre_ingestor.handlers import build_handlers
from gyre_ingestor.index_rebuild import IndexRebuild
from gyre_ingestor.kafka_document_log import KafkaDocumentLog
from gyre_ingestor.parts import FOLDER, Parts
from gyre_ingestor.quarantine import QuarantineBook
from gyre_ingestor.reading import ProcessReader
from gyre_ingestor.rpc import IngestorRpc
from gyre_ingestor.service import Ingestor
from gyre_ingestor.settings import IngestorSettings
from gyre_ingestor.sources import KINDS
from gyre_ingestor.sources.book import SourceBook
from gyre_ingestor.sources.opening import SourceOpener
from gyre_ingestor.sources.rpc import SourceRpc
from gyre_ingestor.sources.schedule import SourceClock
from gyre_ingestor.sources.source import Surroundings
from gyre_ingestor.sources.state import SourceStates
from gyre_ingestor.sources.syncing import SourceSyncer
from gyre_ingestor.sources.view import SourceView
from gyre_ingestor.sources.watching import FolderWatch
from gyre_ingestor.write_gate import WriteGate


async def create_app(settings: IngestorSettings, enter: Enter) -> App:
    """The ingestor, consuming and ready to answer."""
    outside = OutsideContent(
        [*settings.allowed_content_roots, settings.uploads_url],
        max_bytes=settings.max_document_bytes,
    )
    bus = Bus(settings.kafka_servers, service=settings.service, replica=settings.replica)
    elasticsearch = await enter(
        open_elasticsearch(settings.elasticsearch_url, settings.elasticsearch_login)
    )
    releases = await enter(open_releases(settings.kafka_servers, required=[Roles.INGESTION]))
    reader = await enter(
        ProcessReader(
            processes=settings.parse_processes,
            time_limit=settings.parse_seconds,
            memory_bytes=settings.parse_memory_mib * 1024 * 1024,
        )
    )
    contents = ContentSource(outside, reader, max_bytes=settings.max_document_bytes)
    places = ContentPlaces(settings.store_url)
    uploads = DatedStore(settings.uploads_url)
    parts = Parts(reader, uploads, Shelf(settings.store_url, FOLDER), bus)
    log, quarantine = KafkaDocumentLog(settings.kafka_servers), QuarantineBook(bus)
    order = ElasticsearchOrder(elasticsearch)
    ingestor = Ingestor(
        contents=contents,
        parts=parts,
        order=order,
        places=places,
        outlines=Shelf(settings.store_url, "outlines"),
        reader=reader,
        releases=releases,
        publisher=bus,
        clock_skew=timedelta(seconds=settings.clock_skew_seconds),
        log=log,
        quarantine=quarantine,
    )
    documents = ElasticsearchDocuments(elasticsearch)
    door = FrontDoor(contents, uploads, bus, documents, WriteGate(order))
    own_door = FrontDoor(contents, uploads, bus, documents)
    rebuild = IndexRebuild(log, ingestor, releases, bus)
    view, states = SourceView(), SourceStates(settings.store_url)
    opener = SourceOpener(KINDS, _surroundings(settings))
    syncer = SourceSyncer(view=view, states=states, opener=opener, door=own_door, publisher=bus)
    build_handlers(bus, ingestor, rebuild, syncer)
    await enter(followed(settings.kafka_servers, SOURCE_CHANGED, view))
    await enter(followed(settings.kafka_servers, QUARANTINE_DECIDED, quarantine))
    await enter(bus)
    sources = SourceRpc(SourceBook(view, states, opener, bus))
    return App(
        rpc=[IngestorRpc(door, parts, rebuild, quarantine), sources],
        bus=bus,
        ready={"reader": reader.healthy},
        tasks=[
            SourceClock(view, states, bus).run,
            FolderWatch(view, opener, bus).run,
            partial(expire_hourly, (places.raw, uploads), settings.raw_days),
            ContentSweep(places, Shelf(settings.store_url, CLAIMS), log).run,
        ],
    )


def _surroundings(settings: IngestorSettings) -> Surroundings:
    """What sources may reach: of the allowed roots those that are folders of this machine."""
    roots = [urlsplit(root) for root in settings.allowed_content_roots]
    return Surroundings(
        roots=[Path(unquote(root.path)) for root in roots if root.scheme == "file"],
        stores=[root.geturl() for root in roots if root.scheme != "file"],
        secrets=settings.source_secrets_dir,
        cache=settings.home / "source-cache",
        private_addresses=settings.source_private_addresses,
        max_bytes=settings.max_document_bytes,
    )


def main() -> None:
    """Run until told to stop."""
    run(IngestorSettings, create_app)


if __name__ == "__main__":
    main()
