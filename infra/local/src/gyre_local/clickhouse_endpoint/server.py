"""The HTTP edge: ClickHouse's interface on aiohttp (clickhouse.com/docs/interfaces/http)."""

import asyncio
import json
import logging
import secrets
import uuid
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress

from aiohttp import web
from aiohttp.typedefs import Handler

from gyre_local.clickhouse_endpoint.accounts import Account, authenticate, credentials
from gyre_local.clickhouse_endpoint.compression import (
    CompressedBlocks,
    ContentEncoder,
    Identity,
    encoder,
)
from gyre_local.clickhouse_endpoint.engine import ChdbEngine, Stats
from gyre_local.clickhouse_endpoint.errors import EngineError
from gyre_local.clickhouse_endpoint.execution import Result, execute
from gyre_local.clickhouse_endpoint.limits import LARGEST_BODY
from gyre_local.clickhouse_endpoint.request import QueryRequest, read_request
from gyre_local.clickhouse_endpoint.sessions import Sessions
from gyre_local.clickhouse_endpoint.threads import QueryThread, Threads
from gyre_local.clickhouse_endpoint.web_pages import refuse_web_pages

log = logging.getLogger(__name__)

_SENT_AT_ONCE = 4 << 20
_MEDIA_TYPES = {
    "JSON": "application/json; charset=UTF-8",
    "JSONEachRow": "application/x-ndjson; charset=UTF-8",
    "CSV": "text/csv; charset=UTF-8; header=absent",
    "CSVWithNames": "text/csv; charset=UTF-8; header=present",
    "TabSeparated": "text/tab-separated-values; charset=UTF-8",
    "Native": "application/octet-stream",
    "Parquet": "application/octet-stream",
    "Arrow": "application/octet-stream",
}


