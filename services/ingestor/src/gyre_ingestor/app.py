"""Wires the ingestor to Kafka, gRPC, the store, its reading processes and the document index."""

from datetime import timedelta
from functools import partial

from gyre_common.app import App, Enter, run
from gyre_common.bus import Bus
from gyre_common.elasticsearch import open_elasticsearch
from gyre_common.events.releases import Roles
from gyre_common.outside_content import OutsideContent
from gyre_common.raw_zone import RawZone, expire_hourly
from gyre_common.releases.following import open_releases
from gyre_common.store import Shelf, Store

from gyre_ingestor.content import ContentSource
from gyre_ingestor.elasticsearch_documents import ElasticsearchDocuments
from gyre_ingestor.elasticsearch_order import ElasticsearchOrder
from gyre_ingestor.front_door import FrontDoor
from gyre_ingestor.handlers import build_handlers
from gyre_ingestor.index_rebuild import IndexRebuild
from gyre_ingestor.kafka_document_log import KafkaDocumentLog
from gyre_ingestor.parts import FOLDER, Parts
from gyre_ingestor.reading import ProcessReader
from gyre_ingestor.rpc import IngestorRpc
from gyre_ingestor.service import Ingestor
from gyre_ingestor.settings import IngestorSettings


async def create_app(settings: IngestorSettings, enter: Enter) -> App:
    """The ingestor, consuming and ready to answer."""
    outside = OutsideContent(
        [*settings.allowed_content_roots, settings.uploads_url],
        max_bytes=settings.max_document_bytes,
    )
    bus = Bus(settings.kafka_servers, service=settings.service)
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
    raw_originals = RawZone(f"{settings.store_url}/raw")
    uploads = RawZone(settings.uploads_url)
    parts = Parts(reader, uploads, Shelf(settings.store_url, FOLDER), bus)
    ingestor = Ingestor(
        contents=contents,
        parts=parts,
        order=ElasticsearchOrder(elasticsearch),
        originals=Store(settings.store_url),
        raw_originals=raw_originals,
        outlines=Shelf(settings.store_url, "outlines"),
        reader=reader,
        releases=releases,
        publisher=bus,
        clock_skew=timedelta(seconds=settings.clock_skew_seconds),
    )
    documents = ElasticsearchDocuments(elasticsearch)
    door = FrontDoor(contents, uploads, bus, documents)
    rebuild = IndexRebuild(KafkaDocumentLog(settings.kafka_servers), ingestor, releases, bus)
    build_handlers(bus, ingestor, rebuild)
    await enter(bus)
    return App(
        rpc=[IngestorRpc(door, parts, rebuild)],
        bus=bus,
        ready={"reader": reader.healthy},
        tasks=[partial(expire_hourly, (raw_originals, uploads), settings.raw_days)],
    )


def main() -> None:
    """Run until told to stop."""
    run(IngestorSettings, create_app)


if __name__ == "__main__":
    main()
