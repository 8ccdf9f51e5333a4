"""How Gyre's services speak to Elasticsearch: one way to connect, one reading of its errors.

A service that imports this depends on `elasticsearch[async]` itself.
"""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from http import HTTPStatus

import elasticsearch
from elasticsearch import AsyncElasticsearch

from gyre_common.errors import GyreError, Poison, Retryable, Unavailable

_REQUEST_SECONDS = 30.0
_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_BLOCKED = {
    HTTPStatus.TOO_MANY_REQUESTS: "its disk is too full (the flood stage), or somebody set "
    "index.blocks.read_only_allow_delete: make room, or take that setting back",
    HTTPStatus.FORBIDDEN: "somebody set index.blocks.read_only or .write, or that of the cluster: "
    "take that setting back",
}
"""Why, by status: https://www.elastic.co/docs/reference/elasticsearch/index-settings/index-block"""
_NOT_LET_IN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})


class IndexMissing(Retryable):
    """The index is not there (yet)."""


class WritesBlocked(Unavailable):
    """Elasticsearch takes no writes now; what it holds can be read."""


@asynccontextmanager
async def open_elasticsearch(
    url: str, login: tuple[str, str] | None
) -> AsyncIterator[AsyncElasticsearch]:
    """A client that retries nothing by itself; it connects when used. `login` is user and password,
    None where Elasticsearch asks for none.
    """
    # Our own errors say more of a request that failed.
    logging.getLogger("elastic_transport").setLevel(logging.ERROR)
    client = AsyncElasticsearch(
        url,
        basic_auth=login,
        request_timeout=_REQUEST_SECONDS,
        max_retries=0,
        retry_on_timeout=False,
    )
    try:
        yield client
    finally:
        await client.close()


async def reachable(client: AsyncElasticsearch) -> bool:
    """True; raises Unavailable when Elasticsearch does not answer."""
    with elasticsearch_errors():
        await client.cluster.health(timeout="1s")
    return True


@contextmanager
def elasticsearch_errors() -> Iterator[None]:
    """Turns what the client raises inside into Gyre's errors.

    Raises:
        WritesBlocked: its disk is full, or the index is read-only.
        Unavailable: Elasticsearch is down, slow, busy, in trouble, or lets us not in.
        IndexMissing: the index is not there.
        Poison: it refuses the request.
    """
    try:
        yield
    except (elasticsearch.ConnectionError, elasticsearch.ConnectionTimeout) as error:
        raise Unavailable("Elasticsearch cannot be reached, or did not answer in time") from error
    except elasticsearch.ApiError as error:
        raise translated(error) from error


def translated(error: elasticsearch.ApiError) -> GyreError:
    """What an answer of Elasticsearch that is an error means to Gyre."""
    detail = error.body.get("error") if isinstance(error.body, dict) else None
    kind = detail.get("type") if isinstance(detail, dict) else None
    return error_of(error.status_code, str(kind or "no reason given"))


def error_of(status: int, kind: str) -> GyreError:
    """The error for an HTTP status and Elasticsearch's own name of the problem."""
    if kind == "index_not_found_exception":
        return IndexMissing("the index is not there: is the embedder running?")
    if kind == "index_closed_exception":
        return Unavailable("the index is closed: open it again, or delete it and replay")
    if kind == "cluster_block_exception" and status in _BLOCKED:
        return WritesBlocked(f"Elasticsearch takes no writes: {_BLOCKED[HTTPStatus(status)]}")
    if status in _NOT_LET_IN:
        return Unavailable(
            f"Elasticsearch does not let us in ({kind}): check GYRE_ELASTICSEARCH_URL and "
            "GYRE_ELASTICSEARCH_PASSWORD"
        )
    if status in _LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Unavailable(f"Elasticsearch is busy or in trouble ({kind})")
    return Poison(f"Elasticsearch refuses this ({kind})")
