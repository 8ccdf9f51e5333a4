"""The console's files: compressed on their way, kept by browsers where their names hold digests."""

import re
from pathlib import Path

import pytest

from tests.unit.client.fake_system import FakeSystem
from tests.unit.gateway.edge import Edge, an_edge

HTML = {"accept": "text/html"}
QUESTION = {"model": "gyre", "messages": [{"role": "user", "content": "How hot?"}]}


async def script(edge: Edge) -> str:
    """The address of the one that the page begins with."""
    page = (await edge.http.get("/", headers=HTML)).text
    match = re.search(r'<script[^>]* src="([^"]+)"', page)
    assert match
    return match[1]


async def test_files_travel_compressed_where_that_is_understood(edge: Edge) -> None:
    address = await script(edge)
    plain = await edge.http.get(address, headers={"accept-encoding": "identity"})
    packed = await edge.http.get(address, headers={"accept-encoding": "gzip, br"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content
    assert packed.num_bytes_downloaded < len(plain.content) / 2
    for reply in (plain, packed):
        assert reply.headers["vary"] == "Accept-Encoding"


async def test_a_file_is_kept_by_its_digest_and_the_page_asks_again(edge: Edge) -> None:
    address = await script(edge)
    asset = await edge.http.get(address)
    assert asset.headers["cache-control"] == "public, max-age=31536000, immutable"
    same = await edge.http.get(address, headers={"if-none-match": asset.headers["etag"]})
    assert (same.status_code, same.content) == (304, b"")
    for path in ("/", "/documents", "/docs", "/favicon.svg"):
        page = await edge.http.get(path, headers=HTML)
        assert (page.status_code, page.headers["cache-control"]) == (200, "no-cache"), path


@pytest.mark.parametrize("stream", [False, True])
async def test_replies_of_the_api_are_never_compressed(edge: Edge, stream: bool) -> None:
    packed = {"accept-encoding": "gzip"}
    for reply in (
        await edge.http.post(
            "/v1/chat/completions", json={**QUESTION, "stream": stream}, headers=packed
        ),
        await edge.http.get("/session", headers=packed),
        await edge.http.get("/openapi.json", headers=packed),
    ):
        assert reply.status_code == 200
        assert "content-encoding" not in reply.headers


async def test_a_console_that_is_not_built_says_what_to_do(
    system: FakeSystem, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gyre_gateway.routes.console.STATIC", tmp_path)
    async with an_edge(system) as edge:
        page = await edge.http.get("/", headers=HTML)
        assert (page.status_code, "run `make setup`" in page.text) == (503, True)
        asset = await edge.http.get("/assets/index.js")
        assert (asset.status_code, asset.json()["error"]["type"]) == (404, "not_found_error")
