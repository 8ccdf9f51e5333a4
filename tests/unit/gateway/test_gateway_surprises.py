"""Whatever is sent, nobody hears that something went wrong that nobody foresaw."""

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.client.fake_system import FakeSystem
from tests.unit.gateway.edge import Edge, an_edge
from tests.unit.gateway.test_gateway_away import NEEDS

BOUNDED = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
TEXT = st.text(st.characters(), max_size=20)  # lone surrogates too: JSON can carry them
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXT)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
POSTS = sorted(path for method, path in NEEDS if method == "POST")
GETS = sorted(path for method, path in NEEDS if method == "GET")


@dataclass(frozen=True)
class Beside:
    """An edge on a loop of its own, for tests that are not on one."""

    runner: asyncio.Runner
    edge: Edge
    fields: dict[str, list[str]]

    def request(self, method: str, path: str, **options: Any) -> httpx2.Response:
        reply: httpx2.Response = self.runner.run(self.edge.http.request(method, path, **options))
        return reply


@pytest.fixture
def beside() -> Iterator[Beside]:
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        system = FakeSystem()
        system.released.set()
        edge = runner.run(stack.enter_async_context(an_edge(system)))
        described = runner.run(edge.http.get("/openapi.json")).json()
        yield Beside(runner, edge, {path: _fields(described, path) for path in POSTS})
        runner.run(stack.aclose())


def _fields(described: Any, path: str) -> list[str]:
    """What the body of a POST may hold, by what /openapi.json says."""
    text = json.dumps(described["paths"][path]["post"].get("requestBody", {}))
    schemas = described["components"]["schemas"]
    names = [name for name in schemas if f'schemas/{name}"' in text]
    properties = [name for each in names for name in schemas[each].get("properties", {})]
    return properties or ["document_id", "documents", "text", "metadata", "acl"]


@BOUNDED
@given(data=st.data())
def test_no_body_is_a_surprise(beside: Beside, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(POSTS))
    needed = NEEDS["POST", path][1] or {}
    changes = st.dictionaries(st.sampled_from(beside.fields[path]) | TEXT, VALUES, max_size=3)
    body = data.draw(st.one_of(VALUES, changes.map(lambda change: {**needed, **change})))
    headers = {"content-type": "application/json"}
    reply = beside.request("POST", path, content=json.dumps(body), headers=headers)
    assert reply.status_code < 500, reply.text
    assert reply.status_code < 300 or reply.json()["error"]["message"]


@pytest.mark.parametrize("path", POSTS)
def test_text_that_is_not_unicode_is_no_json(beside: Beside, path: str) -> None:
    for surprise in ('{"\\ud800": 1}', '{"user": "\\ud800"}', '{"n": NaN}', "[" * 10_000, '{"a":'):
        headers = {"content-type": "application/json"}
        reply = beside.request("POST", path, content=surprise, headers=headers)
        if NEEDS["POST", path][1] is None:  # it has no body
            assert reply.status_code in (200, 404)
        else:
            assert (reply.status_code, reply.json()["error"]["param"]) == (400, "body")


@settings(BOUNDED, max_examples=50)
@given(data=st.data())
def test_no_call_of_an_agent_is_a_surprise(beside: Beside, data: st.DataObject) -> None:
    tool = data.draw(st.sampled_from(["ask", "search", "submit", "vote", "surprise"]))
    given = {"question": "x", "query": "x", "document_id": "a", "text": "x", "interaction_id": "1"}
    names = [*given, "limit", "document_ids", "metadata", "acl", "value", "chunk_id"]
    changes = st.dictionaries(st.sampled_from(names), VALUES, max_size=3)
    arguments = data.draw(VALUES | changes.map(lambda change: {**given, **change}))
    call = {"name": tool, "arguments": arguments}
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    headers = {"accept": "application/json, text/event-stream", "content-type": "application/json"}
    reply = beside.request("POST", "/mcp", content=json.dumps(body), headers=headers)
    assert reply.status_code < 500, reply.text
    # A tool that fails says why behind its name; one that crashes does not.
    assert not re.search(r'Error executing tool \w+"', reply.text), reply.text


@pytest.mark.parametrize(
    "path", ["/%00", "/a%00.svg", "/..%2fpyproject.toml", "/%ff", "/" + "a" * 9000]
)
def test_a_path_that_no_file_can_have_is_not_found(beside: Beside, path: str) -> None:
    reply = beside.request("GET", path)
    assert (reply.status_code, reply.json()["error"]["type"]) == (404, "not_found_error"), (
        reply.text
    )


@BOUNDED
@given(data=st.data())
def test_no_path_and_no_query_is_a_surprise(beside: Beside, data: st.DataObject) -> None:
    segment = st.text(max_size=20).map(lambda text: quote(text, safe=""))
    path = data.draw(st.sampled_from(GETS))
    while "{" in path:
        before, _, rest = path.partition("{")
        path = f"{before}{data.draw(segment)}{rest.partition('}')[2]}"
    names = ("limit", "after", "since", "until", "search", "state", "vote", "surprise")
    query = data.draw(st.dictionaries(st.sampled_from(names), st.text(max_size=20), max_size=3))
    reply = beside.request("GET", path, params=query)
    assert reply.status_code < 500, reply.text
