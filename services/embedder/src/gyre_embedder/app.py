"""Wires the embedder to Kafka, gRPC, Elasticsearch, the store and ONNX Runtime."""

from functools import partial

from gyre_common.app import App, Enter, run
from gyre_common.bus import Bus
from gyre_common.elasticsearch import open_elasticsearch, reachable
from gyre_common.events.releases import Roles
from gyre_common.model_folders import ModelFolders
from gyre_common.releases.following import open_releases
from gyre_common.store import Store

from gyre_embedder.chunk_writer import ChunkWriter
from gyre_embedder.elasticsearch_index import ElasticsearchIndex
from gyre_embedder.encoders import Encoders
from gyre_embedder.handlers import build_handlers
from gyre_embedder.live_group import KafkaLiveGroup
from gyre_embedder.onnx_encoder import OnnxModels
from gyre_embedder.rpc import EmbedderRpc
from gyre_embedder.service import Indexer
from gyre_embedder.settings import EmbedderSettings
from gyre_embedder.shadow import ShadowFiller

_ROLES = (Roles.DOCUMENT_ENCODER, Roles.QUERY_ENCODER)


async def create_app(settings: EmbedderSettings, enter: Enter) -> App:
    """The embedder, consuming and ready to answer."""
    store = Store(settings.store_url)
    models = OnnxModels(ModelFolders(store, settings.model_cache), threads=settings.encoder_threads)
    client = await enter(
        open_elasticsearch(settings.elasticsearch_url, settings.elasticsearch_login)
    )
    index = ElasticsearchIndex(
        client, shards=settings.index_shards, refresh_interval=settings.index_refresh_interval
    )
    releases = await enter(open_releases(settings.kafka_servers, required=_ROLES))
    encoders = await enter(
        Encoders(models, releases, most_bytes=settings.encoder_memory_mb * 1_000_000)
    )
    await encoders.hold()
    writer = ChunkWriter(index, encoders, store)
    indexer = Indexer(index, writer, releases)
    await indexer.prepare()
    filler = ShadowFiller(index, writer, releases, KafkaLiveGroup(settings.kafka_servers))
    bus = Bus(settings.kafka_servers, service=settings.service, replica=settings.replica)
    build_handlers(bus, indexer, filler)
    await enter(bus)
    return App(
        rpc=[EmbedderRpc(encoders)],
        bus=bus,
        ready={"elasticsearch": partial(reachable, client)},
        tasks=[encoders.follow_releases],
        troubles=filler.problems,
    )


def main() -> None:
    """Run until told to stop."""
    run(EmbedderSettings, create_app)


if __name__ == "__main__":
    main()
