"""Who sits at the console."""

import json
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace

import pytest

from tests.unit.client.fake_system import FakeSystem
from tests.unit.gateway.edge import KEY, Edge, an_edge

CONSOLE = {"gyre-console": "1"}
ASK = {"model": "gyre", "messages": [{"role": "user", "content": "How hot?"}]}


async def test_a_browser_gets_a_name_and_keeps_it() -> None:
    system = FakeSystem()
    async with an_edge(system) as edge:
        first = (await edge.http.get("/session")).json()
        again = (await edge.http.get("/session")).json()
        assert first == again
        assert first["actor"].startswith("browser-")
        assert not first["needs_key"]
        changed = {"tenant": "acme", "groups": ["staff", " "]}
        reply = await edge.http.put("/session", json=changed, headers=CONSOLE)
        assert reply.json()["groups"] == ["staff"]
        await edge.http.post("/v1/chat/completions", json=ASK, headers=CONSOLE)
    assert (system.callers[0].tenant, system.callers[0].acl) == ("acme", ("staff",))
    assert system.requests[0].actor == first["actor"]


async def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites() -> None:
    async with an_edge(FakeSystem()) as edge:
        cookie = (await edge.http.get("/session")).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie


async def test_a_key_is_asked_for_kept_sealed_and_given_up() -> None:
    system = FakeSystem()
    async with an_edge(system, keys=KEY) as edge:
        assert (await edge.http.get("/session")).json()["signed_in"] is False
        reply = await edge.http.put("/session", json={"key": "wrong-key-000001"}, headers=CONSOLE)
        assert reply.status_code == 401
        reply = await edge.http.put("/session", json={"key": KEY}, headers=CONSOLE)
        assert reply.json()["signed_in"] is True
        assert KEY not in reply.headers["set-cookie"]
        assert (await edge.http.get("/v1/models")).status_code == 200
        await edge.http.delete("/session", headers=CONSOLE)
        assert (await edge.http.get("/v1/models")).status_code == 401


ANN = {"key": "the-key-of-ann-0001", "actor": "ann", "groups": ["staff"], "tenants": ["acme", "b"]}
BOB = {"key": "the-key-of-bob-0001", "actor": "bob", "groups": ["guests"]}


@pytest.fixture
async def two_people(system: FakeSystem) -> AsyncIterator[Edge]:
    async with an_edge(system, keys=KEY, identities=json.dumps([ANN, BOB])) as edge:
        yield edge


async def test_a_key_says_who_calls_whatever_the_request_says(
    system: FakeSystem, two_people: Edge
) -> None:
    lies = {"gyre-groups": "board", "gyre-actor": "eve"}
    for person in (ANN, BOB):
        headers = {**lies, "authorization": f"Bearer {person['key']}"}
        body = {**ASK, "user": "eve"}
        reply = await two_people.http.post("/v1/chat/completions", json=body, headers=headers)
        assert reply.status_code == 200
    assert [(one.tenant, one.acl, one.actor) for one in system.callers] == [
        ("acme", ("staff",), "ann"),
        ("default", ("guests",), "bob"),
    ]
    assert [request.actor for request in system.requests] == ["ann", "bob"]


async def test_a_tenant_that_a_key_does_not_open_is_named(two_people: Edge) -> None:
    headers = {"gyre-tenant": "globex", "authorization": f"Bearer {ANN['key']}"}
    reply = await two_people.http.post("/v1/chat/completions", json=ASK, headers=headers)
    assert (reply.status_code, reply.json()["error"]["type"]) == (403, "permission_error")
    assert "acme, b" in reply.json()["error"]["message"]


async def test_a_role_that_a_key_lacks_is_named_with_who_gives_it(
    system: FakeSystem, two_people: Edge
) -> None:
    headers = {"authorization": f"Bearer {BOB['key']}"}
    body = {"version": "extractive-1", "tenant": "*"}
    reply = await two_people.http.post("/v1/releases/generator/promote", json=body, headers=headers)
    assert (reply.status_code, reply.json()["error"]["type"]) == (403, "permission_error")
    assert "Promote needs the role operator" in reply.json()["error"]["message"]
    assert "ask who sets GYRE_IDENTITIES" in reply.json()["error"]["message"]
    assert not any(hasattr(request, "override") for request in system.requests)


