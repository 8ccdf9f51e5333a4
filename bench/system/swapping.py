"""Versions become live in turns under load: what calls, memory and time say of it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import psutil
from gyre.releases.v1 import releases_pb2
from gyre.releases.v1.releases_pb2_grpc import ReleaseServiceStub
from gyre_common.errors import GyreError
from gyre_common.events.event import EVERY_TENANT
from gyre_common.events.releases import Roles
from gyre_common.rpc import call

from bench.report import machine, median, spread, table

NEAR = 2.0
"""Seconds around a command that count as during the swap."""


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


async def keep_asking(
    ask: Callable[[], Awaitable[Any]], calls: Calls, role: Roles, *, pause: float
) -> None:
    """One call after the other; who served it is the version of that role in the reply."""
    while True:
        began = time.monotonic()
        try:
            reply = await ask()
        except GyreError as error:
            calls.failed.append(f"{type(error).__name__}: {error}")
            continue
        version = reply.versions[role]
        calls.done.append((began, time.monotonic() - began, version))
        calls.fell_back += getattr(reply, "fallbacks", ())
        await asyncio.sleep(pause)


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


async def swap(
    releases: ReleaseServiceStub,
    role: Roles,
    version: str | None,
    streams: Sequence[Calls],
    *,
    patience: float,
) -> Swap:
    """Promotes the version, or rolls back; waits until each stream has been served by it, for so
    many seconds.
    """
    began, actor = time.monotonic(), "bench"
    reply: Any
    if version is None:
        back = releases_pb2.RollbackRequest(role=role, actor=actor, tenant=EVERY_TENANT)
        reply = await call(releases.Rollback, back)
    else:
        request = releases_pb2.PromoteRequest(
            role=role,
            version=version,
            tenant=EVERY_TENANT,
            actor=actor,
            reason="swap benchmark",
            override=True,
        )
        reply = await call(releases.Promote, request, timeout=patience)
    replied, live = time.monotonic(), reply.release.live
    while True:
        first_served = [calls.first_with(live, began) for calls in streams]
        if None not in first_served:
            last = max(at for at in first_served if at is not None)
            return Swap("rollback" if version is None else "promote", began, replied, last)
        if time.monotonic() > began + patience:
            raise SystemExit(f"error: {live} does not serve everywhere after {patience:.0f} s")
        await asyncio.sleep(0.01)


def report(
    streams: Mapping[str, Calls],
    done_swaps: Sequence[Swap],
    memory: MemorySamples,
    period: tuple[float, float],
    *,
    calm: float,
) -> None:
    """Prints what happened: first nothing for `calm` seconds, and in the end."""
    began, ended = period
    near = [(each.began, each.serving + NEAR) for each in done_swaps]
    spans = {"before": [(began, began + calm)], "during": near, "after": [(ended, ended + calm)]}
    print(machine(), f"· {len(done_swaps)} swaps in {ended - began - calm:.0f} s")
    for name, calls in streams.items():
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
        before = memory.most(name, began, began + calm)
        during = memory.most(name, began + calm, ended)
        after = memory.most(name, ended + calm / 2, ended + calm)
        print(f"{name}: {before:.0f} MiB before, {during:.0f} at most during, {after:.0f} after")
