"""Sends attempts by a seed, asks as a neighbour all the while, and says what broke."""

import asyncio
import random
import time
import uuid
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx2
from aiokafka import AIOKafkaProducer
from gyre.ingestor.v1 import ingestor_pb2
from gyre_client import Addresses, AsyncClient, Caller, NotFound
from gyre_common.events import ALL_TOPICS

from tests.attack import over_grpc, over_http, over_kafka
from tests.attack.attempt import NOT_SENT, Attempt, Outcome
from tests.eventually import eventually
from tests.system import System

HELD: Mapping[str, Callable[[str], bool]] = {
    "gRPC": over_grpc.held,
    "HTTP": over_http.held,
    "Kafka": over_kafka.held,
}
NEIGHBOUR = "neighbour"
_AT_ONCE = 4
_AGAIN_AFTER = 0.5
_LONGEST_NEIGHBOUR = 60.0
_RESTS = {"language-model"}  # it ends by itself while nobody needs it
_AWAY, _PAUSES = ("UNAVAILABLE", "503", "DEADLINE_EXCEEDED", "504"), (1.0, 3.0)
_CRASHED = ("call crashed", "Traceback (most recent", "request crashed")


@dataclass
class Report:
    """`broken` says in lines what did not stand; empty where all did."""

    seed: int
    possible: int
    outcomes: list[Outcome] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    neighbour_calls: int = 0
    slowest: float = 0.0

    def by_kind(self) -> Mapping[tuple[str, str], tuple[int, int]]:
        """How many were tried, and how many of them held."""
        counts: dict[tuple[str, str], list[bool]] = defaultdict(list)
        for one in self.outcomes:
            counts[one.attempt.over, one.attempt.kind].append(one.held)
        return {kind: (len(each), sum(each)) for kind, each in sorted(counts.items())}


async def run(
    system: System, *, seed: int, count: int, show: Callable[[int, int], None] = lambda *_: None
) -> Report:
    """`count` attempts of all, at least one of each kind; 0 for all. A system stands where every
    attempt has an answer that somebody foresaw, neighbours are answered all the while, no process
    ends, no handler fails for no named reason, and documents still become searchable.
    """
    before = _processes(system)
    marks = {path: path.stat().st_size for path in _logs(system)}
    async with _attempts(system) as every:
        chosen = _sample(every, seed, count)
        report = Report(seed, len(every))
        neighbour = asyncio.create_task(_neighbour(system, report))
        await _send(chosen, report, show)
        neighbour.cancel()
        await asyncio.gather(neighbour, return_exceptions=True)
        report.broken += [str(one) for one in report.outcomes if not one.held]
        await _documents_still_arrive(system, report)
    after = _processes(system)
    ended = (name for name in before if before[name] != after.get(name))
    report.broken += [f"{name} ended" for name in ended if name not in _RESTS]
    report.broken += [f"{path.stem}: {line}" for path, line in _new_lines(system, marks)]
    report.broken += [line async for line in _bugs(system)]
    return report


def _sample(every: Sequence[Attempt], seed: int, count: int) -> list[Attempt]:
    order = list(every)
    random.Random(seed).shuffle(order)
    if not count or count >= len(order):
        return order
    first_of_kind = {(one.over, one.kind): one for one in reversed(order)}
    chosen = list(first_of_kind.values())
    names = {id(one) for one in chosen}
    chosen += [one for one in order if id(one) not in names][: max(0, count - len(chosen))]
    random.Random(seed).shuffle(chosen)
    return chosen


@asynccontextmanager
async def _attempts(system: System) -> AsyncIterator[list[Attempt]]:
    addresses = vars(Addresses.on("127.0.0.1", port_offset=system.ports.offset))
    async with AsyncExitStack() as stack:
        channels = {
            name: await stack.enter_async_context(
                grpc.aio.insecure_channel(
                    address, options=[("grpc.max_send_message_length", 16 * 1024 * 1024)]
                )
            )
            for name, address in addresses.items()
        }
        url = f"http://127.0.0.1:{system.ports.http}"
        http = await stack.enter_async_context(httpx2.AsyncClient(base_url=url, trust_env=False))
        description = (await http.get("/openapi.json")).json()
        producer = AIOKafkaProducer(
            bootstrap_servers=system.ports.kafka_servers, max_request_size=2 * 1024 * 1024
        )
        await producer.start()
        stack.push_async_callback(producer.stop)
        yield [
            *over_grpc.attempts(channels.__getitem__),
            *over_http.attempts(http, description),
            *over_kafka.attempts(producer),
        ]


