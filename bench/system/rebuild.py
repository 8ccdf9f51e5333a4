"""The index filled anew by another chunker: how long, over two kills, and what answers feel of it.

    python -m bench.system.rebuild [--port-offset 700] [--pages N]

Starts a system of its own in a temporary folder, mirrors the Kubernetes pages (v1.31), asks
questions about them one at a time, makes passages of `TOKENS` tokens the live way of cutting, and
runs `gyre index rebuild` while the questions go on. Embedder and ingestor are killed once each in
the midst of it.
"""

import argparse
import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import Any

from gyre_client import Addresses, AsyncClient, Caller, GyreError
from gyre_local.control import running_state

from bench.own_system import GYRE, content_of, own_system
from bench.report import machine, spread, table
from bench.system.corpora import glossary_questions, kubernetes_files
from bench.system.folder_source import folder_source
from bench.system.ingest import first

TENANT, TOKENS = "bench-docs", 160
_KILLED_AT = {"ingestor": 0.3, "embedder": 0.6}
_QUIET_SECONDS, _POLL, _LONGEST = 20.0, 1.0, 4 * 3600.0


async def run(home: Path, offset: int, pages: int | None) -> None:
    """Prints a table of times, and the spread of the questions' latency in both states."""
    files = first(kubernetes_files("v1.31"), pages)
    async with folder_source(content_of(home) / "docs", offset, TENANT) as docs:
        load = await docs.mirror(files)
    settings = ("--set", f"max_tokens={TOKENS}", "--every-tenant")
    await gyre(home, "register", "ingestion", "smaller", *settings, "--reason", "bench")
    words = ("--every-tenant", "--override", "--reason", "bench")
    await gyre(home, "promote", "ingestion", "smaller", *words)
    async with asking(offset) as quiet:
        await asyncio.sleep(_QUIET_SECONDS)
    began = time.monotonic()
    async with asking(offset) as meanwhile, asyncio.TaskGroup() as group:
        rebuild = group.create_task(rebuilt(home))
        group.create_task(kill_in_the_midst(home, rebuild))
    seconds = time.monotonic() - began
    result = rebuild.result()
    print(machine())
    rows = [
        ("first load", f"{load.seconds:.1f}", f"{load.expected:,}", ""),
        (
            "index rebuild, two kills",
            f"{seconds:.1f}",
            f"{result['documents']:,}",
            f"{seconds / load.seconds:.2f} of the first load",
        ),
    ]
    print(table(("what", "seconds", "documents", "beside"), rows))
    for when, questions in (("quiet", quiet), ("meanwhile", meanwhile)):
        print(
            f"Answer, 1 in flight, {when}: {spread(questions.latencies)}, {questions.failed} failed"
        )


@dataclass
class QuestionTimes:
    """Milliseconds of each answer, and how many questions got none."""

    latencies: list[float] = field(default_factory=list)
    failed: int = 0


class CommandFailedError(Exception):
    """`gyre` ended with an error."""


async def rebuilt(home: Path) -> Any:
    """What the rebuild came to; while the ingestor is away the command ends, and its next call goes
    on with the same rebuild.
    """
    began = time.monotonic()
    while True:
        try:
            return await gyre(home, "index", "rebuild")
        except CommandFailedError as error:
            if time.monotonic() - began > _LONGEST:
                raise
            print(error, flush=True)
            await asyncio.sleep(_POLL)


async def gyre(home: Path, *words: str) -> Any:
    """What the command prints under --json. Raises CommandFailedError."""
    process = await asyncio.create_subprocess_exec(
        GYRE, *words, "--home", str(home), "--json",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    output, errors = await process.communicate()
    if process.returncode:
        raise CommandFailedError(f"gyre {' '.join(words)}: {errors.decode()[-300:].strip()}")
    return json.loads(output)


@asynccontextmanager
async def asking(offset: int) -> AsyncIterator[QuestionTimes]:
    """Questions one after the other while the block runs."""
    questions = QuestionTimes()
    addresses = Addresses.on("127.0.0.1", port_offset=offset)
    async with AsyncClient(addresses, Caller(tenant=TENANT)) as client:

        async def ask() -> None:
            for question in cycle(glossary_questions().values()):
                began = time.monotonic()
                try:
                    await client.answers.ask(question)
                except GyreError:
                    questions.failed += 1
                else:
                    questions.latencies.append((time.monotonic() - began) * 1000)

        task = asyncio.create_task(ask())
        try:
            yield questions
        finally:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()


async def kill_in_the_midst(home: Path, rebuild: "asyncio.Task[Any]") -> None:
    """`kill -9` of each service, once that share of the records is read."""
    left = dict(_KILLED_AT)
    while left and not rebuild.done():
        await asyncio.sleep(_POLL)
        try:
            status = await gyre(home, "index", "status")
        except CommandFailedError:
            continue  # the ingestor is not back yet
        share = status["records_read"] / max(1, status["records"])
        for name in [name for name, at in left.items() if share >= at]:
            del left[name]
            state = running_state(home)
            assert state is not None, "the system does not run"
            (process,) = (each for each in state.processes if each.name == name)
            if process.identity is not None:
                os.kill(process.identity.pid, signal.SIGKILL)
                print(f"killed the {name} at {share:.0%} of the records", flush=True)


def main() -> None:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port-offset", type=int, default=700)
    parser.add_argument("--pages", type=int, default=None, help="all of them by default")
    options = parser.parse_args()
    with own_system(options.port_offset) as home:
        os.environ["GYRE_HOME"] = str(home)
        asyncio.run(run(home, options.port_offset, options.pages))


if __name__ == "__main__":
    main()
