"""Wires the retriever to gRPC, Elasticsearch, the embedder and the releases."""

from functools import partial
from random import Random

from gyre_common.app import App, Enter, run
from gyre_common.elasticsearch import open_elasticsearch, reachable
from gyre_common.releases.fitting import FITTED_ROLES
from gyre_common.releases.following import open_releases
from gyre_common.rpc import channel

from gyre_retriever.elasticsearch_search import ElasticsearchSearch
from gyre_retriever.grpc_query_encoder import GrpcQueryEncoder
from gyre_retriever.rpc import RetrieverRpc
from gyre_retriever.service import Retriever
from gyre_retriever.settings import RetrieverSettings


async def create_app(settings: RetrieverSettings, enter: Enter) -> App:
    """The retriever, ready to answer."""
    client = await enter(
        open_elasticsearch(settings.elasticsearch_url, settings.elasticsearch_login)
    )
    embedder = await enter(channel(settings.embedder_address, key=settings.key))
    releases = await enter(open_releases(settings.kafka_servers, required=FITTED_ROLES))
    index = ElasticsearchSearch(client, seconds=settings.search_seconds)
    encoder = GrpcQueryEncoder(
        embedder, seconds=settings.embed_seconds, cache_size=settings.query_cache_size
    )
    return App(
        rpc=[RetrieverRpc(Retriever(index, encoder, releases, Random()))],
        ready={"elasticsearch": partial(reachable, client)},
    )


def main() -> None:
    """Run until told to stop."""
    run(RetrieverSettings, create_app)


if __name__ == "__main__":
    main()
