"""What an outage of ClickHouse costs: `python -m bench.telemetry.sink_out --minutes 10`.

Telemetry runs as it is, on a Kafka and a ClickHouse of its own, to which it has a line that is cut
and mended. It clears a backlog that was there before it started (its peak), lives with its load,
loses ClickHouse while twice that load comes in, and clears what has gathered then. Printed are its
memory before, meanwhile and after, and the two rates beside each other.
"""

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import psutil
from clickhouse_connect.driver.asyncclient import AsyncClient
from confluent_kafka import Producer
from gyre_common.bus.topics import ensure_topics
from gyre_common.events.feedback import FEEDBACK_RECEIVED, FeedbackKind, FeedbackReceived
from gyre_local.testing import LocalEngines, engines
from gyre_telemetry.clickhouse import open_clickhouse

from bench.report import machine, median, table

_LOOK = 0.25
_WORDS = "This explains when the valve closes, but not why it does so twice. " * 4
_MOST_MEMORY, _LEAST_RATE = 1.1, 0.9
_ENDS = 600.0


class Line:
    """A TCP port in front of another one, that can be cut: nobody gets through, nobody is kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._connections: set[asyncio.Task[None]] = set()
        self.cut = False

    @asynccontextmanager
    async def open(self) -> AsyncIterator[int]:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]
            self.sever()

    def sever(self) -> None:
        """End what is open, and let nothing through until `cut` is false again."""
        self.cut = True
        for connection in self._connections:
            connection.cancel()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        with suppress(OSError, asyncio.CancelledError):
            if not self.cut:
                back, forth = await asyncio.open_connection("127.0.0.1", self._port)
                await asyncio.gather(_pass_on(reader, forth), _pass_on(back, writer))
        writer.transport.abort()
        self._connections.discard(task)


async def _pass_on(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    try:
        while piece := await source.read(1 << 16):
            target.write(piece)
            await target.drain()
    finally:
        target.close()


@dataclass
class Memory:
    """Resident MiB of a process, a sample every quarter of a second, by phase."""

    process: psutil.Process
    phase: str = "start"
    samples: dict[str, list[float]] = field(default_factory=dict)

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return float(times.user + times.system)

    async def watch(self) -> None:
        while True:
            size = self.process.memory_info().rss / 2**20
            self.samples.setdefault(self.phase, []).append(size)
            await asyncio.sleep(_LOOK)


class Votes:
    """Puts votes on the topic at a rate, and looks how many are rows."""

    def __init__(self, servers: str, client: AsyncClient) -> None:
        self._producer = Producer({"bootstrap.servers": servers, "acks": "all", "linger.ms": 20})
        self._client = client
        self._tenant = f"out-{uuid4().hex[:8]}"
        self.sent = 0

    def send(self, count: int) -> None:
        for _ in range(count):
            vote = FeedbackReceived(
                tenant=self._tenant,
                interaction_id=uuid4(),
                feedback_id=uuid4(),
                kind=FeedbackKind.COMMENT,
                comment=_WORDS,
                actor="bench",
                received_at=datetime.now(UTC),
            )
            key = FEEDBACK_RECEIVED.key(vote)
            self._producer.produce(FEEDBACK_RECEIVED.name, key=key, value=vote.to_json())
            self._producer.poll(0)
        self.sent += count

    async def send_for(self, seconds: float, rate: float) -> None:
        began, before = time.monotonic(), self.sent
        while (passed := time.monotonic() - began) < seconds:
            due = int(passed * rate) - (self.sent - before)
            if due > 0:
                self.send(due)
            await asyncio.sleep(0.02)
        self._producer.flush()

    def flush(self) -> None:
        self._producer.flush()

    async def rows(self) -> int:
        result = await self._client.query(
            "SELECT uniqExact(feedback_id) FROM gyre.feedback WHERE tenant = {t:String}",
            parameters={"t": self._tenant},
        )
        return int(result.result_rows[0][0])

    async def drained(self, *, at_first: int) -> float:
        """Records a second, from a tenth of what waits to nine tenths of it."""
        waiting = self.sent - at_first
        low, high = at_first + waiting * 0.1, at_first + waiting * 0.9
        first: tuple[float, int] | None = None
        last: tuple[float, int] | None = None
        deadline = time.monotonic() + _ENDS
        while (count := await self.rows()) < self.sent:
            now = time.monotonic()
            if count >= low and first is None:
                first = (now, count)
            if count >= high and last is None:
                last = (now, count)
            if now > deadline:
                raise SystemExit(f"{self.sent - count:,} records are no rows after {_ENDS:g} s")
            await asyncio.sleep(2 * _LOOK)
        end = (time.monotonic(), self.sent)
        (t0, n0), (t1, n1) = first or end, last or end
        return (n1 - n0) / (t1 - t0) if t1 > t0 else float(waiting)


async def measure(running: LocalEngines, options: argparse.Namespace) -> bool:
    """Prints the figures; returns whether they are within the bounds."""
    servers, ports = running.ports.kafka_servers, running.ports
    user, password = running.clickhouse_login
    seconds, load = options.minutes * 60, options.rate
    backlog = int(min(seconds, 60) * 2 * load)
    await ensure_topics(servers, [FEEDBACK_RECEIVED])
    line = Line(ports.clickhouse)
    async with (
        open_clickhouse(running.ports.clickhouse_url, user=user, password=password) as client,
        line.open() as port,
    ):
        votes = Votes(servers, client)
        votes.send(backlog)
        votes.flush()
        environment = {
            **os.environ,
            "GYRE_KAFKA_SERVERS": servers,
            "GYRE_CLICKHOUSE_URL": f"http://127.0.0.1:{port}",
            "GYRE_CLICKHOUSE_PASSWORD": password,
            "GYRE_PORT_OFFSET": str(ports.offset),
        }
        command = [sys.executable, "-m", "gyre_telemetry.app"]
        with subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) as service:
            memory = Memory(psutil.Process(service.pid))
            watch = asyncio.create_task(memory.watch())
            try:
                rates = await _phases(votes, memory, line, client, seconds, load)
            finally:
                watch.cancel()
                service.terminate()
    return _report(memory, rates, options)


async def _phases(
    votes: Votes, memory: Memory, line: Line, client: AsyncClient, seconds: float, load: float
) -> dict[str, float]:
    async def there() -> None:
        while not await _is_true(votes.rows):
            await asyncio.sleep(_LOOK)

    memory.phase = "peak"
    await there()
    cpu = memory.cpu_seconds()
    peak = await votes.drained(at_first=0)
    peak_cpu = (memory.cpu_seconds() - cpu) / votes.sent
    memory.phase = "before"
    await votes.send_for(max(10.0, seconds / 6), load)
    await _settled(votes)
    landed = votes.sent
    memory.phase = "away"
    line.sever()
    await votes.send_for(seconds, 2 * load)
    gathered = votes.sent - landed
    memory.phase = "drain"
    cpu = memory.cpu_seconds()
    line.cut = False
    drain = await votes.drained(at_first=landed)
    drain_cpu = (memory.cpu_seconds() - cpu) / gathered
    memory.phase = "after"
    await votes.send_for(10.0, load)
    await _settled(votes)
    once = await client.query(
        "SELECT count() FROM gyre.feedback FINAL WHERE actor = 'bench'",
    )
    return {
        "peak": peak,
        "drain": drain,
        "peak_cpu": peak_cpu,
        "drain_cpu": drain_cpu,
        "gathered": float(gathered),
        "lost": float(votes.sent - int(once.result_rows[0][0])),
    }


async def _is_true(look: Callable[[], Awaitable[int]]) -> bool:
    try:
        return bool(await look())
    except Exception:  # noqa: BLE001 - the schema is not there yet
        return False


async def _settled(votes: Votes) -> None:
    while await votes.rows() < votes.sent:
        await asyncio.sleep(_LOOK)


def _report(memory: Memory, rates: dict[str, float], options: argparse.Namespace) -> bool:
    before = max(memory.samples["before"])
    rows = [
        (name, f"{median(some):.0f}", f"{max(some):.0f}", f"{max(some) / before:.2f}")
        for name, some in memory.samples.items()
        if name != "start"
    ]
    print(machine())
    print(
        f"{options.rate:g} votes a second; ClickHouse away for {options.minutes:g} min at twice "
        f"that: {rates['gathered']:,.0f} gathered, {rates['lost']:,.0f} lost or doubled\n"
    )
    print(table(("memory, MiB", "median", "greatest", "× before"), rows))
    ratio = rates["drain"] / rates["peak"]
    print(
        f"\ncleared at {rates['drain']:,.0f} records/s, {ratio:.2f} of the peak of "
        f"{rates['peak']:,.0f} records/s in the same run; CPU-seconds a thousand records: "
        f"{1000 * rates['drain_cpu']:.2f}, at the peak {1000 * rates['peak_cpu']:.2f}"
    )
    away = max(*memory.samples["away"], *memory.samples["drain"]) / before
    print(f"bounds: memory {away:.2f} ≤ {_MOST_MEMORY}, rate {ratio:.2f} ≥ {_LEAST_RATE}")
    return away <= _MOST_MEMORY and ratio >= _LEAST_RATE and not rates["lost"]


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m bench.telemetry.sink_out",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=1.0, help="how long ClickHouse is away")
    parser.add_argument("--rate", type=float, default=300.0, help="votes a second, its load")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, engines(Path(folder)) as running:
        for engine in ("kafka", "clickhouse"):
            running.start(engine)
        within = asyncio.run(measure(running, options))
    sys.exit(0 if within else 1)


if __name__ == "__main__":
    main()
