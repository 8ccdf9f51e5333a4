"""The ingestor is killed in the midst of a sync: all of it arrives, and little is fetched twice."""

import asyncio
import os
import signal
from collections import Counter
from functools import partial
from typing import Any

from tests.eventually import eventually
from tests.fakes.web_site import WebSite, a_web_site
from tests.system import System

TENANT = ("--tenant", "survivors")
PAGES = 60
PATIENCE = 120.0


async def test_a_crawl_goes_on_where_it_was_after_the_ingestor_was_killed(system: System) -> None:
    async with a_web_site() as site:
        names = [f"page-{number}" for number in range(PAGES)]
        links = "".join(f'<p><a href="/{name}">{name}</a></p>' for name in names)
        site.pages["/"] = f"<html><body><main>{links}</main></body></html>"
        for name in names:
            text = f"<p>The {name} is here.</p>"
            site.pages[f"/{name}"] = f"<html><body><main>{text}</main></body></html>"

        async def gyre(*words: str) -> Any:
            return await asyncio.to_thread(system.json, "sources", *words, *TENANT)

        settings = ("--set", f"start={site.url}/", "--set", "delay_seconds=0.25")
        await gyre("add", "site", "web", *settings, "--no-wait")
        for share in (PAGES / 3, PAGES * 2 / 3):
            await eventually(partial(_is_past, site, share), PATIENCE, every=0.2)
            await _kill_ingestor(system)

        async def status() -> Any:
            (one,) = await gyre("list")
            return one if one["state"] == "synced" else None

        synced = await eventually(status, PATIENCE, every=1)
        assert (synced["documents"], synced["last_sync"]["problems"]) == (PAGES + 1, [])
        fetched = Counter(path for path, number in site.requests if path != "/robots.txt")
        assert fetched.keys() == {"/", *(f"/{name}" for name in names)}
        assert fetched.total() < 2 * PAGES
        again = await gyre("sync", "site")
        assert again["last_sync"]["unchanged"] == PAGES + 1


def _is_past(site: WebSite, requests: float) -> bool:
    return len(site.requests) > requests


async def _kill_ingestor(system: System) -> None:
    """`kill -9`; returns when it is ready again."""
    before = system.process("ingestor")
    assert before.identity is not None
    os.kill(before.identity.pid, signal.SIGKILL)

    def is_back() -> bool:
        return system.process("ingestor").restarts > before.restarts and system.state().ready

    await eventually(is_back, PATIENCE, every=0.2)
