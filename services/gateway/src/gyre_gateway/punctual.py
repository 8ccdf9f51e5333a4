"""Connections on which no request comes end: nobody holds one by saying nothing."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_SECONDS = 30.0
"""A connection's first request, and the head of each, is there by then. What a body and the pause
between two requests may take, others see to.
"""


class PunctualProtocol(HttpToolsProtocol):
    """Ends a connection whose request does not come."""

    _overdue: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Called by asyncio."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._have_head()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Called by httptools: the first letter of a request is here."""
        self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Called by httptools."""
        self._have_head()
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._have_head()
        self._overdue = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _have_head(self) -> None:
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
