"""Requests that come when they come, whether or not earlier ones were answered (open loop)."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import aiohttp

from bench.report import percentile

_WARM_UP = 0.2
"""The share of a run at its start that is not counted."""

_DRAIN_SECONDS = 20.0


@dataclass(frozen=True)
class Reply:
    """Seconds from the moment at which it was due: a sender that is late shows, too."""

    first: float
    whole: float


@dataclass
class Run:
    """What one arm did at one rate; `in_flight` is seen by each request as it comes."""

    replies: list[Reply] = field(default_factory=list)
    in_flight: list[int] = field(default_factory=list)
    failed: int = 0

    @property
    def saturated(self) -> bool:
        """Whether the queue grew while requests came, or some were not answered."""
        quarter = max(1, len(self.in_flight) // 4)
        before = sum(self.in_flight[quarter : 2 * quarter]) / quarter
        at_the_end = sum(self.in_flight[-quarter:]) / quarter
        return self.failed > 0 or at_the_end > 1.5 * before + 3

    def first_ms(self, share: float) -> float:
        """The percentile of the first word."""
        return percentile([reply.first for reply in self.replies], share) * 1000

    def whole_ms(self, share: float) -> float:
        """The percentile of the whole answer."""
        return percentile([reply.whole for reply in self.replies], share) * 1000


Call = Callable[[], Awaitable[float]]
"""Asks once; returns when the first word came, by `time.perf_counter`."""


async def send(call: Call, rate: float, seconds: float, *, seed: int) -> Run:
    """Poisson arrivals, the same for every arm with the same `seed`."""
    draw = random.Random(seed)
    run, tasks, flying = Run(), set[asyncio.Task[None]](), 0
    counted_from = seconds * _WARM_UP

    async def ask(due: float, *, counts: bool) -> None:
        nonlocal flying
        flying += 1
        try:
            first = await call()
        except (TimeoutError, OSError, aiohttp.ClientError, Refused):
            run.failed += 1
        else:
            if counts:
                run.replies.append(Reply(first - due, time.perf_counter() - due))
        finally:
            flying -= 1

    began, at = time.perf_counter(), 0.0
    while (at := at + draw.expovariate(rate)) < seconds:
        if (pause := began + at - time.perf_counter()) > 0:
            await asyncio.sleep(pause)
        run.in_flight.append(flying)
        task = asyncio.create_task(ask(began + at, counts=at >= counted_from))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    if tasks:
        _, late = await asyncio.wait(tasks, timeout=_DRAIN_SECONDS)
        run.failed += len(late)
        for task in late:
            task.cancel()
    return run


class Refused(Exception):
    """The edge did not answer with what was asked for."""


def chat(http: aiohttp.ClientSession, url: str, question: str, *, stream: bool) -> Call:
    """Calls chat completions as a program does that looks at the first word and at the end."""
    messages = [{"role": "user", "content": question}]
    body = {"model": "gyre", "messages": messages, "stream": stream}

    async def call() -> float:
        first = 0.0
        async with http.post(f"{url}/v1/chat/completions", json=body) as reply:
            if reply.status != 200:
                raise Refused(await reply.text())
            if not stream:
                await reply.read()
                return time.perf_counter()
            last = b""
            async for line in reply.content:
                if (
                    not first
                    and b'"content":' in line
                    and b'"content":""' not in line.replace(b" ", b"")
                ):
                    first = time.perf_counter()
                last = line.strip() or last
        if last != b"data: [DONE]":
            raise Refused(f"the stream ended with {last[:200]!r}")
        return first

    return call
