"""The page at /docs, which shows what can be called."""

import re

from tests.unit.client.fake_system import FakeSystem
from tests.unit.gateway.edge import an_edge


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
