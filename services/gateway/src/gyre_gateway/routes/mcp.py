"""POST /mcp: the Model Context Protocol over streamable HTTP, so that agents use Gyre.

Reference: https://modelcontextprotocol.io/specification
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from fastapi import FastAPI, Request
from mcp.server.transport_security import TransportSecuritySettings
from starlette.types import Receive, Scope, Send

from gyre_gateway.errors import Refused
from gyre_gateway.guard import MAX_JSON_BYTES
from gyre_gateway.identity import Identities
from gyre_gateway.mcp_tools import create_mcp

PATH = "/mcp"


class McpEndpoint:
    """Each call stands alone: no session is kept, so any replica answers it."""

    def __init__(self) -> None:
        server = create_mcp()
        server.streamable_http_app(
            stateless_http=True,
            max_request_body_size=MAX_JSON_BYTES,
            # The guard has looked at host and origin, by names that the SDK does not know.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self._sessions = server.session_manager

    @asynccontextmanager
    async def lifespan(self, app: FastAPI) -> AsyncIterator[None]:
        """Calls are answered as long as it lasts."""
        async with self._sessions.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises Unauthenticated, Refused."""
        request = Request(scope, receive)
        if request.method != "POST":
            raise Refused(
                HTTPStatus.METHOD_NOT_ALLOWED,
                f"{PATH} takes POST alone: no session is kept that could be listened to or ended",
                code="method_not_allowed",
            )
        identities: Identities = request.app.state.identities
        identities.caller(request)
        await self._sessions.handle_request(scope, receive, send)
