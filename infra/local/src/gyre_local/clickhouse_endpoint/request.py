"""A query as it comes over HTTP: which parts of URL, form and body mean what."""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

from aiohttp import BodyPartReader, web

from gyre_local.clickhouse_endpoint.compression import decoder
from gyre_local.clickhouse_endpoint.engine import LONGEST_QUERY, ChdbEngine
from gyre_local.clickhouse_endpoint.errors import Code, EngineError

QUERY_ID = web.RequestKey("query_id", str)
_IN_MEMORY = 16 << 20
_PIECE = 1 << 16
# Not application/x-www-form-urlencoded, which is what `curl -d` calls every body.
_FORM = "multipart/form-data"

_PARAMETER = "param_"
# Names in the URL that speak to the HTTP interface; every other one is a setting.
# https://clickhouse.com/docs/interfaces/http
_OF_THE_INTERFACE = frozenset(
    {
        "query", "database", "default_format", "user", "password", "quota_key", "query_id",
        "session_id", "session_timeout", "session_check", "close_session", "buffer_size",
        "wait_end_of_query", "compress", "decompress", "stacktrace", "client_protocol_version",
        "enable_http_compression", "http_zlib_compression_level", "send_progress_in_http_headers",
        "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close",
    }
)  # fmt: skip
_NOT_OFFERED = {
    "decompress": "send compressed data with Content-Encoding",
    "role": "sessions keep the role of their user",
}


@dataclass(frozen=True)
class SessionRef:
    """A session that the caller wants to keep between requests."""

    id: str
    timeout_seconds: float
    must_exist: bool


@dataclass(frozen=True, kw_only=True)
class QueryRequest:
    """Everything a caller asks of one query.

    The statement, and what data follows it, are `head` and behind it all of `rest`; the statement
    ends within `head`.
    """

    head: bytes
    rest: IO[bytes]
    params: Mapping[str, str]
    settings: Mapping[str, str]
    database: str | None
    default_format: str
    session: SessionRef | None
    accept_encoding: str
    in_blocks: bool
    whole_first: bool
    over_get: bool


async def read_request(request: web.Request, engine: ChdbEngine, largest: int) -> QueryRequest:
    """Read the request to its end, which may come after `largest` bytes, decompressed or not.

    `request[QUERY_ID]` becomes the caller's own, where it has one.

    Raises:
        EngineError: it asks for something that is not offered, or its body is broken or too large.
    """
    url = dict(request.query)
    rest: IO[bytes]
    for name, instead in _NOT_OFFERED.items():
        if url.get(name, "0") not in ("", "0"):
            raise EngineError.refusal(Code.NOT_IMPLEMENTED, f"{name} is not offered: {instead}.")
    if request.content_type == _FORM:
        url |= await _form(request, largest)
        head, rest = url.get("query", "").encode(), io.BytesIO()
    else:
        head, rest = await _body(request, engine, url.get("query", "").encode(), largest)
    session = _session(url)
    settings = {
        name: value
        for name, value in url.items()
        if name not in _OF_THE_INTERFACE | _NOT_OFFERED.keys() and not name.startswith(_PARAMETER)
    }
    if session is not None and "readonly" in settings:
        raise EngineError.refusal(
            Code.NOT_IMPLEMENTED,
            "readonly cannot be taken back from a session: leave out session_id.",
        )
    request[QUERY_ID] = url.get("query_id") or request[QUERY_ID]
    headers = request.headers
    compressed = url.get("enable_http_compression") == "1"
    return QueryRequest(
        head=head,
        rest=rest,
        params={
            name.removeprefix(_PARAMETER): value
            for name, value in url.items()
            if name.startswith(_PARAMETER)
        },
        settings=settings,
        database=url.get("database") or headers.get("X-ClickHouse-Database"),
        default_format=url.get("default_format")
        or headers.get("X-ClickHouse-Format")
        or "TabSeparated",
        session=session,
        accept_encoding=headers.get("Accept-Encoding", "") if compressed else "",
        in_blocks=url.get("compress", "0") not in ("", "0", "false"),
        whole_first=url.get("wait_end_of_query") == "1",
        over_get=request.method == "GET",
    )


async def _form(request: web.Request, largest: int) -> dict[str, str]:
    fields = {}
    size = 0
    async for part in await request.multipart():
        name = getattr(part, "name", None)
        if not isinstance(part, BodyPartReader) or name is None or part.filename is not None:
            raise EngineError.refusal(
                Code.NOT_IMPLEMENTED,
                f"external data ({str(name)[:64]}) is not offered: insert it into a temporary "
                "table of a session.",
            )
        value = bytearray()
        while piece := await part.read_chunk():
            size = _within(size + len(piece), largest)
            value += piece
        try:
            fields[name] = value.decode()
        except UnicodeDecodeError as error:
            raise EngineError.refusal(
                Code.BAD_ARGUMENTS, f"The field {name[:64]} is not UTF-8 text."
            ) from error
    return fields


async def _body(
    request: web.Request, engine: ChdbEngine, query: bytes, largest: int
) -> tuple[bytes, IO[bytes]]:
    spool = engine.spool(in_memory=_IN_MEMORY)
    try:
        await _spool_body(request, spool, largest)
        spool.seek(0)
        start = spool.read(LONGEST_QUERY)
    except BaseException:
        spool.close()
        raise
    # As ClickHouse reads them: the URL's text, a line end, the body.
    return (query.rstrip() + b"\n" + start if query and start else query or start), spool


async def _spool_body(request: web.Request, spool: IO[bytes], largest: int) -> None:
    encoding = request.headers.get("Content-Encoding", "identity")
    unpack = None if encoding == "identity" else decoder(encoding)
    packed_size = size = 0
    async for piece in request.content.iter_chunked(_PIECE):
        packed_size = _within(packed_size + len(piece), largest)  # empty frames add up to nothing
        for plain in (piece,) if unpack is None else unpack.decode(piece):
            size = _within(size + len(plain), largest)
            spool.write(plain)
    if unpack is not None and not unpack.finished:
        raise EngineError.refusal(Code.CANNOT_DECOMPRESS, "The compressed body ends too early.")


def _within(size: int, largest: int) -> int:
    if size > largest:
        raise EngineError.refusal(
            Code.TOO_MANY_BYTES, f"The body is larger than {largest} bytes: send it in parts."
        )
    return size


def _session(url: Mapping[str, str]) -> SessionRef | None:
    if not url.get("session_id"):
        return None
    try:
        timeout = float(url.get("session_timeout", "60"))
        if not timeout >= 0:  # nor is NaN a time
            raise ValueError(timeout)
    except ValueError as error:
        raise EngineError.refusal(
            Code.BAD_ARGUMENTS, "Invalid session timeout: give a number of seconds."
        ) from error
    return SessionRef(url["session_id"], timeout, url.get("session_check") == "1")
