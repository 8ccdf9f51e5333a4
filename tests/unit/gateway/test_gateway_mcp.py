"""Agents over MCP, with the client of the official SDK, of both generations of the protocol."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import httpx2
import pytest
from gyre_common.errors import Unavailable
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.types import TextContent

from tests.eventually import eventually
from tests.unit.client.fake_system import IDS, FakeSystem
from tests.unit.gateway.edge import KEY, Edge, an_edge

Mode = Literal["auto", "legacy"]


@asynccontextmanager
async def an_agent(edge: Edge, mode: Mode = "auto", **headers: str) -> AsyncIterator[Client]:
    async with httpx2.AsyncClient(headers=headers, trust_env=False, timeout=60) as http:
        transport = streamable_http_client(f"{edge.url}/mcp", http_client=http)
        async with Client(transport, mode=mode) as agent:
            yield agent


async def call(agent: Client, tool: str, **arguments: object) -> Any:
    result = await agent.call_tool(tool, dict(arguments))
    assert not result.is_error, result.content
    return result.structured_content


async def failure(agent: Client, tool: str, **arguments: object) -> str:
    result = await agent.call_tool(tool, dict(arguments))
    assert result.is_error
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_agent_asks_searches_submits_and_votes(
    edge: Edge, system: FakeSystem, mode: Mode
) -> None:
    headers = {"gyre-tenant": "acme", "gyre-groups": "staff,guests", "gyre-actor": "agent-7"}
    async with an_agent(edge, mode, **headers) as agent:
        answer = await call(agent, "ask", question="How hot?", document_ids=["tea.md"])
        assert (answer["answer"], answer["outcome"]) == ("80 degrees.", "answered")
        assert answer["sources"][0]["quote"] == "80 degrees is best"
        search_result = await call(agent, "search", query="tea", limit=3)
        assert search_result["passages"][0]["document_id"] == "tea.md"
        submitted = await call(agent, "submit", document_id="a.md", text="x", acl=["staff"])
        assert submitted == {"document_id": "a.md", "submission_id": "s1"}
        voted = await call(
            agent, "vote", interaction_id=answer["interaction_id"], value="up", comment="right"
        )
        assert list(voted["feedback_ids"]) == ["thumb"]
    ask, searched, document, word = system.requests
    assert (ask.question, list(ask.filters.document_ids)) == ("How hot?", ["tea.md"])
    assert (searched.query, searched.limit) == ("tea", 3)
    assert list(document.document.acl) == ["staff"]
    assert (word.interaction_id, word.value, word.comment) == (IDS[0], "up", "right")
    assert {one.actor for one in (ask, word)} == {"agent-7"}
    assert {(one.tenant, one.acl) for one in system.callers} == {("acme", ("staff", "guests"))}


async def test_tools_say_what_they_take_and_what_they_do(edge: Edge) -> None:
    async with an_agent(edge) as agent:
        tools = {tool.name: tool for tool in (await agent.list_tools()).tools}
    assert set(tools) == {"ask", "search", "submit", "vote"}
    for tool in tools.values():
        assert tool.description
        assert tool.title
        assert tool.output_schema
        assert "context" not in tool.input_schema["properties"]
    assert tools["search"].input_schema["properties"]["limit"]["maximum"] == 100
    assert tools["ask"].input_schema["required"] == ["question"]
    hints = {name: tool.annotations for name, tool in tools.items()}
    assert [name for name, hint in hints.items() if hint and hint.read_only_hint] == [
        "ask",
        "search",
    ]


async def test_what_goes_wrong_is_said_in_words(edge: Edge, system: FakeSystem) -> None:
    async with an_agent(edge) as agent:
        assert "query is empty: search for something" in await failure(agent, "search", query="")
        assert "text is empty: send text" in await failure(
            agent, "submit", document_id="a", text="nothing"
        )
        assert "limit" in await failure(agent, "search", query="tea", limit=1_000)
        assert "value is missing" in await failure(agent, "vote", interaction_id=IDS[0])
        system.failures.append(Unavailable("Kafka is away", retry_after_seconds=200))
        assert "Kafka is away" in await failure(agent, "ask", question="How hot?")
    async with an_edge(system, away="generator") as broken, an_agent(broken) as agent:
        assert "service generator should be" in await failure(agent, "ask", question="x")


async def test_a_key_is_needed_where_keys_are_set(system: FakeSystem) -> None:
    async with an_edge(system, keys=KEY) as edge:
        for authorization in ({}, {"authorization": "Bearer another-key-0001"}):
            reply = await edge.http.post("/mcp", json={}, headers=authorization)
            assert reply.status_code == 401
            assert reply.headers["www-authenticate"] == "Bearer"
        async with an_agent(edge, authorization=f"Bearer {KEY}") as agent:
            assert (await call(agent, "ask", question="How hot?"))["outcome"] == "answered"


async def test_foreign_pages_and_rebound_names_are_kept_out(edge: Edge) -> None:
    for headers, status in (
        ({"origin": "https://evil.example"}, 403),
        ({"host": "evil.example"}, 421),
    ):
        assert (await edge.http.post("/mcp", json={}, headers=headers)).status_code == status


async def test_pages_and_names_that_are_known_may_call(system: FakeSystem) -> None:
    page = "https://app.example.com"
    async with (
        an_edge(system, allowed_origins=page, http_hosts="gyre.example") as edge,
        an_agent(edge, origin=page, host="gyre.example") as agent,
    ):
        assert (await call(agent, "ask", question="How hot?"))["outcome"] == "answered"


async def test_what_is_no_call_is_refused(edge: Edge) -> None:
    for method in ("GET", "DELETE", "PUT"):
        reply = await edge.http.request(method, "/mcp", headers={"accept": "text/event-stream"})
        assert reply.status_code == 405
        assert "POST alone" in reply.json()["error"]["message"]
    accept = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    for body in (b"", b"{", b'"\\ud800"', b"[]", b'{"jsonrpc": "2.0"}', b"[" * 100_000):
        reply = await edge.http.post("/mcp", content=body, headers=accept)
        assert reply.status_code == 400, body[:20]
    too_large = b'"' + b"x" * (5 * 1024 * 1024) + b'"'
    assert (await edge.http.post("/mcp", content=too_large, headers=accept)).status_code == 413


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_agent_that_goes_away_ends_the_work(
    edge: Edge, system: FakeSystem, mode: Mode
) -> None:
    async def ask_slowly() -> None:
        async with an_agent(edge, mode) as agent:
            await agent.call_tool("ask", {"question": "slow"})

    task = asyncio.create_task(ask_slowly())
    await eventually(lambda: len(system.requests) == 1)
    task.cancel()
    await eventually(system.cancelled.is_set)
