"""The HTTP application: its routes behind their guard, the console's files, and the server."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

import uvicorn
from fastapi import FastAPI
from gyre_client import AsyncClient
from gyre_common.dated_store import DatedStore
from gyre_common.errors import GyreError
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route

from gyre_gateway import errors
from gyre_gateway.answering import INTERACTION
from gyre_gateway.guard import Guard
from gyre_gateway.identity import Identities
from gyre_gateway.punctual import PunctualProtocol
from gyre_gateway.routes import ROUTERS
from gyre_gateway.routes.console import Assets
from gyre_gateway.routes.mcp import PATH, McpEndpoint
from gyre_gateway.sessions import SessionCookies
from gyre_gateway.settings import GatewaySettings
from gyre_gateway.uploads import Uploads

_DRAIN_SECONDS = 10


def create_http(settings: GatewaySettings, gyre: AsyncClient) -> FastAPI:
    """Every route; `gyre` reaches the services."""
    mcp = McpEndpoint()
    app = FastAPI(
        lifespan=mcp.lifespan,
        title="Gyre",
        summary="A self-hosted answer engine that gets better from its own use.",
        responses=errors.RESPONSES,
        docs_url=None,
        redoc_url=None,
    )
    app.state.settings = settings
    app.state.gyre = gyre
    uploads = DatedStore(settings.uploads_url)
    app.state.uploads = Uploads(uploads, max_bytes=settings.max_document_bytes)
    sessions = SessionCookies(settings.session_secret.get_secret_value())
    app.state.identities = Identities(settings, sessions)
    errors.install(app)
    # Before the pages, which take what is left.
    app.router.routes.append(Route(PATH, mcp))
    app.mount("/assets", GZipMiddleware(Assets()))
    for router in ROUTERS:
        app.include_router(router)
    if settings.allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.allowed_origins,
            allow_methods=["*"],
            allow_headers=["*"],
            expose_headers=["x-request-id", "retry-after", INTERACTION],
        )
    app.add_middleware(
        Guard,
        hosts=settings.accepted_hosts,
        origins=settings.allowed_origins,
        stall_seconds=settings.body_stall_seconds,
    )
    return app


class _Server(uvicorn.Server):
    """Leaves signals to the process, which drains."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None are taken."""
        yield


@asynccontextmanager
async def http_server(app: FastAPI, host: str, port: int) -> AsyncIterator[int]:
    """Serves until the context ends; yields the port, a free one when `port` is 0.

    Requests in flight may end. Raises GyreError when the port is taken.
    """
    listener = _listen(host, port)
    config = uvicorn.Config(
        app,
        http=PunctualProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN_SECONDS,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await task


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host.strip("[]"), port))
        listener.listen()  # who calls before the server has started waits
    except OSError as error:
        listener.close()
        raise GyreError(
            f"cannot answer HTTP on {host}:{port}: {error.strerror}; set GYRE_PORT_OFFSET"
        ) from error
    listener.setblocking(False)
    return listener
