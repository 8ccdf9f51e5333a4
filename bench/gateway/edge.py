"""The edge alone: what the gateway adds to the answer of a mock, beside a floor and a peer.

    python -m bench.gateway.edge [--seconds 20] [--rates 10 20 50] [--streams 500]

Arms run on one core, mock and sender on another; one is asked at a time, there and back again.
"""

import argparse
import asyncio
import itertools
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass

import aiohttp
import psutil

from bench.gateway import mock
from bench.gateway.arms import KEY, Ports, install_litellm, running_arm, running_mock
from bench.gateway.load import Run, chat, send
from bench.report import machine, median, table

_STEP = 1.5
"""From one rate to the next in the search for the highest."""

_MOST_RATE = 3_000.0
_WARM_UP_CALLS = 50
_REST_SECONDS = 60.0
_ALONE = "mock alone"
_HEAD = ("a second", "arm", "first word, p50", "p99", "whole, p50", "p99", "CPU ms", "")


@dataclass(frozen=True)
class Measured:
    """One run of an arm, and what the arm's process used for it."""

    run: Run
    cpu_ms: float


class Bench:
    """The arms, all running; one is asked at a time."""

    def __init__(
        self, ports: Ports, processes: dict[str, psutil.Process], http: aiohttp.ClientSession
    ) -> None:
        self.edges = tuple(ports.edges)
        self._urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.edges.items()}
        self._urls[_ALONE] = f"http://127.0.0.1:{ports.mock_http}"
        self._processes = processes
        self._http = http
        self._seeds = itertools.count(1)

    async def warm_up(self, arms: Sequence[str]) -> None:
        """Imports, caches, connections."""
        for arm in arms:
            for stream in (False, True):
                call = chat(self._http, self._urls[arm], "How hot?", stream=stream)
                for _ in range(_WARM_UP_CALLS):
                    await call()

    async def measure(
        self, arm: str, rate: float, seconds: float, *, stream: bool, seed: int
    ) -> Measured:
        """One run, and rest if it left work undone."""
        call = chat(self._http, self._urls[arm], "How hot?", stream=stream)
        before = self._cpu_seconds(arm)
        run = await send(call, rate, seconds, seed=seed)
        used = self._cpu_seconds(arm) - before
        if run.saturated and arm in self._processes:
            await self._rest(self._processes[arm])
        return Measured(run, used * 1000 / max(1, len(run.in_flight)))

    async def round(
        self, arms: Sequence[str], rate: float, seconds: float, *, stream: bool
    ) -> dict[str, list[Measured]]:
        """There and back again: a machine that slows down slows all of them."""
        results: dict[str, list[Measured]] = defaultdict(list)
        for order in (arms, arms[::-1]):
            seed = next(self._seeds)
            for arm in order:
                one = await self.measure(arm, rate, seconds, stream=stream, seed=seed)
                results[arm].append(one)
        return results

    async def highest_rate(self, arm: str, start: float, seconds: float) -> float:
        """The highest of the ladder at which its queue does not grow; 0 where there is none."""
        highest, rate = 0.0, start
        while rate <= _MOST_RATE:
            one = await self.measure(arm, rate, seconds, stream=False, seed=next(self._seeds))
            if one.run.saturated:
                break
            highest, rate = rate, rate * _STEP
        return highest

    async def memory(self, arm: str, count: int) -> tuple[float, float]:
        """MiB of the process before, and while `count` streams are open."""
        process = self._processes[arm]
        before = process.memory_info().rss
        opened = asyncio.Semaphore(0)
        tasks = [asyncio.create_task(self._hold(arm, opened)) for _ in range(count)]
        try:
            async with asyncio.timeout(120):
                for _ in range(count):
                    await opened.acquire()
            return before / 2**20, process.memory_info().rss / 2**20
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _hold(self, arm: str, opened: asyncio.Semaphore) -> None:
        messages = [{"role": "user", "content": mock.HOLD}]
        body = {"model": "gyre", "messages": messages, "stream": True}
        url = f"{self._urls[arm]}/v1/chat/completions"
        async with self._http.post(url, json=body) as reply:
            async for line in reply.content:
                if mock.PIECES[0].strip().encode() in line:
                    opened.release()

    async def _rest(self, process: psutil.Process) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(_REST_SECONDS):
                while await asyncio.to_thread(process.cpu_percent, 0.5) > 5:
                    pass

    def _cpu_seconds(self, arm: str) -> float:
        if arm not in self._processes:
            return 0.0
        times = self._processes[arm].cpu_times()
        return times.user + times.system


