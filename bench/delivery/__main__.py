"""Measures delivery: `python -m bench.delivery --servers HOST:PORT` prints a table.

Arms run one after another, there and back again (A B C C B A), so that a machine that slows down
slows all of them. Each consumes the same records with a new group, in a new process.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections import defaultdict
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Producer
from gyre_common.bus.topics import ensure_topics
from gyre_common.events.topic import Topic

from bench.delivery.arms import ARMS
from bench.delivery.workload import EVENT_BYTES, PARTITIONS, WorkloadEvent, event, topic
from bench.report import Row, machine, median, table

HEAD = ("arm", "records/s", "records/CPU-s", "CPU-s/100k", "durability")
HANDLERS = {"no-op": "returns at once", "200 µs": "each call waits 200 µs"}


def main() -> None:
    options = _options()
    options.servers = options.servers or f"127.0.0.1:{9092 + options.port_offset}"
    name = f"bench.delivered.{uuid4().hex[:8]}"
    asyncio.run(ensure_topics(options.servers, [topic(name)]))
    try:
        _fill(options.servers, name, options.records)
        print(machine())
        for handler, means in HANDLERS.items():
            count = options.records if handler == "no-op" else options.waiting_records
            results = _measure(options, name, handler, count)
            print(f"\n{handler} handler ({means}), {count:,} records of {EVENT_BYTES} bytes,")
            print(f"{PARTITIONS} partitions, median of {2 * options.rounds} runs an arm\n")
            print(table(HEAD, [_row(arm, runs, count) for arm, runs in results.items()]))
    finally:
        asyncio.run(_delete(options.servers, topic(name)))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.delivery", description=__doc__)
    parser.add_argument("--servers", help="a Kafka; by default the one that `gyre up` runs")
    parser.add_argument("--port-offset", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=3, help="there and back again, so often")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--waiting-records", type=int, default=5_000, help="for the 200 µs handler")
    parser.add_argument("--arms", nargs="*", default=list(ARMS), choices=list(ARMS))
    return parser.parse_args()


def _fill(servers: str, name: str, count: int) -> None:
    producer = Producer({"bootstrap.servers": servers, "acks": "all", "linger.ms": 20})
    declared = topic(name)
    for ordinal in range(count):
        sample = event(ordinal)
        producer.produce(name, key=declared.key(sample), value=sample.to_json())
        if ordinal % 5_000 == 0:
            producer.flush()
    producer.flush()


def _measure(
    options: argparse.Namespace, name: str, handler: str, count: int
) -> dict[str, list[dict[str, float]]]:
    results: dict[str, list[dict[str, float]]] = defaultdict(list)
    for round_ in range(options.rounds):
        for arm in [*options.arms, *reversed(options.arms)]:
            print(f"\r{handler}: round {round_ + 1}, {arm:<22}", end="", file=sys.stderr)
            command = [sys.executable, "-m", "bench.delivery.arms"]
            command += [arm, options.servers, name, str(count), handler]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            results[arm].append(json.loads(output.splitlines()[-1]))
    print(file=sys.stderr)
    return results


def _row(arm: str, runs: list[dict[str, float]], count: int) -> Row:
    wall = median([run["wall"] for run in runs])
    cpu = median([run["cpu"] for run in runs])
    rates = (f"{count / wall:,.0f}", f"{count / cpu:,.0f}", f"{cpu / count * 1e5:.2f}")
    return (arm, *rates, ARMS[arm].durability)


async def _delete(servers: str, own_topic: Topic[WorkloadEvent]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    await admin.delete_topics([own_topic.name, own_topic.dlq])
    await admin.close()


if __name__ == "__main__":
    main()