class Endpoint:
    """Answers queries on `/` and `/ping`. An account without a password lets everybody in."""

    def __init__(self, engine: ChdbEngine, passwords: Mapping[Account, str]) -> None:
        self._engine = engine
        self._passwords = passwords
        self._sessions = Sessions(engine)
        self._threads = Threads(engine)

    def app(self) -> web.Application:
        """The routes, and what runs beside them."""
        app = web.Application(middlewares=[self._refuse_web_pages])
        app.router.add_get("/ping", self._ping)
        app.router.add_route("*", "/", self._answer)
        app.cleanup_ctx.append(self._running)
        return app

    async def _running(self, _: web.Application) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(self._sessions.sweep())
        yield
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping
        self._threads.close()
        self._sessions.close()

    @web.middleware
    async def _refuse_web_pages(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            refuse_web_pages(request.headers)
        except EngineError as error:
            return self._refusal(error, query_id=str(uuid.uuid4()))
        return await handler(request)

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(text="Ok.\n")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "HEAD" or (request.method == "GET" and not request.query_string):
            return web.Response(text="Ok.\n")
        query_id = str(uuid.uuid4())
        try:
            account = authenticate(credentials(request.headers, request.query), self._passwords)
            query = await read_request(request, self._engine, query_id, LARGEST_BODY[account])
            query_id = query.query_id
            with query.rest:
                async with self._sessions.lend(account, query.session) as session:
                    thread = self._threads.of(account, session)
                    result = await thread.run(lambda: execute(session, query, account))
                    return await self._send(request, query, result, thread)
        except EngineError as error:
            return self._refusal(error, query_id)

    async def _send(
        self, request: web.Request, query: QueryRequest, result: Result, thread: QueryThread
    ) -> web.StreamResponse:
        """Send a small result at once with its length, a large one as it comes."""
        pack: ContentEncoder = Identity()
        try:
            first, ended = await thread.run(lambda: _next_piece(result.blocks))
            headers = self._headers(query.query_id, result)
            if query.in_blocks:
                pack = CompressedBlocks()
            elif (encoding := encoder(query.accept_encoding)) is not None:
                headers["Content-Encoding"], pack = encoding
            if ended:
                return web.Response(body=pack.encode(first) + pack.finish(), headers=headers)
            if query.whole_first:
                return await self._send_spooled(request, first, result, headers, pack, thread)
            return await self._send_streamed(request, first, result, headers, pack, thread)
        finally:
            await thread.run(result.close)

    async def _send_spooled(
        self,
        request: web.Request,
        first: bytes,
        result: Result,
        headers: dict[str, str],
        pack: ContentEncoder,
        thread: QueryThread,
    ) -> web.StreamResponse:
        """Wait for the whole result, so that an error still has its own status."""
        with self._engine.spool(in_memory=_SENT_AT_ONCE) as spool:

            def fill() -> None:
                spool.write(pack.encode(first))
                for block in result.blocks:
                    spool.write(pack.encode(block))
                spool.write(pack.finish())
                spool.seek(0)

            await thread.run(fill)
            response = web.StreamResponse(headers=headers)
            await response.prepare(request)
            while piece := await thread.run(lambda: spool.read(_SENT_AT_ONCE)):
                await response.write(piece)
            await response.write_eof()
            return response

    async def _send_streamed(
        self,
        request: web.Request,
        first: bytes,
        result: Result,
        headers: dict[str, str],
        pack: ContentEncoder,
        thread: QueryThread,
    ) -> web.StreamResponse:
        tag = secrets.token_hex(8)
        response = web.StreamResponse(headers={**headers, "X-ClickHouse-Exception-Tag": tag})
        await response.prepare(request)
        await response.write(pack.encode(first))
        try:
            ended = False
            while not ended:
                piece, ended = await thread.run(lambda: _next_piece(result.blocks))
                await response.write(pack.encode(piece))
            await response.write(pack.finish())
            await response.write_eof()
        except EngineError as error:
            trailer = _exception_trailer(self._text(error), tag)
            await response.write(pack.encode(trailer) + pack.finish())
            # The status is long sent: a body that ends early is how the caller learns of it.
            if request.transport is not None:
                request.transport.close()
        return response

    def _headers(self, query_id: str, result: Result) -> dict[str, str]:
        headers = {
            "X-ClickHouse-Query-Id": query_id,
            "X-ClickHouse-Timezone": self._engine.timezone,
            "X-ClickHouse-Server-Display-Name": "gyre",
            "X-ClickHouse-Summary": json.dumps(_summary(result.stats)),
            "Content-Type": "text/plain; charset=UTF-8",
        }
        if result.format is not None:
            headers["X-ClickHouse-Format"] = result.format
            headers["Content-Type"] = _MEDIA_TYPES.get(result.format, headers["Content-Type"])
        return headers

    def _refusal(self, error: EngineError, query_id: str) -> web.Response:
        log.info("query refused", extra={"code": error.code, "query_id": query_id})
        return web.Response(
            status=error.status,
            text=self._text(error) + "\n",
            headers={
                "X-ClickHouse-Exception-Code": str(error.code),
                "X-ClickHouse-Query-Id": query_id,
                "X-ClickHouse-Timezone": self._engine.timezone,
            },
        )

    def _text(self, error: EngineError) -> str:
        return f"{error.text} (version {self._engine.version} (chdb))"


def _next_piece(blocks: Iterator[bytes]) -> tuple[bytes, bool]:
    """Read blocks until there is enough to send; tell whether that was all of them."""
    piece = bytearray()
    for block in blocks:
        piece += block
        if len(piece) >= _SENT_AT_ONCE:
            return bytes(piece), False
    return bytes(piece), True


def _exception_trailer(text: str, tag: str) -> bytes:
    """How ClickHouse 25.11 and later report an error behind a result that has begun."""
    message = text.encode() + b"\n"
    return (
        f"\r\n__exception__\r\n{tag}\r\n".encode()
        + message
        + f"{len(message)} {tag}\r\n__exception__\r\n".encode()
    )


def _summary(stats: Stats) -> dict[str, str]:
    return {
        "read_rows": str(stats.read_rows),
        "read_bytes": str(stats.read_bytes),
        "written_rows": str(stats.written_rows),
        "written_bytes": str(stats.written_bytes),
        "elapsed_ns": str(int(stats.elapsed_seconds * 1e9)),
    }
