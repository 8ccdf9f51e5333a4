"""The real system: an answer over HTTP beside the same answer over gRPC, each recorded in Kafka.

    python -m bench.gateway.system [--port-offset N] [--seconds 60] [--rates 2 5 10]

Asks for a running system; submits the project's own pages to a tenant of its own there.
"""

import argparse
import asyncio
import itertools
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import grpc
from gyre.generator.v1 import generator_pb2, generator_pb2_grpc

from bench.gateway.load import Call, Refused, Run, chat, send
from bench.report import machine, table

TENANT = "bench-gateway"
QUESTIONS = (
    "Which topic do producers write documents to?",
    "Where are dead letters parked?",
    "What does a gate decide?",
    "Who writes ClickHouse?",
    "When is an answer counted?",
    "Which command takes a release back?",
    "What is a recipe?",
    "How are votes weighed?",
)
_ROOT = Path(__file__).parents[2]
_HEAD = ("a second", "over", "p50 ms", "p99 ms", "added p50", "added p99", "")


async def run(options: argparse.Namespace) -> None:
    """Prints the table."""
    submit(options.port_offset)
    async with AsyncExitStack() as stack:
        target = f"127.0.0.1:{50054 + options.port_offset}"
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(target))
        session = aiohttp.ClientSession(headers={"gyre-tenant": TENANT})
        http = await stack.enter_async_context(session)
        calls = {
            "gRPC": over_grpc(generator_pb2_grpc.GeneratorServiceStub(channel)),
            "HTTP": over_http(http, f"http://127.0.0.1:{8080 + options.port_offset}"),
        }
        for call in calls.values():
            await send(call, 1, 5, seed=0)
        rows = []
        for rate in options.rates:
            runs: dict[str, list[Run]] = {"gRPC": [], "HTTP": []}
            for number, over in enumerate(("gRPC", "HTTP", "HTTP", "gRPC")):
                one = await send(calls[over], rate, options.seconds, seed=number // 2)
                runs[over].append(one)
            rows += _rows(rate, runs)
    print(f"{machine()}; answers in one piece, durable in Kafka; two runs of {options.seconds:g} s")
    print(table(_HEAD, rows))


def over_grpc(generator: generator_pb2_grpc.GeneratorServiceStub) -> Call:
    """The call that the gateway makes, without it."""
    questions = itertools.cycle(QUESTIONS)

    async def call() -> float:
        request = generator_pb2.AnswerRequest(question=next(questions))
        try:
            await generator.Answer(request, metadata=(("gyre-tenant", TENANT),), timeout=60)
        except grpc.RpcError as error:
            raise Refused(str(error)) from error
        return time.perf_counter()

    return call


def over_http(http: aiohttp.ClientSession, url: str) -> Call:
    """The same questions in the same order."""
    calls = itertools.cycle([chat(http, url, question, stream=False) for question in QUESTIONS])

    async def call() -> float:
        return await next(calls)()

    return call


def submit(port_offset: int) -> None:
    """The project's own pages, to the benchmark's tenant."""
    gyre = str(Path(sys.executable).parent / "gyre")
    where = ("--tenant", TENANT, "--port-offset", str(port_offset))
    subprocess.run([gyre, "submit", "README.md", "docs", *where], cwd=_ROOT, check=True)


def _rows(rate: float, runs: dict[str, list[Run]]) -> list[tuple[str, ...]]:
    together = {over: Run([r for run in each for r in run.replies]) for over, each in runs.items()}
    floor = together["gRPC"]
    rows = []
    for over, replies in together.items():
        cells = (f"{rate:g}", over)
        if any(run.saturated for run in runs[over]):
            failed = sum(run.failed for run in runs[over])
            rows.append((*cells, *["–"] * 4, f"saturated, {failed} failed"))
            continue
        ms = [replies.whole_ms(share) for share in (0.5, 0.99)]
        added = [replies.whole_ms(share) - floor.whole_ms(share) for share in (0.5, 0.99)]
        figures = [*(f"{each:.1f}" for each in ms), *(f"{each:+.1f}" for each in added)]
        rows.append((*cells, *figures, f"{len(replies.replies)} answers"))
    return rows


def parser() -> argparse.ArgumentParser:
    """The options of this half."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=60.0, help="of a run")
    parser.add_argument("--rates", type=float, nargs="+", default=[2.0, 5.0, 10.0])
    return parser


if __name__ == "__main__":
    asyncio.run(run(parser().parse_args()))