async def _send(
    chosen: Sequence[Attempt], report: Report, show: Callable[[int, int], None]
) -> None:
    waiting: Iterator[Attempt] = iter(chosen)

    async def work() -> None:
        for attempt in waiting:
            result = await _result(attempt)
            if result != NOT_SENT:
                report.outcomes.append(Outcome(attempt, result, HELD[attempt.over](result)))
            show(len(report.outcomes), len(chosen))

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))


async def _result(attempt: Attempt) -> str:
    """Of the last of three tries, where what is away asks for another one."""
    for pause in (*_PAUSES, 0.0):
        try:
            result = await attempt.send()
        except Exception as error:
            return f"{type(error).__name__} here"
        if result not in _AWAY:
            break
        await asyncio.sleep(pause)
    return result


async def _neighbour(system: System, report: Report) -> None:
    addresses = Addresses.on("127.0.0.1", port_offset=system.ports.offset)
    async with AsyncClient(addresses, Caller(tenant=NEIGHBOUR, actor="ann")) as gyre:
        while True:
            began = time.monotonic()
            try:
                async with asyncio.timeout(_LONGEST_NEIGHBOUR):
                    await gyre.answers.ask("How hot is tea?")
            except Exception as error:
                report.broken.append(f"a neighbour was not answered: {error!r}")
            report.neighbour_calls += 1
            report.slowest = max(report.slowest, time.monotonic() - began)
            await asyncio.sleep(_AGAIN_AFTER)


async def _documents_still_arrive(system: System, report: Report) -> None:
    name = f"{uuid.uuid4()}.md"
    addresses = Addresses.on("127.0.0.1", port_offset=system.ports.offset)
    async with AsyncClient(addresses, Caller(tenant=NEIGHBOUR, actor="ann")) as gyre:
        text = "Tea is brewed at 80 degrees."
        await gyre.documents.submit(ingestor_pb2.Document(document_id=name, text=text))

        async def is_searchable() -> bool:
            try:
                return bool((await gyre.documents.get(name)).chunk_count)
            except NotFound:
                return False

        try:
            await eventually(is_searchable, timeout=120, every=0.2)
        except AssertionError as error:
            report.broken.append(f"a neighbour's document did not become searchable: {error}")


def _processes(system: System) -> dict[str, int]:
    return {each.name: each.identity.pid for each in system.state().processes if each.identity}


def _logs(system: System) -> list[Path]:
    return sorted((system.home / "logs").glob("*.log"))


def _new_lines(system: System, marks: Mapping[Path, int]) -> Iterator[tuple[Path, str]]:
    for path in _logs(system):
        with path.open("rb") as log:
            log.seek(marks.get(path, 0))
            for line in log.read().decode(errors="replace").splitlines():
                if any(sign in line for sign in _CRASHED):
                    yield path, line if len(line) < 1_000 else f"{line[:400]} … {line[-600:]}"


async def _bugs(system: System) -> AsyncIterator[str]:
    addresses = Addresses.on("127.0.0.1", port_offset=system.ports.offset)
    async with AsyncClient(addresses, Caller(tenant=NEIGHBOUR)) as gyre:
        counts = {each.topic: each.count for each in await gyre.dead_letters.list()}
        for topic in (each.name for each in ALL_TOPICS):
            if not counts.get(f"{topic}.dlq"):
                continue
            for letter in await gyre.dead_letters.show(topic, limit=1_000):
                if letter.cause.kind == "bug":
                    yield f"{topic}: {letter.cause.error}: {letter.cause.message}"
