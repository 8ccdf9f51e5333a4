"""The gateway on a port of its own, before a system of fakes."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import httpx2
from gyre_client import AsyncClient
from gyre_gateway.http import create_http, http_server
from gyre_gateway.settings import GatewaySettings

from tests.unit.client.fake_system import FakeSystem, serve_fake

NOWHERE = "127.0.0.1:1"
KEY = "a-key-of-a-friend-0001"


@dataclass(frozen=True)
class Edge:
    """Where it answers, and a client of HTTP that knows."""

    url: str
    http: httpx2.AsyncClient


@asynccontextmanager
async def an_edge(system: FakeSystem, *, away: str = "", **settings: object) -> AsyncIterator[Edge]:
    """`settings` are the gateway's own; the services ask for the same keys. One may be `away`."""
    own = GatewaySettings.model_validate(settings)
    async with (
        serve_fake(system, keys=own.accepted_keys, identities=own.identities) as addresses,
        AsyncClient(replace(addresses, **({away: NOWHERE} if away else {}))) as gyre,
        http_server(create_http(own, gyre), "127.0.0.1", 0) as port,
        httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=60
        ) as http,
    ):
        yield Edge(f"http://127.0.0.1:{port}", http)
