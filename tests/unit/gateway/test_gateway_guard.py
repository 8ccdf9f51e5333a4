"""What every request meets: keys, hosts, origins, sizes, headers."""

import asyncio
import gzip
import inspect

import pytest
from fastapi.routing import APIRoute
from gyre_gateway import punctual
from gyre_gateway.routes import ROUTERS

from tests.unit.client.fake_system import FakeSystem
from tests.unit.gateway.edge import KEY, Edge, an_edge
from tests.unit.gateway.test_gateway_away import filled

ASK = {"model": "gyre", "messages": [{"role": "user", "content": "How hot?"}]}
CHAT = "/v1/chat/completions"


async def test_tenant_and_groups_reach_every_call_behind(edge: Edge, system: FakeSystem) -> None:
    for tenant, groups in (("acme", "staff,Räte"), ("globex", "guests")):
        headers = {b"gyre-tenant": tenant.encode(), b"gyre-groups": groups.encode()}
        await edge.http.get("/v1/models", headers=headers)
        await edge.http.post(CHAT, json=ASK, headers=headers)
    callers = [(caller.tenant, caller.acl) for caller in system.callers]
    assert callers == [("acme", ("staff", "Räte"))] * 2 + [("globex", ("guests",))] * 2


async def test_keys_are_asked_for_where_they_are_set(system: FakeSystem) -> None:
    async with an_edge(system, keys=KEY) as edge:
        for headers in ({}, {"authorization": "Bearer another-key-0001"}, {"authorization": "x"}):
            reply = await edge.http.post(CHAT, json=ASK, headers=headers)
            assert reply.status_code == 401
            assert reply.json()["error"]["type"] == "authentication_error"
        reply = await edge.http.post(CHAT, json=ASK, headers={"authorization": f"Bearer {KEY}"})
        assert reply.status_code == 200
    assert len(system.requests) == 1


async def test_a_foreign_page_changes_nothing(edge: Edge, system: FakeSystem) -> None:
    for headers in (
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": edge.url.replace("http://127.0.0.1", "http://evil.example")},
        {"sec-fetch-site": "cross-site"},
    ):
        reply = await edge.http.post(CHAT, json=ASK, headers=headers)
        assert (reply.status_code, reply.json()["error"]["code"]) == (403, "foreign_origin")
    assert not system.requests
    assert (await edge.http.post(CHAT, json=ASK, headers={"origin": edge.url})).status_code == 200


async def test_no_change_of_any_kind_comes_from_another_page(
    edge: Edge, system: FakeSystem
) -> None:
    described = (await edge.http.get("/openapi.json")).json()["paths"]
    changes = [
        (method, filled(path))
        for path, methods in described.items()
        for method in methods
        if method != "get"
    ]
    assert len(changes) > 10
    await edge.http.get("/session")  # the browser has a cookie
    for method, path in [*changes, ("post", "/mcp")]:
        for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "same-site"}):
            reply = await edge.http.request(method, path, headers={**headers, "gyre-console": "1"})
            assert (reply.status_code, path) == (403, path)
            assert reply.json()["error"]["code"] == "foreign_origin"
        if path.startswith("/v1"):  # a form of an old browser says nothing of where it comes from
            reply = await edge.http.request(method, path)
            assert (reply.status_code, path) == (403, path)
            assert reply.json()["error"]["code"] == "no_console_header"
    assert not system.requests


async def test_an_origin_that_is_allowed_may_call_from_its_page(system: FakeSystem) -> None:
    page = {"origin": "https://app.example.com"}
    async with an_edge(system, allowed_origins="https://app.example.com") as edge:
        reply = await edge.http.post(CHAT, json=ASK, headers=page)
        assert reply.status_code == 200
        assert reply.headers["access-control-allow-origin"] == page["origin"]


async def test_a_name_that_was_rebound_is_refused(edge: Edge) -> None:
    reply = await edge.http.get("/v1/models", headers={"host": "evil.example:8080"})
    assert (reply.status_code, reply.json()["error"]["code"]) == (421, "unknown_host")
    for name in ("localhost", "LOCALHOST:1", "[::1]:8080"):
        assert (await edge.http.get("/healthz", headers={"host": name})).status_code == 200


async def test_a_body_past_the_limit_is_refused(edge: Edge, system: FakeSystem) -> None:
    text = "x" * (5 * 1024 * 1024)
    body = {**ASK, "messages": [{"role": "user", "content": text}]}
    reply = await edge.http.post(CHAT, json=body)
    assert (reply.status_code, reply.json()["error"]["code"]) == (413, "too_large")
    assert not system.requests


@pytest.mark.parametrize("beginning", [b"", b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-a: "])
async def test_a_connection_on_which_no_request_comes_ends(
    edge: Edge, monkeypatch: pytest.MonkeyPatch, beginning: bytes
) -> None:
    monkeypatch.setattr(punctual, "HEAD_SECONDS", 0.2)
    host, _, port = edge.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(beginning)
    assert await asyncio.wait_for(reader.read(), 30) == b""
    writer.close()


async def test_a_compressed_body_is_not_opened(edge: Edge) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    reply = await edge.http.post(CHAT, content=bomb, headers=headers)
    assert (reply.status_code, reply.json()["error"]["code"]) == (415, "content_encoding")


async def test_every_reply_has_an_id_and_keeps_scripts_out(edge: Edge) -> None:
    for path in ("/healthz", "/v1/nothing", "/"):
        reply = await edge.http.get(path, headers={"x-request-id": "mine-1"})
        assert reply.headers["x-request-id"] == "mine-1"
        assert "script-src 'self';" in reply.headers["content-security-policy"]
        assert reply.headers["x-content-type-options"] == "nosniff"
    reply = await edge.http.get("/healthz", headers={"x-request-id": "<script>"})
    assert "<" not in reply.headers["x-request-id"]


async def test_what_is_not_there_is_said_in_openais_shape(edge: Edge) -> None:
    for method, path, status in (
        ("GET", "/v1/nothing", 404),
        ("POST", "/v1/completions", 404),
        ("PATCH", CHAT, 405),
    ):
        reply = await edge.http.request(method, path)
        assert reply.status_code == status
        assert reply.json()["error"]["message"]


async def test_no_path_leaves_the_folder_of_the_console(edge: Edge) -> None:
    for path in ("/assets/../settings.py", "/assets/%2e%2e/%2e%2e/settings.py", "/%2e%2e/app.py"):
        assert (await edge.http.get(path)).status_code == 404


async def test_a_bug_is_answered_without_its_traceback(
    edge: Edge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gyre_gateway.routes.models._models", lambda _: 1 / 0)
    reply = await edge.http.get("/v1/models")
    assert reply.status_code == 500
    assert "ZeroDivision" not in reply.text
    assert reply.json()["error"]["type"] == "api_error"


def test_no_request_waits_for_a_thread() -> None:
    """FastAPI hands to one what is no coroutine: that cost a fifth of a chat completion."""
    routes = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
    assert routes
    for route in routes:
        for call in (route.endpoint, *(each.call for each in route.dependant.dependencies)):
            assert inspect.iscoroutinefunction(call), (route.path, call)
