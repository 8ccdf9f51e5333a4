"""A web site that a test writes, breaks and counts the requests of."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.utils import formatdate
from hashlib import sha256

from aiohttp import web

Answer = Callable[[web.Request], web.StreamResponse]


@dataclass
class WebSite:
    """Pages by path, in HTML unless they are bytes; `answers` go before them.

    A page has an ETag and a date, and 304 is for whoever has it; `requests` lists every path and
    status, in order.
    """

    pages: dict[str, str | bytes] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    requests: list[tuple[str, int]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def statuses(self) -> dict[str, int]:
        """By path, since the last call; robots.txt is left out."""
        statuses = {path: status for path, status in self.requests if path != "/robots.txt"}
        self.requests.clear()
        return statuses

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.headers.append(dict(request.headers))
        path = request.path_qs
        reply = self._reply(request, path)
        self.requests.append((path, reply.status))
        return reply

    def _reply(self, request: web.Request, path: str) -> web.StreamResponse:
        if path in self.answers:
            return self.answers[path](request)
        if path not in self.pages:
            return web.Response(status=404)
        page = self.pages[path]
        body = page.encode() if isinstance(page, str) else page
        etag = f'"{sha256(body).hexdigest()[:16]}"'
        if request.headers.get("If-None-Match") == etag:
            return web.Response(status=304)
        kind = "text/html" if isinstance(page, str) else "application/octet-stream"
        headers = {"ETag": etag, "Last-Modified": formatdate(0, usegmt=True)}
        return web.Response(body=body, content_type=kind, headers=headers)


def redirect_to(location: str) -> Answer:
    """An answer that sends its caller on."""
    return lambda _: web.Response(status=302, headers={"Location": location})


def status(number: int, **headers: str) -> Answer:
    """An answer without a page."""
    return lambda _: web.Response(status=number, headers=headers)


@asynccontextmanager
async def a_web_site() -> AsyncIterator[WebSite]:
    """On a port of its own of this machine, until the block ends."""
    site = WebSite()
    app = web.Application()
    app.router.add_get("/{path:.*}", site.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        place = web.TCPSite(runner, "127.0.0.1", 0)
        await place.start()
        host, port = runner.addresses[0][:2]
        site.url = f"http://{host}:{port}"
        yield site
    finally:
        await runner.cleanup()
