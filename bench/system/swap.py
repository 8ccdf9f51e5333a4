"""Query encoders are promoted and rolled back under load: failed calls, latency, memory, time.

    python -m bench.system.swap --home FOLDER --port-offset N [--swaps 12] [--in-flight 4]

Needs a running system with documents in it. Two changed copies of the shipped encoder are kept in
its store and registered; then `Answer` is called without a break while they and the shipped one
become live in turns. Beside the system's own embedder and retriever run one more of each, to which
another stream of calls goes. A version serves when the answer of a replica names it.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

from gyre.generator.v1 import generator_pb2
from gyre.generator.v1.generator_pb2_grpc import GeneratorServiceStub
from gyre.releases.v1.releases_pb2_grpc import ReleaseServiceStub
from gyre.retriever.v1 import retriever_pb2
from gyre.retriever.v1.retriever_pb2_grpc import RetrieverServiceStub
from gyre_common.events.releases import Roles
from gyre_common.releases.builtin import ENCODER_VERSION
from gyre_common.rpc import call, channel
from gyre_local.ports import Ports

from bench.system.swapping import Calls, MemorySamples, Swap, keep_asking, report, swap
from tests.models import changed_model
from tests.releasing import register_encoder
from tests.system import System

CALM = 10.0
"""Seconds of load before the first change and after the last one."""
_BETWEEN = 1.0
_PATIENCE = 30.0
ROLE = Roles.QUERY_ENCODER
STREAMS = ("Answer", "Retrieve", "Retrieve, second replica")
NUMBERS = count(int(time.time()) % 100_000 * 1000)
"""Of questions, in no run the same, so that each needs the query encoder."""


@contextmanager
def second_replicas(system: System) -> Iterator[tuple[Ports, dict[str, int]]]:
    """An embedder and a retriever more, on ports of their own; yields ports and pids."""
    ports = Ports(system.ports.offset + 100)
    engines = {
        "GYRE_HOME": str(system.home),
        "GYRE_PORT_OFFSET": str(ports.offset),
        "GYRE_KAFKA_SERVERS": system.ports.kafka_servers,
        "GYRE_ELASTICSEARCH_URL": system.ports.elasticsearch_url,
    }
    started = {
        name: subprocess.Popen(
            [str(Path(sys.executable).parent / f"gyre-{name}")],
            env={**os.environ, **engines},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for name in ("embedder", "retriever")
    }
    try:
        yield ports, {name: process.pid for name, process in started.items()}
    finally:
        for process in started.values():
            process.terminate()
            process.wait(30)


async def turns(releases: ReleaseServiceStub, streams: Sequence[Calls], swaps: int) -> list[Swap]:
    """Promotes each version in turn, and takes every third step back."""
    versions = [version_name(1), version_name(2), None, ENCODER_VERSION, version_name(2), None]
    one = partial(swap, releases, ROLE, streams=streams, patience=_PATIENCE)
    done_swaps = []
    for number in range(swaps):
        done_swaps.append(await one(versions[number % len(versions)]))
        await asyncio.sleep(_BETWEEN)
    return done_swaps


def version_name(number: int) -> str:
    """Of a changed copy of the shipped encoder."""
    return f"swap-{number}"


@asynccontextmanager
async def under_load(
    system: System, second: Ports, in_flight: int
) -> AsyncIterator[tuple[ReleaseServiceStub, list[Calls]]]:
    """Calls go on while the block runs: Answer, and Retrieve of each retriever."""
    async with AsyncExitStack() as stack:

        async def to(service: str, ports: Ports) -> Any:
            return await stack.enter_async_context(channel(f"127.0.0.1:{ports.grpc(service)}"))

        answers, one, other = Calls(), Calls(), Calls()
        generator = GeneratorServiceStub(await to("generator", system.ports))
        releases = ReleaseServiceStub(await to("releases", system.ports))

        def answer() -> Awaitable[Any]:
            question = f"How does step {next(NUMBERS)} work?"
            request = generator_pb2.AnswerRequest(question=question)
            return call(generator.Answer, request, timeout=30)

        def retrieve(retriever: RetrieverServiceStub) -> Awaitable[Any]:
            request = retriever_pb2.RetrieveRequest(query=f"step {next(NUMBERS)}", limit=5)
            return call(retriever.Retrieve, request, timeout=30)

        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [
            group.create_task(keep_asking(answer, answers, ROLE, pause=0)) for _ in range(in_flight)
        ]
        for ports, calls in ((system.ports, one), (second, other)):
            retriever = RetrieverServiceStub(await to("retriever", ports))
            asking = keep_asking(partial(retrieve, retriever), calls, ROLE, pause=0.02)
            tasks.append(group.create_task(asking))
        yield releases, [answers, one, other]
        for task in tasks:
            task.cancel()


async def run(system: System, swaps: int, in_flight: int) -> int:
    """Prints the report; returns how many calls failed."""
    with tempfile.TemporaryDirectory() as folder:
        for number in (1, 2):
            model = changed_model(Path(folder) / version_name(number), seed=number)
            await register_encoder(system, version_name(number), model)
    own = system.process("embedder").identity
    assert own is not None
    memory = MemorySamples()
    with second_replicas(system) as (second, pids):
        async with under_load(system, second, in_flight) as (releases, streams):
            await _until_all_answer(streams)
            watching = asyncio.create_task(
                memory.watch({"embedder": own.pid, "second embedder": pids["embedder"]})
            )
            began = time.monotonic()
            await asyncio.sleep(CALM)
            done_swaps = await turns(releases, streams, swaps)
            ended = time.monotonic()
            await asyncio.sleep(CALM)
            watching.cancel()
        named = dict(zip(STREAMS, streams, strict=True))
        report(named, done_swaps, memory, (began, ended), calm=CALM)
    return sum(len(calls.failed) for calls in streams)


async def _until_all_answer(streams: Sequence[Calls]) -> None:
    """The second replicas take a few seconds to start; what failed before is nobody's swap."""
    until = time.monotonic() + 60
    while not all(len(calls.done) > 20 for calls in streams):
        if time.monotonic() > until:
            raise SystemExit(f"error: not all replicas answer: {streams[-1].failed[-1:]}")
        await asyncio.sleep(0.1)
    for calls in streams:
        calls.done.clear()
        calls.failed.clear()
        calls.fell_back.clear()


def main() -> int:
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("GYRE_HOME", ".gyre")))
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--swaps", type=int, default=12)
    parser.add_argument("--in-flight", type=int, default=4)
    options = parser.parse_args()
    system = System(options.home.absolute(), Ports(options.port_offset))
    return 1 if asyncio.run(run(system, options.swaps, options.in_flight)) else 0


if __name__ == "__main__":
    sys.exit(main())
