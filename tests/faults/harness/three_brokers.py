"""Three brokers with three copies of everything, one of which is killed: nothing is lost.

`python -m tests.faults.harness.three_brokers --seed 7 --actions 6000 --kills 6` publishes and
consumes by our bus while one broker after the other is killed and comes back.
"""

import argparse
import asyncio
import base64
import logging
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from gyre_common.bus import Bus, Delivery, current_record
from gyre_common.bus.topics import ensure_topics
from gyre_common.events.event import Event
from gyre_common.events.topic import Topic
from gyre_local.engines import kafka
from gyre_local.errors import LocalError
from gyre_local.ports import Ports
from gyre_local.process import ProcessSpec
from gyre_local.supervisor import Supervisor
from gyre_local.testing import reserved_offset

from tests.faults.harness.backlog import Backlog
from tests.faults.harness.checker import Entry, Holdings, judge
from tests.faults.harness.history import Act, Kind
from tests.faults.harness.report import Outcome, Progress, Report
from tests.faults.harness.schedule import Fault, FaultKind, Plan, printed, schedule
from tests.system import wait_ready

BROKERS = (1, 2, 3)
_COPIES = {
    "default.replication.factor": "3",
    "min.insync.replicas": "2",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "share.coordinator.state.topic.replication.factor": "3",
    "share.coordinator.state.topic.min.isr": "2",
    # Two of the three remain, and must agree on a new controller at once.
    "controller.quorum.election.timeout.ms": "1000",
    "controller.quorum.fetch.timeout.ms": "2000",
}
_GROUP = "three-brokers"
_KEYS = 40
_SENDERS = 16
_PAUSE = 0.01
_RECOVERED_WITHIN = 60.0
_SETTLED_WITHIN = 120.0


class NumberSent(Event):
    """One of the numbers of a key, in their order."""

    key: str
    act: str


NUMBERS = Topic(
    "numbers.sent.v1", NumberSent, key=lambda event: event.key, summary="", partitions=6
)


def broker_specs(home: Path, offsets: Sequence[int]) -> list[ProcessSpec]:
    """Three brokers that are controllers too, each in a folder of its own."""
    ports = dict(zip(BROKERS, map(Ports, offsets), strict=True))
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    voters = ",".join(f"{number}@127.0.0.1:{of.kafka_controller}" for number, of in ports.items())
    return [_broker(home / str(number), number, ports[number], cluster, voters) for number in ports]


def _broker(home: Path, number: int, ports: Ports, cluster: str, voters: str) -> ProcessSpec:
    spec = kafka(home, ports)
    properties = Path(spec.argv[-1])
    changed = _COPIES | {"node.id": str(number), "controller.quorum.voters": voters}

    def prepare() -> None:
        data = home / "kafka" / "data"
        first = not data.exists()
        if first:  # as it is formatted for one node; it is done again below
            spec.prepare()
            shutil.rmtree(data)
            data.mkdir()
        lines = [line for line in properties.read_text().splitlines() if "=" in line]
        values = dict(line.split("=", 1) for line in lines) | changed
        properties.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
        if first:
            _format(spec, properties, cluster)

    return replace(spec, name=f"broker-{number}", prepare=prepare)


def _format(spec: ProcessSpec, properties: Path, cluster: str) -> None:
    java, class_path = spec.argv[0], spec.argv[spec.argv.index("-cp") + 1]
    tool = (java, "-cp", class_path, "kafka.tools.StorageTool", "format")
    subprocess.run(
        (*tool, "--cluster-id", cluster, "--config", str(properties)),
        check=True,
        stdout=subprocess.DEVNULL,
    )


@dataclass
class Counts:
    """How far a run is: `sending` are acts without an acknowledgement yet."""

    acknowledged: int = 0
    sending: int = 0
    may_begin: float = 0.0


async def run(seed: int, actions: int, kills: int, home: Path, offsets: Sequence[int]) -> Report:
    """Raises LocalError, TimeoutError: the cluster does not start."""
    began = time.monotonic()
    progress = Progress(actions)
    names = [f"broker-{number}" for number in BROKERS]
    faults = schedule(seed, actions, [Plan(FaultKind.BROKER_OF_THREE, kills, names)])
    for line in printed(seed, faults, {}).splitlines():
        progress.say(line)
    servers = ",".join(Ports(offset).kafka_servers for offset in offsets)
    log: list[Entry] = []
    acts: list[Act] = []
    outcomes: list[Outcome] = []
    counts = Counts()
    async with Supervisor(broker_specs(home, offsets), home) as brokers:
        await wait_ready(brokers, 120)
        await ensure_topics(servers, [NUMBERS])
        async with _consumer(servers, log):
            backlog = Backlog(servers)
            watching = asyncio.create_task(backlog.watch())
            sending = asyncio.create_task(_send(servers, seed, actions, acts, counts))
            for fault in faults:
                counts.may_begin = fault.at + actions * 0.02
                while counts.acknowledged < fault.at and not sending.done():
                    progress.show(counts.acknowledged, len(outcomes))
                    await asyncio.sleep(0.02)
                outcomes.append(await _kill(brokers, fault, counts, began))
            counts.may_begin = actions
            await sending
            settled = await _settled(backlog, log, acts)
            watching.cancel()
            with suppress(asyncio.CancelledError):
                await watching
    verdict = judge(
        acts, Holdings(log=log, stores={_GROUP: (Kind.SUBMIT,)}, commits=backlog.commits)
    )
    stuck = [
        f"nothing was acknowledged after {o.fault}" for o in outcomes if o.recovered_in is None
    ]
    idle = [f"{one.fault} came with no work in flight" for one in outcomes if not one.in_flight]
    return Report(
        title="Three brokers, one of which is killed",
        command=(
            "python -m tests.faults.harness.three_brokers "
            f"--seed {seed} --actions {actions} --kills {kills}"
        ),
        seed=seed,
        seconds=time.monotonic() - began,
        verdict=verdict,
        outcomes=outcomes,
        problems=[*stuck, *idle, *([] if settled else ["the consumer did not catch up"])],
    )


