"""Attempts over HTTP: bodies, paths, queries and headers of every route of /openapi.json."""

import json
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx2

from tests.attack.attempt import NOT_SENT, Attempt
from tests.attack.payloads import json_values, texts

Description = Mapping[str, Any]
"""What /openapi.json holds."""

_SECONDS = 60.0
_PLAUSIBLE: Mapping[str, Any] = {
    "model": "gyre",
    "messages": [{"role": "user", "content": "How hot is tea?"}],
    "input": "How hot is tea?",
    "document_id": "attack/tea.md",
    "text": "Tea.",
    "value": "up",
    "interaction_id": "0199a1b2-0000-7000-8000-000000000001",
    "kind": "folder",
    "version": "hybrid-1",
}
_HEADERS: Mapping[str, tuple[str, ...]] = {
    "host": ("evil.example", "127.0.0.1.evil.example", "evil.example:80@127.0.0.1", "", "[::1"),
    "origin": ("https://evil.example", "null", "http://127.0.0.1.evil.example", "file://"),
    "sec-fetch-site": ("cross-site", "same-site"),
    "content-type": (
        *("text/plain", "application/json; charset=utf-7", "application/json; charset=idna"),
        *("multipart/form-data", "application/x-www-form-urlencoded", "application/json;" * 500),
    ),
    "content-encoding": ("gzip", "br", "identity, gzip"),
    "gyre-tenant": ("*", "../x", "a" * 64, "Default"),
    "gyre-groups": ("a" * 257, ",".join(f"g{n}" for n in range(300)), "%00"),
    "authorization": ("Bearer " + "x" * 4_000, "Basic Og=="),
    "cookie": ("gyre=" + "x" * 4_000, "gyre_session=../../x", "a=b;" * 500),
    "x-request-id": ("x" * 5_000, "<script>"),
    "traceparent": ("00-zz-zz-00", "x" * 4_000),
    "range": ("bytes=0-9999999999", "bytes=-1,0-,5-3"),
    "if-none-match": ('"' + "x" * 5_000,),
    "accept": ("text/event-stream", "*/*;q=" + "9" * 500),
    "last-event-id": ("x" * 2_000, "-1"),
    "idempotency-key": ("x" * 5_000, "\x01"),
}
_SKIPPED = ("redact", "/v1/runs", "rebuild")


def held(result: str) -> bool:
    """Whether the status is none of a server that broke down."""
    return result.isdecimal() and int(result) < 500


def attempts(http: httpx2.AsyncClient, description: Description) -> Iterator[Attempt]:
    """All of them, route by route."""
    for path, methods in sorted(description["paths"].items()):
        if any(word in path for word in _SKIPPED):
            continue
        for method in methods:
            yield from _of_route(http, description, method.upper(), path)


def _of_route(
    http: httpx2.AsyncClient, description: Description, method: str, path: str
) -> Iterator[Attempt]:
    plain = path.replace("{", "").replace("}", "")
    fields = _fields(description, method, path)
    body = {name: _PLAUSIBLE[name] for name in fields if name in _PLAUSIBLE}
    if method in ("POST", "PUT", "PATCH"):
        for name in fields:
            rest = {key: value for key, value in body.items() if key != name}
            for kind, value in json_values():
                text = json.dumps(rest)[:-1] + (", " if rest else "") + f'"{name}": {value}}}'
                yield _attempt(http, kind, method, plain, f"{name} = {value[:40]!r}", text)
        for kind, value in json_values():
            yield _attempt(http, kind, method, plain, f"body = {value[:40]!r}", value)
        for broken in ("{", "\xff", "", '{"a": 1, "a": 2}', "\ufeff{}", "{}{}", "// {}"):
            yield _attempt(http, "no JSON", method, plain, f"body = {broken!r}", broken)
    for kind, text in texts():
        if "{" in path and len(text) <= 5_000:
            filled = "".join(
                quote(text, safe="") if number % 2 else part
                for number, part in enumerate(path.replace("}", "{").split("{"))
            )
            yield _attempt(http, kind, method, filled, "in the path", json.dumps(body))
        if method == "GET" and len(text) <= 5_000:
            for name in _queries(description, method, path):
                query = f"{plain}?{name}={quote(text, safe='')}"
                yield _attempt(http, kind, method, query, "", None)
    for header, values in _HEADERS.items():
        for value in values:
            name = f"{header}: {value[:40]!r}"
            sent = json.dumps(body) if method in ("POST", "PUT") else None
            yield _attempt(http, f"header {header}", method, plain, name, sent, (header, value))


def _attempt(
    http: httpx2.AsyncClient,
    kind: str,
    method: str,
    path: str,
    name: str,
    body: str | None,
    *headers: tuple[str, str],
) -> Attempt:
    async def send() -> str:
        sent = {
            "content-type": "application/json",
            "gyre-tenant": "attack",
            "gyre-console": "1",
            **dict(headers),
        }
        content = None if body is None else body.encode(errors="surrogatepass")
        options: Any = {"headers": sent, "content": content, "timeout": _SECONDS}
        try:
            async with http.stream(method, path, **options) as reply:
                async for _ in reply.aiter_raw():
                    break
                return str(reply.status_code)
        except (httpx2.InvalidURL, httpx2.LocalProtocolError, UnicodeError):
            return NOT_SENT  # no client sends it
        except httpx2.RemoteProtocolError:
            return "400"  # the server ended the connection
        except httpx2.TimeoutException:
            return "timeout"

    return Attempt("HTTP", kind, f"{method} {path[:80]} {name}", send)


def _fields(description: Description, method: str, path: str) -> list[str]:
    operation = description["paths"][path][method.lower()]
    text = json.dumps(operation.get("requestBody", {}))
    schemas = description["components"]["schemas"]
    names = [name for name in schemas if f'schemas/{name}"' in text]
    return [name for each in names for name in schemas[each].get("properties", {})]


def _queries(description: Description, method: str, path: str) -> list[str]:
    parameters = description["paths"][path][method.lower()].get("parameters", ())
    return [each["name"] for each in parameters if each["in"] == "query"]
