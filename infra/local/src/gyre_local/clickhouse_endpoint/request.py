"""A query as it comes over HTTP: which parts of URL, form and body mean what."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

from aiohttp import BodyPartReader, web

from gyre_local.clickhouse_endpoint.compression import decoder
from gyre_local.clickhouse_endpoint.engine import LONGEST_QUERY
from gyre_local.clickhouse_endpoint.errors import Code, EngineError

QUERY_ID = web.RequestKey("query_id", str)
_PIECE = 1 << 16
_LONGEST_VERSION = 9  # digits
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
        "http_headers_progress_interval_ms", "cancel_http_readonly_queries_on_client_close", "role",
    }
)  # fmt: skip
_NOT_OFFERED = {
    "decompress": "send compressed data with Content-Encoding",
    "role": "sessions keep the role of their user",
}


@dataclass(frozen=True, kw_only=True)
class QueryRequest:
    """Everything a caller asks of one query.

    The statement, and what data follows it, are `head` and behind it all of `rest`; the statement
    ends within `head`. A session without an id ends with the query.
    """

    head: bytes
    rest: IO[bytes]
    params: Mapping[str, str]
    settings: Mapping[str, str]
    database: str | None
    default_format: str
    session_id: str
    session_seconds: float
    session_must_exist: bool
    accept_encoding: str
    in_blocks: bool
    whole_first: bool
    over_get: bool
    protocol_version: int


async def read_request(request: web.Request, body: IO[bytes], largest: int) -> QueryRequest:
    """Read the request to its end, what it carries into `body`, an empty file.

    `request[QUERY_ID]` becomes the caller's own, where it has one. Raises EngineError where it asks
    for something that is not offered, or where its body is broken or larger than `largest` bytes,
    decompressed or not.
    """
    url = dict(request.query)
    for name, instead in _NOT_OFFERED.items():
        if url.get(name, "0") not in ("", "0"):
            raise EngineError.refusal(Code.NOT_IMPLEMENTED, f"{name} is not offered: {instead}.")
    if request.content_type == _FORM:
        url |= await _form(request, largest)
    else:
        await _unpack(request, body, largest)
        body.seek(0)
    query, data = url.get("query", "").encode(), body.read(LONGEST_QUERY)
    params = {name: value for name, value in url.items() if name.startswith(_PARAMETER)}
    settings = {
        name: value for name, value in url.items() if name not in _OF_THE_INTERFACE | params.keys()
    }
    session_id = url.get("session_id", "")
    if session_id and "readonly" in settings:
        raise EngineError.refusal(
            Code.NOT_IMPLEMENTED,
            "readonly cannot be taken back from a session: leave out session_id.",
        )
    request[QUERY_ID] = url.get("query_id") or request[QUERY_ID]
    headers = request.headers
    compressed = url.get("enable_http_compression") == "1"
    return QueryRequest(
        # As ClickHouse reads them: the URL's text, a line end, the body.
        head=query.rstrip() + b"\n" + data if query and data else query or data,
        rest=body,
        params={name.removeprefix(_PARAMETER): value for name, value in params.items()},
        settings=settings,
        database=url.get("database") or headers.get("X-ClickHouse-Database"),
        default_format=url.get("default_format")
        or headers.get("X-ClickHouse-Format")
        or "TabSeparated",
        session_id=session_id,
        session_seconds=_seconds(url.get("session_timeout", "60")),
        session_must_exist=url.get("session_check") == "1",
        accept_encoding=headers.get("Accept-Encoding", "") if compressed else "",
        in_blocks=url.get("compress", "0") not in ("", "0", "false"),
        whole_first=url.get("wait_end_of_query") == "1",
        over_get=request.method == "GET",
        protocol_version=_protocol_version(url.get("client_protocol_version", "0")),
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


async def _unpack(request: web.Request, body: IO[bytes], largest: int) -> None:
    encoding = request.headers.get("Content-Encoding", "identity")
    unpack = None if encoding == "identity" else decoder(encoding)
    packed_size = size = 0
    async for piece in request.content.iter_chunked(_PIECE):
        packed_size = _within(packed_size + len(piece), largest)  # empty frames add up to nothing
        for plain in (piece,) if unpack is None else unpack.decode(piece):
            size = _within(size + len(plain), largest)
            body.write(plain)
    if unpack is not None and not unpack.finished:
        raise EngineError.refusal(Code.CANNOT_DECOMPRESS, "The compressed body ends too early.")


def _within(size: int, largest: int) -> int:
    if size > largest:
        raise EngineError.refusal(
            Code.TOO_MANY_BYTES, f"The body is larger than {largest} bytes: send it in parts."
        )
    return size


def _protocol_version(text: str) -> int:
    if not text.isdecimal() or len(text) > _LONGEST_VERSION:
        raise EngineError.refusal(
            Code.BAD_ARGUMENTS, "Invalid client_protocol_version: give a whole number."
        )
    return int(text)


def _seconds(timeout: str) -> float:
    try:
        seconds = float(timeout)
        if not seconds >= 0:  # nor is NaN a time
            raise ValueError(timeout)
    except ValueError as error:
        raise EngineError.refusal(
            Code.BAD_ARGUMENTS, "Invalid session timeout: give a number of seconds."
        ) from error
    return seconds
