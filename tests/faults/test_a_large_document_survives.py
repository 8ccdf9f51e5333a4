"""The embedder is killed in the midst of a large document: it goes on where it was, and others do
not wait for it.
"""

import asyncio
import os
import re
import signal
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from gyre_common.chunk_index import ENCODED_FOR
from gyre_common.elasticsearch import open_elasticsearch
from gyre_local.secrets import ELASTICSEARCH_PASSWORD, Secret

from tests.eventually import eventually
from tests.system import System

pytestmark = [pytest.mark.e2e, pytest.mark.faults, pytest.mark.timeout(600)]

SECTIONS = 600
PATIENCE = 300.0


def a_large_document() -> str:
    """A section of about 200 words each, a passage or two."""
    sentence = "Valve {0} of hall {1} opens at {0} bar and closes at {1} bar when pump {0} rests."
    sections = (
        " ".join(sentence.format(number, hall) for hall in range(12)) for number in range(SECTIONS)
    )
    return "\n\n".join(f"# Pump {number}\n\n{text}" for number, text in enumerate(sections))


async def test_a_large_document_goes_on_where_it_was_after_the_embedder_was_killed(
    system: System, tmp_path: Path
) -> None:
    large, small = tmp_path / "large.md", tmp_path / "small.md"
    large.write_text(a_large_document())
    small.write_text("The spare valve lies in hall 7.")

    async def gyre(*words: str) -> Any:
        return await asyncio.to_thread(system.json, *words)

    index = (await gyre("index", "status"))["live"]
    login = "elastic", Secret.of(system.home, ELASTICSEARCH_PASSWORD).read()

    async def encoded_ahead() -> int:
        async with open_elasticsearch(system.ports.elasticsearch_url, login) as client:
            await client.indices.refresh(index=index)
            reply = await client.count(index=index, query={"exists": {"field": ENCODED_FOR}})
        return int(reply["count"])

    async def indexed(file: Path, tenant: str) -> Any:
        document = await gyre("documents", "show", file.name, "--tenant", tenant)
        return document if document["state"].endswith("_INDEXED") else None

    await gyre("submit", str(large), "--tenant", "large", "--no-wait")
    await eventually(encoded_ahead, PATIENCE, every=0.2)
    tenants = ("other", "large")
    await asyncio.gather(
        *(gyre("submit", str(small), "--tenant", each, "--no-wait") for each in tenants)
    )
    ahead = await encoded_ahead()
    assert ahead, "it was encoded whole before it could be killed in the midst"

    await kill_embedder(system)
    document = await eventually(partial(indexed, large, "large"), PATIENCE, every=1)
    assert document["chunk_count"] >= SECTIONS
    for tenant in tenants:
        beside = await eventually(partial(indexed, small, tenant), PATIENCE, every=1)
        assert searchable_at(beside) < searchable_at(document), "it waited for the large one"
    assert await encoded_ahead() == 0
    assert encoded_since_start(system) <= document["chunk_count"] - ahead + 10


def searchable_at(document: Any) -> datetime:
    """When its newest revision was."""
    return datetime.fromisoformat(document["timeline"][-1]["happened_at"])


def encoded_since_start(system: System) -> int:
    with urlopen(f"http://127.0.0.1:{system.ports.metrics('embedder')}/metrics") as reply:
        text = reply.read().decode()
    metric = re.search(r'^gyre_texts_encoded_total\{side="document"\} ([\d.e+]+)$', text, re.M)
    return int(float(metric[1])) if metric else 0


async def kill_embedder(system: System) -> None:
    """`kill -9`; returns when it is ready again."""
    before = system.process("embedder")
    assert before.identity is not None
    os.kill(before.identity.pid, signal.SIGKILL)

    def is_back() -> bool:
        return system.process("embedder").restarts > before.restarts and system.state().ready

    await eventually(is_back, PATIENCE, every=0.2)