def _consumer(servers: str, log: list[Entry]) -> Bus:
    bus = Bus(servers, service=_GROUP, delivery=Delivery(commit_every=0.2, session=6.0))

    @bus.on(NUMBERS, group=_GROUP)
    async def on_number_sent(event: NumberSent) -> None:
        raw = current_record().raw
        log.append(
            Entry(
                store=_GROUP,
                kind=Kind.SUBMIT,
                tenant=event.tenant,
                key=event.key,
                act=event.act,
                id=event.act,
                order=raw.offset,
                at=time.time(),
                topic=raw.topic,
                partition=raw.partition,
            )
        )

    return bus


async def _send(servers: str, seed: int, actions: int, acts: list[Act], counts: Counts) -> None:
    """Several senders, each the keys that are its own; each waits for its acknowledgement."""
    chance = random.Random(seed)
    keys: list[list[str]] = [[] for _ in range(_SENDERS)]
    for _ in range(actions):
        key = chance.randrange(_KEYS)
        keys[key % _SENDERS].append(f"key-{key}")
    producer = AIOKafkaProducer(
        bootstrap_servers=servers, acks="all", enable_idempotence=True, request_timeout_ms=5_000
    )
    async with producer, asyncio.TaskGroup() as group:
        for number, own in enumerate(keys):
            group.create_task(_send_own(producer, number, own, acts, counts))


async def _send_own(
    producer: AIOKafkaProducer, sender: int, keys: Sequence[str], acts: list[Act], counts: Counts
) -> None:
    for number, key in enumerate(keys):
        while counts.acknowledged >= counts.may_begin:
            await asyncio.sleep(_PAUSE)
        act_id = f"{sender}-{number}"
        act = Act(kind=Kind.SUBMIT, tenant="default", key=key, id=act_id, value="", at=time.time())
        event = NumberSent(key=key, act=act_id)
        counts.sending += 1
        while True:
            try:
                await producer.send_and_wait(NUMBERS.name, event.to_json(), key.encode())
            except KafkaError:
                await asyncio.sleep(_PAUSE)
            else:
                break
        counts.sending -= 1
        counts.acknowledged += 1
        acts.append(replace(act, acknowledged_at=time.time()))
        await asyncio.sleep(_PAUSE)


async def _kill(brokers: Supervisor, fault: Fault, counts: Counts, began: float) -> Outcome:
    """Recovered: acknowledged again, and the broker is back."""
    process = next(one for one in brokers.state.processes if one.name == fault.target)
    assert process.identity is not None
    while not counts.sending:
        await asyncio.sleep(0.001)
    in_flight, before = counts.sending, counts.acknowledged
    os.kill(process.identity.pid, signal.SIGKILL)
    killed = time.monotonic()
    acknowledged_after: float | None = None
    while time.monotonic() - killed < _RECOVERED_WITHIN:
        if acknowledged_after is None and counts.acknowledged > before + in_flight:
            acknowledged_after = time.monotonic() - killed
        now = next(one for one in brokers.state.processes if one.name == fault.target)
        back = now.restarts > process.restarts and brokers.state.ready
        if acknowledged_after is not None and back:
            break
        await asyncio.sleep(0.05)
    return Outcome(
        fault=fault,
        started=killed - began,
        ended=time.monotonic() - began,
        in_flight=in_flight,
        recovered_in=acknowledged_after,
    )


async def _settled(backlog: Backlog, log: Sequence[Entry], acts: Sequence[Act]) -> bool:
    """Whether all was handled and committed in time."""
    deadline = time.monotonic() + _SETTLED_WITHIN
    while time.monotonic() < deadline:
        behind = await backlog.look()
        handled = {entry.act for entry in log}
        if behind and not sum(behind.values()) and all(act.id in handled for act in acts):
            return True
        await asyncio.sleep(0.2)
    return False


def main() -> None:
    """Exits with 1 where something is broken."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # Kafka is away by intention
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults.harness.three_brokers", description=__doc__
    )
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--actions", type=int, default=6_000)
    parser.add_argument("--kills", type=int, default=6)
    parser.add_argument("--folder", type=Path, default=Path(".gyre/faults/three-brokers"))
    wanted = parser.parse_args()
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        try:
            offsets = [stack.enter_context(reserved_offset()) for _ in BROKERS]
            report = asyncio.run(run(wanted.seed, wanted.actions, wanted.kills, home, offsets))
        except TimeoutError:
            sys.exit("error: the brokers are not ready in time")
        except LocalError as error:
            sys.exit(f"error: {error}")
    path = report.write(wanted.folder)
    sys.stdout.write(f"{report.verdict}\n")
    sys.stdout.writelines(f"problem: {problem}\n" for problem in report.problems)
    sys.stdout.write(f"{'passed' if report.passed else 'BROKEN'}: {path}\n")
    sys.exit(0 if report.passed else 1)


if __name__ == "__main__":
    main()
