"""The page at /docs, which shows what can be called."""

import re
from collections.abc import Iterator
from typing import Any

from tests.unit.client.fake_system import FakeSystem
from tests.unit.gateway.edge import an_edge
from tests.unit.gateway.test_gateway_away import filled

JSON = "application/json"
CONSOLE = {"gyre-console": "1"}
MAPS = {
    *("versions", "latency_ms", "evidence", "metrics", "scores", "feedback_ids", "settings"),
    "metadata",
}
"""Their keys are whatever there is."""


async def test_docs_are_drawn_by_files_of_this_server_alone() -> None:
    async with an_edge(FakeSystem()) as edge:
        page = await edge.http.get("/docs", headers={"accept": "text/html"})
        assert (page.status_code, page.headers["content-type"].split(";")[0]) == (200, "text/html")
        assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page.text)
        named = re.findall(r'(?:src|href)="([^"]+)"', page.text)
        assert {name.rpartition(".")[2] for name in named} == {"js", "css", "svg"}
        for name in named:
            assert re.match("/[^/]", name)
            assert (await edge.http.get(name)).status_code == 200, name
        styles = [await edge.http.get(name) for name in named if name.endswith(".css")]
        urls = re.findall(r"url\(([^)]{0,5})", "".join(reply.text for reply in styles))
        assert urls
        assert all(url.strip("\"'").startswith("data") for url in urls)
        assert "/v1/chat/completions" in (await edge.http.get("/openapi.json")).json()["paths"]


async def test_every_route_has_examples_that_are_taken_and_true() -> None:
    system = FakeSystem()
    async with an_edge(system) as edge:
        described = (await edge.http.get("/openapi.json")).json()
        for path, method, operation in _operations(described):
            body = _example_of_body(described, operation)
            reply = await edge.http.request(method, filled(path), json=body, headers=CONSOLE)
            assert reply.status_code < 300, (method, path, reply.text)
            (status,) = set(operation["responses"]) - {"default"}
            assert reply.status_code == int(status), (method, path)
            if JSON not in operation["responses"][status].get("content", {}):
                assert reply.headers["content-type"] != JSON, (method, path)
                continue
            example = operation["responses"][status]["content"][JSON]["example"]
            _assert_part_of(example, reply.json(), f"{method} {path}")


async def test_errors_look_as_docs_say() -> None:
    async with an_edge(FakeSystem()) as edge:
        described = (await edge.http.get("/openapi.json")).json()
        messages = [{"role": "user", "content": " "}]
        body = {"model": "gyre", "messages": messages}
        error = (await edge.http.post("/v1/chat/completions", json=body)).json()["error"]
    shown = {name: value for name, value in error.items() if value}  # FastAPI leaves nulls out
    for _, _, operation in _operations(described):
        assert operation["responses"]["default"]["content"][JSON]["example"] == {"error": shown}
        assert "422" not in operation["responses"]


def _operations(described: Any) -> Iterator[tuple[str, str, Any]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            yield path, method.upper(), operation


def _example_of_body(described: Any, operation: Any) -> Any:
    """None where it has no body."""
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"][JSON]["schema"]
    schema = schema.get("anyOf", [schema])[0]
    named = described["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2])
    (example,) = (named or schema)["examples"]
    return example


def _assert_part_of(example: Any, reply: Any, place: str) -> None:
    """What is shown is also sent; lists by their first, and what maps hold may differ."""
    assert type(example) is type(reply) or None in (example, reply), place
    if isinstance(example, dict):
        for name in set(example) - MAPS:
            assert name in reply, f"{place}: {name}"
            _assert_part_of(example[name], reply[name], f"{place}: {name}")
    if isinstance(example, list) and example and reply:
        _assert_part_of(example[0], reply[0], place)