async def run(options: argparse.Namespace) -> None:
    """Prints the tables."""
    install_litellm()
    own = psutil.Process()
    cores = own.cpu_affinity()
    own.cpu_affinity([0])
    ports = Ports(options.port_offset)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running_mock(ports))
        processes = {
            name: await stack.enter_async_context(running_arm(name, ports)) for name in ports.edges
        }
        unbounded = aiohttp.TCPConnector(limit=0)
        headers = {"authorization": f"Bearer {KEY}"}
        session = aiohttp.ClientSession(connector=unbounded, headers=headers)
        http = await stack.enter_async_context(session)
        await _print_all(Bench(ports, processes, http), options)
    own.cpu_affinity(cores)


async def _print_all(bench: Bench, options: argparse.Namespace) -> None:
    arms = [_ALONE, *bench.edges]
    await bench.warm_up(arms)
    print(f"{machine()}; each arm on one core, mock and sender on another")
    first, whole = mock.FIRST_SECONDS * 1000, mock.WHOLE_SECONDS * 1000
    print(
        f"Milliseconds above the mock's own: {first:.0f} to the first word and to an answer in one"
    )
    print(f"piece, {whole:.0f} to a stream's end; two runs of {options.seconds:g} s each")
    highest = {}
    for arm in bench.edges:
        highest[arm] = await bench.highest_rate(arm, max(options.rates), options.seconds / 2)
    common = min(highest.values())
    for stream in (False, True):
        rates = [*options.rates] + ([common] if common > max(options.rates) else [])
        rows = []
        for rate in rates:
            results = await bench.round(arms, rate, options.seconds, stream=stream)
            rows += [_row(arm, rate, runs, stream=stream) for arm, runs in results.items()]
        print(f"\n{'streams' if stream else 'answers in one piece'}\n")
        print(table(_HEAD, rows))
    print("\nhighest rate without a queue that grows, answers in one piece\n")
    rates = [
        (arm, f"{rate:.0f}/s" if rate else f"below {max(options.rates):g}/s")
        for arm, rate in highest.items()
    ]
    print(table(("arm", "sustains"), rates))
    print(f"\nmemory, {options.streams} open streams\n")
    rows = []
    for arm in bench.edges:
        idle, held = await bench.memory(arm, options.streams)
        kib = (held - idle) * 1024 / options.streams
        rows.append((arm, f"{idle:.0f}", f"{held:.0f}", f"{kib:.0f}"))
    print(table(("arm", "MiB before", "MiB while open", "KiB a stream"), rows))


def _row(arm: str, rate: float, runs: list[Measured], *, stream: bool) -> tuple[str, ...]:
    replies = Run([reply for one in runs for reply in one.run.replies])
    cells = (f"{rate:.0f}", arm)
    if any(one.run.saturated for one in runs):
        failed = sum(one.run.failed for one in runs)
        return (*cells, *["–"] * 5, f"saturated, {failed} failed")
    first = mock.FIRST_SECONDS * 1000
    whole = mock.WHOLE_SECONDS * 1000 if stream else first
    cpu = "" if arm == _ALONE else f"{median([one.cpu_ms for one in runs]):.2f}"
    ms = [
        *((replies.first_ms(share) - first for share in (0.5, 0.99)) if stream else (None, None)),
        *(replies.whole_ms(share) - whole for share in (0.5, 0.99)),
    ]
    return (*cells, *("" if each is None else f"{each:.1f}" for each in ms), cpu, "")


def parser(**more: object) -> argparse.ArgumentParser:
    """The options of this half."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="of a run")
    parser.add_argument("--rates", type=float, nargs="+", default=[10.0, 20.0, 50.0])
    parser.add_argument("--streams", type=int, default=500)
    parser.add_argument("--port-offset", type=int, default=700)
    return parser


if __name__ == "__main__":
    asyncio.run(run(parser().parse_args()))
