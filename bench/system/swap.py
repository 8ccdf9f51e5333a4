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
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import psutil
from gyre.generator.v1 import generator_pb2
from gyre.generator.v1.generator_pb2_grpc import GeneratorServiceStub
from gyre.releases.v1 import releases_pb2
from gyre.releases.v1.releases_pb2_grpc import ReleaseServiceStub
from gyre.retriever.v1 import retriever_pb2
from gyre.retriever.v1.retriever_pb2_grpc import RetrieverServiceStub
from gyre_common.errors import GyreError
from gyre_common.events.releases import Roles
from gyre_common.releases.builtin import ENCODER_VERSION
from gyre_common.rpc import call, channel
from gyre_local.ports import Ports

from bench.report import machine, median, spread, table
from tests.models import changed_model
from tests.releasing import register_encoder
from tests.system import System

CALM = 10.0
"""Seconds of load before the first change and after the last one."""
NEAR = 2.0
"""Seconds around a command that count as during the swap."""
_BETWEEN = 1.0
_PATIENCE = 30.0
NUMBERS = count(int(time.time()) % 100_000 * 1000)
"""Of questions, in no run the same."""


@dataclass
class Calls:
    """What became of every call of one stream: when it began, how long it took, who served it."""

    done: list[tuple[float, float, str]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    fell_back: list[str] = field(default_factory=list)

    def between(self, spans: Sequence[tuple[float, float]]) -> list[float]:
        """Milliseconds of the calls that began in one of the spans."""
        return [
            latencies * 1000
            for began, latencies, _ in self.done
            if any(first <= began < last for first, last in spans)
        ]

    def first_with(self, version: str, since: float) -> float | None:
        """When the first call that began after `since` and was served by the version ended."""
        return next(
            (
                began + latencies
                for began, latencies, by in self.done
                if began >= since and by == version
            ),
            None,
        )


async def keep_asking(ask: Callable[[int], Awaitable[Any]], calls: Calls, pause: float) -> None:
    """Every question is new, so that each needs the query encoder."""
    while True:
        began = time.monotonic()
        try:
            reply = await ask(next(NUMBERS))
        except GyreError as error:
            calls.failed.append(f"{type(error).__name__}: {error}")
            continue
        version = reply.versions[Roles.QUERY_ENCODER]
        calls.done.append((began, time.monotonic() - began, version))
        calls.fell_back += getattr(reply, "fallbacks", ())
        await asyncio.sleep(pause)


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


@dataclass
class MemorySamples:
    """Resident MiB of some processes, sampled."""

    samples: list[tuple[float, dict[str, float]]] = field(default_factory=list)

    async def watch(self, pids: dict[str, int]) -> None:
        """Looks ten times a second."""
        processes = {name: psutil.Process(pid) for name, pid in pids.items()}
        while True:
            sizes = {name: each.memory_info().rss / 2**20 for name, each in processes.items()}
            self.samples.append((time.monotonic(), sizes))
            await asyncio.sleep(0.1)

    def most(self, name: str, first: float, last: float) -> float:
        """The most between two moments."""
        return max(sizes[name] for at, sizes in self.samples if first <= at < last)


@dataclass
class Swap:
    """One command, and how long after it began every replica had served the version."""

    command: str
    began: float
    replied: float
    serving: float


async def swap(releases: ReleaseServiceStub, version: str | None, streams: Sequence[Calls]) -> Swap:
    """Promotes the version, or rolls back; waits until each stream has been served by it."""
    began = time.monotonic()
    role, actor = Roles.QUERY_ENCODER, "bench"
    reply: Any
    if version is None:
        reply = await call(releases.Rollback, releases_pb2.RollbackRequest(role=role, actor=actor))
    else:
        request = releases_pb2.PromoteRequest(
            role=role, version=version, actor=actor, reason="swap benchmark", override=True
        )
        reply = await call(releases.Promote, request)
    replied, live = time.monotonic(), reply.release.live
    while True:
        first_served = [calls.first_with(live, began) for calls in streams]
        if None not in first_served:
            last = max(at for at in first_served if at is not None)
            return Swap("rollback" if version is None else "promote", began, replied, last)
        if time.monotonic() > began + _PATIENCE:
            raise SystemExit(f"error: {live} does not serve everywhere after {_PATIENCE:.0f} s")
        await asyncio.sleep(0.01)


async def turns(releases: ReleaseServiceStub, streams: Sequence[Calls], swaps: int) -> list[Swap]:
    """Promotes each version in turn, and takes every third step back."""
    versions = [version_name(1), version_name(2), None, ENCODER_VERSION, version_name(2), None]
    done_swaps = []
    for number in range(swaps):
        done_swaps.append(await swap(releases, versions[number % len(versions)], streams))
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

        def answer(number: int) -> Awaitable[Any]:
            request = generator_pb2.AnswerRequest(question=f"How does step {number} work?")
            return call(generator.Answer, request, timeout=30)

        def retrieve(retriever: RetrieverServiceStub, number: int) -> Awaitable[Any]:
            request = retriever_pb2.RetrieveRequest(query=f"step {number}", limit=5)
            return call(retriever.Retrieve, request, timeout=30)

        group = await stack.enter_async_context(asyncio.TaskGroup())
        tasks = [group.create_task(keep_asking(answer, answers, pause=0)) for _ in range(in_flight)]
        for ports, calls in ((system.ports, one), (second, other)):
            retriever = RetrieverServiceStub(await to("retriever", ports))
            asking = keep_asking(partial(retrieve, retriever), calls, pause=0.02)
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
        report(streams, done_swaps, memory, (began, ended))
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


def report(
    streams: Sequence[Calls],
    done_swaps: Sequence[Swap],
    memory: MemorySamples,
    period: tuple[float, float],
) -> None:
    """Prints what happened."""
    began, ended = period
    near = [(each.began, each.serving + NEAR) for each in done_swaps]
    spans = {"before": [(began, began + CALM)], "during": near, "after": [(ended, ended + CALM)]}
    names = ("Answer", "Retrieve", "Retrieve, second replica")
    print(machine(), f"· {len(done_swaps)} swaps in {ended - began - CALM:.0f} s")
    for name, calls in zip(names, streams, strict=True):
        print(f"{name}: {len(calls.done)} calls, {len(calls.failed)} failed", *calls.failed[:3])
        if calls.fell_back:
            print(f"  {len(calls.fell_back)} said a fallback, such as: {calls.fell_back[0]}")
        for span, when in spans.items():
            if latencies := calls.between(when):
                print(f"  {span:7}{spread(latencies)}")
    rows = [
        (
            command,
            str(len(some)),
            f"{median([each.replied - each.began for each in some]):.2f}",
            f"{median([each.serving - each.began for each in some]):.2f}",
            f"{max(each.serving - each.began for each in some):.2f}",
        )
        for command in ("promote", "rollback")
        if (some := [each for each in done_swaps if each.command == command])
    ]
    head = ("command", "times", "reply s", "every replica serves s", "worst s")
    print(table(head, rows))
    for name in memory.samples[0][1]:
        before = memory.most(name, began, began + CALM)
        during = memory.most(name, began + CALM, ended)
        after = memory.most(name, ended + CALM / 2, ended + CALM)
        print(f"{name}: {before:.0f} MiB before, {during:.0f} at most during, {after:.0f} after")


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
