"""What every request meets first: hosts, origins, sizes, headers, and the id that logs and replies
share.
"""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

from gyre_common.telemetry.metrics import METRICS
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gyre_gateway.disconnect import ClientGone
from gyre_gateway.errors import Refused, error_reply

log = logging.getLogger(__name__)

MAX_JSON_BYTES: Final = 4 * 1024 * 1024
"""As much as one call to a service carries."""

_UPLOADS = "/v1/documents"

_CLIENT_GONE = 499
"""In metrics alone: nobody is there to read it."""

_BODY_NOT_READ = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
"""What comes behind such a reply is no request."""

_LINGER_SECONDS = 30.0

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")
_SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class Guard:
    """Refuses what no route should see, and answers for what no route foresaw.

    Args:
        hosts: names under which it may be called; `*` for any.
        origins: other pages that may call it.
        stall_seconds: how long a body may pause.
    """

    def __init__(
        self, app: ASGIApp, *, hosts: Sequence[str], origins: Sequence[str], stall_seconds: float
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._origins = frozenset(origins)
        self._stall_seconds = stall_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "")
        if not _REQUEST_ID.match(request_id):
            request_id = uuid.uuid4().hex
        reply = _Reply(send, receive, request_id)
        began = time.perf_counter()
        try:
            self._check(scope["method"], headers)
            body = _Bounded(receive, scope["path"], headers, self._stall_seconds)
            await self._app(scope, body, reply)
        except ClientGone:
            reply.status = _CLIENT_GONE
        except Exception as error:
            # The edge of the process: whatever a route did not foresee is a bug, and is answered.
            if not isinstance(error, Refused):
                log.exception("request failed", extra={"request_id": request_id})
            if not reply.started:
                await error_reply(error)(scope, receive, reply)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            METRICS.http_requests.labels(scope["method"], route, str(reply.status)).inc()
            METRICS.http_seconds.labels(route).observe(time.perf_counter() - began)

    def _check(self, method: str, headers: Headers) -> None:
        host = headers.get("host", "")
        if "*" not in self._hosts and _name(host) not in self._hosts:
            raise Refused(
                HTTPStatus.MISDIRECTED_REQUEST,
                f"host {host[:100]} is not one of this server's: add it to GYRE_HTTP_HOSTS",
                code="unknown_host",
            )
        origin = headers.get("origin")
        foreign = origin and origin not in self._origins and urlsplit(origin).netloc != host
        if method not in _SAFE and (foreign or (not origin and _from_another_site(headers))):
            raise Refused(
                HTTPStatus.FORBIDDEN,
                f"a page of {(origin or 'another site')[:100]} may not change anything here: add "
                "its origin to GYRE_ALLOWED_ORIGINS",
                code="foreign_origin",
            )
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Refused(
                HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
                "content-encoding is not taken: send the body as it is",
                code="content_encoding",
            )


class _Bounded:
    """The body, as far as it is within bounds; uploads bound their files by themselves."""

    def __init__(self, receive: Receive, path: str, headers: Headers, stall_seconds: float) -> None:
        self._receive = receive
        self._stall_seconds = stall_seconds
        self._ended = False
        self._left = MAX_JSON_BYTES
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        self._counts = path != _UPLOADS or kind != "multipart/form-data"

    async def __call__(self) -> Message:
        if self._ended:  # what may come is that the caller goes, whenever that is
            return await self._receive()
        try:
            async with asyncio.timeout(self._stall_seconds):
                message = await self._receive()
        except TimeoutError as error:
            raise Refused(
                HTTPStatus.REQUEST_TIMEOUT,
                f"nothing of the body came for {self._stall_seconds:g} s, and nothing of this "
                "request was taken: send it again, or raise GYRE_BODY_STALL_SECONDS",
                code="body_stalled",
            ) from error
        self._ended = not message.get("more_body", False)
        if self._counts:
            self._left -= len(message.get("body", b""))
            if self._left < 0:
                raise Refused(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"the body has more than {MAX_JSON_BYTES:,} bytes: send less, and files as "
                    "multipart/form-data to /v1/documents",
                    code="too_large",
                )
        return message


class _Reply:
    """Sends with the headers that every reply has; remembers whether anything left."""

    def __init__(self, send: Send, receive: Receive, request_id: str) -> None:
        self._send = send
        self._receive = receive
        self._request_id = request_id
        self.started = False
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            headers = MutableHeaders(scope=message)
            headers["x-request-id"] = self._request_id
            for name, value in _SECURITY_HEADERS.items():
                headers.setdefault(name, value)
            if self.status in _BODY_NOT_READ:
                headers["connection"] = "close"
        elif self.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and not message.get("more_body"):
            await self._send({**message, "more_body": True})
            await self._linger()
            message = {"type": message["type"]}
        await self._send(message)

    async def _linger(self) -> None:
        """Many callers read the reply only once they have sent all, or lose it with the connection
        if that is cut while they send.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(_LINGER_SECONDS):
                while (await self._receive()).get("more_body"):
                    pass


def _name(host: str) -> str:
    """Of `name:port` the name."""
    name = host.lower()
    return name.rpartition("]")[0] + "]" if name.startswith("[") else name.partition(":")[0]


def _from_another_site(headers: Headers) -> bool:
    """Browsers say so, also of forms that send no origin."""
    return headers.get("sec-fetch-site", "none") not in ("none", "same-origin")