async def test_who_signs_in_sees_who_they_are(system: FakeSystem, two_people: Edge) -> None:
    reply = await two_people.http.put("/session", json={"key": ANN["key"]}, headers=CONSOLE)
    state = reply.json()
    assert (state["actor"], state["groups"], state["tenant"]) == ("ann", ["staff"], "acme")
    assert (state["tenants"], state["bound"]) == (["acme", "b"], True)
    await two_people.http.put("/session", json={"tenant": "b"}, headers=CONSOLE)
    await two_people.http.post("/v1/chat/completions", json=ASK, headers=CONSOLE)
    assert [(one.tenant, one.actor) for one in system.callers] == [("b", "ann")]


async def test_a_change_by_cookie_needs_the_header_of_the_console() -> None:
    system = FakeSystem()
    async with an_edge(system) as edge:
        await edge.http.get("/session")
        reply = await edge.http.post("/v1/chat/completions", json=ASK)
        assert (reply.status_code, reply.json()["error"]["code"]) == (403, "no_console_header")
    assert not system.requests


@pytest.mark.parametrize("days", [-31, 1])
async def test_a_cookie_of_a_wrong_clock_is_none(
    system: FakeSystem, monkeypatch: pytest.MonkeyPatch, days: int
) -> None:
    wrong = SimpleNamespace(time=lambda: time.time() + days * 24 * 3600)
    async with an_edge(system) as edge:
        with monkeypatch.context() as clock:
            clock.setattr("cryptography.fernet.time", wrong)
            first = await edge.http.get("/session")
        edge.http.cookies.clear()
        cookie = {"cookie": first.headers["set-cookie"].partition(";")[0]}
        again = await edge.http.get("/session", headers=cookie)
        assert again.status_code == 200
        assert again.json()["actor"] != first.json()["actor"]
        edge.http.cookies.clear()
        reply = await edge.http.post("/v1/chat/completions", json=ASK, headers=cookie)
        assert reply.status_code == 200
    assert system.requests[0].actor == ""


async def test_a_second_tab_without_cookies_is_somebody_else(system: FakeSystem) -> None:
    async with an_edge(system) as edge:
        first = (await edge.http.get("/session")).json()
        edge.http.cookies.clear()
        reply = await edge.http.post("/v1/chat/completions", json=ASK, headers=CONSOLE)
        assert reply.status_code == 200
        second = (await edge.http.get("/session")).json()
    assert system.requests[0].actor == ""
    assert first["actor"] != second["actor"]


@pytest.mark.parametrize("cookie", ["", "x", "gAAAAA==", "ü"])
async def test_a_cookie_that_is_not_ours_is_none(cookie: str) -> None:
    async with an_edge(FakeSystem(), keys=KEY) as edge:
        headers = {b"cookie": f"gyre-session={cookie}".encode()}
        assert (await edge.http.get("/v1/models", headers=headers)).status_code == 401


@pytest.mark.parametrize("tenant", ["Acme", "a b", "", "x" * 64])
async def test_a_tenant_that_cannot_be_is_named(tenant: str) -> None:
    async with an_edge(FakeSystem()) as edge:
        reply = await edge.http.put("/session", json={"tenant": tenant}, headers=CONSOLE)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "tenant")


@pytest.mark.parametrize("key", ["a key\u0000of nobody", "schlüssel", "\u202ekey", "a\nb"])
async def test_a_key_that_no_header_can_hold_is_refused_and_nobody_is_signed_in(key: str) -> None:
    async with an_edge(FakeSystem()) as edge:
        reply = await edge.http.put("/session", json={"key": key}, headers=CONSOLE)
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "key")
        assert (await edge.http.get("/v1/models")).status_code == 200
