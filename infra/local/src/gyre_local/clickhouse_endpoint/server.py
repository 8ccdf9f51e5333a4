"""The HTTP edge: ClickHouse's interface on aiohttp (clickhouse.com/docs/interfaces/http)."""

import json
import logging
import secrets
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import IO

from aiohttp import web
from aiohttp.typedefs import Handler

from gyre_local.clickhouse_endpoint.accounts import (
    LARGEST_BODY,
    Account,
    authenticate,
    refuse_web_pages,
)
from gyre_local.clickhouse_endpoint.compression import encoder
from gyre_local.clickhouse_endpoint.engine import ChdbEngine, EngineSession, Result
from gyre_local.clickhouse_endpoint.errors import EngineError
from gyre_local.clickhouse_endpoint.execution import execute
from gyre_local.clickhouse_endpoint.request import QUERY_ID, QueryRequest, read_request
from gyre_local.clickhouse_endpoint.sessions import EngineSessions

log = logging.getLogger(__name__)

_HOST = "127.0.0.1"  # the analyst needs no password: never listen on anything else
_GRACE_SECONDS = 10.0
_BODY_IN_MEMORY = 16 << 20
_SENT_AT_ONCE = 4 << 20
_TEXT = "text/plain; charset=UTF-8"
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


def serve(folder: Path, passwords: Mapping[Account, str], port: int) -> int:
    """Serve until SIGTERM or SIGINT; 1 with one line on stderr where that cannot begin."""
    try:
        with closing(ChdbEngine(folder)) as engine:
            web.run_app(
                ClickHouseEndpoint(engine, passwords).app(),
                host=_HOST,
                port=port,
                print=lambda _: log.info("ClickHouse %s ready at port %d", engine.version, port),
                access_log=None,
                auto_decompress=False,
                handler_cancellation=True,  # a caller that leaves cancels its query
                shutdown_timeout=_GRACE_SECONDS,
            )
    except EngineError as error:
        sys.stderr.write(f"ClickHouse cannot open {folder}: {error.text}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"ClickHouse cannot start: {error}\n")
        return 1
    return 0


class ClickHouseEndpoint:
    """Answers queries on `/` and `/ping`. An account without a password lets everybody in."""

    def __init__(self, engine: ChdbEngine, passwords: Mapping[Account, str]) -> None:
        self._engine = engine
        self._passwords = passwords
        self._sessions = EngineSessions(engine)

    def app(self) -> web.Application:
        """The routes, and what ends with them."""
        app = web.Application(middlewares=[self._refuse])
        app.router.add_get("/ping", self._ping)
        app.router.add_route("*", "/", self._answer)
        app.on_cleanup.append(self._close)
        return app

    async def _close(self, _: web.Application) -> None:
        self._sessions.close()

    @web.middleware
    async def _refuse(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        request[QUERY_ID] = str(uuid.uuid4())
        try:
            refuse_web_pages(request.headers)
            return await handler(request)
        except EngineError as error:
            log.info("query refused", extra={"code": error.code, "query_id": request[QUERY_ID]})
            code = {"X-ClickHouse-Exception-Code": str(error.code)}
            return web.Response(
                status=error.status,
                text=self._text(error) + "\n",
                headers={**self._headers(request), **code},
            )

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(text="Ok.\n")

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "HEAD" or (request.method == "GET" and not request.query_string):
            return await self._ping(request)
        account = authenticate(request.headers, request.query, self._passwords)
        with tempfile.SpooledTemporaryFile(_BODY_IN_MEMORY) as body:
            query = await read_request(request, body, LARGEST_BODY[account])
            async with self._sessions.lend(account, query) as session:
                result = await self._sessions.run(session, lambda: execute(session, query))
                try:
                    return await self._send(request, query, session, result)
                finally:
                    await self._sessions.run(session, result.close)

    async def _send(
        self, request: web.Request, query: QueryRequest, session: EngineSession, result: Result
    ) -> web.StreamResponse:
        """Send a small result at once with its length, a large one as it comes."""
        run = partial(self._sessions.run, session)
        piece, ended = await run(lambda: _next_piece(result.blocks))
        encoding, pack = encoder(query.accept_encoding, in_blocks=query.in_blocks)
        with tempfile.SpooledTemporaryFile(_SENT_AT_ONCE) as spool:
            if query.whole_first and not ended:  # so that an error still has its own status
                await run(lambda: _spool(result, spool))
            headers = self._headers(request) | _headers_of(result)
            if encoding is not None:
                headers["Content-Encoding"] = encoding
            if ended:
                return web.Response(body=pack.compress(piece) + pack.flush(), headers=headers)
            tag = headers["X-ClickHouse-Exception-Tag"] = secrets.token_hex(8)
            response = web.StreamResponse(headers=headers)
            await response.prepare(request)
            try:
                while not ended:
                    await response.write(pack.compress(piece))
                    piece, ended = await run(lambda: _next_piece(result.blocks))
                await response.write(pack.compress(piece) + pack.flush())
                await response.write_eof()
            except EngineError as error:
                trailer = _exception_trailer(self._text(error), tag)
                await response.write(pack.compress(trailer) + pack.flush())
                # The status is long sent: a body that ends early is how the caller learns of it.
                if request.transport is not None:
                    request.transport.close()
            return response

    def _headers(self, request: web.Request) -> dict[str, str]:
        return {
            "X-ClickHouse-Query-Id": request[QUERY_ID],
            "X-ClickHouse-Timezone": self._engine.timezone,
            "X-ClickHouse-Server-Display-Name": "gyre",
        }

    def _text(self, error: EngineError) -> str:
        return f"{error.text} (version {self._engine.version} (chdb))"


def _headers_of(result: Result) -> dict[str, str]:
    stats = {name: str(value) for name, value in asdict(result.stats).items()}
    headers = {"X-ClickHouse-Summary": json.dumps(stats), "Content-Type": _TEXT}
    if result.format is not None:
        headers["X-ClickHouse-Format"] = result.format
        headers["Content-Type"] = _MEDIA_TYPES.get(result.format, _TEXT)
    return headers


def _next_piece(blocks: Iterator[bytes]) -> tuple[bytes, bool]:
    """Read blocks until there is enough to send; tell whether that was all of them."""
    piece = bytearray()
    for block in blocks:
        piece += block
        if len(piece) >= _SENT_AT_ONCE:
            return bytes(piece), False
    return bytes(piece), True


def _spool(result: Result, spool: IO[bytes]) -> None:
    for block in result.blocks:
        spool.write(block)
    spool.seek(0)
    result.blocks = iter(lambda: spool.read(_SENT_AT_ONCE), b"")


def _exception_trailer(text: str, tag: str) -> bytes:
    """How ClickHouse 25.11 and later report an error behind a result that has begun."""
    message = f"{text}\n"
    end = f"{len(message.encode())} {tag}\r\n__exception__\r\n"
    return f"\r\n__exception__\r\n{tag}\r\n{message}{end}".encode()
